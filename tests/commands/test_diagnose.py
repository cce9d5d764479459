"""What is made of a cluster's own objects: values in, lines out."""

from dataclasses import replace

import pytest

from exporter.judge.corefile import Forwarding, forwarding, operator_forwarding
from exporter.judge.diagnosis import HTTP_ROUTES, ClusterRead, Dns, ObjectRead, diagnose

ZONE = "clusterset.local"
COREFILE = """\
#lighthouse-start AUTO-GENERATED SECTION. DO NOT EDIT
clusterset.local:53 {
    forward . 100.1.0.53
}
#lighthouse-end
.:53 {
    errors
    kubernetes cluster.local in-addr.arpa {
        pods insecure
    }
    forward . /etc/resolv.conf
}
"""
POD = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
DNS = Dns(
    namespace="submariner-operator",
    pods=ObjectRead({"items": [POD, POD]}),
    service=ObjectRead({"spec": {"clusterIP": "100.1.0.53"}}),
    coredns=ObjectRead({"data": {"Corefile": COREFILE}}),
    node_local=ObjectRead(),
    node_local_config=ObjectRead(),
)
SERVED = {
    f"{kind}.multicluster.x-k8s.io": ("v1alpha1",) for kind in ("serviceexports", "serviceimports")
}
SERVED |= {
    f"{k}.submariner.io": ("v1",) for k in ("clusters", "endpoints", "gateways", "submariners")
}
WELL = ClusterRead(served=SERVED, unread="", missing=(), noticed=(), dns=DNS)
AWAY = ObjectRead(unread="GET it: 403")
GRANT = "; a pod of the exporter may do so with the chart's check.rights: true"


def told(cluster):
    return [f"{f.level} {f.about}: {f.text}" for f in diagnose(cluster, ZONE)]


def test_all_is_well():
    assert told(WELL) == [
        "ok serviceexports.multicluster.x-k8s.io: served as v1alpha1",
        "ok serviceimports.multicluster.x-k8s.io: served as v1alpha1",
        "ok submariner.io: all CRDs are installed",
        "ok rights: all that run needs",
        "ok discovery: gateways and networks are consistent",
        "ok Lighthouse pods in submariner-operator: 2 of 2 ready",
        "ok service submariner-operator/submariner-lighthouse-coredns: 100.1.0.53",
        "ok CoreDNS kube-system/coredns: forwards clusterset.local to Lighthouse",
        "ok NodeLocal DNS kube-system/node-local-dns: not installed",
    ]


def corefile(text):
    return ObjectRead({"data": {"Corefile": text}})


@pytest.mark.parametrize(
    ("cluster", "line"),
    [
        pytest.param(
            replace(WELL, served={}),
            "fail serviceexports.multicluster.x-k8s.io: not installed; "
            "the MCS API's CRDs are missing",
            id="no MCS",
        ),
        pytest.param(
            replace(WELL, served={k: v for k, v in SERVED.items() if "gateways" not in k}),
            "fail submariner.io: not installed: gateways.submariner.io",
            id="half a Submariner",
        ),
        pytest.param(replace(WELL, served={}), "ok submariner.io: not installed", id="another MCS"),
        pytest.param(
            replace(WELL, unread="GET /apis: 403"),
            "ok CRDs: not looked at: GET /apis: 403",
            id="no discovery",
        ),
        pytest.param(
            replace(WELL, missing=("list nodes", "watch nodes")),
            "fail rights: may not list nodes, watch nodes; grant them in a ClusterRole; the chart "
            "does so with rbac.create: true",
            id="rights",
        ),
        pytest.param(
            replace(WELL, missing=("patch events", "get pods/log")),
            "fail rights: may not patch events, get pods/log; grant them in a ClusterRole; the "
            "chart does so with rbac.create: true and events: true and podLogs.enabled: true",
            id="rights that values of the chart grant",
        ),
        pytest.param(
            replace(
                WELL,
                missing=(
                    "list httproutes.gateway.networking.k8s.io",
                    "list pods in ingress",
                    "get pods/log in ingress",
                ),
            ),
            "fail rights: may not list httproutes.gateway.networking.k8s.io, list pods in ingress, "
            "get pods/log in ingress; grant them in a ClusterRole, or in a Role of the namespace "
            "that is named; the chart does so with rbac.create: true and gatewayLogs.namespaces: "
            "[ingress] and gatewayLogs.routes: true",
            id="rights for the log of a gateway",
        ),
        pytest.param(
            replace(WELL, missing=("list pods in ingress", "get pods in shop")),
            "fail rights: may not list pods in ingress, get pods in shop; grant them in Roles of "
            "these namespaces; the chart does so with rbac.create: true and podLogs.enabled: true "
            "and gatewayLogs.namespaces: [ingress]",
            id="rights for the logs of pods and of a gateway",
        ),
        pytest.param(
            replace(WELL, by_route=True),
            "ok httproutes.gateway.networking.k8s.io: not installed; only Ingresses count",
            id="no Gateway API",
        ),
        pytest.param(
            replace(WELL, by_route=True, served=SERVED | {HTTP_ROUTES: ("v1", "v1beta1")}),
            "ok httproutes.gateway.networking.k8s.io: served as v1, v1beta1",
            id="the Gateway API",
        ),
        pytest.param(
            replace(WELL, unsure=("list serviceimports.net.gke.io",), unread="GET /apis: 403"),
            "ok rights: may not list serviceimports.net.gke.io; it is not known whether the "
            "cluster has these resources: GET /apis: 403",
            id="a right for what may not be installed",
        ),
        pytest.param(
            replace(WELL, missing=None, rights_unread="403"),
            "ok rights: not looked at: 403",
            id="rights unread",
        ),
        pytest.param(
            replace(WELL, noticed=(("gateway gw1", "fell silent"),)),
            "warn gateway gw1: fell silent",
            id="gateway",
        ),
    ],
)
def test_cluster(cluster, line):
    assert line in told(cluster)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param(
            {"pods": ObjectRead({"items": [POD, {}]})},
            "warn Lighthouse pods in submariner-operator: 1 of 2 ready",
            id="one pod down",
        ),
        pytest.param(
            {"pods": ObjectRead({"items": []})},
            "fail Lighthouse pods in submariner-operator: 0 of 0 ready",
            id="no pod",
        ),
        pytest.param(
            {"pods": AWAY},
            "ok Lighthouse pods in submariner-operator: not looked at: GET it: 403" + GRANT,
            id="pods unread",
        ),
        pytest.param(
            {"service": ObjectRead()},
            "fail service submariner-operator/submariner-lighthouse-coredns: not there: "
            "Submariner's service discovery has no address",
            id="no service",
        ),
        pytest.param(
            {"service": AWAY},
            "ok CoreDNS kube-system/coredns: forwards clusterset.local to 100.1.0.53",
            id="service unread",
        ),
        pytest.param(
            {"service": ObjectRead({"spec": {"clusterIP": "100.1.0.99"}})},
            "fail CoreDNS kube-system/coredns: forwards clusterset.local to 100.1.0.53, and "
            "Lighthouse is at 100.1.0.99",
            id="drift",
        ),
        pytest.param(
            {"coredns": corefile(".:53 {\n errors\n}")},
            "fail CoreDNS kube-system/coredns: has no server block for clusterset.local",
            id="no block",
        ),
        pytest.param(
            {"coredns": corefile(".:53 {\n errors\n}\nimport custom/*.server")},
            "warn CoreDNS kube-system/coredns: has no server block for clusterset.local; "
            "what it imports was not looked at",
            id="imports",
        ),
        pytest.param(
            {"coredns": ObjectRead()},
            "ok CoreDNS kube-system/coredns: not looked at: not there; "
            "another name server is in use",
            id="no CoreDNS",
        ),
        pytest.param(
            {"node_local": ObjectRead({}), "node_local_config": corefile(".:53 {\n cache 30\n}")},
            "warn NodeLocal DNS kube-system/node-local-dns: has no server block for "
            "clusterset.local, so pods behind it may not resolve those names",
            id="NodeLocal trap",
        ),
        pytest.param(
            {"node_local": ObjectRead({}), "node_local_config": corefile(COREFILE)},
            "ok NodeLocal DNS kube-system/node-local-dns: has a server block for clusterset.local",
            id="NodeLocal with a block",
        ),
        pytest.param(
            {"node_local": AWAY},
            "ok NodeLocal DNS kube-system/node-local-dns: not looked at: GET it: 403" + GRANT,
            id="NodeLocal unread",
        ),
        pytest.param(
            {"node_local": ObjectRead({}), "node_local_config": AWAY},
            "ok NodeLocal DNS kube-system/node-local-dns: not looked at: GET it: 403" + GRANT,
            id="NodeLocal's settings unread",
        ),
    ],
)
def test_name_servers(changes, line):
    assert line in told(replace(WELL, dns=replace(DNS, **changes)))


def operator(*upstreams, zones=(ZONE,)):
    server = {
        "name": "lighthouse",
        "zones": list(zones),
        "forwardPlugin": {"upstreams": list(upstreams)},
    }
    return ObjectRead({"spec": {"servers": [{"zones": ["other"]}, server]}})


OPENSHIFT = replace(
    DNS,
    coredns=ObjectRead(),
    operator=operator("100.1.0.53"),
    operator_config=corefile(COREFILE.replace(":53 {", ":5353 {")),
)


def test_all_is_well_on_openshift():
    lines = told(replace(WELL, dns=OPENSHIFT))
    about = "DNS operator dns.operator.openshift.io/default"
    assert lines[-3:] == [
        f"ok {about}: forwards clusterset.local to Lighthouse",
        "ok CoreDNS openshift-dns/dns-default: forwards clusterset.local to Lighthouse",
        "ok NodeLocal DNS kube-system/node-local-dns: not installed",
    ]
    assert not any("kube-system/coredns" in line for line in lines)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param(
            {"operator": operator("100.1.0.53", zones=["other.local"])},
            "fail DNS operator dns.operator.openshift.io/default: has no server block for "
            "clusterset.local",
            id="no server",
        ),
        pytest.param(
            {"operator": operator("100.1.0.9:53")},
            "fail DNS operator dns.operator.openshift.io/default: forwards clusterset.local to "
            "100.1.0.9, and Lighthouse is at 100.1.0.53",
            id="drift",
        ),
        pytest.param(
            {"operator": AWAY},
            "ok DNS operator dns.operator.openshift.io/default: not looked at: GET it: 403" + GRANT,
            id="unread",
        ),
        pytest.param(
            {"operator": ObjectRead()},
            "ok DNS operator dns.operator.openshift.io/default: not looked at: not there",
            id="no object",
        ),
        pytest.param(
            {"operator_config": AWAY},
            "ok CoreDNS openshift-dns/dns-default: not looked at: GET it: 403" + GRANT,
            id="its Corefile unread",
        ),
        pytest.param(
            {"operator_config": corefile(".:5353 {\n errors\n}")},
            "fail CoreDNS openshift-dns/dns-default: has no server block for clusterset.local",
            id="the operator did not write it",
        ),
    ],
)
def test_name_servers_of_openshift(changes, line):
    assert line in told(replace(WELL, dns=replace(OPENSHIFT, **changes)))


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"spec": 1},
        {"spec": {"servers": 1}},
        {"spec": {"servers": [1, {"zones": 1}, {"zones": [1]}]}},
        {"spec": {"servers": [{"zones": ["x"], "forwardPlugin": 1}]}},
    ],
)
def test_an_operator_without_a_server_for_the_zone(broken):
    assert operator_forwarding(broken, ZONE) == Forwarding(False, (), False)


@pytest.mark.parametrize("plugin", [None, {}, {"upstreams": 1}, {"upstreams": [1]}])
def test_an_operator_that_forwards_nowhere(plugin):
    spec = {"spec": {"servers": [{"zones": ["Clusterset.local."], "forwardPlugin": plugin}]}}
    assert operator_forwarding(spec, ZONE) == Forwarding(True, (), False)


@pytest.mark.parametrize("broken", [{}, {"spec": 1}, {"spec": {"clusterIP": 1}}])
def test_a_service_without_an_address(broken):
    lines = told(replace(WELL, dns=replace(DNS, service=ObjectRead(broken))))
    assert any(line.startswith("fail service") for line in lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(COREFILE, Forwarding(True, ("100.1.0.53",), False), id="Submariner's"),
        pytest.param(
            "dns://Clusterset.local.:53, x.y {\n forward . dns://1.2.3.4:53 [fd00::1]:53 "
            "fd00::2 {\n policy random\n }\n}",
            Forwarding(True, ("1.2.3.4", "fd00::1", "fd00::2"), False),
            id="schemes, ports and IPv6",
        ),
        pytest.param(
            "# clusterset.local {\n. {\n}\n", Forwarding(False, (), False), id="a comment"
        ),
        pytest.param(
            ". {\n forward clusterset.local 1.2.3.4\n}\n",
            Forwarding(False, (), False),
            id="another block",
        ),
        pytest.param(
            ". {\n import c/*.override\n}\n", Forwarding(False, (), True), id="imports inside"
        ),
        pytest.param("}}{{", Forwarding(False, (), False), id="nonsense"),
        pytest.param("", Forwarding(False, (), False), id="empty"),
    ],
)
def test_corefile(text, expected):
    assert forwarding(text, ZONE) == expected
