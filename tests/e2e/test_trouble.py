"""A real API server that is killed, halted, compacted and restarted under a reflector."""

import asyncio
import signal
import sys
from contextlib import asynccontextmanager

import pytest

from exporter.apiserver.lease import Election
from exporter.apiserver.reflector import Reflector, Resource, WatchState
from tests.apiserver.test_conformance import config_map, maps  # noqa: F401 - a fixture
from tests.fakes.virtual import until

LIMIT = 60.0


@asynccontextmanager
async def watching(api, path):
    """Watch the ConfigMaps of a test; give the reflector and what it holds by name."""
    namespace = path.split("/")[4]
    resource = Resource(
        version="v1", plural="configmaps", namespace=namespace, label_selector="mine"
    )
    async with api.client() as client, asyncio.TaskGroup() as group:
        watched = Reflector(
            client, resource, trim=lambda found: found["data"]["value"], changed=lambda: None
        )
        task = group.create_task(watched.run())
        await until(watched.settled.is_set, within=LIMIT)
        yield (
            watched,
            lambda: {name.partition("/")[2]: value for name, value in watched.objects.items()},
        )
        task.cancel()


async def put(api, path, name, value):
    body = config_map(name, value, mine="yes")
    status, _ = await api.call("POST", path, body)
    if status == 409:
        await api.done("PUT", f"{path}/{name}", body)


async def test_a_change_is_seen_at_once(api, maps, capsys):  # noqa: F811 - the fixture
    clock = asyncio.get_running_loop().time
    took = []
    async with watching(api, maps) as (_, held):
        for number in range(20):
            seen = asyncio.ensure_future(
                until(lambda number=number: held().get("a") == str(number), within=LIMIT)
            )
            await put(api, maps, "a", str(number))
            began = clock()
            await seen
            took.append(clock() - began)
    with capsys.disabled():
        sys.stdout.write(f"\nfrom a reply to our objects: {max(took):.3f} s at most\n")


async def test_killed_restarted_and_compacted(api, maps, servers):  # noqa: F811
    await put(api, maps, "a", "1")
    await put(api, maps, "b", "1")
    async with watching(api, maps) as (watched, held):
        assert held() == {"a": "1", "b": "1"}
        await asyncio.to_thread(servers.kill)
        await until(lambda: watched.state is WatchState.FAILING, within=LIMIT)
        assert held() == {"a": "1", "b": "1"}
        servers.restart()
        await asyncio.to_thread(servers.wait)
        await api.done("DELETE", f"{maps}/b")
        await put(api, maps, "c", "1")
        await api.compact()
        await until(lambda: held() == {"a": "1", "c": "1"}, within=LIMIT)
        assert (watched.state, watched.problem) == (WatchState.SYNCED, "")


async def test_history_that_was_compacted_while_we_were_away(api, maps, servers):  # noqa: F811
    """Restarted, its cache begins anew, so our place is gone; what vanished is found by a list."""
    await put(api, maps, "a", "1")
    await put(api, maps, "b", "1")
    async with watching(api, maps) as (watched, held):
        place = watched._place
        await api.done("DELETE", f"{maps}/b")
        await put(api, maps, "c", "1")
        await until(lambda: held() == {"a": "1", "c": "1"}, within=LIMIT)
        await api.compact()
        await asyncio.to_thread(servers.kill)
        await until(lambda: watched.state is WatchState.FAILING, within=LIMIT)
        # As one that was cut off for long.
        watched._place = place
        watched.store.objects.update({f"{maps.split('/')[4]}/b": "1"})
        servers.restart()
        await asyncio.to_thread(servers.wait)
        await until(lambda: watched.relists == 1, within=LIMIT)
        await until(lambda: held() == {"a": "1", "c": "1"}, within=LIMIT)


async def test_halted_for_a_while(api, maps, servers):  # noqa: F811
    async with watching(api, maps) as (watched, held):
        servers.signal(signal.SIGSTOP)
        await asyncio.sleep(10)
        assert watched.state is WatchState.SYNCED
        servers.signal(signal.SIGCONT)
        await put(api, maps, "a", "1")
        await until(lambda: held() == {"a": "1"}, within=LIMIT)


async def test_a_leader_outlives_the_server_and_one_goes_on(api, maps, servers):  # noqa: F811
    about = {"namespace": maps.split("/")[4], "name": "exporter"}
    said = []

    def note(what):
        return lambda: said.append(what)

    async with api.client() as one, api.client() as two, asyncio.TaskGroup() as group:
        first = Election(one, **about, identity="first")
        second = Election(two, **about, identity="second")
        task = group.create_task(first.run(note("first leads"), note("first ends")))
        await until(lambda: first.leading, within=LIMIT)
        other = group.create_task(second.run(note("second leads"), note("second ends")))
        await asyncio.sleep(3)
        servers.signal(signal.SIGSTOP)
        await until(lambda: not first.certain, within=LIMIT)
        await asyncio.sleep(8)
        assert (first.leading, second.leading) == (True, False)
        servers.signal(signal.SIGCONT)
        await until(lambda: first.certain or second.certain, within=LIMIT)
        await until(lambda: [first.leading, second.leading].count(True) == 1, within=LIMIT)
        assert first.leading is first.certain
        task.cancel()
        await until(lambda: second.certain, within=LIMIT)
        other.cancel()


@pytest.fixture(autouse=True)
def _running_again(servers):
    """Leave the server as other tests want it."""
    yield
    servers.signal(signal.SIGCONT)
    servers.wait()
