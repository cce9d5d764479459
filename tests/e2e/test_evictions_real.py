"""Karmada evicts a service, and the exporter restarts or its leader changes meanwhile."""

import signal
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.e2e.day import (
    CROSSING,
    FAILOVERS,
    LEADER,
    LIMIT,
    MODE,
    MOVED,
    NEW_ADDRESS,
    READY,
    REQUESTS,
    THERE,
    one_move,
    until_known,
)

pytestmark = pytest.mark.timeout(300)
BACKED = "clusterset_service_endpoints"
FOLLOWED = "clusterset_exporter_log_behind_bytes{"


@asynccontextmanager
async def restarted(day):
    """Yield an exporter, and what ends it and returns the next one in the same place."""
    day.config = f"{day.config}state_directory: state\n"
    async with day.exporter() as first, AsyncExitStack() as stack:

        async def follow(meanwhile):
            await end(first)
            await meanwhile()
            return await stack.enter_async_context(day.successor())

        yield first, follow


@asynccontextmanager
async def replaced(day):
    """Yield a leader, and what ends it and returns the one that stood by."""
    async with day.exporter(day.lease) as first, day.successor(day.lease) as second:

        async def follow(meanwhile):
            await end(first)
            await meanwhile()
            await second.until_value(1, LEADER, within=LIMIT)
            return second

        yield first, follow


async def end(exporter):
    exporter.process.send_signal(signal.SIGTERM)
    assert await exporter.end() == 0


@pytest.mark.parametrize("lives", [restarted, replaced])
async def test_an_eviction_from_here_is_a_failover_and_its_move(day, lives):
    """The export goes first, the rest while nobody works; it all comes back with a new address."""
    member = day.member
    export, share = (
        member.objects.get("ServiceExport", "nginx"),
        member.objects.slice_of("cluster1"),
    )
    service, pods = (
        member.objects.get(*each) for each in (("Service", "nginx"), ("EndpointSlice", "nginx-k8s"))
    )

    async def the_rest_goes():
        for each in (share, service, pods):
            await member.remove(each)
        day.name_server.names = "cluster2"

    async with day.gateways_speak(), lives(day) as (first, follow):
        await first.until_value(1, MODE, mode="local", within=LIMIT)
        assert await first.value(BACKED) == 2
        await member.remove(export)
        await first.until_value(0, BACKED, within=LIMIT)
        successor = await follow(the_rest_goes)
        await until_known(successor, "failover", never=("unknown", "remote"))
        await one_move(successor, reason="unexport", **MOVED)
        assert await successor.value(MODE, mode="failover") == 1
        # What Karmada sends anew gets another address.
        service["spec"] |= {"clusterIP": NEW_ADDRESS, "clusterIPs": [NEW_ADDRESS]}
        share["endpoints"][0]["addresses"] = [NEW_ADDRESS]
        for each in (service, pods, export, share):
            await day.create(each)
        await successor.until_value(2, BACKED, within=LIMIT)
        day.name_server.addresses["cluster1"] = NEW_ADDRESS
        day.name_server.names = "cluster1"
        await until_known(successor, "local")
        back = {"from_cluster": "cluster2", "to_cluster": "cluster1", "reason": "export"}
        await successor.until_value(1, FAILOVERS, within=LIMIT, **back)
        assert await successor.value(FAILOVERS) == 2


@pytest.mark.parametrize("lives", [restarted, replaced])
async def test_requests_of_an_evicted_cluster_are_a_failover(day, lives):
    """The export of cluster2 is younger than `leak_grace` when it goes."""
    share = day.member.objects.slice_of("cluster2")
    await day.member.remove(share)
    day.config = day.config.replace("leak_grace: 1s", "leak_grace: 1m")

    async def nothing():
        pass

    async with day.gateways_speak(), lives(day) as (first, follow):
        assert await first.value(READY, **THERE) == 0
        await day.create(share)
        await first.until_value(1, READY, within=LIMIT, **THERE)
        await day.member.remove(share)
        await first.until_value(0, READY, within=LIMIT, **THERE)
        day.request()
        await first.until_value(1, REQUESTS, within=LIMIT, locality="failover", **CROSSING)
        successor = await follow(nothing)

        async def follows_the_log():
            return FOLLOWED in (await successor.get("/metrics"))[1]

        await successor.until(follows_the_log, within=LIMIT)
        day.request()
        await successor.until_value(1, REQUESTS, within=LIMIT, locality="failover", **CROSSING)
        assert await successor.value(REQUESTS, **CROSSING) == 1
