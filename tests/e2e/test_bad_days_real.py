"""Verdicts while the real API server is away: nothing is invented, and all goes on."""

import asyncio
import json
import signal
import time

import pytest

from tests.commands.test_export_left import lose_the_service
from tests.e2e.day import (
    CHECKS,
    CROSSING,
    FAILOVERS,
    HERE,
    LEADER,
    LEAK_GRACE,
    LIMIT,
    MODE,
    MOVED,
    NEW_ADDRESS,
    PROBES,
    READY,
    REQUESTS,
    STALE,
    THERE,
    VIOLATIONS,
    access_line,
    one_move,
    until_known,
    until_more,
)
from tests.fakes.nodelogs import Node
from tests.system.test_check_cluster import check
from tests.system.test_cluster_life import PODS

pytestmark = pytest.mark.timeout(300)
AWAY = 15.0
"""Seconds for which clients send requests while the API server is away."""
STATE = "clusterset_exporter_watch_state"
NODE_FILES = """\
inventory: {kubernetes: {}}
probe: {services: [{match: "*/*", enabled: false}]}
leak_grace: 1s
logs: [{files: [FILES], format: main, wrapper: cri, service: {pod: true}}]
"""


async def test_what_is_not_known_is_not_judged_while_the_api_server_is_away(day, servers):
    """It is killed, then cluster1 fails for the clients here, and cluster2's come: rightly so."""
    async with day.exporter() as exporter:
        await exporter.until_value(1, MODE, mode="local", within=LIMIT)
        await until_more(exporter, CHECKS, than=0)
        await day.member.speak()
        await asyncio.to_thread(servers.kill)
        day.name_server.names = "cluster2"
        end = time.monotonic() + AWAY
        while time.monotonic() < end:
            day.request()
            await asyncio.sleep(0.1)
        assert await exporter.value(STALE) > 0
        # The exporter goes on, and nobody else does what it does.
        assert (await exporter.get("/-/ready"))[0] == 200
        await exporter.until_value(day.written, REQUESTS, within=LIMIT, **CROSSING)
        day.name_server.names = "cluster1"
        servers.restart()
        await asyncio.to_thread(servers.wait)
        await day.member.speak()
        await exporter.until_value(0, STALE, within=LIMIT)
        assert await exporter.value(REQUESTS, locality="leak") == 0
        assert await exporter.value(VIOLATIONS) == 0
        assert await exporter.value(REQUESTS, locality="unknown", **CROSSING) == day.written
        await _goes_on(day, exporter)


async def _goes_on(day, exporter):
    """Show that verdicts go on: promises are checked, a failover is right, and a leak is a leak."""
    async with day.gateways_speak():
        checked = await exporter.value(CHECKS)
        await until_more(exporter, CHECKS, than=checked)
        await day.set_ready("cluster2", ready=False)
        await exporter.until_value(0, READY, within=LIMIT, **THERE)
        day.request()
        await exporter.until_value(1, REQUESTS, within=LIMIT, locality="failover", **CROSSING)
        await day.set_ready("cluster2", ready=True)
        await exporter.until_value(1, READY, within=LIMIT, **THERE)
        # The second of the line has to begin after the end of the grace.
        await asyncio.sleep(LEAK_GRACE + 1)
        day.request()
        await exporter.until_value(1, REQUESTS, within=LIMIT, locality="leak", **CROSSING)
        assert await exporter.value(VIOLATIONS) == 0


async def test_requests_are_unknown_while_the_api_server_hangs_and_no_watch_fails(day, servers):
    """Only the Lease that cannot be renewed shows it."""
    async with day.exporter(day.lease) as exporter:
        await exporter.until_value(1, LEADER, within=LIMIT)
        servers.signal(signal.SIGSTOP)
        try:
            await until_more(exporter, STALE, than=0)
            assert await exporter.value(STATE, state="failing") == 0
            day.request()
            unknown = {"locality": "unknown"} | CROSSING
            await exporter.until_value(1, REQUESTS, within=LIMIT, **unknown)
        finally:
            servers.signal(signal.SIGCONT)
        await exporter.until_value(0, STALE, within=LIMIT)
        assert await exporter.value(REQUESTS) == 1


async def test_a_nodes_files_are_counted_on_while_the_api_server_is_away(day, servers, tmp_path):
    """As the DaemonSet reads them. Requests that nobody can judge then are `unknown`, no leaks."""
    node = Node(tmp_path)
    day.config = NODE_FILES.replace("FILES", node.glob)
    await day.member.api.pod("nginx-test", PODS[0])
    log = node.log("nginx-test", PODS[0])
    local = {"locality": "local", "source_cluster": "cluster1"}
    async with day.exporter() as exporter:
        log.write(access_line("cluster1"))
        await exporter.until_value(1, REQUESTS, within=LIMIT, **local)
        await asyncio.to_thread(servers.kill)
        # It waits, and its second is not known in the end.
        log.write(access_line("cluster2"))
        await until_more(exporter, STALE, than=0)
        log.write(access_line("cluster1"), access_line("cluster2"))
        log.rotate()
        log.write(access_line("cluster1"), access_line("cluster2"))
        await exporter.until_value(3, REQUESTS, within=LIMIT, **local)
        unknown = {"locality": "unknown"} | CROSSING
        await exporter.until_value(3, REQUESTS, within=LIMIT, **unknown)
        servers.restart()
        await asyncio.to_thread(servers.wait)
        await day.member.speak()
        await exporter.until_value(0, STALE, within=LIMIT)
        await asyncio.sleep(LEAK_GRACE + 1)
        log.write(access_line("cluster2"))
        await exporter.until_value(1, REQUESTS, within=LIMIT, locality="leak", **CROSSING)
        assert await exporter.value(REQUESTS) == 7


async def test_old_answers_after_a_new_address_and_an_unexport_are_no_move_to_nobody(day):
    """The name server goes on answering an address that no export has any more."""
    share = day.member.objects.slice_of("cluster1")
    async with day.gateways_speak(), day.exporter() as exporter:
        await exporter.until_value(1, MODE, mode="local", within=LIMIT)
        share["endpoints"][0]["addresses"] = [NEW_ADDRESS]
        await day.member.change(share)
        await seen_for(exporter, "local", probes=50)
        day.name_server.addresses["cluster1"] = NEW_ADDRESS
        await seen_for(exporter, "local", probes=50)
        await day.member.remove(share)
        await exporter.until_value(0, READY, within=LIMIT, **HERE)
        await seen_for(exporter, "local", probes=50)
        assert await exporter.value(FAILOVERS) == 0
        day.name_server.names = "cluster2"
        await until_known(exporter, "failover")
        await one_move(exporter, reason="unexport", **MOVED)


async def seen_for(exporter, mode, *, probes):
    """Let some more probes end; the mode stays this one."""
    end = await exporter.value(PROBES) + probes

    async def holds():
        assert await exporter.value(MODE, mode=mode) == 1
        return await exporter.value(PROBES) > end

    await exporter.until(holds, within=LIMIT)


async def test_an_export_whose_service_is_deleted_is_exported_and_not_served(day):
    """The daemon says so, and `check` names the condition and its reason."""
    async with day.gateways_speak(), day.exporter() as exporter:
        await exporter.until_value(1, MODE, mode="local", within=LIMIT)
        await lose_the_service(day.member)
        await exporter.until_value(0, READY, within=LIMIT, **HERE)
        day.name_server.names = "cluster2"
        await until_known(exporter, "failover", never=("unknown", "remote"))
        await one_move(exporter, reason="unexport", **MOVED)
        assert await exporter.value("clusterset_service_exported") == 1
        assert await exporter.value("clusterset_service_export_condition", type="Valid") == 0
        code, text, _ = await check(day.member, "nginx-test/nginx", "--json")
    assert {
        "level": "fail",
        "about": "cluster1 (here)",
        "text": "exports it, not ready; its ServiceExport is refused: "
        "Valid=False (ServiceUnavailable)",
    } in json.loads(text)["findings"]
    assert code == 1
