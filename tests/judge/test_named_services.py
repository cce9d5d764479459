"""Which service a host or a gateway's own name for an upstream stands for."""

from dataclasses import replace

import pytest

from exporter.judge.named_services import named_service, plain_name
from exporter.model.clusterset import Inventory, Port, Service, ServiceName
from exporter.model.routes import HostRoutes, Route

CART, ADMIN, OTHER = (
    ServiceName(*words) for words in (("shop", "cart"), ("shop", "cart-admin"), ("shop-cart", "x"))
)
KNOWN = Inventory(
    local="east",
    services={
        name: Service(name=name, ports=(Port(name="http-web", port=80),))
        for name in (CART, ADMIN, OTHER)
    },
)


def named(text, names=(), *, by_upstream=False, inventory=KNOWN):
    found = named_service(text, dict(names), inventory, "clusterset.local", by_upstream=by_upstream)
    return found and (found.service, found.pinned)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("shop.example.com", (CART, None)),
        ("Shop.Example.COM.:8443", (CART, None)),
        ("Shop.Example.COM:8443", (CART, None)),
        ("shop.example.com.", (CART, None)),
        ("www.shop.example.com", None),
        ("", None),
        ("west.cart.shop.svc.clusterset.local", (CART, "west")),
        ("gone.example.com", None),
        # A host is anybody's word, so it is no name of an upstream.
        ("shop-cart-80", None),
        ("cart.shop.svc.cluster.local", None),
    ],
)
def test_hosts(host, found):
    names = {"shop.example.com": CART, "gone.example.com": ServiceName("shop", "gone")}
    assert named(host, names) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("outbound|80||cart.shop.svc.clusterset.local", (CART, None)),
        ("outbound|80|v1|cart.shop.svc.cluster.local;", (CART, None)),
        ("outbound|80||west.cart.shop.svc.clusterset.local", (CART, "west")),
        ("outbound|80||gone.shop.svc.cluster.local", None),
        ("inbound|8080||", None),
        ("PassthroughCluster", None),
        ("shop-cart-80", (CART, None)),
        ("shop-cart-http-web", (CART, None)),
        ("shop-cart-80@kubernetes", (CART, None)),
        ("shop-cart-admin-80", (ADMIN, None)),
        ("shop-cart-x-80", (OTHER, None)),
        # Not a port of it, so it is another service.
        ("shop-cart-other-80", None),
        ("shop-cart", None),
        ("cart@file", (CART, None)),
        ("httproute/shop/cart/rule/0", None),
        ("", None),
        ("-", None),
    ],
)
def test_names_of_upstreams(text, found):
    assert named(text, {"cart@file": CART}, by_upstream=True) == found


def test_a_name_that_two_services_may_have_is_nobodys():
    twin = ServiceName("shop-cart", "admin")
    services = KNOWN.services | {twin: Service(name=twin)}
    where = replace(KNOWN, services=services)
    assert named("shop-cart-admin-80", by_upstream=True, inventory=where) is None
    assert named("shop-cart-80", by_upstream=True, inventory=where) == (CART, None)


def test_a_plain_name_has_no_port():
    assert plain_name("outbound|80||X.svc") == "outbound|80||x.svc"


def routed(**hosts):
    """Return the inventory with routes from hosts of example.com to services."""
    routes = [
        Route(
            origin="HTTPRoute shop/x",
            gateway="x",
            host=f"{host}.example.com",
            services=frozenset(services),
            whole=True,
        )
        for host, services in hosts.items()
    ]
    return replace(KNOWN, routes=HostRoutes(tuple(routes)))


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("Shop.example.com:8443", (CART, None)),
        ("shop.example.com.", (CART, None)),
        ("two.example.com", None),
        ("other.example.com", None),
        ("bucket.example.com", None),
        ("none.example.com", None),
        ("told.example.com", (ADMIN, None)),
        # A clusterset name that nothing routes is one.
        ("west.cart.shop.svc.clusterset.local", (CART, "west")),
    ],
)
def test_hosts_by_routes(host, found):
    where = routed(
        shop=[CART], two=[CART, ADMIN], other=[ServiceName("x", "y")], bucket=[None], told=[CART]
    )
    known = named_service(
        host,
        {"told.example.com": ADMIN},
        where,
        "clusterset.local",
        by_upstream=False,
        by_route=True,
    )
    assert (known and (known.service, known.pinned)) == found


def test_a_route_counts_before_a_clusterset_name_and_only_where_routes_are_asked():
    host = "cart.shop.svc.clusterset.local"
    route = Route(origin="x", gateway="x", host=host, services=frozenset({ADMIN}), whole=True)
    where = replace(KNOWN, routes=HostRoutes((route,)))

    def service(*, by_route):
        ways = {"by_upstream": False, "by_route": by_route}
        return named_service(host, {}, where, "clusterset.local", **ways).service

    assert service(by_route=True) == ADMIN
    assert service(by_route=False) == CART
