"""Rules and alerts by promtool: they are well-formed, and fire when they should and not before."""

import re
import subprocess
from dataclasses import replace

import pytest
import yaml

from dashboards import files
from dashboards.rules import Scope
from dashboards.thresholds import Thresholds
from tests.fakes import alert_cases, more_alert_cases
from tests.fakes.boards import GENERATED
from tests.fakes.tools import need

pytestmark = pytest.mark.slow
CASES = [*alert_cases.CASES, *more_alert_cases.CASES]
ORDER = [
    f"clusterset-exporter-{scope}-{kind}" for kind in ("recordings", "alerts") for scope in Scope
]
RULES = [GENERATED / "rules" / f"{scope}.yaml" for scope in Scope]
ALERTS = files.alerts(Thresholds())
SERVICE = {
    "job": "clusterset-exporter",
    "source_cluster": "east",
    "destination_service_namespace": "shop",
    "destination_service_name": "cart",
}


def promtool(*arguments):
    done = subprocess.run(
        [need("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def labels(case):
    kept = {name: value for name, value in SERVICE.items() if name not in case.gone}
    return {**kept, **case.labels, "severity": case.severity}


def alert(case):
    (found,) = [
        each for each in ALERTS if (each.name, each.severity) == (case.alert, case.severity)
    ]
    return found


def annotations(case):
    """Return what the alert says when it fires, labels filled in."""
    rule = alert(case).as_rule(Thresholds())["annotations"]
    known = labels(case)
    filled = {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda m: known.get(m[1], ""), text)
        for name, text in rule.items()
    }
    return filled | {"description": case.says}


def at(case, minute, *, series=None, fires=False):
    expected = {"exp_labels": labels(case), "exp_annotations": annotations(case)}
    check = {
        "eval_time": f"{minute}m",
        "alertname": case.alert,
        # Two alerts may share a name; then only the severity tells which of them is meant.
        "exp_alerts": [expected] if fires else [],
    }
    held = case.series if series is None else series
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in held.items()],
        "alert_rule_test": [check],
    }


def run(tmp_path, test):
    path = tmp_path / "test.yml"
    path.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(each) for each in RULES],
                "group_eval_order": ORDER,
                "tests": [test],
            }
        )
    )
    return promtool("test", "rules", str(path))


@pytest.fixture(params=CASES, ids=lambda case: f"{case.alert}-{case.severity}")
def case(request):
    return request.param


def test_it_fires(case, tmp_path):
    code, told = run(tmp_path, at(case, case.fires, fires=True))
    assert code == 0, told


def test_it_does_not_fire_yet(case, tmp_path):
    code, told = run(tmp_path, at(case, case.not_yet))
    assert code == 0, told


def test_it_must_not_fire(case, tmp_path):
    code, told = run(tmp_path, at(case, case.fires, series=case.must_not))
    assert code == 0, told


def test_every_alert_has_a_case():
    assert {(case.alert, case.severity) for case in CASES} == {
        (each.name, each.severity) for each in ALERTS
    }


def test_a_case_that_should_fail_fails(case, tmp_path):
    """Guards the gate itself: promtool does compare."""
    code, _ = run(tmp_path, at(replace(case, says="Something else."), case.fires, fires=True))
    assert code == 1


def test_the_former_names_of_series_are_recorded(tmp_path):
    ours = 'job="clusterset-exporter",instance="10.1.0.9:9877"'
    received = "clusterset_exporter_watch_last_received_timestamp_seconds"
    now = {
        f"clusterset_exporter_log_behind_bytes{{{ours}}}": "7x10",
        f'{received}{{{ours},resource="pods"}}': "60x10",
    }
    before = {
        f"clusterset_exporter_log_bytes_behind{{{ours}}}": 7,
        f'clusterset_exporter_watch_age_seconds{{{ours},resource="pods"}}': 240,
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in now.items()],
        "promql_expr_test": [
            {
                "expr": labels.partition("{")[0],
                "eval_time": "5m",
                "exp_samples": [{"labels": labels, "value": value}],
            }
            for labels, value in before.items()
        ],
    }
    code, told = run(tmp_path, test)
    assert code == 0, told


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_promtool_has_nothing_to_say(path):
    code, told = promtool("check", "rules", "--lint=all", "--lint-fatal", str(path))
    assert code == 0, told
