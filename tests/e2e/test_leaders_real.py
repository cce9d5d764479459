"""A leader ends, is killed or is cut off, in the middle of a failover, on the real API server."""

import asyncio
import signal
import sys
import time
from contextlib import asynccontextmanager

import pytest

from tests.e2e.day import (
    ADDRESSES,
    FAILOVERS,
    HERE,
    LEADER,
    LIMIT,
    MODE,
    MOVED,
    READY,
    REQUESTS,
    STALE,
    access_line,
    one_move,
    until_known,
    until_more,
)
from tests.e2e.servers import free_ports
from tests.fakes.halfopen import way_to
from tests.fakes.servers import tcp
from tests.system.test_cluster_life import PODS

pytestmark = pytest.mark.timeout(300)
SOON = 15.0
"""Seconds: a successor that does not accelerate takes two of its intervals, of 20 seconds."""
LAST, ACCURACY = (
    "clusterset_failover_last_duration_seconds",
    "clusterset_failover_last_accuracy_seconds",
)
# Leads the addresses of the scene to loopback, as a tunnel leads them to another cluster.
TUNNEL = """\
from exporter.probe.drivers.waits import Socket
connect = Socket.open
def through_the_tunnel(self, address):
    host, port = address
    return connect(self, (host.replace("100.", "127.", 1), port))
Socket.open = through_the_tunnel
"""


async def test_a_leader_change_is_not_a_hole(day):
    """The leader is killed between the cause of a failover and the answer that completes it."""
    async with (
        day.gateways_speak(),
        day.exporter(day.lease) as first,
        day.exporter(day.lease) as second,
    ):
        assert [await each.value(LEADER) for each in (first, second)] == [1, 0]
        await first.until_value(1, MODE, mode="local", within=LIMIT)
        # What a leader learns stands in the Lease after its next renewal; before, it is lost.
        await day.lease_says('"serving":"cluster1"')
        await day.set_ready("cluster1", ready=False)
        await first.until_value(0, READY, within=LIMIT, **HERE)
        assert await first.value(FAILOVERS) == 0
        first.process.kill()
        day.name_server.names = "cluster2"
        await second.until_value(1, LEADER, within=LIMIT)
        await one_move(second, reason="readiness", **MOVED)
        assert await second.value(MODE, mode="failover") == 1


async def test_a_leader_that_ends_in_order_hands_its_failover_over(day):
    """SIGTERM comes between the cause of a failover and the answer that completes it."""
    async with day.gateways_speak(), day.exporter(day.lease) as first:
        await first.until_value(1, MODE, mode="local", within=LIMIT)
        async with day.successor(day.lease) as second:
            began = time.monotonic()
            await day.set_ready("cluster1", ready=False)
            await first.until_value(0, READY, within=LIMIT, **HERE)
            first.process.send_signal(signal.SIGTERM)
            assert await first.end() == 0
            await second.until_value(1, LEADER, within=LIMIT)
            # Its predecessor left the mode, so it is never unknown.
            await until_known(second, "local")
            day.name_server.names = "cluster2"
            await until_known(second, "failover", within=SOON)
            await one_move(second, within=SOON, reason="readiness", **MOVED)
            served = await second.value(LAST, stage="served")
            assert 0 < served < time.monotonic() - began


async def test_a_leader_that_inherits_nothing_knows_the_mode_soon(day):
    async with day.exporter(day.lease) as first, day.successor(day.lease) as second:
        await first.until_value(1, MODE, mode="local", within=LIMIT)
        await day.lease_says('"serving":"cluster1"')
        first.process.kill()
        await first.end()
        await day.lease_forgets()
        await second.until_value(1, LEADER, within=LIMIT)
        await second.until_value(1, MODE, mode="local", within=SOON)


@asynccontextmanager
async def backend(port):
    """Run a server of cluster1 in a process of its own, which can be killed."""
    at = ADDRESSES["cluster1"].replace("100.", "127.", 1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "http.server", str(port), "--bind", at),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def reply(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    await writer.drain()


async def test_a_node_is_evicted_that_carries_the_leader_and_the_backend(day):
    """Both die at once. The replica elsewhere counts the failover once, as well as it can know."""
    (port,) = free_ports(1)
    day.config = day.config.replace("http: null", f"http: {{port: {port}}}")
    elsewhere = ADDRESSES["cluster2"].replace("100.", "127.", 1)
    async with (
        tcp(reply, port=port, host=elsewhere),
        backend(port) as served_here,
        day.gateways_speak(),
        day.exporter(day.lease, before=TUNNEL) as first,
        day.successor(day.lease, before=TUNNEL) as second,
    ):
        await first.until_value(1, MODE, mode="local", within=LIMIT)
        await day.lease_says('"serving":"cluster1"')
        died = time.monotonic()
        first.process.kill()
        served_here.kill()
        await day.set_ready("cluster1", ready=False)
        await second.until_value(1, LEADER, within=LIMIT)
        await until_known(second, "blackout")
        day.name_server.names = "cluster2"
        moved = time.monotonic()
        await until_known(second, "failover")
        await one_move(second, reason="readiness", **MOVED)
        # The outage began while nobody looked, and the accuracy says so.
        outage = await second.value(LAST, stage="outage")
        accuracy = await second.value(ACCURACY, stage="outage")
        assert 0 < outage < moved - died + accuracy
        assert outage + accuracy >= moved - died
        assert await second.value("clusterset_service_outage_seconds_total") > 0


async def test_two_leaders_probe_while_the_api_server_is_away_and_one_is_left(day, servers):
    """The first is cut off, so the second leads, too; then the API server goes for both."""
    day.config = day.config.replace("files: [access.log]", "pods: {}").replace(
        ", service: nginx-test/nginx", ""
    )
    log = await day.member.api.pod("nginx-test", PODS[0])

    def request():
        log.write(access_line("cluster1").encode(), time.time())

    async with (
        way_to(servers.url) as way,
        day.exporter(day.lease, url=way.url) as first,
        day.exporter(day.lease) as second,
    ):
        both = (first, second)
        await first.until_value(1, MODE, mode="local", within=LIMIT)
        await first.until_value(1, "clusterset_exporter_pod_logs", within=LIMIT)
        request()
        await first.until_value(1, REQUESTS, within=LIMIT)
        await day.member.speak()
        way.lose()
        await second.until_value(1, LEADER, within=LIMIT)
        assert await first.value(LEADER) == 1
        # Its watches are open and silent. It knows by its Lease that they may miss something.
        assert await first.value(STALE) > 0
        await second.until_value(1, MODE, mode="local", within=LIMIT)
        await second.until_value(1, "clusterset_exporter_pod_logs", within=LIMIT)
        request()
        await second.until_value(1, REQUESTS, within=LIMIT)
        await asyncio.to_thread(servers.kill)
        await until_more(second, STALE, than=0)
        request()
        # Nobody knows why the clients move, and both see it.
        day.name_server.names = "cluster2"
        for each in both:
            await one_move(each, reason="unknown", **MOVED)
            assert await each.value(LEADER) == 1
        servers.restart()
        await asyncio.to_thread(servers.wait)
        way.find_again()
        assert await first.end() == 1
        assert any("another replica leads" in line for line in first.lines)
        async with day.exporter(day.lease) as restarted:
            assert await restarted.value(LEADER) == 0
            # No request was counted twice, and none was lost.
            await second.until_value(2, REQUESTS, within=LIMIT)
        assert await second.value(LEADER) == 1
