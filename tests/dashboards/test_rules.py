"""Rules and alerts by promtool: they are well-formed, and fire when they should and not before."""

import re
import subprocess
from dataclasses import replace

import pytest
import yaml

from dashboards import files
from dashboards.rules import Scope
from dashboards.thresholds import Thresholds
from tests.fakes.alerts import answers, exporters, objectives, promises, services, witnesses
from tests.fakes.boards import GENERATED
from tests.fakes.tools import need

pytestmark = pytest.mark.slow
ROOMS = (services, promises, objectives, answers, witnesses, exporters)
CASES = [case for room in ROOMS for case in room.CASES]
KINDS = ("recordings", "slow-recordings", "alerts")
GROUPS = {group["name"] for scope in Scope for group in files.groups(scope, Thresholds())}
ORDER = [
    name
    for kind in KINDS
    for scope in Scope
    if (name := f"clusterset-exporter-{scope}-{kind}") in GROUPS
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
    (found,) = [each for each in ALERTS if identity(each) == known(case)]
    return found


def identity(alert):
    """Return what tells an alert from all others."""
    return alert.name, str(alert.severity), alert.labels.get("window")


def known(case):
    return case.alert, case.severity, case.labels.get("window")


def annotations(case):
    """Return what the alert says when it fires, labels filled in."""
    rule = alert(case).as_rule(Thresholds())["annotations"]
    values = labels(case)
    filled = {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda m: values.get(m[1], ""), text)
        for name, text in rule.items()
    }
    return filled | {"description": case.says}


def at(case, minute, *, series=None, fires=False):
    expected = {"exp_labels": labels(case), "exp_annotations": annotations(case)}
    check = {
        "eval_time": f"{minute}m",
        "alertname": case.alert,
        # Alerts may share a name; then severity and window tell which of them is meant.
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


@pytest.fixture(params=CASES, ids=lambda case: "-".join(filter(None, known(case))))
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
    assert set(map(known, CASES)) == set(map(identity, ALERTS))


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
