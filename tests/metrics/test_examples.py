"""The example queries of docs/metrics.md: each series has one, and Prometheus can read it."""

import re
import subprocess
from pathlib import Path

import yaml

from exporter.metrics.families import FAMILIES
from tests.fakes.tools import need

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
TABLE = PAGE.split("## An example for each series\n")[1]
EXAMPLES = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \| \S.* \|$", TABLE, re.MULTILINE))
QUESTIONS = PAGE.split("## Questions and the queries that answer them\n")[1].split("```")[1]
OWN = "clusterset_exporter_"
LABELS = re.compile(r"(?:by|on|group_left) \(([^)]*)\)|\{(\w+)[=!]")
PROMETHEUS = {"le", "job", "instance"}


def test_each_series_has_an_example_that_asks_for_it():
    names = {family.name for family in FAMILIES}
    assert {each for each in names if not each.startswith(OWN)} <= EXAMPLES.keys() <= names
    for name, query in EXAMPLES.items():
        assert re.search(rf"\b{name}(?:_bucket)?\b", query), name
        assert set(re.findall(r"clusterset_\w+?(?=_bucket|\b)", query)) <= names, query


def test_an_example_names_labels_that_the_series_have():
    labels = {family.name: set(family.labels) for family in FAMILIES}
    for name, query in EXAMPLES.items():
        used = {
            label.strip()
            for group, one in LABELS.findall(query)
            for label in (group or one).split(",")
        }
        asked = re.findall(r"clusterset_\w+?(?=_bucket|\b)", query)
        assert used <= set().union(*(labels[each] for each in asked)) | PROMETHEUS, name


def test_prometheus_reads_the_examples_and_the_questions(tmp_path):
    # A comment says what comes after it; an empty line, or a line at the margin, begins a query.
    text = re.sub(r"^#.*\n", "\n", QUESTIONS.removeprefix("promql\n"), flags=re.MULTILINE)
    asked = [
        each for each in re.split(r"\n(?:\s*\n)+|\n(?=clusterset_|sum )", text) if each.strip()
    ]
    assert len(asked) > 12
    rules = [
        {"record": f"example:{at}", "expr": query}
        for at, query in enumerate([*EXAMPLES.values(), *asked])
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "examples", "rules": rules}]}))
    command = [need("promtool"), "check", "rules", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout
