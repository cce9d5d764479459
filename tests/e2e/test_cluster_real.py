"""The exporter in a member cluster with a real API server, which is killed and halted too."""

import asyncio
import json
import signal

import pytest

from tests.fakes.apiaccess import EXPORTER
from tests.fakes.members import RULES, path_of
from tests.system.test_cluster_life import (  # noqa: F401 - the fixture and the tests, run here too
    READY,
    follows,
    member,
    test_a_change_of_readiness_is_followed_at_once,
    test_a_container_that_was_started_anew_while_nobody_read,
    test_a_nodes_files_are_counted_by_pod,
    test_check_with_the_rights_of_an_exporter,
    test_history_that_is_compacted,
)

pytestmark = pytest.mark.timeout(240)
STATE = "clusterset_exporter_watch_state"
LOOKED_AGAIN = 90.0
"""Seconds: what is not installed is looked for each minute."""
HALTED = 40.0
BACK_WITHIN = 90.0
"""Seconds: waits between two tries grow while the server is away."""


async def test_killed_and_restarted(member, servers):  # noqa: F811 - the fixture
    async with member.exporter() as exporter:
        await asyncio.to_thread(servers.kill)
        await exporter.until_value(1, STATE, resource="gateways", state="failing")
        assert await exporter.value(READY) == 2
        servers.restart()
        await asyncio.to_thread(servers.wait)
        await member.api.compact()
        await follows(member, exporter, ready=False, within=BACK_WITHIN)


async def test_halted(member, servers):  # noqa: F811 - the fixture
    async with member.exporter() as exporter:
        servers.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(HALTED)
            assert (await exporter.get("/-/healthy"))[0] == 200
            assert await exporter.value(READY) == 2
        finally:
            servers.signal(signal.SIGCONT)
        await asyncio.to_thread(servers.wait)
        await follows(member, exporter, ready=False, within=BACK_WITHIN)


async def test_a_kind_that_is_taken_away_and_comes_back(member):  # noqa: F811 - the fixture
    gateway = member.objects.get("Gateway", "gw1")
    async with member.exporter() as exporter:
        assert await exporter.value(STATE, resource="gateways", state="synced") == 1
        await member.uninstall("Gateway")
        await exporter.until_value(1, STATE, resource="gateways", state="not_installed")
        # All else goes on.
        assert await follows(member, exporter, ready=False) < 1
        await member.install("Gateway")
        await member.api.done("POST", path_of(gateway, name=False), gateway)
        synced = {"resource": "gateways", "state": "synced"}
        await exporter.until_value(1, STATE, within=LOOKED_AGAIN, **synced)
        await member.speak()
        tunnel = {"destination_cluster": "cluster2", "view": "strict"}
        await exporter.until_value(1, "clusterset_gateway_connected", **tunnel)


async def test_a_right_that_is_granted_later(member, api):  # noqa: F811 - the fixture
    await api.grant(*(rule for rule in RULES if rule[1] != "gateways"))
    async with member.exporter(token=EXPORTER) as exporter:
        assert await exporter.value(STATE, resource="gateways", state="forbidden") == 1
        problems = {each["what"]: each for each in (await exporter.status())["problems"]}
        assert "grant list and watch on gateways" in json.dumps(problems["watch of gateways"])
        assert await follows(member, exporter, ready=False) < 1
        await api.grant(*RULES)
        synced = {"resource": "gateways", "state": "synced"}
        await exporter.until_value(1, STATE, within=LOOKED_AGAIN, **synced)
        await member.speak()

        async def is_well():
            return (await exporter.status())["problems"] == []

        await exporter.until(is_well)
