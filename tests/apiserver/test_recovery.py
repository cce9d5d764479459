"""What a reflector says of what it may have missed, and when all try again."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from exporter.apiserver.client import ApiClient
from exporter.apiserver.freshness import CATCH_UP
from exporter.apiserver.resource import Resource
from exporter.model.watches import WatchState
from tests.fakes import apifaults as faults
from tests.fakes.apiaccess import Fixed
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.reflecting import Watched, check_pace, put, rounds, watching
from tests.fakes.virtual import until

PLURALS = ("configmaps", "services", "pods")


@pytest.fixture
async def server():
    async with running(ApiServer()) as made:
        put(made, "a", "1")
        yield made


def now():
    return asyncio.get_running_loop().time()


def cut_all(server):
    for asked in server.asked:
        if asked.request.transport is not None:
            asked.request.transport.abort()


async def test_the_first_failure_is_reported_at_once_and_only_once(server):
    said = []
    async with watching(server, became_stale=said.append) as watched:
        await until(watched.settled.is_set)
        await asyncio.sleep(20)
        server.faults = [Fault(faults.reset)]
        cut_all(server)
        began = now()
        await until(lambda: said, within=0.1)
        # The connection ended with a reset, so all was seen until then.
        assert said == [pytest.approx(began, abs=0.1)]
        await asyncio.sleep(60)
        assert len(said) == 1
        assert watched.freshness.stale_since == said[0]
        assert watched.freshness.left is None


async def test_of_a_silent_connection_nothing_is_known_since_it_fell_silent(server):
    said = []
    async with watching(server, became_stale=said.append) as watched:
        await until(watched.settled.is_set)
        await asyncio.sleep(5)
        server.faults = [Fault(faults.stall(1)), Fault(faults.hang, verb="list")]
        cut_all(server)
        await until(lambda: said)
        watched.freshness.recovered()
        del said[:]
        await asyncio.sleep(5)
        put(server, "a", "2")
        await until(lambda: watched.objects == {"shop/a": "2"})
        fell_silent = now()
        await until(lambda: said, within=800)
        assert now() - fell_silent > 200
        assert said == [pytest.approx(fell_silent, abs=0.1)]


async def test_a_place_in_history_that_is_gone_is_a_hole_until_the_list(server):
    said = []
    async with watching(server, became_stale=said.append) as watched:
        await until(watched.settled.is_set)
        server.faults = [Fault(faults.expire(0), times=1)]
        cut_all(server)
        put(server, "b", "1")
        await watched.until_true()
        assert len(said) == 1
        assert watched.freshness.left == 0


async def test_a_continued_watch_gets_time_to_deliver_what_it_missed(server):
    async with watching(server) as watched:
        await until(watched.settled.is_set)
        assert watched.freshness.left == 0
        server.faults = [Fault(faults.reset)]
        cut_all(server)
        await until(lambda: watched.freshness.left is None)
        server.faults = []
        await until(lambda: watched.state is WatchState.SYNCED)
        assert watched.freshness.left == pytest.approx(CATCH_UP, abs=0.2)
        await asyncio.sleep(CATCH_UP)
        assert watched.freshness.left == 0
        assert watched.freshness.stale_since is not None
        watched.freshness.recovered()
        assert watched.freshness.stale_since is None


async def test_debug_shows_each_watch_that_is_opened_and_ends(server):
    with capture_logs() as logs:
        async with watching(server) as watched:
            await until(watched.settled.is_set)
            await asyncio.sleep(5)
            cut_all(server)
            await asyncio.sleep(60)
            # The watch that was asked for last ends by itself, in ten minutes at most.
            await asyncio.sleep(700)
    told = [each for each in logs if each["event"].startswith(("stream", "list", "resource"))]
    events = [each["event"] for each in told]
    assert events[:4] == [
        "resource was listed",
        "stream was opened",
        "list or watch failed",
        "stream was opened",
    ]
    assert "stream ended" in events
    assert {each["log_level"] for each in told} == {"debug"}
    assert told[1]["request"] == "GET /api/v1/configmaps"
    assert told[1]["resourceVersion"]


async def test_nothing_is_stale_before_the_first_list(server):
    said = []
    server.faults = [Fault(faults.reset)]
    async with watching(server, became_stale=said.append):
        await asyncio.sleep(60)
    assert said == []


async def all_watched(server, stack):
    """Return a reflector of each of several resources, over one client."""
    for each in PLURALS:
        found = {"metadata": {"name": "one"}, "data": {"value": "x"}}
        server.store.create("", each, "shop", found)
    client = await stack.enter_async_context(ApiClient(Fixed(server.url)))
    group = await stack.enter_async_context(asyncio.TaskGroup())
    made = [Watched(server, client, Resource(version="v1", plural=each)) for each in PLURALS]
    tasks = [group.create_task(each.run()) for each in made]
    for each in made:
        await until(each.settled.is_set)
    return made, tasks


@pytest.mark.parametrize("away", [15.0, 120.0, 600.0])
async def test_all_watches_are_back_within_a_second_of_the_first(server, away):
    async with AsyncExitStack() as stack:
        made, tasks = await all_watched(server, stack)
        server.faults = [Fault(faults.reset)]
        cut_all(server)
        await asyncio.sleep(away)
        server.faults = []
        await until(lambda: any(each.state is WatchState.SYNCED for each in made))
        first = now()
        await until(lambda: all(each.state is WatchState.SYNCED for each in made))
        assert now() - first <= 1.1
        for each in PLURALS:
            check_pace(rounds(server, each))
        for task in tasks:
            task.cancel()


async def test_one_resource_that_fails_is_not_asked_more_often_because_others_succeed(server):
    async with AsyncExitStack() as stack:
        made, tasks = await all_watched(server, stack)
        server.faults = [Fault(faults.status(500), plural="services")]
        cut_all(server)
        await asyncio.sleep(30)
        client = made[0]._client
        before = len(rounds(server, "services"))
        for _ in range(300):
            # As a lease that is renewed.
            await client.read("/api/v1/namespaces/shop/configmaps/a")
            await asyncio.sleep(2)
        # Waits of 15 to 30 seconds, but for the few that may end early.
        assert len(rounds(server, "services")) - before <= 600 / 15 + 4
        for task in tasks:
            task.cancel()
