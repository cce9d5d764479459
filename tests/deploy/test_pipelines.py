"""The files for a public forge: pipelines, templates, and one name that has to be filled in."""

import json
import re
import subprocess

import pytest
import yaml

from exporter import __version__
from tests.fakes.charts import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
USED = re.compile(r"uses: (\S+)(.*)")
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_action_is_named_by_its_commit_and_by_its_version_for_people(path):
    used = USED.findall(path.read_text())
    assert used
    for action, comment in used:
        assert PINNED.fullmatch(action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), (action, comment)


def test_one_action_has_one_version():
    commits = {}
    for path in WORKFLOWS:
        for action, _ in USED.findall(path.read_text()):
            name, _, commit = action.partition("@")
            commits.setdefault(name, set()).add(commit)
    assert {name for name, found in commits.items() if len(found) > 1} == set()


def test_the_pipelines_have_no_mistakes():
    done = subprocess.run(
        ["sh", ROOT / "tests" / "lint-pipelines", "--find"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 3:
        pytest.skip("no actionlint; make lint-pipelines gets it")
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_has_no_mistakes():
    script = ROOT / "tests" / "lint-image"
    done = subprocess.run(["sh", script, "--find"], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip("no hadolint; make lint-image gets it")
    assert done.returncode == 0, done.stdout


def test_the_commands_of_the_pipelines_are_targets():
    text = "".join(path.read_text() for path in WORKFLOWS)
    known = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    words = {
        word
        for line in re.findall(r"\bmake ([a-z][\w -]*)", text)
        for word in line.split()
        if word.islower()
    }
    assert {"check", "test", "e2e", "e2e-karmada", "image", "packages"} <= words
    assert words <= known


def test_the_owners_name_is_asked_for_in_one_place():
    tracked = subprocess.run(
        ["git", "grep", "-lwE", "OWNER", "--", ".", ":!tests", ":!GOVERNANCE.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode > 1:
        pytest.skip("not a checkout of git")
    assert tracked.stdout.split() == [".github/CODEOWNERS"]


def test_templates_and_configurations_can_be_read():
    for path in (
        *sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")),
        ROOT / ".pre-commit-config.yaml",
    ):
        assert yaml.safe_load(path.read_text()), path
    assert json.loads((GITHUB / "renovate.json").read_text())["extends"]


def test_renovate_finds_the_versions_of_the_programs_that_tests_build():
    (manager,) = json.loads((GITHUB / "renovate.json").read_text())["customManagers"]
    pattern = re.compile(manager["matchStrings"][0].replace("(?<", "(?P<"))
    found = {}
    for path in ("tests/install-helm", "tests/lint-pipelines", "tests/e2e/build-karmada"):
        wanted = manager["managerFilePatterns"][0].strip("/").replace("\\/", "/")
        assert re.fullmatch(wanted, path)
        found[path] = pattern.search((ROOT / path).read_text())["depName"]
    assert set(found.values()) == {
        "helm.sh/helm/v3",
        "github.com/rhysd/actionlint",
        "github.com/karmada-io/karmada",
    }


@pytest.mark.parametrize(("version", "code"), [(__version__, 0), ("0.1.0", 0), ("99.0.0", 1)])
def test_a_release_has_the_notes_of_its_version_alone(version, code):
    script = ROOT / "deploy" / "release-notes"
    done = subprocess.run(["sh", script, version], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "## [" not in done.stdout
    assert bool(done.stdout.strip()) is not bool(code)
    assert ("has no section [99.0.0]" in done.stderr) is bool(code)
