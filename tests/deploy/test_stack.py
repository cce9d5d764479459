"""What the Prometheus and the Grafana of kube-prometheus-stack select, and where alerts lead."""

import json
import re
import shlex

import pytest
import yaml

from dashboards.files import RUNBOOKS
from tests.deploy.test_kustomize import built, own
from tests.fakes.boards import BOARDS
from tests.fakes.charts import CHART, NODE_LOGS, ROOT, objects, one, template

pytestmark = pytest.mark.slow
STACK = "kube-prometheus-stack"
SELECTORS = {
    "ServiceMonitor": {"serviceMonitorSelector": {"matchLabels": {"release": STACK}}},
    "PodMonitor": {"podMonitorSelector": {"matchLabels": {"release": STACK}}},
    "PrometheusRule": {"ruleSelector": {"matchLabels": {"release": STACK}}},
}
"""The Prometheus object that kube-prometheus-stack makes with its defaults; all namespaces."""
ALL = {
    "prometheusRule": {"enabled": True, "scopes": ["local", "global"]},
    "dashboards": {"enabled": True},
    **NODE_LOGS,
}
KINDS = {"serviceMonitor": "ServiceMonitor", "podMonitor": "PodMonitor"}
DASHBOARDS = {"grafana_dashboard": "1"}


def matches(selector, labels):
    """
    Return whether a LabelSelector selects, as prometheus-operator evaluates it.

    Source: metav1.LabelSelectorAsSelector. An empty selector selects all, a missing one nothing.
    """
    if selector is None:
        return False
    wanted = selector.get("matchLabels", {}).items()
    known = {"In", "NotIn", "Exists", "DoesNotExist"}
    for each in selector.get("matchExpressions", ()):
        key, how, values = each["key"], each["operator"], each.get("values", ())
        assert how in known
        there = labels.get(key) in values if how in {"In", "NotIn"} else key in labels
        if there is how.startswith(("NotIn", "DoesNot")):
            return False
    return wanted <= labels.items()


def unselected(found):
    """Return the objects that kube-prometheus-stack's Prometheus does not select."""
    return {
        f"{each['kind']} {each['metadata']['name']}"
        for each in found
        if each["kind"] in SELECTORS
        and not matches(*SELECTORS[each["kind"]].values(), each["metadata"]["labels"])
    }


@pytest.mark.parametrize("monitor", KINDS)
@pytest.mark.parametrize("release", ["clusterset-exporter", "locality"])
def test_with_its_release_all_is_selected_and_without_it_nothing(monitor, release):
    values = {**ALL, monitor: {"enabled": True}}
    names = {f"{each['kind']} {each['metadata']['name']}" for each in objects(values)}
    wanted = {each for each in names if each.split()[0] in SELECTORS}
    assert len(wanted) == 3
    assert unselected(objects(values)) == wanted
    assert unselected(objects({**values, "releaseLabel": STACK}, release=release)) == set()
    as_dependency = objects({**values, "releaseLabel": True}, release=STACK)
    assert unselected(as_dependency) == set()


def test_its_grafana_takes_the_boards():
    found = [e for e in objects(ALL) if DASHBOARDS.items() <= e["metadata"]["labels"].items()]
    assert len(found) == 3
    assert {each["kind"] for each in found} == {"ConfigMap"}


def test_each_kind_takes_further_labels():
    more = {"additionalLabels": {"team": "net"}}
    enabled = {"enabled": True}
    values = {
        "serviceMonitor": enabled | more | {"labels": {"old": "x"}},
        "prometheusRule": enabled | more,
        "dashboards": enabled | more,
    }
    labelled = [e for e in objects(values) if e["metadata"]["labels"].get("team") == "net"]
    kinds = sorted(each["kind"] for each in labelled)
    assert kinds == ["ConfigMap", "ConfigMap", "ConfigMap", "PrometheusRule", "ServiceMonitor"]
    (monitor,) = [each for each in labelled if each["kind"] == "ServiceMonitor"]
    assert monitor["metadata"]["labels"]["old"] == "x"
    assert "release" not in monitor["metadata"]["labels"]


def settings(command):
    """Return the --set of a helm command as arguments."""
    words = shlex.split(command)
    return [part for at, each in enumerate(words) if each == "--set" for part in words[at : at + 2]]


def test_the_recipe_of_the_docs_is_selected():
    page = (ROOT / "docs" / "how-to" / "kube-prometheus-stack.md").read_text()
    (recipe,) = re.findall(r"^helm .*releaseLabel=.*$", page, re.MULTILINE)
    done = template({}, more=settings(recipe))
    assert done.returncode == 0, done.stderr
    found = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert {each["kind"] for each in found} >= {"ServiceMonitor", "PrometheusRule"}
    assert unselected(found) == set()


def test_the_component_is_for_the_overlay_with_monitoring(tmp_path):
    plain = built(ROOT / "deploy" / "kustomize" / "overlays" / "karmada-monitoring")
    assert len(unselected(plain)) == 2
    component = "../deploy/components/kube-prometheus-stack"
    found = built(own(tmp_path, "karmada-monitoring", [component]))
    assert unselected(found) == set()
    labelled = {each["kind"] for each in found if "release" in each["metadata"].get("labels", {})}
    assert labelled == {"ServiceMonitor", "PrometheusRule"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        (None, False),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_selectors(selector, expected):
    assert matches(selector, {"a": "1"}) is expected


def alerts(found):
    for each in found:
        if each["kind"] == "PrometheusRule":
            for group in each["spec"]["groups"]:
                yield from (rule for rule in group["rules"] if "alert" in rule)


def boards(found):
    maps = [each for each in found if DASHBOARDS.items() <= each["metadata"]["labels"].items()]
    texts = [text for each in maps for text in each["data"].values()]
    return {board["uid"]: board for board in map(json.loads, texts)}, " ".join(texts)


def test_alerts_and_boards_lead_nowhere_that_nobody_named():
    found = objects(ALL)
    assert len(list(alerts(found))) > 25
    for each in alerts(found):
        assert set(each["annotations"]) == {"summary", "description", "command"}
    made, texts = boards(found)
    assert made == BOARDS
    for text in (texts, yaml.safe_dump(found)):
        assert ".example" not in text
        assert RUNBOOKS not in text


def test_alerts_and_boards_lead_to_the_values():
    to = {
        "runbookUrl": "https://docs.test/r",
        "dashboardUrl": "https://g.test",
        "slo": "0.95",
        "sloLocality": "0.9",
    }
    found = objects({**ALL, "alerts": to})
    for each in alerts(found):
        links = each["annotations"]
        assert links["runbook_url"] == f"https://docs.test/r/{each['alert']}.md"
        assert links["dashboard_url"].startswith("https://g.test/d/clusterset-")
    config = yaml.safe_load(one(found, "ConfigMap", "clusterset-exporter")["data"]["config.yaml"])
    assert config["runbook_url"] == "https://docs.test/r"
    assert config["dashboard_url"] == "https://g.test/d/clusterset-service"
    made, texts = boards(found)
    constants = {it["name"]: it["query"] for it in made["clusterset-service"]["templating"]["list"]}
    assert constants["objective_success"] == "0.95"
    assert constants["objective_locality"] == "0.9"
    assert '"url": "${runbooks}/${__value.text}.md"' in texts
    assert "https://docs.test/r" in texts
    assert RUNBOOKS not in texts


@pytest.mark.parametrize(
    ("alert", "told"),
    [
        ("grafanaUrl", "alerts.grafanaUrl is now alerts.dashboardUrl"),
        ("leakrate", "alerts.leakrate is no threshold; known are attributionFor, blackoutFor"),
    ],
)
def test_an_unknown_threshold_is_told(alert, told):
    done = template({"prometheusRule": {"enabled": True}, "alerts": {alert: "1"}})
    assert done.returncode != 0
    assert told in done.stderr


def test_no_file_of_the_chart_names_an_example_host():
    for path in (CHART / "files").rglob("*"):
        assert path.is_dir() or ".example" not in path.read_text(), path


def test_the_command_of_an_alert_names_this_release():
    values = {**ALL, "shards": 3, "fullnameOverride": "mine", "namespaceOverride": "watch"}
    shown = {each["annotations"]["command"] for each in alerts(objects(values))}
    assert any("--namespace watch exec statefulset/mine -- " in each for each in shown)
    assert not [each for each in shown if "deployment/clusterset-exporter" in each]
