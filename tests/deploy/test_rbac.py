"""The rights that the chart asks for are those that the code uses."""

import pytest

from exporter.discover.resources import RESOURCES
from tests.fakes.charts import MATRIX, NODE_LOGS, NODE_LOGS_BY_POD, objects, one


def rights(roles):
    """Return (group, resource, verb, name) of all rules of these roles."""
    return {
        (group, resource, verb, name)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [None])
    }


def of(values, *kinds):
    return rights(each for each in objects(values) if each["kind"] in kinds)


WATCHED = {(r.group, r.plural, verb, None) for r in RESOURCES for verb in ("list", "watch")}
LOGS = {("", "pods", "get", None), ("", "pods/log", "get", None)}
OWN = ("", "configmaps", "get", "clusterset-exporter")
LEASE = {
    ("coordination.k8s.io", "leases", "get", "clusterset-exporter"),
    ("coordination.k8s.io", "leases", "update", "clusterset-exporter"),
    ("coordination.k8s.io", "leases", "create", None),
}
NUMBER = ("apps", "statefulsets", "get", "clusterset-exporter")


def test_the_cluster_role_is_what_is_watched_and_the_logs_of_pods():
    assert of({}, "ClusterRole") == WATCHED | LOGS
    assert of({"podLogs": {"enabled": False}}, "ClusterRole") == WATCHED
    assert of(NODE_LOGS, "ClusterRole") == WATCHED
    # The lines are in the files; which of them are wanted is not.
    assert of(NODE_LOGS_BY_POD, "ClusterRole") == WATCHED | {("", "pods", "get", None)}
    only = {"rbac": {"create": False}, **NODE_LOGS_BY_POD}
    assert of(only, "ClusterRole", "Role") == set()


def test_the_role_is_the_own_config_map_and_the_lease():
    assert of({}, "Role") == {OWN, *LEASE}
    assert of({"shards": 2}, "Role") == {OWN, NUMBER}
    on_nodes = one(objects(NODE_LOGS), "Role", "clusterset-exporter-node-logs")
    assert rights([on_nodes]) == {("", "configmaps", "get", "clusterset-exporter-node-logs")}


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_no_wildcard_and_no_writing_but_of_the_lease(values):
    for group, resource, verb, _ in of(values, "Role", "ClusterRole"):
        assert "*" not in {group, resource, verb}
        lease = resource == "leases" and verb in {"create", "update"}
        assert lease or verb in {"get", "list", "watch"}
        assert resource != "secrets"


def test_logs_of_some_namespaces_only():
    found = objects({"podLogs": {"namespaces": ["shop", "nginx-test"]}})
    role = "clusterset-exporter-pod-logs"
    bindings = [each for each in found if each.get("roleRef", {}).get("name") == role]
    where = {(each["kind"], each["metadata"].get("namespace")) for each in bindings}
    assert where == {("RoleBinding", "shop"), ("RoleBinding", "nginx-test")}


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_each_binding_joins_what_exists(values):
    found = objects(values)
    for each in found:
        if not each["kind"].endswith("Binding"):
            continue
        one(found, each["roleRef"]["kind"], each["roleRef"]["name"])
        for subject in each["subjects"]:
            account = one(found, "ServiceAccount", subject["name"])
            assert account["metadata"]["namespace"] == subject["namespace"]
