"""The alert about absent exporters asks for the job that each kind of monitor makes."""

import subprocess

import pytest
import yaml

from tests.fakes.charts import NODE_LOGS, objects, one
from tests.fakes.tools import need

pytestmark = pytest.mark.slow
ALERT = "ClustersetExporterDown"
MONITORS = {"ServiceMonitor": "serviceMonitor", "PodMonitor": "podMonitor"}
SHAPES = {"replicas": {}, "shards": {"shards": 2}, "node logs": NODE_LOGS}
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet"}
FIRES, NOT_YET = 6, 3


def jobs(found, kind):
    """Return the job of each workload's pods, as prometheus-operator sets it."""
    monitor = one(found, kind)
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    key = monitor["spec"].get("jobLabel")
    made = {}
    for workload in found:
        if workload["kind"] not in WORKLOADS:
            continue
        about = workload["metadata"]
        if kind == "ServiceMonitor":
            labels = one(found, "Service", about["name"])["metadata"]["labels"]
            default = about["name"]
        else:
            labels = workload["spec"]["template"]["metadata"]["labels"]
            default = f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
        assert wanted <= labels.items()
        assert about["namespace"] in monitor["spec"]["namespaceSelector"]["matchNames"]
        made[workload["kind"]] = labels.get(key) or default
    return made


def case(series, *, minute, fires):
    """Return a test for promtool: after *minute* the alert fires for these jobs and no others."""
    firing = f'count by (job) (ALERTS{{alertname="{ALERT}",alertstate="firing"}})'
    samples = [
        # absent() knows no labels of an exporter.
        {"labels": f'{{job="{job}"}}' if job else "{}", "value": 1}
        for job in fires
    ]
    return {
        "interval": "1m",
        "input_series": [
            {"series": f'up{{job="{job}",instance="{instance}"}}', "values": f"{value}x20"}
            for (job, instance), value in series.items()
        ],
        "promql_expr_test": [{"expr": firing, "eval_time": f"{minute}m", "exp_samples": samples}],
    }


def promtool(tmp_path, found, *cases):
    """Run the *cases* on the rendered rules."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(one(found, "PrometheusRule")["spec"]))
    tests = {"rule_files": ["rules.yaml"], "tests": list(cases)}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(tests))
    command = [need("promtool"), "test", "rules", tmp_path / "test.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("release", ["clusterset-exporter", "locality"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", MONITORS)
def test_the_alert_is_about_the_pods_of_the_chart(kind, shape, release, tmp_path):
    values = {**shape, MONITORS[kind]: {"enabled": True}, "prometheusRule": {"enabled": True}}
    found = objects(values, release=release)
    made = jobs(found, kind)
    up = {(job, f"{workload}-{n}"): 1 for workload, job in made.items() for n in range(2)}
    other = {("node", "node"): 0}
    cases = [
        case(up | other, minute=FIRES, fires=[]),
        case(other, minute=NOT_YET, fires=[]),
        case(other, minute=FIRES, fires=[""]),
    ]
    for workload, job in made.items():
        down = up | other | {(job, f"{workload}-1"): 0}
        cases.append(case(down, minute=NOT_YET, fires=[]))
        cases.append(case(down, minute=FIRES, fires=[job]))
    code, told = promtool(tmp_path, found, *cases)
    assert code == 0, told


def test_another_job_is_a_value(tmp_path):
    values = {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "alerts": {"job": "mine|theirs"},
    }
    series = {("mine", "a"): 1, ("theirs", "a"): 0}
    code, told = promtool(tmp_path, objects(values), case(series, minute=FIRES, fires=["theirs"]))
    assert code == 0, told
    code, _ = promtool(tmp_path, objects(values), case(series, minute=FIRES, fires=["mine"]))
    assert code == 1
