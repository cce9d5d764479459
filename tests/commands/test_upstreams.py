"""What a gateway here sent, and whether it should have crossed: a leak is seen where it starts."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from exporter.commands.run.changes import LEAK_ENDS
from exporter.commands.run.monitor_settings import monitor_settings
from exporter.metrics.families import UPSTREAM_FAILURES, UPSTREAM_REQUESTS
from exporter.model.routes import HostRoutes, Route
from exporter.model.service_events import EventReason
from exporter.model.traffic import Client, Hits, LogCounts
from tests.commands.test_monitor import samples
from tests.fakes import scenes
from tests.fakes.nouns import ADDRESSES, NGINX

GONE = "nginx-test/gone has an access log here and is not in the inventory: not counted"
HOST = "nginx.nginx-test.svc.clusterset.local"


def sent(scene, destination, *, pinned=False, requests=1, failures=0, at=None, by_second=LogCounts):
    """Log that the gateway sent requests to *destination*."""
    client = Client(NGINX, "a", pinned, at, destination)
    upstreams = {client: Hits(requests=requests, failures=failures)}
    counts = LogCounts(read=requests, access=requests, upstreams=upstreams)
    counts.first = counts.last = at
    scene.logs.logged(scenes.LOG, counts, by_second)


async def counted(scene, name="clusterset_upstream_requests_total"):
    found = await samples(scene, name)
    return {(labels[1], labels[-1]): value for labels, value in found.items() if value}


async def test_what_stays_here_and_what_leaves_the_clusterset():
    scene = scenes.steady()
    for destination in ("a", "external", "unknown"):
        sent(scene, destination, requests=3, failures=1)
    found = {("a", "local"), ("external", "external"), ("unknown", "unknown")}
    assert await counted(scene) == dict.fromkeys(found, 3)
    name = "clusterset_upstream_request_failures_total"
    assert await counted(scene, name) == dict.fromkeys(found, 1)
    labels = await samples(scene, name)
    assert {each[0] for each in labels} == {"a"}
    # A request that was sent is none that was served here.
    assert (await samples(scene, "clusterset_requests_total"))["a", "a", *NGINX, "local"] == 1234


async def test_a_leak_is_counted_once_it_would_be_known_to_be_none():
    scene = scenes.steady()
    sent(scene, "b", requests=7)
    assert await counted(scene) == {}
    scene.settle()
    assert await counted(scene) == {("b", "leak"): 7}


async def test_a_failover_by_readiness_is_none():
    scene = scenes.failover()
    sent(scene, "b")
    assert await counted(scene) == {("b", "failover"): 1}
    scene.inventory(ready="ab")
    scene.wait(60)
    sent(scene, "b")
    scene.settle()
    assert await counted(scene) == {("b", "failover"): 1, ("b", "leak"): 1}


async def test_a_change_that_is_known_a_little_later_makes_no_leak():
    scene = scenes.steady()
    sent(scene, "b")
    scene.wait(2)
    scene.inventory(ready="b", exported="ab")
    scene.settle()
    assert await counted(scene) == {("b", "failover"): 1}


async def test_each_second_is_judged_by_what_held_then():
    scene = scenes.failover()
    scene.inventory(ready="ab")
    scene.wait(100)
    now = scenes.START + scene.now
    moments = {now - 102: 2, now - 1: 3}

    def by_second():
        return LogCounts(
            upstreams={Client(NGINX, "a", False, at, "b"): Hits(n) for at, n in moments.items()}
        )

    client = Client(NGINX, "a", destination="b")
    counts = LogCounts(read=5, access=5, upstreams={client: Hits(5)})
    counts.first, counts.last = now - 102, now - 1
    scene.logs.logged(scenes.LOG, counts, by_second)
    scene.settle()
    assert await counted(scene) == {("b", "failover"): 2, ("b", "leak"): 3}


async def test_whoever_asks_for_a_cluster_by_name_gets_it():
    scene = scenes.steady()
    sent(scene, "b", pinned=True)
    scene.settle()
    assert await counted(scene) == {("b", "pinned"): 1}


async def test_a_service_that_is_spread_crosses_by_design():
    scene = scenes.Scene()
    scene.inventory(headless=True)
    scene.wait(60)
    sent(scene, "b")
    scene.settle()
    assert await counted(scene) == {("b", "spread"): 1}


async def test_a_service_that_is_not_exported_here_has_to_be_sent_away():
    scene = scenes.Scene()
    scene.inventory(local="c", exported="ab")
    client = Client(NGINX, "c", destination="b")
    scene.logs.logged(scenes.LOG, LogCounts(read=1, access=1, upstreams={client: Hits(1)}))
    assert await counted(scene) == {("b", "remote"): 1}


async def test_a_leak_is_not_withheld_by_probes_that_disagree_about_clients():
    scene = scenes.steady()
    for _ in range(20):
        scene.parts.logs._clients._calibration.saw("a", "b")
    sent(scene, "b")
    scene.settle()
    assert await counted(scene) == {("b", "leak"): 1}


async def test_a_service_that_is_not_in_the_inventory_is_shown_and_not_counted():
    scene = scenes.steady()
    other = Client(NGINX._replace(name="gone"), "a", destination="b")
    scene.logs.logged(scenes.LOG, LogCounts(read=1, access=1, upstreams={other: Hits(1)}))
    assert await counted(scene) == {}
    assert scene.parts.problems.is_shown("service nginx-test/gone", GONE)


async def test_series_begin_at_0_where_a_log_tells_upstreams_and_go_with_their_service():
    scene = scenes.steady()
    made = [scene.parts.store.series[each] for each in (UPSTREAM_REQUESTS, UPSTREAM_FAILURES)]
    assert not any(map(len, made))
    scene.monitor.configure(monitor_settings(scene.settings, upstreams=True))
    for each in made:
        assert {(labels[1], labels[-1]) for labels in each.values} == {
            *(("a", "local"), ("b", "failover"), ("b", "leak")),
            *(("external", "external"), ("unknown", "unknown")),
        }
        assert set(each.values.values()) == {0}
    sent(scene, "b")
    scene.monitor.inventory_changed(replace(scene.monitor.inventory, services={}))
    scene.settle()
    assert not any(map(len, made))


@pytest.mark.parametrize(
    ("host", "fixed", "server", "found"),
    [
        (HOST, None, "10.2.0.9", (NGINX, "a", "b", False)),
        (f"b.{HOST}", None, "10.2.0.9", (NGINX, "a", "b", True)),
        (f"a.{HOST}", None, "10.2.0.9", (NGINX, "a", "b", False)),
        ("shop.example.com", None, "10.2.0.9", (NGINX, "a", "b", False)),
        ("www.example.com", None, "10.2.0.9", None),
        ("www.example.com", NGINX, ADDRESSES["b"], (NGINX, "a", "b", False)),
        (f"b.{HOST}", NGINX, ADDRESSES["b"], (NGINX, "a", "b", True)),
        ("", NGINX, "192.0.2.1", (NGINX, "a", "external", False)),
        ("b.cart.shop.svc.clusterset.local", NGINX, "x", (NGINX, "a", "unknown", False)),
    ],
)
def test_which_service_was_sent_where(host, fixed, server, found):
    scene, names = scenes.steady(), {"shop.example.com": NGINX}
    assert scene.logs.sent_to(host, server, fixed, names, by_upstream=False) == found


def test_a_name_of_an_upstream_tells_the_service_of_clients_too():
    scene, text = scenes.steady(), "nginx-test-nginx-8080"
    assert scene.logs.service_of(text, None, {}, by_upstream=True) == (NGINX, False)
    assert scene.logs.service_of(text, None, {}, by_upstream=False) is None
    told = scene.logs.sent_to(text, "10.1.0.9", None, {}, by_upstream=True)
    assert told == (NGINX, "a", "a", False)


def test_a_route_tells_the_service_of_clients_and_of_what_was_sent():
    scene, host = scenes.steady(), "shop.example.com"
    route = Route(origin="x", gateway="x", host=host, services=frozenset({NGINX}), whole=True)
    scene.inventory()
    known = replace(scene.monitor.inventory, routes=HostRoutes((route,)))
    scene.monitor.inventory_changed(known)
    by_route = {"by_upstream": False, "by_route": True}
    assert scene.logs.service_of(host, None, {}, **by_route) == (NGINX, False)
    told = scene.logs.sent_to(host, "10.2.0.9", None, {}, **by_route)
    assert told == (NGINX, "a", "b", False)
    assert scene.logs.sent_to(host, "10.2.0.9", None, {}, by_upstream=False) is None


def test_an_address_is_attributed_anew_once_the_inventory_changed():
    scene = scenes.steady()
    assert scene.logs.sent_to(HOST, "10.4.0.9", None, {}, by_upstream=False)[2] == "d"
    scene.inventory(clusters="abc")
    assert scene.logs.sent_to(HOST, "10.4.0.9", None, {}, by_upstream=False)[2] == "external"


def test_before_the_first_inventory_nothing_is_known():
    assert scenes.Scene().logs.sent_to(HOST, "10.1.0.9", NGINX, {}, by_upstream=False) is None


def told_of(scene):
    """Return the list to which events are added from now on."""
    told = []
    scene.parts.changes.announce = told.append
    return told


def test_a_gateway_that_leaks_is_told_once_and_so_is_its_end():
    scene = scenes.steady()
    told = told_of(scene)
    with capture_logs() as logs:
        for _ in range(3):
            sent(scene, "b", requests=2)
            scene.settle()
        (began,) = told
        scene.wait(LEAK_ENDS - 1)
        assert len(told) == 1
        scene.wait(1)
    assert (began.key.reason, began.key.other) == (EventReason.GATEWAY_LEAK_BEGAN, "b")
    assert began.text == (
        "A gateway in cluster a sends requests to b although a exports the service and is ready; "
        "they should stay in a (leak)"
    )
    assert [(each.key.reason, each.key.other) for each in told[1:]] == [
        (EventReason.GATEWAY_LEAK_ENDED, "b")
    ]
    assert told[1].text == (
        "No gateway in cluster a wrongly sent requests to b for 5 minutes; before that, 6 requests "
        "leaked"
    )
    assert [
        (each["log_level"], each["event"], each["destination_cluster"])
        for each in logs
        if each["event"].endswith(("requests leaked", "requests ended"))
    ] == [
        ("warning", "gateway requests leaked", "b"),
        ("info", "leak of gateway requests ended", "b"),
    ]


def test_leaks_of_clients_and_of_a_gateway_are_told_apart():
    scene = scenes.steady()
    told = told_of(scene)
    sent(scene, "b")
    scene.hits(b=1)
    scene.settle()
    assert {(each.key.reason, each.key.other) for each in told} == {
        (EventReason.GATEWAY_LEAK_BEGAN, "b"),
        (EventReason.LEAK_BEGAN, "b"),
    }


def test_what_a_gateway_may_send_makes_no_event():
    for scene, pinned in ((scenes.failover(), False), (scenes.steady(), True)):
        told = told_of(scene)
        sent(scene, "b", pinned=pinned)
        sent(scene, "external")
        scene.settle()
        assert told == []


def test_a_leak_of_a_gateway_is_not_certain_without_the_host():
    scene = scenes.steady()
    scene.parts.verdicts.hostless = frozenset({NGINX})
    told = told_of(scene)
    sent(scene, "b")
    scene.settle()
    assert told[0].text.endswith(
        "(leak, unless they ask for b by its pinned name: the log has no $host)"
    )


async def test_sending_is_no_news_of_clients():
    scene = scenes.steady()
    with capture_logs() as logs:
        sent(scene, "b")
        scene.settle()
    assert not [each for each in logs if each["event"] == "client requests leaked"]
