"""Rights that the chart grants only if a value asks for them: Kubernetes Events, and `check`."""

import pytest
import yaml

from tests.deploy.test_rbac import in_namespaces, of, rights
from tests.fakes.charts import MATRIX, NODE_LOGS, ROOT, objects, one, template

pytestmark = pytest.mark.slow
EVENTS = {("", "events", verb, None) for verb in ("create", "patch")}
OURS = "clusterset-exporter"


def config(values, name=OURS):
    return yaml.safe_load(one(objects(values), "ConfigMap", name)["data"]["config.yaml"])


@pytest.mark.parametrize(
    "values", [{"events": True}, {"config": {"inventory": {"kubernetes": {"events": True}}}}]
)
def test_events_are_written_and_allowed_together(values):
    assert config(values)["inventory"]["kubernetes"]["events"] is True
    assert of(values, "ClusterRole") == of({}, "ClusterRole") | EVENTS
    assert of(values, "Role") == of({}, "Role")
    assert not of({}, "ClusterRole") & EVENTS


def test_an_upgrade_that_overrides_the_value_takes_the_right_away():
    values = {"events": True, "config": {"inventory": {"kubernetes": {"events": False}}}}
    assert not of(values, "ClusterRole") & EVENTS


@pytest.mark.parametrize("events", [True, False])
def test_pods_on_nodes_write_them_too_and_may(events):
    """Only they see leaks that node files show."""
    values = {"events": events, **NODE_LOGS}
    found = config(values, f"{OURS}-node-logs")["inventory"]["kubernetes"]
    assert found.get("events", False) == events
    bindings = [
        each
        for each in objects(values)
        if (each["kind"], each["metadata"]["name"]) == ("ClusterRoleBinding", f"{OURS}-events")
    ]
    subjects = [each["name"] for binding in bindings for each in binding["subjects"]]
    assert subjects == ([OURS, f"{OURS}-node-logs"] if events else [])


def test_in_some_namespaces_events_are_allowed_there_only_and_karmada_distributes_that():
    values = MATRIX["events of two namespaces by Karmada"]
    assert not of(values, "ClusterRole") & EVENTS
    given = in_namespaces(values)
    assert {where for (_, where), has in given.items() if has >= EVENTS} == {"shop", "nginx-test"}
    policy = one(objects(values), "ClusterPropagationPolicy", OURS)
    spread = {
        (each["kind"], each["namespace"])
        for each in policy["spec"]["resourceSelectors"]
        if each.get("name") == f"{OURS}-events"
    }
    kinds, where = ("Role", "RoleBinding"), ("shop", "nginx-test")
    assert spread == {(kind, namespace) for kind in kinds for namespace in where}


def check_roles(found):
    """Return the rights for `check` in each namespace."""
    return {
        each["metadata"]["namespace"]: rights([each])
        for each in found
        if each["kind"] == "Role" and each["metadata"]["name"].endswith("-check")
    }


def test_what_check_may_see_on_top_is_what_the_example_grants():
    path = ROOT / "deploy" / "examples" / "check-rights.yaml"
    example = check_roles(yaml.safe_load_all(path.read_text()))
    assert check_roles(objects({"check": {"rights": True}})) == example
    assert check_roles(objects()) == {}
    elsewhere = check_roles(objects({"check": {"rights": True}, "submarinerNamespace": "sub"}))
    assert elsewhere == {
        "sub": example["submariner-operator"],
        "kube-system": example["kube-system"],
    }
    without = objects({"check": {"rights": True}, "submarinerNamespace": ""})
    assert check_roles(without).keys() == {"kube-system"}
    refused = {"check": {"rights": True}, "rbac": {"create": False}}
    assert check_roles(objects(refused)) == {}


def test_on_openshift_they_are_those_of_both_examples():
    found = objects({"check": {"rights": True}, "openshift": True})
    examples = [
        each
        for name in ("check-rights", "check-rights-openshift")
        for each in yaml.safe_load_all((ROOT / "deploy" / "examples" / f"{name}.yaml").read_text())
    ]
    assert check_roles(found) == check_roles(examples)
    for kind in ("ClusterRole", "ClusterRoleBinding"):
        ours = one(found, kind, "clusterset-exporter-check")
        (example,) = [each for each in examples if each["kind"] == kind]
        for key in ("rules", "roleRef", "subjects"):
            assert ours.get(key) == example.get(key)


def test_its_account_is_that_of_the_release_wherever_it_is():
    for each in objects({"check": {"rights": True}}, release="other"):
        if each["kind"] == "RoleBinding" and each["metadata"]["name"].endswith("-check"):
            (subject,) = each["subjects"]
            assert subject["name"] == "other-clusterset-exporter"


def test_karmada_cannot_distribute_them():
    done = template({"check": {"rights": True}, "karmada": {"enabled": True}})
    assert done.returncode
    assert "Karmada distributes nothing into kube-system" in done.stderr
