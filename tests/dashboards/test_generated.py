"""What is committed is what the code makes, in each of its forms."""

import re
import subprocess
import sys
from dataclasses import fields

import yaml

from dashboards import files, thresholds
from dashboards.rules import Scope
from dashboards.thresholds import Thresholds
from tests.fakes.boards import GENERATED
from tests.fakes.tools import need


def rendered(template, values):
    """Return a chart's template as Helm would fill it in, as far as ours needs it."""
    value = rf"\.Values\.{thresholds.VALUES}\.(\w+)"
    text = re.sub(
        rf"(?s) *\{{\{{- if {value} \}}\}}\n(.*?\n) *\{{\{{- end \}}\}}\n",
        lambda m: m[2] if values[m[1]] else "",
        template,
    )
    text = re.sub(rf"\{{\{{ {value} \}}\}}", lambda m: values[m[1]], text)
    return re.sub(r"\{\{`(.*?)`\}\}", r"\1", text)


def test_the_committed_files_are_those_that_are_generated():
    command = [sys.executable, "-m", "dashboards", "--check"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=GENERATED.parents[1]
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_they_are_the_same_on_every_run():
    assert files.files() == files.files()


def test_operator_objects_hold_the_rules_of_the_files():
    for scope in Scope:
        plain = yaml.safe_load((GENERATED / "rules" / f"{scope}.yaml").read_text())
        made = yaml.safe_load((GENERATED / f"prometheusrule-{scope}.yaml").read_text())
        assert (made["apiVersion"], made["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
        assert made["spec"] == plain


def test_a_chart_with_the_default_values_makes_the_rules_of_the_files():
    values = yaml.safe_load((GENERATED / "chart" / "values.yaml").read_text())
    for scope in Scope:
        template = (GENERATED / "chart" / f"{scope}.yaml.tpl").read_text()
        plain = (GENERATED / "rules" / f"{scope}.yaml").read_text()
        made = yaml.safe_load(rendered(template, values[thresholds.VALUES]))
        assert made == yaml.safe_load(plain)


def test_each_threshold_is_used_and_can_be_overridden_in_a_chart():
    values = yaml.safe_load((GENERATED / "chart" / "values.yaml").read_text())[thresholds.VALUES]
    assert len(values) == len(fields(Thresholds))
    templates = [(GENERATED / "chart" / f"{scope}.yaml.tpl").read_text() for scope in Scope]
    for name in values:
        others = values | {name: "31415926"}
        assert any("31415926" in rendered(each, others) for each in templates), name


def test_boards_fit_into_a_config_map():
    assert all(path.stat().st_size < 1_000_000 for path in GENERATED.glob("boards/*.json"))


def test_alertmanager_takes_the_example():
    done = subprocess.run(
        [need("amtool"), "check-config", GENERATED / "alertmanager.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_who_is_told_by_the_example():
    for severity, receiver in (("critical", "pager"), ("warning", "chat")):
        done = subprocess.run(
            [
                *(need("amtool"), "config", "routes", "test"),
                f"--config.file={GENERATED / 'alertmanager.yml'}",
                *("alertname=ClustersetServiceBlackout", f"severity={severity}"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, receiver)
