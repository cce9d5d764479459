"""What comes in a watch and a list that is no proper event, object or list."""

import asyncio
import json

import pytest

from exporter.apiserver.reflector import Resource, WatchState
from tests.fakes import apifaults as faults
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.reflecting import CORE, put, remove, truth, watching
from tests.fakes.virtual import until


@pytest.fixture
async def server():
    async with running(ApiServer()) as made:
        put(made, "a", "1")
        put(made, "b", "1")
        yield made


@pytest.mark.parametrize("fault", [faults.cut(1), faults.tear(1)])
async def test_half_a_line_is_no_event(server, fault):
    server.faults = [Fault(fault, verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        put(server, "b", "2")
        await watched.until_true(within=5)
        assert (watched.bad_lines, watched.relists) == (0, 0)


async def test_a_silent_watch_is_given_up_after_its_end(server):
    server.faults = [Fault(faults.hang_after_headers, verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        await watched.until_true(within=700)
        first, again = server.asked[1:]
        assert again.at - first.at <= int(first.query["timeoutSeconds"]) + 1 + 30 + 2


async def test_a_watch_without_headers_is_given_up_soon(server):
    server.faults = [Fault(faults.hang, verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        await watched.until_true(within=33)
        assert watched.failures == 1


async def test_a_watch_that_drips_past_its_end_is_given_up(server):
    server.faults = [Fault(faults.drip(1, 20), verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        await watched.until_true(within=700)
        assert "continues past the requested end" in watched.problem or watched.failures == 1


async def test_a_drip_is_an_event_once_it_is_whole(server):
    server.faults = [Fault(faults.drip(7, 0.1), verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "\u00e9\u4e16\U0001f600")
        await watched.until_true(within=20)
        assert watched.failures == 0


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"ADDED","object":{"metadata"\n',
        b"null\n",
        b"[]\n",
        b'{"type":"ADDED"}\n',
        b'{"type":7,"object":{}}\n',
        b'{"type":"ADDED","object":{"a":NaN}}\n',
        b'{"type":"BOOKMARK","object":{"a":' + b"[" * 100_000 + b"\n",
        b"\xff\xfe\n",
        b'{"type":"ADDED\xff","object":{}}\n',
        b'{"type":"BOOKMARK","object":{"metadata":{"name":"\xff"}}}\n',
        b'{"type":"ERROR","object":{"message":"\xff"}}\n',
        b'{"type":"ERROR","object":{"code":' + b"9" * 5000 + b"}}\n",
        b'{"type":"ADDED","object":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b"x" * (17 << 20) + b"\n",
    ],
    ids=lambda line: repr(line[:24]),
)
async def test_a_garbled_line_is_asked_for_again(server, line):
    """The second time it comes whole, so nothing is lost."""
    server.faults = [Fault(faults.instead_of(0, line), verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        await watched.until_true(within=10)
        assert (watched.bad_lines, watched.relists) == (1, 0)


async def test_a_line_that_stays_garbled_is_made_up_for_by_a_list(server):
    server.faults = [Fault(faults.instead_of(0, b"garbage\n"), verb="watch", times=2)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        put(server, "b", "2")
        await watched.until_true(within=10)
        assert (watched.bad_lines, watched.failures, watched.relists) == (2, 2, 1)


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {"metadata": None},
        {"metadata": {"name": ""}},
        {"metadata": {"name": 7, "namespace": "shop"}},
        {"metadata": {"name": "odd", "namespace": "shop"}},
        {"metadata": {"name": "odd", "namespace": "shop"}, "data": None},
        {"metadata": {"name": "odd", "namespace": "shop"}, "data": []},
    ],
)
async def test_an_object_that_makes_no_sense_is_left_out_and_named(server, found):
    line = json.dumps({"type": "ADDED", "object": found}).encode() + b"\n"
    server.faults = [Fault(faults.before_each(line), verb="watch")]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        put(server, "b", "2")
        await watched.until_true(within=1)
        assert (watched.store.bad_objects, watched.failures) == (2, 0)
        (name,) = watched.store.broken
        assert name in {"shop/odd", "an object without a name"}


@pytest.mark.parametrize(
    "found",
    [
        b'{"metadata":{"name":"\xff"}}',
        b'{"metadata":{"name":"odd","resourceVersion":"\xff"}}',
        b'{"metadata":{"name":"odd","resourceVersion":"' + b"9" * 5000 + b'"}}',
        b'{"metadata":{"name":"odd"},"data":{"value":' + b"9" * 5000 + b"}}",
        b'{"metadata":{"name":"odd"},"data":{"value":NaN}}',
    ],
    ids=lambda found: repr(found[:44]),
)
async def test_an_object_that_cannot_be_decoded_is_left_out_and_the_watch_goes_on(server, found):
    line = b'{"type":"MODIFIED","object":' + found + b"}\n"
    server.faults = [Fault(faults.before_each(line), verb="watch")]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        put(server, "b", "2")
        await watched.until_true(within=10)
        assert watched.store.bad_objects + watched.bad_lines >= 2


async def test_a_version_that_no_url_can_hold_is_not_a_place(server):
    huge = {"metadata": {"name": "huge", "namespace": "shop", "resourceVersion": "x" * 100_000}}
    line = json.dumps({"type": "ADDED", "object": huge | {"data": {"value": "1"}}}).encode()
    server.faults = [Fault(faults.before_each(line + b"\n"), verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        await until(lambda: watched.objects.get("shop/huge") == "1", within=1)
        await asyncio.sleep(601)
        put(server, "b", "2")
        await until(lambda: watched.objects.get("shop/b") == "2", within=2)
        assert watched.failures == 0


async def test_an_object_that_ceases_to_make_sense_is_no_longer_there(server):
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        server.store.update(*CORE, "shop", "a", {"metadata": {}, "data": None})
        await until(lambda: "shop/a" in watched.store.broken)
        assert watched.objects == {"shop/b": "1"}
        assert watched.store.broken["shop/a"].startswith("TypeError: ")
        put(server, "a", "3")
        await watched.until_true()
        assert watched.store.broken == {}


async def test_unknown_repeated_and_stray_events_change_nothing(server):
    strange = json.dumps({"type": "SURPRISE", "object": {}}).encode() + b"\n"
    stray = {"metadata": {"name": "stray", "namespace": "shop", "resourceVersion": "x/y"}}
    stray = json.dumps({"type": "DELETED", "object": stray}).encode() + b"\n"
    server.faults = [Fault(faults.before_each(strange + stray + b"\n"), verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        await watched.until_true(within=1)
        assert (watched.store.events["unknown"], watched.store.events["DELETED"]) == (1, 1)
        server.faults = [Fault(faults.twice(), verb="watch")]
        await asyncio.sleep(601)
        put(server, "a", "3")
        remove(server, "b")
        await watched.until_true(within=2)
        assert watched.failures == 0


async def test_an_event_that_comes_too_late_is_not_believed(server):
    """What is older than what we know would undo it; and what else was missed, a list tells."""
    server.faults = [Fault(faults.swapped(), verb="watch", times=1)]
    seen = []
    async with watching(server) as watched:
        watched._changed = lambda: seen.append(watched.objects.get("shop/a"))
        await until(watched.settled.is_set)
        for value in "23456":
            put(server, "a", value)
        put(server, "b", "2")
        await watched.until_true(within=5)
        assert seen == sorted(seen)
        assert watched.relists == 1


@pytest.mark.parametrize("version", ["", "x", "-1", "1.5", None])
async def test_a_version_that_is_no_number_has_no_order(server, version):
    late = {"metadata": {"name": "late", "namespace": "shop", "resourceVersion": version}}
    late["data"] = {"value": "1"}
    line = json.dumps({"type": "ADDED", "object": late}).encode() + b"\n"
    server.faults = [Fault(faults.before_each(line), verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        await until(lambda: watched.objects.get("shop/late") == "1", within=1)
        assert watched.relists == 0


async def test_a_list_without_an_end_is_given_up(server, monkeypatch):
    monkeypatch.setattr("exporter.apiserver.reflector.MAX_PAGES", 3)
    page = {"metadata": {"resourceVersion": "1", "continue": "again"}, "items": []}
    server.faults = [Fault(faults.ok(json.dumps(page).encode()), verb="list")]
    async with watching(server) as watched:
        await watched.until_state(WatchState.FAILING)
        assert "does not end after 3 pages" in watched.problem


@pytest.mark.parametrize(
    "page", [{"metadata": {}, "items": []}, {"metadata": {}}, {}, {"items": 1}]
)
async def test_a_list_that_is_none_is_not_believed(server, page):
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        server.store.forget()
        put(server, "c", "1")
        server.faults = [Fault(faults.ok(json.dumps(page).encode()), verb="list", times=3)]
        server.faults += [Fault(faults.expire(), verb="watch", times=1)]
        await asyncio.sleep(700)
        assert watched.objects == truth(server) == {"shop/a": "1", "shop/b": "1", "shop/c": "1"}


async def test_a_list_with_null_for_items_is_empty(server):
    page = {"metadata": {"resourceVersion": str(server.store.version)}, "items": None}
    server.faults = [Fault(faults.ok(json.dumps(page).encode()), verb="list")]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        assert watched.objects == {}


async def test_one_slow_resource_does_not_hold_up_another(server):
    server.faults = [Fault(faults.late(20), plural="configmaps")]
    other = Resource(version="v1", plural="services")
    async with watching(server) as slow, watching(server, other) as quick:
        await until(quick.settled.is_set, within=1)
        assert not slow.settled.is_set()
        await until(slow.settled.is_set, within=30)
