"""What kube-score says of the chart: each finding is explained in docs/chart.md."""

import re
import subprocess

import pytest

from tests.fakes.charts import CI, ROOT, template

pytestmark = pytest.mark.slow
THEIRS = {"(wait)", "(proxy)"}
"""Containers that the values add; what they lack is not the chart's."""


@pytest.fixture(scope="module")
def kube_score():
    command = [ROOT / "tests" / "install-kube-score", "--find"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("no kube-score of the version tested; tests/install-kube-score gets it")
    return found.stdout.strip()


def explained():
    """Return the findings that the docs explain."""
    page = (ROOT / "docs" / "chart.md").read_text()
    table = page.split("| finding of kube-score |")[1].split("\n\n")[0]
    return set(re.findall(r"^\| ([A-Z][^|]+) \|", table, re.MULTILINE))


def findings(program, values):
    """Return the texts of the findings about our containers and objects."""
    done = subprocess.run(
        [program, "score", "--kubernetes-version", "v1.34", "--output-format", "ci", "-"],
        input=template(values).stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.findall(r"^\[(CRITICAL|WARNING)\] [^:]+: (.+)$", done.stdout, re.MULTILINE)
    assert "[OK]" in done.stdout, done.stderr
    return {re.sub(r"^\(\S+\) ", "", text) for _, text in told if text.split()[0] not in THEIRS}


@pytest.mark.parametrize("values", CI.values(), ids=CI)
def test_each_finding_is_explained(kube_score, values):
    assert findings(kube_score, values) <= explained()


def test_each_explanation_is_of_a_finding(kube_score):
    assert set().union(*(findings(kube_score, values) for values in CI.values())) == explained()
