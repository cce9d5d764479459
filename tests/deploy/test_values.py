"""Each value of the chart arrives: where it must appear in what is rendered, one row for each."""

import functools
import importlib.util

import pytest

from tests.fakes.charts import ROOT, objects

pytestmark = pytest.mark.slow
OURS = "clusterset-exporter"
ON_NODES = f"{OURS}-node-logs"
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
WORK, DAEMONS = ("Deployment", OURS), ("DaemonSet", ON_NODES)
SERVICE, ACCOUNT = ("Service", OURS), ("ServiceAccount", "mine")
INGRESS, ROUTE = ("Ingress", OURS), ("HTTPRoute", OURS)
MONITOR, PODS = ("ServiceMonitor", OURS), ("PodMonitor", OURS)
GOOGLE = ("PodMonitoring", OURS)
RULES = ("PrometheusRule", f"{OURS}-local")
BOARD = ("ConfigMap", f"{OURS}-clusterset-service")
GRAFANA = ("GrafanaDashboard", f"{OURS}-clusterset-service")
KARMADA = ("ClusterPropagationPolicy", f"{OURS}-monitoring")
TEST = ("Pod", f"{OURS}-check")
CONFIG = ("ConfigMap", OURS)
NAMED, MOUNT = [{"name": "x"}], [{"name": "x", "mountPath": "/x"}]
SPREAD = [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
RELABEL = [{"action": "drop", "regex": "x"}]
EXPRESSION = [{"key": "a", "operator": "Exists"}]
ONE = {"a": "b"}
BIG = {"limits": {"memory": "1Gi"}}
TIMES = {"timeoutSeconds": 9}
SCRAPED = "spec.podMetricsEndpoints.0"
METRICS = f"{SCRAPED}.metricRelabelings"
AFFINITY = "spec.placement.clusterAffinity.labelSelector"
OPENSHIFT = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
KEY_VOLUME = {"name": "probe-key", "secret": {"secretName": "k", "defaultMode": 0o440}}
ROUTES = {
    "apiGroups": ["gateway.networking.k8s.io"],
    "resources": ["httproutes"],
    "verbs": ["list", "watch"],
}
LOGS = [{"files": ["/x/*.log"], "service": "a/b"}]
OTHER = ("Deployment", "other")
PLACED = {"clusterAffinity": {"clusterNames": ["east"]}}
OTHER_PODS = ("PodMonitor", "other")


def both(value, given, place, expected=None):
    """Return rows for a value that node logs get too."""
    expected = given if expected is None else expected
    return [(value, given, WORK, place, expected), (value, given, DAEMONS, place, expected)]


MAIN = [
    ("global.imageRegistry", "g.test", WORK, f"{CONTAINER}.image", "g.test/"),
    ("global.imagePullSecrets", ["x"], WORK, f"{POD}.imagePullSecrets", {"name": "x"}),
    ("image.repository", "b.test/c/d", WORK, f"{CONTAINER}.image", "c/d"),
    ("image.digest", "sha256:" + "0" * 64, WORK, f"{CONTAINER}.image", "@sha256:"),
    *both("image.pullPolicy", "Always", f"{CONTAINER}.imagePullPolicy"),
    *both("imagePullSecrets", [{"name": "z"}], f"{POD}.imagePullSecrets", {"name": "z"}),
    *both("commonLabels", {"team": "net"}, "metadata.labels.team", "net"),
    ("commonLabels", {"team": "net"}, WORK, "spec.template.metadata.labels.team", "net"),
    *both("commonAnnotations", {"about": "us"}, "metadata.annotations.about", "us"),
    (
        "podSecurityContext",
        {"supplementalGroups": [7]},
        WORK,
        f"{POD}.securityContext.supplementalGroups",
        [7],
    ),
    ("securityContext", {"runAsUser": 9}, WORK, f"{CONTAINER}.securityContext.runAsUser", 9),
    ("cluster", "east", CONFIG, "data.config", "cluster: east"),
    ("config", {"leak_grace": "9s"}, CONFIG, "data.config", "leak_grace: 9s"),
    *both("logLevel", "debug", f"{CONTAINER}.args", "--log.level=debug"),
    *both("logFormat", "json", f"{CONTAINER}.args", "--log.format=json"),
    ("replicas", 3, WORK, "spec.replicas", 3),
    *both("extraArgs", ["--x=y"], f"{CONTAINER}.args", "--x=y"),
    *both("extraEnv", NAMED, f"{CONTAINER}.env", {"name": "x"}),
    *both("extraVolumes", NAMED, f"{POD}.volumes", {"name": "x"}),
    *both("extraVolumeMounts", MOUNT, f"{CONTAINER}.volumeMounts", MOUNT[0]),
    ("extraContainers", NAMED, WORK, f"{POD}.containers", {"name": "x"}),
    ("initContainers", NAMED, WORK, f"{POD}.initContainers", NAMED),
    *both("startupProbe", TIMES, f"{CONTAINER}.startupProbe.timeoutSeconds", 9),
    *both("livenessProbe", TIMES, f"{CONTAINER}.livenessProbe.timeoutSeconds", 9),
    *both("readinessProbe", TIMES, f"{CONTAINER}.readinessProbe.timeoutSeconds", 9),
    ("strategy", {"type": "Recreate"}, WORK, "spec.strategy", {"type": "Recreate"}),
    *both("revisionHistoryLimit", 2, "spec.revisionHistoryLimit"),
    *both("dnsConfig", {"nameservers": ["192.0.2.1"]}, f"{POD}.dnsConfig.nameservers", "192.0.2.1"),
    *both("podAnnotations", ONE, "spec.template.metadata.annotations.a", "b"),
    *both("podLabels", {"c": "d"}, "spec.template.metadata.labels.c", "d"),
    ("resources.limits", {"memory": "1Gi"}, WORK, f"{CONTAINER}.resources.limits", BIG["limits"]),
    ("nodeSelector", ONE, WORK, f"{POD}.nodeSelector", ONE),
    ("tolerations", [ONE], WORK, f"{POD}.tolerations", [ONE]),
    ("affinity", {"nodeAffinity": {}}, WORK, f"{POD}.affinity", {"nodeAffinity": {}}),
    ("topologySpread", False, WORK, f"{POD}.topologySpreadConstraints", SPREAD),
    ("topologySpreadConstraints", SPREAD, WORK, f"{POD}.topologySpreadConstraints", SPREAD[0]),
    *both("priorityClassName", "high", f"{POD}.priorityClassName"),
    ("serviceAccount.name", "mine", ACCOUNT, "metadata.name", "mine"),
    ("serviceAccount.name", "mine", WORK, f"{POD}.serviceAccountName", "mine"),
    ("serviceAccount.name", "mine", ("RoleBinding", OURS), "subjects.0.name", "mine"),
    ("serviceAccount.annotations", ONE, ACCOUNT, "metadata.annotations.a", "b"),
    ("service.type", "NodePort", SERVICE, "spec.type", "NodePort"),
    ("service.annotations", ONE, SERVICE, "metadata.annotations.a", "b"),
    ("ingress.enabled", True, INGRESS, "kind", "Ingress"),
    ("ingress.className", "nginx", INGRESS, "spec.ingressClassName", "nginx"),
    ("ingress.annotations", ONE, INGRESS, "metadata.annotations.a", "b"),
    ("ingress.hosts", ["h.test"], INGRESS, "spec.rules.0.host", "h.test"),
    ("ingress.path", "/p", INGRESS, "spec.rules.0.http.paths.0.path", "/p"),
    ("ingress.tls", [ONE], INGRESS, "spec.tls", [ONE]),
    ("httpRoute.enabled", True, ROUTE, "kind", "HTTPRoute"),
    ("httpRoute.annotations", ONE, ROUTE, "metadata.annotations.a", "b"),
    ("httpRoute.parentRefs", NAMED, ROUTE, "spec.parentRefs", NAMED),
    ("httpRoute.hostnames", ["h.test"], ROUTE, "spec.hostnames", ["h.test"]),
    ("httpRoute.path", "/p", ROUTE, "spec.rules.0.matches.0.path.value", "/p"),
    ("networkPolicy.from", [ONE], ("NetworkPolicy", OURS), "spec.ingress.0.from", [ONE]),
    ("networkPolicy.egress", [ONE], ("NetworkPolicy", OURS), "spec.egress", [ONE]),
    ("releaseLabel", "stack", MONITOR, "metadata.labels.release", "stack"),
    ("serviceMonitor.enabled", True, MONITOR, "kind", "ServiceMonitor"),
    ("serviceMonitor.additionalLabels", ONE, MONITOR, "metadata.labels.a", "b"),
    ("serviceMonitor.labels", {"o": "p"}, MONITOR, "metadata.labels.o", "p"),
    ("serviceMonitor.interval", "5s", MONITOR, "spec.endpoints.0.interval", "5s"),
    ("serviceMonitor.scrapeTimeout", "4s", MONITOR, "spec.endpoints.0.scrapeTimeout", "4s"),
    ("serviceMonitor.honorLabels", True, MONITOR, "spec.endpoints.0.honorLabels", True),
    ("serviceMonitor.relabelings", RELABEL, MONITOR, "spec.endpoints.0.relabelings", RELABEL),
    (
        "serviceMonitor.metricRelabelings",
        RELABEL,
        MONITOR,
        "spec.endpoints.0.metricRelabelings",
        RELABEL,
    ),
    ("serviceMonitor.namespace", "mon", MONITOR, "metadata.namespace", "mon"),
    ("prometheusRule.enabled", True, RULES, "kind", "PrometheusRule"),
    ("prometheusRule.additionalLabels", ONE, RULES, "metadata.labels.a", "b"),
    ("prometheusRule.labels", {"o": "p"}, RULES, "metadata.labels.o", "p"),
    ("prometheusRule.namespace", "mon", RULES, "metadata.namespace", "mon"),
    (
        "prometheusRule.scopes",
        ["local", "global"],
        ("PrometheusRule", f"{OURS}-global"),
        "kind",
        "PrometheusRule",
    ),
    ("alerts", {"blackoutFor": "9m"}, RULES, "spec.groups.1.rules.0.for", "9m"),
    ("dashboards.enabled", True, BOARD, "kind", "ConfigMap"),
    ("dashboards.labels", {"l": "m"}, BOARD, "metadata.labels.l", "m"),
    ("dashboards.additionalLabels", ONE, BOARD, "metadata.labels.a", "b"),
    ("dashboards.annotations", ONE, BOARD, "metadata.annotations.a", "b"),
    ("dashboards.annotations", ONE, GRAFANA, "metadata.annotations.a", "b"),
    ("dashboards.folder", "Net", BOARD, "metadata.annotations.where", "Net"),
    ("dashboards.folder", "Net", GRAFANA, "spec.folder", "Net"),
    ("dashboards.folderAnnotation", "where", BOARD, "metadata.annotations.where", "Net"),
    ("dashboards.namespace", "boards", BOARD, "metadata.namespace", "boards"),
    ("dashboards.namespace", "boards", GRAFANA, "metadata.namespace", "boards"),
    (
        "dashboards.grafanaOperator.enabled",
        True,
        GRAFANA,
        "spec.json",
        '"uid": "clusterset-service"',
    ),
    (
        "dashboards.grafanaOperator.instanceSelector",
        {"matchExpressions": EXPRESSION},
        GRAFANA,
        "spec.instanceSelector.matchExpressions",
        EXPRESSION,
    ),
    (
        "dashboards.grafanaOperator.allowCrossNamespaceImport",
        False,
        GRAFANA,
        "spec.allowCrossNamespaceImport",
        False,
    ),
    ("helmTest.service", "shop/cart", TEST, "spec.containers.0.args", "shop/cart"),
    ("nodeLogs.enabled", True, DAEMONS, "kind", "DaemonSet"),
    (
        "nodeLogs.podSecurityContext",
        {"seLinuxOptions": {"type": "spc_t"}},
        DAEMONS,
        f"{POD}.securityContext.seLinuxOptions.type",
        "spc_t",
    ),
    (
        "nodeLogs.securityContext",
        {"runAsUser": 9},
        DAEMONS,
        f"{CONTAINER}.securityContext.runAsUser",
        9,
    ),
    (
        "nodeLogs.resources.limits",
        BIG["limits"],
        DAEMONS,
        f"{CONTAINER}.resources.limits",
        BIG["limits"],
    ),
    ("nodeLogs.nodeSelector", ONE, DAEMONS, f"{POD}.nodeSelector", ONE),
    ("nodeLogs.tolerations", [ONE], DAEMONS, f"{POD}.tolerations", [ONE]),
    ("extraObjects", [{"kind": "X", "metadata": {"name": "x"}}], ("X", "x"), "kind", "X"),
]

FEW = [
    ("nameOverride", "watcher", OTHER, "metadata.labels", {"app.kubernetes.io/name": "watcher"}),
    ("fullnameOverride", "other", OTHER, "metadata.name", "other"),
    ("namespaceOverride", "elsewhere", OTHER, "metadata.namespace", "elsewhere"),
    ("image.registry", "r.test", OTHER, f"{CONTAINER}.image", "r.test/"),
    ("image.tag", "t", OTHER, f"{CONTAINER}.image", ":t"),
    ("openshift", True, OTHER, f"{POD}.securityContext", OPENSHIFT),
    ("watchNamespaces", ["shop"], ("Role", "other-discovery"), "metadata.namespace", "shop"),
    ("submarinerNamespace", "sub", ("ConfigMap", "other"), "data.config", "namespace: sub"),
    ("podLogs.namespaces", ["shop"], ("Role", "other-pod-logs"), "metadata.namespace", "shop"),
    (
        "gatewayLogs.namespaces",
        ["edge"],
        ("Role", "other-gateway-logs"),
        "metadata.namespace",
        "edge",
    ),
    ("gatewayLogs.routes", True, ("Role", "other-discovery"), "rules", ROUTES),
    ("config", {"logs": [{"pods": {}}]}, ("Role", "other-pod-logs"), "kind", "Role"),
    ("events", True, ("Role", "other-events"), "kind", "Role"),
    ("check.rights", True, ("Role", "other-check"), "kind", "Role"),
    ("service.clusterIP", "192.0.2.9", ("Service", "other"), "spec.clusterIP", "192.0.2.9"),
    ("web.secrets", ["w"], OTHER, f"{CONTAINER}.args", "--web.config.file="),
    ("web.tls", True, OTHER_PODS, f"{SCRAPED}.scheme", "https"),
    ("web.scrape", {"basicAuth": ONE}, OTHER_PODS, f"{SCRAPED}.basicAuth", ONE),
    ("podMonitor.enabled", True, OTHER_PODS, "kind", "PodMonitor"),
    ("podMonitor.additionalLabels", ONE, OTHER_PODS, "metadata.labels", ONE),
    ("podMonitor.labels", {"o": "p"}, OTHER_PODS, "metadata.labels", {"o": "p"}),
    ("podMonitor.interval", "5s", OTHER_PODS, f"{SCRAPED}.interval", "5s"),
    ("podMonitor.scrapeTimeout", "4s", OTHER_PODS, f"{SCRAPED}.scrapeTimeout", "4s"),
    ("podMonitor.honorLabels", True, OTHER_PODS, f"{SCRAPED}.honorLabels", True),
    ("podMonitor.relabelings", RELABEL, OTHER_PODS, f"{SCRAPED}.relabelings", RELABEL),
    ("podMonitor.metricRelabelings", RELABEL, OTHER_PODS, METRICS, RELABEL),
    ("podMonitor.namespace", "mon", OTHER_PODS, "metadata.namespace", "mon"),
    ("probeKey.create", True, ("Job", None), "kind", "Job"),
    ("nodeLogs.enabled", True, ("DaemonSet", None), "kind", "DaemonSet"),
    ("nodeLogs.namespace", "nodes", ("DaemonSet", None), "metadata.namespace", "nodes"),
    ("nodeLogs.createNamespace", True, ("Namespace", "nodes"), "kind", "Namespace"),
    ("nodeLogs.logs", LOGS, ("ConfigMap", "other-node-logs"), "data.config", "/x/*.log"),
]
SET = ("StatefulSet", OURS)
SHARDS = [
    ("shards", 2, SET, "spec.replicas", 2),
    ("strategy", {"type": "OnDelete"}, SET, "spec.updateStrategy.type", "OnDelete"),
    ("probeKey.existingSecret", "k", SET, f"{POD}.volumes", KEY_VOLUME),
    ("podMonitoring.enabled", True, GOOGLE, "kind", "PodMonitoring"),
    ("podMonitoring.additionalLabels", ONE, GOOGLE, "metadata.labels", ONE),
    ("podMonitoring.interval", "5s", GOOGLE, "spec.endpoints.0.interval", "5s"),
    ("podMonitoring.scrapeTimeout", "4s", GOOGLE, "spec.endpoints.0.timeout", "4s"),
    ("podMonitoring.endpoint", {"tls": ONE}, GOOGLE, "spec.endpoints.0.tls", ONE),
    ("karmada.enabled", True, KARMADA, "kind", "ClusterPropagationPolicy"),
    ("karmada.placement", PLACED, ("ClusterPropagationPolicy", OURS), "spec.placement", PLACED),
    ("karmada.monitoringLabel", ONE, KARMADA, f"{AFFINITY}.matchLabels", ONE),
]
TOKENS = [
    ("web.secrets", ["w"], WORK, f"{CONTAINER}.args", "--web.config.file="),
    ("web.kubernetes", True, ("ClusterRole", f"{OURS}-reviews"), "kind", "ClusterRole"),
]
GROUPS = {"main": MAIN, "few": FEW, "shards": SHARDS, "tokens": TOKENS}
OFF = {
    "podLogs.enabled": ({"podLogs": {"enabled": False}}, "ClusterRole", f"{OURS}-pod-logs"),
    "rbac.create": ({"rbac": {"create": False}}, "ClusterRole", OURS),
    "serviceAccount.create": (
        {"serviceAccount": {"create": False, "name": "mine"}},
        "ServiceAccount",
        OURS,
    ),
    "podDisruptionBudget.enabled": (
        {"podDisruptionBudget": {"enabled": False}},
        "PodDisruptionBudget",
        OURS,
    ),
    "networkPolicy.enabled": ({"networkPolicy": {"enabled": False}}, "NetworkPolicy", OURS),
}
"""Values that leave an object out, with the object."""
ELSEWHERE = {
    "enabled": "tests/deploy/test_gitops.py: only a parent chart reads it",
    "scrapeAnnotations.enabled": "below: it is no object",
}


def given(rows):
    """Return the values of all *rows* in one mapping."""
    made = {}
    for path, value, *_ in rows:
        *groups, last = path.split(".")
        inside = made
        for each in groups:
            inside = inside.setdefault(each, {})
        before = inside.get(last)
        both_maps = isinstance(value, dict) and isinstance(before, dict)
        inside[last] = before | value if both_maps else value
    return made


@functools.cache
def rendered(group):
    """Return the objects with all values of a group of rows, or with the defaults."""
    return objects(given(GROUPS[group]) if group else {})


def at(found, kind, name, place):
    """Return what is at *place* of an object; None if there is no such place."""
    matching = [
        each for each in found if each["kind"] == kind and name in {None, each["metadata"]["name"]}
    ]
    value = matching[0] if matching else None
    for step in place.split("."):
        if isinstance(value, list):
            value = value[int(step)] if int(step) < len(value) else None
        elif isinstance(value, dict):
            value = value.get({"config": "config.yaml"}.get(step, step))
        else:
            return None
    return value


def holds(value, expected):
    """Return whether *expected* is the value, one of its items, or a part of it."""
    if isinstance(value, str) and isinstance(expected, str):
        return expected in value
    if isinstance(value, list) and not isinstance(expected, list):
        return any(holds(each, expected) for each in value)
    if isinstance(value, dict) and isinstance(expected, dict) and expected is not OPENSHIFT:
        return expected.items() <= value.items()
    return value is not None and value == expected


ROWS = [
    pytest.param(group, *row[2], row[3], row[4], id=f"{row[0]} in {row[2][0]}")
    for group, rows in GROUPS.items()
    for row in rows
]


@pytest.mark.parametrize(("group", "kind", "name", "place", "expected"), ROWS)
def test_it_arrives(group, kind, name, place, expected):
    value = at(rendered(group), kind, name, place)
    assert holds(value, expected), value
    assert not holds(at(rendered(None), kind, name, place), expected), "so it is by default"


@pytest.mark.parametrize(("values", "kind", "name"), OFF.values(), ids=OFF)
def test_it_leaves_out(values, kind, name):
    assert at(rendered(None), kind, name, "kind") == kind
    assert at(objects(values), kind, name, "kind") is None


def test_scrape_annotations_are_left_out():
    place = "spec.template.metadata.annotations"
    annotation = "prometheus.io/scrape"
    assert annotation in at(rendered(None), *WORK, place)
    found = objects({"scrapeAnnotations": {"enabled": False}})
    assert annotation not in at(found, *WORK, place)


def documented():
    """Return the names of all values, as the table of the README has them."""
    spec = importlib.util.spec_from_file_location("render", ROOT / "deploy" / "render.py")
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    return [name for name, *_ in render.values()]


def test_each_value_has_a_row():
    names = documented()
    leaves = [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
    rows = {row[0] for rows in GROUPS.values() for row in rows} | OFF.keys() | ELSEWHERE.keys()
    missing = [
        leaf
        for leaf in leaves
        if not any(row == leaf or row.startswith(f"{leaf}.") for row in rows)
    ]
    assert missing == []
