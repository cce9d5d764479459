"""The documentation speaks of what there is."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

import pytest
import yaml

import exporter
from dashboards.renamed import FORMER
from docs.real_node import LOGS, with_logs
from exporter import __version__
from exporter.apiserver.annotations import LOG_CONTAINER, LOG_FORMAT
from exporter.config.schema import config_schema
from exporter.discover.findings import FindingKind
from exporter.discover.gateways import STALE_AFTER
from exporter.discover.parse_core import PROBE_ANNOTATION
from exporter.discover.parse_karmada import KARMADA_NAMESPACE
from exporter.discover.resources import RESOURCES
from exporter.metrics.families import FAMILIES
from exporter.model.clusterset import Profile
from exporter.model.probes import Failure
from tests.fakes import scenes
from tests.fakes.turns import whole

ROOT = Path(__file__).parent.parent
OURS = "clusterset-exporter"
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

INTERNAL = {
    "exporter.metrics.family.Kind": "types of Prometheus",
    "exporter.metrics.families.Kind": "types of Prometheus",
    "exporter.judge.expect.Outcome": "what a name server should answer; put into words by check",
    "exporter.apiserver.errors.ErrorKind": "why an API server refused; in messages only",
}
"""Closed lists whose values no user sees, or that are Prometheus' own."""
HTTP = {each for each in Failure if each.startswith(("connect_", "tls_", "reply_"))}
HTTP |= {Failure.NO_PORT, Failure.RESOURCE}
DNS = {Failure.RESOURCE, *Failure} - (HTTP - {Failure.RESOURCE})


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def test_the_metrics_reference_is_up_to_date():
    command = [sys.executable, ROOT / "docs" / "generate.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_series_that_is_spoken_of_exists():
    names = {family.name for family in FAMILIES} | FORMER.keys()
    for page in PAGES:
        for name in re.findall(r"clusterset_[a-z_]+[a-z]\b(?!\.)", page.read_text()):
            name = re.sub(r"_(bucket|sum|count)$", "", name)  # noqa: PLW2901 - of a histogram
            known = name in names or any(each.startswith(name) for each in names)
            assert known or name in {"clusterset_domain", "clusterset_ips"}, f"{page}: {name}"


def test_everything_that_discovery_reads_and_finds_is_explained():
    text = (ROOT / "docs" / "discovery.md").read_text()
    words = [*FindingKind, *Profile, PROBE_ANNOTATION, LOG_CONTAINER, LOG_FORMAT, KARMADA_NAMESPACE]
    words += [part for wanted in RESOURCES for part in (wanted.group, wanted.label_selector or "")]
    words += [version for wanted in RESOURCES for version in wanted.versions]
    words.append(f"{STALE_AFTER:.0f} seconds")
    for word in words:
        assert word in text, word


def closed_lists():
    """Yield each closed list of exporter/, with the page that has to explain its values."""
    for found in pkgutil.walk_packages(exporter.__path__, "exporter."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for kind in vars(module).values():
            if (
                isinstance(kind, type)
                and issubclass(kind, StrEnum)
                and kind.__module__ == found.name
                and f"{found.name}.{kind.__name__}" not in INTERNAL
            ):
                yield pytest.param(
                    kind, id=f"{found.name.removeprefix('exporter.')}.{kind.__name__}"
                )


@pytest.mark.parametrize("kind", list(closed_lists()))
def test_every_value_of_a_closed_list_is_explained(kind):
    names = ("metrics.md", "api.md", "configuration.md", "logs.md", "events.md", "failover.md")
    names += ("analyze.md", "check.md", "gateways.md")
    pages = [ROOT / "docs" / page for page in names]
    text = "".join(re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL) for page in pages)
    words = set(re.findall(r"`([^`]+)`", text))
    assert {str(value) for value in kind} <= words


def test_an_undocumented_failure_is_noticed():
    table = (ROOT / "docs" / "metrics.md").read_text()
    for label, values in {"`reason` of a DNS probe": DNS, "`reason` of an HTTP": HTTP}.items():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| {label}")]
        assert values <= set(re.findall(r"`(\w+)`", row)), label
    assert set(Failure) == DNS | HTTP


def test_every_key_of_the_configuration_is_explained():
    text = (ROOT / "docs" / "configuration.md").read_text()
    parts = config_schema()["$defs"]
    for kind in ("Settings", "ProbeSettings", "AttributionSettings", "LimitSettings"):
        for key in parts[kind]["properties"]:
            assert key in text, key


def anchors(page):
    """Return the anchors of the headings of *page*, as GitHub and mkdocs make them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        target = page.parent / link if link else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), f"{link}#{anchor}"


def test_the_files_of_the_first_page_work(tmp_path):
    inventory, config, *_ = blocks(ROOT / "docs" / "getting-started.md", "yaml")
    (tmp_path / "inventory.yaml").write_text(inventory)
    (tmp_path / "config.yaml").write_text(config)
    command = [sys.executable, "-m", "exporter", "config", "check"]
    done = subprocess.run(
        [*command, "--config.file", tmp_path / "config.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_yaml_of_all_pages_is_yaml():
    for page in PAGES:
        for block in blocks(page, "yaml"):
            assert yaml.safe_load(block)


def test_the_changelog_knows_this_version():
    assert f"[{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_pictures_are_small():
    assert all(path.stat().st_size < 150_000 for path in (ROOT / "docs").rglob("*.png"))


def test_every_key_of_the_api_is_explained():
    text = (ROOT / "docs" / "api.md").read_text()

    def keys(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield key
                yield from keys(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from keys(inner)

    for key in set(keys(whole(scenes.blackout().page_data.status()))):
        assert f"`{key}`" in text or f"`{key}[]`" in text, key


def test_the_walks_name_files_and_functions_that_exist():
    text = (ROOT / "docs" / "architecture.md").read_text().split("## The rooms")[0]
    steps = re.findall(r"\| `([\w/]+\.py)` \| `([\w.]+)` \|", text)
    assert len(steps) > 20
    for path, name in steps:
        body = ast.parse((ROOT / "exporter" / path).read_text()).body
        for part in name.split("."):
            found = [node for node in body if getattr(node, "name", None) == part]
            assert found, f"{path}: {name}"
            body = getattr(found[0], "body", [])


def security_rows():
    """Yield the rows of the tables of what was done to the exporter."""
    text = (ROOT / "docs" / "security.md").read_text()
    for row in re.findall(r"^\| (.*) \|$", text.partition("## Generated input")[0], re.MULTILINE):
        done, happens, tests = row.split(" | ")
        if done not in {"what is done to it", "---"}:
            yield pytest.param(done, happens, tests, id=done[:60])


@pytest.mark.parametrize(("done", "happens", "tests"), list(security_rows()))
def test_what_was_done_to_it_names_what_happens_and_tests_that_exist(done, happens, tests):
    assert done
    assert happens.endswith(".")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
    assert named
    assert len(named) == tests.count("`") / 2
    for path, name in named:
        defined = {
            each
            for node in ast.parse((ROOT / path).read_text()).body
            for each in (getattr(node, "name", ""), *map(ast.unparse, getattr(node, "targets", ())))
        }
        assert name in defined, f"{path}: {name}"


def test_the_security_table_is_whole():
    assert len(list(security_rows())) >= 33


def test_the_upgrade_page_has_what_changed_of_the_series():
    """No series of 0.1.0 is gone but by a new name, and what has more labels is in the table."""
    now = {family.name: set(family.labels) for family in FAMILIES}
    page = (ROOT / "docs" / "upgrade.md").read_text()
    for line in (ROOT / "tests" / "data" / "series-0.1.0.txt").read_text().splitlines():
        name, _, labels = line.partition(" ")
        now |= {name: now[FORMER[name]]} if name in FORMER else {}
        before = set(filter(None, labels.split(",")))
        assert before <= now[name], name
        row = re.search(rf"^\| `{name}` \| (.*) \| `.*` \|$", page, re.MULTILINE)
        new = set(re.findall(r"`(\w+)`", row[1])) if row else set()
        assert new == now[name] - before, name


def test_the_upgrade_page_has_the_former_names():
    page = (ROOT / "docs" / "upgrade.md").read_text()
    table = page.split("### Series with another name\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(.*)` \| `(.*)` \|$", table, re.MULTILINE)
    assert dict(rows) == FORMER
    assert not FORMER.keys() & {family.name for family in FAMILIES}


def test_commands_name_the_version_of_this_checkout():
    named = rf"(?:{OURS}:|newTag: |VERSION=|{OURS.replace('-', '_')}-)(\d+\.\d+\.\d+)"
    for page in ("tutorial.md", "image.md", "install.md"):
        found = re.findall(named, (ROOT / "docs" / page).read_text())
        assert found, page
        assert set(found) == {__version__}, page


def test_the_page_on_the_real_node_shows_the_log_of_each_row_that_it_names():
    text = (ROOT / "docs" / "real-node.md").read_text()
    assert re.findall(r"<!-- log: (.*) -->\n```text\n", text) == list(LOGS)
    said = (
        "ts=2026-11-29T10:58:49.602123Z level=info event=other",
        "ts=2026-11-29T10:58:49.602123Z level=info event=stopping pod=shop/nginx-5b-abcde",
        "ts=2026-11-29T10:58:50.602123Z level=info event=stopping",
    )
    page = "<!-- log: the leader is deleted -->\n```text\nold\n```\n<!-- log: gone -->\n"
    rows = [{"title": "the leader is deleted", "messages": said}]
    new = "ts=10:58:49.602Z level=info event=stopping pod=shop/nginx-...-abcde"
    assert with_logs(page, rows) == page.replace("old", new)
