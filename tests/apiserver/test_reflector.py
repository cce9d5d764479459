"""The faults of an API server, and objects that are those of the server all the same."""

import asyncio
import itertools

import pytest

from exporter.apiserver.client import ApiClient
from exporter.apiserver.reflector import Resource, WatchState
from exporter.apiserver.waits import LOOK_AGAIN
from tests.fakes import apifaults as faults
from tests.fakes.apiaccess import Fixed
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.reflecting import (
    CORE,
    MAPS,
    Watched,
    check_pace,
    put,
    remove,
    rounds,
    truth,
    watching,
)
from tests.fakes.virtual import until


@pytest.fixture
async def server():
    async with running(ApiServer()) as made:
        put(made, "a", "1")
        put(made, "b", "1")
        yield made


async def test_objects_are_trimmed_and_kept_by_name(server):
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        assert watched.objects == {"shop/a": "1", "shop/b": "1"}
        assert (watched.state, watched.problem, watched.said) == (WatchState.SYNCED, "", 1)
        put(server, "a", "2")
        await watched.until_true(within=0.1)
        remove(server, "b")
        put(server, "c", "1")
        await watched.until_true(within=0.1)
        assert watched.store.events == {"MODIFIED": 1, "DELETED": 1, "ADDED": 1}


async def test_what_is_in_no_namespace_goes_by_its_name(server):
    server.store.create("", "nodes", "", {"metadata": {"name": "n1"}, "data": {"value": "x"}})
    async with watching(server, Resource(version="v1", plural="nodes")) as watched:
        await until(watched.settled.is_set)
        assert watched.objects == {"n1": "x"}


async def test_many_objects_come_in_pages(server):
    for number in range(1200):
        put(server, f"n{number:04}", "1")
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        assert watched.objects == truth(server)
        limits = [(a.query.get("limit"), "continue" in a.query) for a in server.asked[:3]]
        assert limits == [("500", False), ("500", True), ("500", True)]


async def test_a_change_to_what_is_not_kept_is_none(server):
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        said = watched.said
        put(server, "a", "1")
        await until(lambda: watched.store.events["MODIFIED"] == 1)
        assert watched.said == said


async def test_a_watch_asks_for_an_end_and_goes_on_where_it_was(server):
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        put(server, "a", "2")
        await until(lambda: len(server.asked) == 3, within=700)
        first, again = server.asked[1:]
        assert 300 <= int(first.query["timeoutSeconds"]) <= 600
        assert first.query["allowWatchBookmarks"] == "true"
        assert 300 <= again.at - first.at <= 602
        assert int(again.query["resourceVersion"]) >= server.store.version
        assert watched.failures == 0


async def test_a_bookmark_moves_the_place(server):
    server.bookmarks = 20
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        for _ in range(50):
            server.store.create("", "services", "x", {"metadata": {"generateName": "s"}})
        await until(lambda: watched.store.events["BOOKMARK"] == 2, within=50)
        assert watched._place == str(server.store.version)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.expire(), id="at the start of the watch"),
        pytest.param(faults.expire(1), id="in the middle of it"),
        pytest.param(faults.status(410, reason="Expired"), id="as a status"),
    ],
)
async def test_a_place_that_is_gone_is_listed_again_once(server, fault):
    server.faults = [Fault(fault, verb="watch", times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        remove(server, "b")
        put(server, "c", "1")
        await watched.until_true(within=5)
        await asyncio.sleep(10)
        assert [asked.verb for asked in server.asked] == ["list", "watch"] * 2
        assert (watched.relists, watched.state) == (1, WatchState.SYNCED)


async def test_what_vanished_meanwhile_is_found_by_comparing(server):
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        server.faults = [Fault(faults.status(503), times=3)]
        server.store.uninstall("", "configmaps")
        server.store.install("", "configmaps", "ConfigMap", "v1")
        server.store.objects[CORE].clear()
        put(server, "c", "1")
        server.store.forget()
        await watched.until_true(within=60)
        assert watched.objects == {"shop/c": "1"}


async def test_a_page_that_is_gone_begins_the_list_anew(server):
    for number in range(600):
        put(server, f"n{number:04}", "1")

    async def forget(server, asked):
        if "continue" in asked.query:
            server.store.compact()
            server.faults.clear()

    server.faults = [Fault(forget, verb="list")]
    async with watching(server) as watched:
        await watched.until_true(within=5)
        await until(lambda: len(server.asked) == 5)
        assert [("continue" in a.query) for a in server.asked] == [False, True, False, True, False]


async def test_a_server_that_is_away_is_waited_for_as_clients_do(server):
    server.faults = [Fault(faults.status(503))]
    async with watching(server, uniform=lambda low, high: high) as watched:
        await until(lambda: len(server.asked) == 9, within=300)
        waits = [round(b.at - a.at, 1) for a, b in itertools.pairwise(server.asked)]
        assert waits == [1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0, 30.0]
        assert watched.state is WatchState.FAILING
        assert watched.problem == "GET /api/v1/configmaps: 503 Service Unavailable: status 503"
        assert not watched.settled.is_set()
        server.faults.clear()
        await watched.until_true(within=30.1)
        assert (watched.state, watched.problem) == (WatchState.SYNCED, "")


async def test_waits_are_short_again_after_two_good_minutes(server):
    fault = Fault(faults.status(500), verb="watch", times=5)
    server.faults = [fault]
    async with watching(server, uniform=lambda low, high: low) as watched:
        await until(lambda: fault.done == 5 and watched.state is WatchState.SYNCED, within=60)
        server.faults = [Fault(faults.status(500), verb="watch", times=1)]
        await asyncio.sleep(400)
        failed, again = server.asked[-2:]
        # Not the 0.8 seconds of the backoff: no request comes sooner than a second after another.
        assert again.at - failed.at == pytest.approx(1.0, abs=0.01)


async def test_what_was_seen_last_is_kept_while_a_server_is_away():
    async with running(ApiServer()) as server:
        put(server, "a", "1")
        store, port = server.store, server.port
        client = ApiClient(Fixed(server.url))
        await client.__aenter__()
        watched = Watched(server, client, MAPS)
        task = asyncio.create_task(watched.run())
        await until(watched.settled.is_set)
    await watched.until_state(WatchState.FAILING)
    await asyncio.sleep(100)
    assert watched.objects == {"shop/a": "1"}
    assert watched.age >= 100
    assert "cannot connect to" in watched.problem
    async with running(ApiServer(store), port=port) as server:
        put(server, "b", "1")
        watched.server = server
        await watched.until_true(within=31)
        assert watched.age < 31
        assert [asked.verb for asked in server.asked] == ["watch"]
        task.cancel()
        await asyncio.wait([task])
        await client.__aexit__(None, None, None)


@pytest.mark.parametrize("after", [5, 60])
async def test_a_server_that_says_when_to_come_back_is_obeyed(server, after):
    late = faults.status(429, headers={"Retry-After": str(after)})
    server.faults = [Fault(late, times=1)]
    async with watching(server) as watched:
        await until(watched.settled.is_set, within=100)
        assert after <= server.asked[1].at - server.asked[0].at < after + 1


async def test_what_we_may_not_see_degrades_that_alone_and_is_tried_rarely(server):
    server.rules["admin"] = {("list", "services"), ("watch", "services")}
    other = Resource(version="v1", plural="services")
    async with watching(server) as refused, watching(server, other) as fine:
        await asyncio.sleep(3600)
        assert (refused.state, fine.state) == (WatchState.FORBIDDEN, WatchState.SYNCED)
        assert 'User "admin" cannot list resource "configmaps"' in refused.problem
        assert refused.problem.endswith('grant list and watch on configmaps of API group ""')
        times = rounds(server, "configmaps")
        waits = [b - a for a, b in itertools.pairwise(times)]
        assert min(waits) >= 30
        # A wait of 300 seconds, and the requests between two of them.
        assert 150 <= max(waits) <= 301
        server.rules.clear()
        await refused.until_state(WatchState.SYNCED, within=302)
        assert refused.objects == truth(server)


async def test_the_right_that_is_missing_may_be_to_watch(server):
    server.rules["admin"] = {("list", "configmaps")}
    async with watching(server) as watched:
        await watched.until_state(WatchState.FORBIDDEN)
        assert watched.objects == truth(server)
        said = watched.said
        await asyncio.sleep(1000)
        assert 'cannot watch resource "configmaps"' in watched.problem
        # Each try lists; nothing is said as long as nothing changes.
        assert watched.said == said
        put(server, "c", "1")
        await watched.until_true(within=300)
        server.rules.clear()
        await watched.until_state(WatchState.SYNCED, within=300)


SETS = Resource(
    group="multicluster.x-k8s.io", version="v1beta1", older=("v1alpha1",), plural="serviceexports"
)


NOTHING = {("list", "services")}


async def test_what_is_not_installed_is_no_missing_right(server):
    """Issue 14.21: an API server refuses also what it does not have, before it looks."""
    server.store.uninstall(SETS.group, SETS.plural)
    server.rules["admin"] = NOTHING
    async with watching(server, SETS) as watched:
        await until(watched.settled.is_set)
        assert watched.state is WatchState.NOT_INSTALLED
        assert watched.problem == f"{SETS.title} is not installed in this cluster"
        await asyncio.sleep(10 * LOOK_AGAIN)
        assert watched.state is WatchState.NOT_INSTALLED
        # Each round asks for two versions, and what each of them has.
        assert len(server.asked) <= 4 * 11
        check_pace([asked.at for asked in server.asked])


async def test_another_resource_of_the_group_does_not_make_it_installed(server):
    server.store.uninstall(SETS.group, SETS.plural)
    server.store.install(SETS.group, "serviceimports", "ServiceImport", "v1alpha1")
    server.rules["admin"] = NOTHING
    async with watching(server, SETS) as watched:
        await watched.until_state(WatchState.NOT_INSTALLED)


async def test_a_missing_right_for_what_is_installed_is_one(server):
    server.rules["admin"] = NOTHING
    async with watching(server, SETS) as watched:
        await watched.until_state(WatchState.FORBIDDEN)
        assert "grant list and watch on serviceexports of API group multi" in watched.problem


async def test_a_right_that_is_missing_once_it_is_installed_is_one(server):
    store, key = server.store, (SETS.group, SETS.plural)
    store.uninstall(*key)
    server.rules["admin"] = NOTHING
    async with watching(server, SETS) as watched:
        await watched.until_state(WatchState.NOT_INSTALLED)
        store.install(*key, "ServiceExport", "v1alpha1")
        await watched.until_state(WatchState.FORBIDDEN, within=LOOK_AGAIN + 5)


async def test_where_a_server_does_not_say_what_it_has_the_right_is_missing(server):
    server.store.uninstall(SETS.group, SETS.plural)
    server.rules["admin"] = NOTHING
    server.faults = [Fault(faults.status(403, reason="Forbidden"), plural="")]
    async with watching(server, SETS) as watched:
        await watched.until_state(WatchState.FORBIDDEN)


async def test_an_older_version_does_where_the_newest_is_not_served(server):
    async with watching(server, SETS) as watched:
        await until(watched.settled.is_set)
        assert (watched.state, watched.version) == (WatchState.SYNCED, "v1alpha1")


async def test_a_definition_comes_goes_and_changes_its_version(server):
    store, key = server.store, (SETS.group, SETS.plural)
    store.uninstall(*key)
    export = {"metadata": {"name": "web"}, "data": {"value": "x"}}
    async with watching(server, SETS) as watched:
        await watched.until_state(WatchState.NOT_INSTALLED)
        assert watched.settled.is_set()
        assert watched.problem == f"{SETS.title} is not installed in this cluster"
        await asyncio.sleep(10 * LOOK_AGAIN)
        assert len(server.asked) <= 2 * 11
        store.install(*key, "ServiceExport", "v1alpha1")
        store.create(*key, "shop", dict(export))
        await watched.until_true(within=LOOK_AGAIN + 2)
        assert (watched.version, watched.problem) == ("v1alpha1", "")
        store.uninstall(*key)
        await watched.until_state(WatchState.NOT_INSTALLED, within=5)
        assert watched.objects == {}
        store.install(*key, "ServiceExport", "v1beta1")
        store.create(*key, "shop", dict(export))
        await watched.until_true(within=LOOK_AGAIN + 2)
        assert watched.version == "v1beta1"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.close, id="an end at once"),
        pytest.param(faults.status(500), id="500"),
        pytest.param(faults.status(503, html=True), id="HTML"),
        pytest.param(faults.status(429, headers={"Retry-After": "0"}), id="429"),
        pytest.param(faults.status(401, reason="Unauthorized"), id="401"),
        pytest.param(faults.status(404, html=True), id="404"),
        pytest.param(faults.status(410, reason="Expired"), id="410"),
        pytest.param(faults.expire(), id="410 within"),
        pytest.param(faults.reset, id="a reset"),
        pytest.param(faults.ok(b""), id="an empty 200"),
        pytest.param(faults.ok(b"<html>\n" * 50), id="HTML for JSON"),
        pytest.param(faults.zipped(), id="gzip"),
        pytest.param(faults.cut(), id="half a line"),
        pytest.param(faults.before_each(b"garbage\n"), id="garbage"),
    ],
)
async def test_whatever_a_server_does_it_is_not_asked_faster_than_each_second(server, fault):
    server.faults = [Fault(fault, verb="watch")]
    async with watching(server) as watched:
        for number in range(30):
            put(server, "a", str(number))
            await asyncio.sleep(2)
        check_pace(rounds(server, "configmaps"))
        server.faults = []
        await watched.until_true(within=61)
        await watched.until_state(WatchState.SYNCED)
        # Without limits of the fault's own making, the same for lists.
        server.asked.clear()
        server.faults = [Fault(fault)]
        server.store.forget()
        await asyncio.sleep(60)
        check_pace(rounds(server, "configmaps"))
