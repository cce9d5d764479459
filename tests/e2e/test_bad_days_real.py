"""Verdicts while the real API server is away, or the leader is killed: nothing is invented."""

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from exporter.apiserver.lease_note import ANNOTATION
from exporter.model.probes import Question
from exporter.probe.dns import message as dns
from exporter.probe.dns.records import Type
from tests.fakes.files import line
from tests.fakes.members import Member
from tests.fakes.nouns import NGINX
from tests.fakes.servers import udp

pytestmark = pytest.mark.timeout(300)
ADDRESSES = {"cluster1": "100.1.0.10", "cluster2": "100.2.0.10"}
PLAIN = Question(NGINX).dns_name("clusterset.local")
AWAY = 15.0
"""Seconds for which clients send requests while the API server is away."""
LEAK_GRACE = 1.0
SPEAKS_EVERY = 5.0
"""Seconds: a gateway that is silent for 20 seconds counts no more."""
LIMIT = 90.0
"""Seconds for what should take a few, on a machine that is busy."""
CONFIG = """\
inventory: {kubernetes: {KUBERNETES}}
probe: {interval: 500ms, timeout: 500ms, lookup: [], resolvers: ["127.0.0.1:PORT"], http: null}
leak_grace: 1s
logs: [{files: [access.log], format: main, service: nginx-test/nginx}]
"""
REQUESTS, STALE = (
    "clusterset_requests_total",
    "clusterset_exporter_inventory_stale_since_timestamp_seconds",
)
CHECKS, VIOLATIONS = "clusterset_rule_checks_total", "clusterset_rule_violations_total"
FAILOVERS, LEADER = "clusterset_failovers_total", "clusterset_exporter_leader"
READY = "clusterset_service_ready"
CROSSING = {"source_cluster": "cluster2"}
LEASE = "/apis/coordination.k8s.io/v1/namespaces/mon/leases/bad-days"


class NameServer:
    """Answers the plain name with one cluster, and each pinned name with its own."""

    def __init__(self):
        self.names = "cluster1"

    def __call__(self, datagram):
        query = dns.decode_query(datagram)
        first = query.name.split(".")[0]
        cluster = self.names if query.name == PLAIN else first
        found = [ip_address(ADDRESSES[cluster])] if query.type == Type.A else []
        return [dns.encode_response(query, 0, found)]


class Day:
    """A member cluster, its name server, and the log of its nginx."""

    def __init__(self, member, name_server, port):
        self.member, self.name_server = member, name_server
        self.config = CONFIG.replace("PORT", str(port))
        self.log = member.folder / "access.log"
        self.written = 0

    def exporter(self, kubernetes=""):
        return self.member.exporter(kubernetes=kubernetes, config=self.config)

    def request(self):
        """Let a client in cluster2 be served here, now."""
        now = f"{datetime.now(UTC):%d/%b/%Y:%H:%M:%S +0000}"
        with self.log.open("a") as log:
            log.write(line("10.2.0.9").replace("07/Jul/2022:07:42:11 +0000", now))
        self.written += 1

    async def set_ready(self, cluster, *, ready):
        each = self.member.objects.slice_of(cluster)
        each["endpoints"][0]["conditions"]["ready"] = ready
        await self.member.change(each)

    async def lease_says(self, text):
        """Wait until the note for a successor contains *text*."""
        async with asyncio.timeout(LIMIT):
            while True:
                lease = await self.member.api.done("GET", LEASE)
                if text in lease["metadata"].get("annotations", {}).get(ANNOTATION, ""):
                    return
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def gateways_speak(self):
        async def speak():
            while True:
                await self.member.speak()
                await asyncio.sleep(SPEAKS_EVERY)

        task = asyncio.create_task(speak())
        try:
            yield
        finally:
            task.cancel()


@pytest.fixture
async def day(api, tmp_path):
    member = Member(api, tmp_path)
    await member.fill()
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "mon"}})
    (tmp_path / "access.log").touch()
    name_server = NameServer()
    async with udp(name_server) as (port, _):
        yield Day(member, name_server, port)
    await member.empty()


@pytest.fixture(autouse=True)
def _running_again(servers):
    """Leave the server as other tests want it."""
    yield
    if servers.processes["apiserver"].poll() is not None:
        servers.restart()
    servers.wait()


async def until_more(exporter, name, *, than):
    async def holds():
        return await exporter.value(name) > than

    await exporter.until(holds, within=LIMIT)


async def test_what_is_not_known_is_not_judged_while_the_api_server_is_away(day, servers):
    """It is killed, then cluster1 fails for the clients here, and cluster2's come: rightly so."""
    async with day.exporter() as exporter:
        await exporter.until_value(1, "clusterset_service_mode", mode="local", within=LIMIT)
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
        other = {"destination_cluster": "cluster2"}
        await day.set_ready("cluster2", ready=False)
        await exporter.until_value(0, READY, within=LIMIT, **other)
        day.request()
        await exporter.until_value(1, REQUESTS, within=LIMIT, locality="failover", **CROSSING)
        await day.set_ready("cluster2", ready=True)
        await exporter.until_value(1, READY, within=LIMIT, **other)
        # The second of the line has to begin after the end of the grace.
        await asyncio.sleep(LEAK_GRACE + 1)
        day.request()
        await exporter.until_value(1, REQUESTS, within=LIMIT, locality="leak", **CROSSING)
        assert await exporter.value(VIOLATIONS) == 0


async def test_a_leader_change_is_not_a_hole(day):
    """The leader is killed between the cause of a failover and the answer that completes it."""
    lease = "lease: bad-days"
    async with day.gateways_speak(), day.exporter(lease) as first, day.exporter(lease) as second:
        assert [await each.value(LEADER) for each in (first, second)] == [1, 0]
        await first.until_value(1, "clusterset_service_mode", mode="local", within=LIMIT)
        # What a leader learns stands in the Lease after its next renewal; before, it is lost.
        await day.lease_says('"serving":"cluster1"')
        await day.set_ready("cluster1", ready=False)
        here = {"destination_cluster": "cluster1"}
        await first.until_value(0, READY, within=LIMIT, **here)
        assert await first.value(FAILOVERS) == 0
        first.process.kill()
        day.name_server.names = "cluster2"
        await second.until_value(1, LEADER, within=LIMIT)
        moved = {"from_cluster": "cluster1", "to_cluster": "cluster2", "reason": "readiness"}
        await second.until_value(1, FAILOVERS, within=LIMIT, **moved)
        await second.until_value(1, "clusterset_service_mode", mode="failover", within=LIMIT)
        probed = await second.value("clusterset_probes_total")
        await until_more(second, "clusterset_probes_total", than=probed + 50)
        assert await second.value(FAILOVERS) == 1
