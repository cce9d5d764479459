"""Each alert has its runbook, each runbook its alert, and both speak of what exists."""

import re
import subprocess

import click
import pytest
import yaml
from click.testing import CliRunner

from dashboards import files, thresholds
from dashboards.thresholds import Thresholds
from exporter.cli.main import cli
from tests.fakes.commands import commands
from tests.fakes.runbooks import CAPITALS, FILLED, FOLDER, LABELS, PAGES, of_program, programs
from tests.fakes.tools import need

ALERTS = files.alerts(Thresholds())
LINKED = Thresholds(runbook_url="https://docs.test/runbooks", dashboard_url="https://grafana.test")
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def test_every_alert_has_its_runbook_and_every_runbook_its_alert():
    assert {path.stem for path in PAGES} == {alert.name for alert in ALERTS}


def test_alerts_link_to_their_runbook_and_their_board():
    for alert in ALERTS:
        links = alert.as_rule(LINKED)["annotations"]
        assert (FOLDER / links["runbook_url"].rpartition("/")[2]).exists()
        uid = re.search(r"/d/([\w-]+)", links["dashboard_url"])[1]
        assert uid in {board.uid for board in files.boards(Thresholds())}


def test_without_addresses_they_link_to_nothing():
    for alert in ALERTS:
        assert set(alert.as_rule(Thresholds())["annotations"]) == {
            "summary",
            "description",
            "command",
        }
    for board in files.boards(Thresholds()):
        assert '"title": "Runbook"' not in files.as_json(board.as_json([]))


def test_links_of_alerts_set_variables_that_their_boards_have():
    boards = {board.uid: board for board in files.boards(Thresholds())}
    for alert in ALERTS:
        uid, _, query = alert.board.partition("?")
        known = {variable.name for variable in boards[uid].variables}
        assert set(re.findall(r"var-(\w+)=", query)) <= known


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_pages_have_the_four_sections_and_commands_to_copy(path):
    text = path.read_text()
    assert text.startswith(f"# {path.stem}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    diagnosis = text.split("## Diagnosis")[1].split("## Mitigation")[0]
    assert "```console" in diagnosis


def test_links_of_alerts_show_a_panel_of_their_board():
    boards = {board.uid: board.as_json([]) for board in files.boards(Thresholds())}
    for alert in ALERTS:
        link = alert.as_rule(LINKED)["annotations"]["dashboard_url"]
        uid, number = re.fullmatch(r".*/d/([\w-]+)\?.*viewPanel=(\d+)", link).groups()
        (panel,) = [each for each in boards[uid]["panels"] if each["id"] == int(number)]
        assert panel["title"] == alert.panel


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.severity}")
def test_a_page_begins_with_the_command_that_the_alert_shows(alert):
    shown = alert.as_rule(Thresholds())["annotations"]["command"]
    place = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
    first = commands(FOLDER / f"{alert.name}.md")[0]
    assert first.partition(" | ")[0] == place.sub(lambda found: LABELS[found[1]], shown)


def test_the_command_of_an_alert_names_the_exporters_of_the_release():
    other = Thresholds(namespace="watch", workload="statefulset/mine")
    shown = {alert.as_rule(other)["annotations"]["command"] for alert in ALERTS}
    assert any("--namespace watch exec statefulset/mine -- " in each for each in shown)
    assert not [each for each in shown if "NAMESPACE" in each or "WORKLOAD" in each]
    assert not [each for each in shown if re.search(r"--namespace clusterset-exporter\b", each)]


KNOWN = {
    "kubectl",
    "promtool",
    "subctl",
    "openssl",
    "jq",
    "grep",
    "awk",
    "sort",
    "uniq",
    "head",
    "tail",
}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_placeholders_are_those_of_the_table_and_programs_are_those_at_hand(path):
    table = (FOLDER / "README.md").read_text()
    for command in commands(path):
        # Within single quotes stand patterns and programs of awk.
        used = set(CAPITALS.findall(re.sub(r"'(?!count|sum)[^']*'", "", command)))
        assert used <= FILLED.keys(), command
        assert all(f"`{each}`" in table for each in used)
        assert {words[0] for words in programs(command)} <= KNOWN, command


def test_commands_of_ours_are_taken_with_all_their_flags(tmp_path):
    config = tmp_path / "config.yaml"
    config.touch()
    calls = [
        words[words.index("--") + 2 :] for _, words in of_program("kubectl") if "exec" in words
    ]
    assert len(calls) > 15
    for call in calls:
        words = [re.sub(r"^(--config\.file)=.*", rf"\1={config}", word) for word in call]
        group, path = cli, []
        while isinstance(group, click.Group):
            path.append(words.pop(0))
            group = group.get_command(click.Context(group), path[-1])
        assert path in (["check"], ["config", "check"])
        group.make_context(path[-1], words)
    assert CliRunner().invoke(cli, ["check", "--since", "1h", "shop/cart"]).exit_code == 2


def test_queries_are_taken_by_promtool(tmp_path):
    calls = [words for _, words in of_program("promtool")]
    assert calls
    rules = []
    for number, (*command, address, query) in enumerate(calls):
        assert command == ["query", "instant"]
        assert address.startswith("http://")
        rules.append({"record": f"r{number}", "expr": query})
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}))
    subprocess.run([need("promtool"), "check", "rules", path], check=True, capture_output=True)


def test_thresholds_that_are_spoken_of_exist():
    known = {thresholds.key(name) for name in Thresholds.__dataclass_fields__}
    for path in PAGES:
        for name in re.findall(r"`([a-z]+[A-Z]\w+)`", path.read_text()):
            of_kubernetes = {"failureThreshold", "successThreshold"} | {
                "timeoutSeconds",
                "periodSeconds",
            }
            assert name in known | of_kubernetes, f"{path.stem}: {name}"


def test_the_list_has_all_pages():
    text = (FOLDER / "README.md").read_text()
    assert all(f"({path.name})" in text for path in PAGES)
