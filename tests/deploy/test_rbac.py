"""The rights that the chart asks for are those that the code uses."""

import pytest
import yaml

from exporter.discover.parse_submariner import LIGHTHOUSE_DNS, OPERATOR_NAMESPACE
from exporter.discover.resources import RESOURCES, ROUTES, Scope
from tests.fakes.charts import MATRIX, NAMESPACE, NODE_LOGS, NODE_LOGS_BY_POD, ROOT, objects, one

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
REVIEWS = {
    ("authentication.k8s.io", "tokenreviews", "create", None),
    ("authorization.k8s.io", "subjectaccessreviews", "create", None),
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


@pytest.mark.parametrize(
    ("values", "lease"),
    [
        ({}, "clusterset-exporter"),
        ({"config": {"inventory": {"kubernetes": {"lease": "other"}}}}, "other"),
        ({"shards": 2}, None),
        ({"config": {"inventory": {"kubernetes": {"lease": None}}}}, None),
        (NODE_LOGS, None),
    ],
    ids=["by default", "another Lease", "shards", "no Lease", "files that tell no pods"],
)
def test_node_logs_may_see_the_lease_that_tells_who_reads_the_same_lines(values, lease):
    found = objects({**NODE_LOGS_BY_POD, **values})
    on_nodes = "clusterset-exporter-node-logs"
    told = yaml.safe_load(one(found, "ConfigMap", on_nodes)["data"]["config.yaml"])["logs"]
    expected = None if lease is None else f"{NAMESPACE}/{lease}"
    assert [each.get("after_lease") for each in told] == [expected]
    given = in_namespaces({**NODE_LOGS_BY_POD, **values}).get((on_nodes, NAMESPACE), set())
    assert given == (set() if lease is None else {("coordination.k8s.io", "leases", "get", lease)})


KEY = "clusterset-exporter-probe-key"


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX)
def test_no_wildcard_and_no_writing_but_of_the_lease(values):
    found = [each for each in objects(values) if each["kind"] in {"Role", "ClusterRole"}]
    check_small(rights(each for each in found if each["metadata"]["name"] != KEY))


def test_the_key_is_made_by_an_account_of_its_own_where_that_is_asked_for():
    assert all(resource != "secrets" for _, resource, _, _ in of({}, "Role", "ClusterRole"))
    values = {"probeKey": {"create": True}, **NODE_LOGS}
    given = in_namespaces(values)
    key = {("", "secrets", "get", KEY), ("", "secrets", "create", None)}
    for namespace in ("clusterset-exporter", "clusterset-exporter-node-logs"):
        assert given[KEY, namespace] == key
    for (account, _), has in given.items():
        assert account == KEY or not has & key


def check_small(found):
    for group, resource, verb, _ in found:
        assert "*" not in {group, resource, verb}
        lease = resource == "leases" and verb in {"create", "update"}
        review = (group, resource, verb, None) in REVIEWS
        event = resource == "events" and verb in {"create", "patch"}
        assert lease or review or event or verb in {"get", "list", "watch"}
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


def test_what_check_may_see_on_openshift_is_two_objects_by_name():
    path = ROOT / "deploy" / "examples" / "check-rights-openshift.yaml"
    roles = {
        (each["kind"], each["metadata"].get("namespace")): rights([each])
        for each in yaml.safe_load_all(path.read_text())
        if each["kind"] in {"Role", "ClusterRole"}
    }
    assert roles == {
        ("ClusterRole", None): {("operator.openshift.io", "dnses", "get", "default")},
        ("Role", "openshift-dns"): {("", "configmaps", "get", "dns-default")},
    }


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ({"config": {"logs": []}}, False),
        ({"config": {"logs": [{"syslog": "udp://127.0.0.1:1", "service": "a/b"}]}}, False),
        ({"config": {"logs": [{"pods": {"limit": 5}}]}, "podLogs": {"enabled": False}}, True),
        ({"config": {"logs": [{"pods": {}}]}, **NODE_LOGS}, True),
    ],
)
def test_logs_may_be_read_only_where_the_configuration_reads_them(values, read):
    assert of(values, "ClusterRole") == (WATCHED | LOGS if read else WATCHED)


def in_namespaces(values):
    """Return the rights that each account has in each namespace, by bindings of that namespace."""
    found = objects(values)
    given = {}
    for each in found:
        where = each["metadata"].get("namespace")
        if each["kind"] == "RoleBinding":
            (role,) = [
                role
                for role in found
                if role["kind"] == "Role"
                and role["metadata"]["name"] == each["roleRef"]["name"]
                and role["metadata"]["namespace"] == where
            ]
            for subject in each["subjects"]:
                key = (subject["name"], where)
                given[key] = given.get(key, set()) | rights([role])
    return given


@pytest.mark.parametrize(
    "name",
    [
        "two namespaces",
        "two namespaces without Submariner",
        "two namespaces on nodes and by Karmada",
    ],
)
def test_roles_of_some_namespaces_are_what_is_watched_there(name):
    values = MATRIX[name]
    submariner = values.get("submarinerNamespace", OPERATOR_NAMESPACE) or None
    scope = Scope(namespaces=tuple(values["watchNamespaces"]), submariner=submariner)
    assert of(values, "ClusterRole") == {("", "nodes", verb, None) for verb in ("list", "watch")}
    watched = {}
    for each in RESOURCES:
        for namespace in scope.of(each):
            for verb in ("list", "watch"):
                watched.setdefault(namespace, set()).add((each.group, each.plural, verb, None))
    for namespace in values.get("podLogs", {}).get("namespaces", values["watchNamespaces"]):
        watched[namespace] |= LOGS
    del watched[None]
    given = in_namespaces(values)
    exporter = {where: has for (who, where), has in given.items() if who == "clusterset-exporter"}
    assert exporter.pop("clusterset-exporter") == {OWN, *LEASE}
    assert exporter == watched


def test_on_nodes_the_same_namespaces_are_read_and_no_log_from_the_api_server():
    given = in_namespaces(MATRIX["two namespaces on nodes and by Karmada"])
    on_nodes = "clusterset-exporter-node-logs"
    has = {where: has for (who, where), has in given.items() if who == on_nodes}
    assert has.keys() == {"shop", "submariner-operator", NAMESPACE, on_nodes}
    assert ("", "pods", "get", None) in has["shop"]
    assert ("", "pods/log", "get", None) not in has["shop"]


def test_karmada_spreads_the_roles_of_each_namespace():
    found = objects(MATRIX["two namespaces on nodes and by Karmada"])
    policy = one(found, "ClusterPropagationPolicy", "clusterset-exporter")
    spread = {
        (each["kind"], each.get("namespace"), each["name"])
        for each in policy["spec"]["resourceSelectors"]
        if "name" in each
    }
    kinds = {"Role", "RoleBinding"}
    names = {
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in found
        if each["kind"] in kinds
    }
    outside = {name for name in names if name[1] in {"shop", "submariner-operator"}}
    assert outside
    assert outside <= spread
    assert {name for name in spread if name[0] in kinds} == outside


ROUTED = {(r.group, r.plural, verb, None) for r in ROUTES for verb in ("list", "watch")}
GATEWAY_PODS = LOGS | {("", "pods", "list", None)}
OF_GATEWAY = {"pods": {"namespace": "ingress", "selector": "app=x"}, "service": {"route": True}}


def test_routes_may_be_read_only_where_a_value_says_so():
    assert not ROUTED & of({"config": {"logs": [OF_GATEWAY]}}, "ClusterRole", "Role")
    assert of({"gatewayLogs": {"routes": True}}, "ClusterRole") == WATCHED | LOGS | ROUTED
    some = {"watchNamespaces": ["shop"], "gatewayLogs": {"routes": True}}
    assert not ROUTED & of(some, "ClusterRole")
    given = in_namespaces(some)
    assert {where for (_, where), has in given.items() if has & ROUTED} == {"shop"}
    assert given["clusterset-exporter", "shop"] >= ROUTED


def test_pods_of_a_gateway_may_be_listed_in_its_namespaces_only():
    values = {"config": {"logs": [OF_GATEWAY]}}
    # Such an entry alone needs no log of any other pod.
    assert of(values, "ClusterRole") == WATCHED
    values["gatewayLogs"] = {"namespaces": ["ingress", "traefik"]}
    assert of(values, "ClusterRole") == WATCHED
    given = in_namespaces(values)
    for namespace in ("ingress", "traefik"):
        assert given["clusterset-exporter", namespace] == GATEWAY_PODS
    off = {**values, "rbac": {"create": False}}
    assert of(off, "ClusterRole", "Role") == set()


def test_karmada_spreads_the_roles_of_gateways():
    found = objects(MATRIX["logs of gateways by Karmada"])
    policy = one(found, "ClusterPropagationPolicy", "clusterset-exporter")
    name = "clusterset-exporter-gateway-logs"
    spread = {
        (each["kind"], each["namespace"])
        for each in policy["spec"]["resourceSelectors"]
        if each.get("name") == name
    }
    assert spread == {("Role", "shop"), ("RoleBinding", "shop")}


def test_tokens_may_be_reviewed_only_where_that_is_asked_for():
    values = MATRIX["tokens"]
    assert of(values, "ClusterRole") == WATCHED | REVIEWS
    assert of({"web": {"secrets": ["web"]}}, "ClusterRole") == WATCHED | LOGS
    binding = one(objects(values), "ClusterRoleBinding", "clusterset-exporter-reviews")
    names = [each["name"] for each in binding["subjects"]]
    assert names == ["clusterset-exporter", "clusterset-exporter-node-logs"]


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
        kind, where = each["roleRef"]["kind"], each["metadata"].get("namespace")
        there = [
            role for role in found if kind != "Role" or role["metadata"].get("namespace") == where
        ]
        one(there, kind, each["roleRef"]["name"])
        for subject in each["subjects"]:
            account = one(found, "ServiceAccount", subject["name"])
            assert account["metadata"]["namespace"] == subject["namespace"]
