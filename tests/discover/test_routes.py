"""HTTPRoutes and Ingresses: which hosts they route, to which services, and what is not known."""

from copy import deepcopy

import pytest

from exporter.discover.findings import FindingKind
from exporter.discover.parse_routes import parse_http_route, parse_ingress
from exporter.discover.resources import ROUTES
from exporter.model.clusterset import ServiceName
from tests.fakes.objects import Objects

NGINX, WEB = ServiceName("nginx-test", "nginx"), ServiceName("nginx-test", "web")
IMPORT = {"group": "multicluster.x-k8s.io", "kind": "ServiceImport", "name": "nginx", "port": 80}
SERVICE = {"name": "web", "port": 80}
PUBLIC = {"name": "public", "namespace": "infra"}
KINDS = (FindingKind.SHARED_HOST, FindingKind.ROUTE_WITHOUT_HOST)


def parent(ref=PUBLIC, accepted="True"):
    conditions = [
        {"type": "ResolvedRefs", "status": "True"},
        {"type": "Accepted", "status": accepted},
    ]
    return {"parentRef": ref, "controllerName": "test/controller", "conditions": conditions}


ACCEPTED = (parent(),)


def http_route(*rules, hosts=("shop.example.com",), parents=ACCEPTED, name="one"):
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": "nginx-test"},
        "spec": {"hostnames": list(hosts), "rules": list(rules)},
        "status": {"parents": list(parents)},
    }


def to(*refs, **more):
    return {"backendRefs": list(refs), **more}


def ingress(*rules, name="one", **spec):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": "nginx-test"},
        "spec": {"ingressClassName": "nginx", "rules": list(rules), **spec},
    }


def backend(name="nginx"):
    return {"service": {"name": name, "port": {"number": 80}}}


def rule(host, *paths):
    found = [{"path": path, "pathType": kind, "backend": each} for path, kind, each in paths]
    return {**({"host": host} if host else {}), "http": {"paths": found}}


def rows(kept):
    """Return gateway, host, services and whether it takes all, of each route."""
    return [(each.gateway, each.host, set(each.services), each.whole) for each in kept.routes]


ALL = "Gateway infra/public"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(
            http_route(to(IMPORT)), [(ALL, "shop.example.com", {NGINX}, True)], id="an import"
        ),
        pytest.param(
            http_route(to({**IMPORT, "group": "net.gke.io", "namespace": "shop"})),
            [(ALL, "shop.example.com", {ServiceName("shop", "nginx")}, True)],
            id="of GKE in another namespace",
        ),
        pytest.param(
            http_route(to(SERVICE), hosts=("B.Example.com", "*.example.org")),
            [(ALL, "*.example.org", {WEB}, True), (ALL, "b.example.com", {WEB}, True)],
            id="a Service and two hosts",
        ),
        pytest.param(
            http_route(to(SERVICE), to(IMPORT, matches=[{"path": {"value": "/api"}}])),
            [(ALL, "shop.example.com", {NGINX, WEB}, True)],
            id="two services by path",
        ),
        pytest.param(
            http_route(to(SERVICE, IMPORT)),
            [(ALL, "shop.example.com", {NGINX, WEB}, True)],
            id="two services by weight",
        ),
        pytest.param(
            http_route(to({**SERVICE, "weight": 0}, IMPORT)),
            [(ALL, "shop.example.com", {NGINX}, True)],
            id="nothing for one of them",
        ),
        pytest.param(
            http_route(to({"group": "example.com", "kind": "Bucket", "name": "x"})),
            [(ALL, "shop.example.com", {None}, True)],
            id="no service",
        ),
        pytest.param(
            http_route({"filters": [{"type": "RequestRedirect"}]}),
            [(ALL, "shop.example.com", set(), True)],
            id="a redirect",
        ),
        pytest.param(
            http_route(to(IMPORT), hosts=()), [(ALL, "", {None}, False)], id="no host of its own"
        ),
        pytest.param(
            http_route(
                to(IMPORT),
                parents=(
                    parent({**PUBLIC, "sectionName": "https", "port": 443}),
                    parent({"name": "inside"}),
                    parent({"name": "away"}, accepted="False"),
                    parent({"kind": "Service", "group": "", "name": "mesh"}),
                ),
            ),
            [
                ("Gateway infra/public https 443", "shop.example.com", {NGINX}, True),
                ("Gateway nginx-test/inside", "shop.example.com", {NGINX}, True),
            ],
            id="several parents",
        ),
    ],
)
def test_http_routes(found, expected):
    assert rows(parse_http_route(found)) == expected


@pytest.mark.parametrize(
    ("match", "whole"),
    [
        ({}, True),
        ({"path": {"type": "PathPrefix", "value": "/"}}, True),
        ({"path": {"type": "Exact", "value": "/"}}, False),
        ({"path": {"value": "/api"}}, False),
        ({"method": "GET"}, False),
        ({"headers": [{"name": "x", "value": "y"}]}, False),
        ({"queryParams": [{"name": "x", "value": "y"}]}, False),
    ],
)
def test_whether_a_rule_takes_all_requests(match, whole):
    (only,) = parse_http_route(http_route(to(IMPORT, matches=[match]))).routes
    assert only.whole is whole
    (other,) = parse_http_route(http_route(to(IMPORT, matches=[{"method": "GET"}, match]))).routes
    assert other.whole is whole


@pytest.mark.parametrize(
    "parents", [(), (parent(accepted="False"),), (parent(accepted="Unknown"),)]
)
def test_a_route_that_no_gateway_accepted_is_not_in_force(parents):
    assert parse_http_route(http_route(to(IMPORT), parents=parents)) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(
            ingress(rule("shop.example.com", ("/", "Prefix", backend()))),
            [("class nginx", "shop.example.com", {NGINX}, True)],
            id="a Service",
        ),
        pytest.param(
            ingress(
                rule(
                    "shop.example.com",
                    (
                        "/",
                        "Prefix",
                        {
                            "resource": {
                                "apiGroup": "multicluster.x-k8s.io",
                                "kind": "ServiceImport",
                                "name": "nginx",
                            }
                        },
                    ),
                )
            ),
            [("class nginx", "shop.example.com", {NGINX}, True)],
            id="an import",
        ),
        pytest.param(
            ingress(rule("shop.example.com", ("/", "Prefix", {"resource": {"kind": "Bucket"}}))),
            [("class nginx", "shop.example.com", {None}, True)],
            id="no service",
        ),
        pytest.param(
            ingress(
                rule(
                    "shop.example.com",
                    ("/api", "Prefix", backend()),
                    ("/", "ImplementationSpecific", backend("web")),
                )
            ),
            [("class nginx", "shop.example.com", {NGINX, WEB}, False)],
            id="two services by path",
        ),
        pytest.param(
            ingress(
                rule("*.example.com", ("/", "Prefix", backend())), defaultBackend=backend("web")
            ),
            [("class nginx", "", {WEB}, False), ("class nginx", "*.example.com", {NGINX}, False)],
            id="a wildcard and a default",
        ),
        pytest.param(
            ingress(rule("", ("/", "Prefix", backend()))),
            [("class nginx", "", {NGINX}, True)],
            id="no host",
        ),
        pytest.param(ingress({"host": "shop.example.com"}), [], id="no path"),
    ],
)
def test_ingresses(found, expected):
    assert rows(parse_ingress(found)) == expected


def test_the_old_annotation_of_a_class():
    found = ingress(rule("a.example.com", ("/", "Prefix", backend())), ingressClassName=None)
    assert rows(parse_ingress(found))[0][0] == "class "
    found["metadata"]["annotations"] = {"kubernetes.io/ingress.class": "old"}
    assert rows(parse_ingress(found))[0][0] == "class old"


@pytest.mark.parametrize(
    ("parse", "found"),
    [
        (parse_http_route, http_route(to(IMPORT), hosts=("a b",))),
        (parse_http_route, http_route(to(IMPORT), hosts=("x" * 300,))),
        (parse_http_route, http_route(to(IMPORT), hosts=(7,))),
        (parse_http_route, http_route(to({"name": "x\n"}))),
        (parse_http_route, http_route("rule")),
        (parse_http_route, {"metadata": {}, "spec": [], "status": {"parents": [parent()]}}),
        (parse_ingress, ingress(rule("a\x1b[31m", ("/", "Prefix", backend())))),
        (parse_ingress, ingress(rule("a.example.com", ("/", "Prefix", backend("A B"))))),
        (parse_ingress, {"metadata": {}, "spec": {"rules": {}}}),
    ],
)
def test_broken_objects_are_refused(parse, found):
    with pytest.raises((ValueError, TypeError)):
        parse(found)


def discovered(*found, told=frozenset()):
    objects = Objects("scene")
    objects.all += deepcopy(list(found))
    made = objects.discover().with_routes(objects.trimmed(), told)
    return made.inventory.routes, sorted(
        (each.kind.value, each.about, each.text) for each in made.findings if each.kind in KINDS
    )


def test_one_service_is_known_and_others_are_of_no_concern():
    elsewhere = http_route(to(SERVICE), to({"name": "b"}), hosts=("b.example.com",), name="two")
    routes, findings = discovered(http_route(to(IMPORT)), elsewhere)
    assert routes.services("shop.example.com") == {NGINX}
    assert findings == []


SHARED = (
    "leads to nginx-test/nginx and nginx-test/web by HTTPRoute nginx-test/one and Ingress "
    "nginx-test/two, so the host does not tell the service of a request; if one is meant, name it "
    "in services"
)
TWO = (
    http_route(to(IMPORT)),
    ingress(rule("shop.example.com", ("/", "Prefix", backend("web"))), name="two"),
)


def test_a_host_of_several_services_is_told():
    _, findings = discovered(*TWO)
    assert findings == [("shared_host", "host shop.example.com", SHARED)]


def test_but_not_where_the_configuration_names_its_service():
    assert discovered(*TWO, told=frozenset({"shop.example.com"}))[1] == []


def test_many_services_are_told_in_few_words():
    rules = [to({"name": f"s{n}"}) for n in range(9)]
    _, ((_, _, text),) = discovered(http_route(to(IMPORT), *rules))
    assert text.startswith("leads to nginx-test/nginx, nginx-test/s0, nginx-test/s1 and 7 more by")


def test_an_http_route_without_hosts_is_told_and_leaves_no_other_host_certain():
    """The listener of its Gateway may have any host, and is not read."""
    routes, findings = discovered(
        http_route(to(SERVICE), hosts=(), parents=(parent({"name": "other"}),)),
        http_route(to(IMPORT), name="two"),
    )
    assert routes.services("shop.example.com") == {NGINX, None}
    assert [each[:2] for each in findings] == [
        ("route_without_host", "HTTPRoute nginx-test/one"),
        ("shared_host", "host shop.example.com"),
    ]


def test_what_has_no_host_of_its_own_may_lead_to_several_too():
    _, findings = discovered(
        ingress(rule("", ("/", "Prefix", backend()), ("/web", "Prefix", backend("web"))))
    )
    assert [each[:2] for each in findings] == [("shared_host", "all other hosts")]


def test_no_verdict_waits_for_them():
    assert not any(each.decides for each in ROUTES)
