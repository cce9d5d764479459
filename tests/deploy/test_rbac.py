"""The rights that the chart asks for are those that the code uses."""

import pytest
import yaml

from exporter.discover.parse_submariner import LIGHTHOUSE_DNS, OPERATOR_NAMESPACE
from exporter.discover.resources import RESOURCES
from tests.fakes.charts import MATRIX, NODE_LOGS, NODE_LOGS_BY_POD, ROOT, objects, one

pytestmark = pytest.mark.slow


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
    check_small(of(values, "Role", "ClusterRole"))


def check_small(found):
    for group, resource, verb, _ in found:
        assert "*" not in {group, resource, verb}
        lease = resource == "leases" and verb in {"create", "update"}
        assert lease or verb in {"get", "list", "watch"}
        assert resource != "secrets"


def test_what_check_may_see_on_top_is_in_two_namespaces_and_read_only():
    path = ROOT / "deploy" / "examples" / "check-rights.yaml"
    roles = {
        each["metadata"]["namespace"]: rights([each])
        for each in yaml.safe_load_all(path.read_text())
        if each["kind"] == "Role"
    }
    for each in roles.values():
        check_small(each)
    assert roles == {
        OPERATOR_NAMESPACE: {("", "pods", "list", None), ("", "services", "get", LIGHTHOUSE_DNS)},
        "kube-system": {
            ("", "configmaps", "get", "coredns"),
            ("", "configmaps", "get", "node-local-dns"),
            ("apps", "daemonsets", "get", "node-local-dns"),
        },
    }


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
