"""Which services a host may lead to, where several gateways and objects route it."""

import pytest

from exporter.model.clusterset import ServiceName
from exporter.model.routes import HostRoutes, Route

CART, WEB, API = (ServiceName("shop", name) for name in ("cart", "web", "api"))


def route(host, *services, gateway="a", whole=True):
    return Route(origin="x", gateway=gateway, host=host, services=frozenset(services), whole=whole)


def leads(host, *routes):
    return HostRoutes(routes).services(host)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("shop.example.com", {CART}),
        ("x.shop.example.com", {API}),
        ("other.example.com", {API}),
        ("example.com", {WEB}),
        ("shop.example.org", {WEB}),
        ("", {WEB}),
        ("." * 99, {WEB}),
        # No DNS name is so long, so nothing is known of it.
        ("x." * 200 + "example.com", set()),
    ],
)
def test_the_longest_host_that_matches_decides(host, found):
    routes = [route("shop.example.com", CART), route("*.example.com", API), route("", WEB)]
    assert leads(host, *routes) == found
    assert leads(host, *reversed(routes)) == found


def test_a_host_that_nothing_routes_leads_nowhere():
    assert leads("shop.example.com") == set()
    assert leads("example.com", route("*.example.com", CART)) == set()


def test_shorter_hosts_may_get_what_a_longer_one_has_no_rule_for():
    some, rest = route("shop.example.com", CART, whole=False), route("*.example.com", WEB)
    assert leads("shop.example.com", some, rest) == {CART, WEB}
    assert leads("shop.example.com", some, rest, route("shop.example.com", API)) == {CART, API}


def test_another_gateway_may_send_the_same_host_elsewhere():
    """Which gateway a log is of is not known, so all of them have to agree."""
    here, there = route("shop.example.com", CART), route("*.example.com", WEB, gateway="b")
    assert leads("shop.example.com", here, there) == {CART, WEB}
    same = route("", CART, gateway="b")
    assert leads("shop.example.com", here, same) == {CART}


def test_what_redirects_only_leads_to_nothing_and_hides_nothing():
    redirect = route("shop.example.com", gateway="http")
    assert leads("shop.example.com", redirect, route("shop.example.com", CART)) == {CART}
    assert leads("shop.example.com", redirect) == set()
