"""Each alert has its runbook, each runbook its alert, and both speak of what exists."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dashboards import files, thresholds
from dashboards.thresholds import Thresholds
from exporter.cli.main import cli

FOLDER = Path(__file__).parents[2] / "docs" / "runbooks"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
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
        assert uid in {board.uid for board in files.boards()}


def test_without_addresses_they_link_to_nothing():
    for alert in ALERTS:
        assert set(alert.as_rule(Thresholds())["annotations"]) == {"summary", "description"}
    for board in files.boards():
        assert '"title": "Runbook"' not in files.as_json(board.as_json([]))


def test_links_of_alerts_set_variables_that_their_boards_have():
    boards = {board.uid: board for board in files.boards()}
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


def test_commands_of_ours_exist():
    told = " ".join(path.read_text() for path in PAGES)
    for command in set(re.findall(r"clusterset-exporter ([a-z]+) ", told)):
        assert CliRunner().invoke(cli, [command, "--help"]).exit_code == 0, command


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
