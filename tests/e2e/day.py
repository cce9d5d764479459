"""A member cluster on the real API server, with a name server and a log that tests can change."""

import asyncio
import itertools
from datetime import UTC, datetime
from ipaddress import ip_address

from exporter.apiserver.lease_note import ANNOTATION
from exporter.model.probes import Question
from exporter.probe.dns import message as dns
from exporter.probe.dns.records import Type
from tests.fakes.files import line
from tests.fakes.members import path_of
from tests.fakes.nouns import NGINX

ADDRESSES = {"cluster1": "100.1.0.10", "cluster2": "100.2.0.10"}
NEW_ADDRESS = "100.1.0.99"
"""What cluster1 gets when its Service is made anew."""
CLIENTS = {"cluster1": "10.1.0.9", "cluster2": "10.2.0.9"}
PLAIN = Question(NGINX).dns_name("clusterset.local")
LEAK_GRACE = 1.0
LIMIT = 90.0
"""Seconds for what should take a few, on a machine that is busy."""
CONFIG = """\
inventory: {kubernetes: {KUBERNETES}}
probe: {interval: 500ms, timeout: 500ms, lookup: [], resolvers: ["127.0.0.1:PORT"], http: null}
leak_grace: 1s
logs: [{files: [access.log], format: main, service: nginx-test/nginx}]
"""
REQUESTS, PROBES = "clusterset_requests_total", "clusterset_probes_total"
STALE = "clusterset_exporter_inventory_stale_since_timestamp_seconds"
CHECKS, VIOLATIONS = "clusterset_rule_checks_total", "clusterset_rule_violations_total"
FAILOVERS, LEADER = "clusterset_failovers_total", "clusterset_exporter_leader"
READY, MODE = "clusterset_service_ready", "clusterset_service_mode"
HERE, THERE = ({"destination_cluster": each} for each in ADDRESSES)
CROSSING = {"source_cluster": "cluster2"}
MOVED = {"from_cluster": "cluster1", "to_cluster": "cluster2"}
RARELY = "interval: 20s"
"""So rarely probes a successor: it has to accelerate by itself, and what it inherits is not old."""
_serial = itertools.count(1)


def access_line(cluster):
    """Return the line of a request that a client in *cluster* makes now."""
    now = f"{datetime.now(UTC):%d/%b/%Y:%H:%M:%S +0000}"
    return line(CLIENTS[cluster], end="").replace("07/Jul/2022:07:42:11 +0000", now)


class NameServer:
    """Answers the plain name with one cluster, and each pinned name with its own."""

    def __init__(self):
        self.names, self.addresses = "cluster1", dict(ADDRESSES)

    def __call__(self, datagram):
        query = dns.decode_query(datagram)
        first = query.name.split(".")[0]
        cluster = self.names if query.name == PLAIN else first
        found = [ip_address(self.addresses[cluster])] if query.type == Type.A else []
        return [dns.encode_response(query, 0, found)]


class Day:
    """
    A member cluster, its name server, and the log of its nginx.

    Attributes:
        config: What the next exporter is started with.
        lease: The setting that makes exporters elect a leader; no other test knows its name.
    """

    def __init__(self, member, name_server, port):
        self.member, self.name_server = member, name_server
        self.gateways_speak = member.gateways_speak
        self.config = CONFIG.replace("PORT", str(port))
        self.log = member.folder / "access.log"
        self.log.touch()
        self.written = 0
        name = f"bad-days-{next(_serial)}"
        self.lease = f"lease: {name}"
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/mon/leases/{name}"

    def exporter(self, kubernetes="", **how):
        return self.member.exporter(kubernetes=kubernetes, config=self.config, **how)

    def request(self):
        """Let a client in cluster2 be served here, now."""
        with self.log.open("a") as log:
            log.write(f"{access_line('cluster2')}\n")
        self.written += 1

    async def set_ready(self, cluster, *, ready):
        each = self.member.objects.slice_of(cluster)
        each["endpoints"][0]["conditions"]["ready"] = ready
        await self.member.change(each)

    def successor(self, kubernetes="", **how):
        """Run an exporter that does not probe often by itself."""
        config = self.config.replace("interval: 500ms", RARELY)
        return self.member.exporter(kubernetes=kubernetes, config=config, **how)

    async def create(self, found):
        """Give the server an object that it was given before."""
        await self.member.api.done("POST", path_of(found, name=False), found)

    async def lease_forgets(self):
        """Take the note for a successor away."""
        lease = await self.member.api.done("GET", self._path)
        del lease["metadata"]["annotations"][ANNOTATION]
        await self.member.api.done("PUT", self._path, lease)

    async def lease_says(self, text):
        """Wait until the note for a successor contains *text*."""
        async with asyncio.timeout(LIMIT):
            while True:
                lease = await self.member.api.done("GET", self._path)
                if text in lease["metadata"].get("annotations", {}).get(ANNOTATION, ""):
                    return
                await asyncio.sleep(0.1)


async def until_more(exporter, name, *, than, **labels):
    async def holds():
        return await exporter.value(name, **labels) > than

    await exporter.until(holds, within=LIMIT)


async def until_known(exporter, mode, *, never=("unknown",), within=LIMIT):
    """Wait for a mode; on the way none of the modes *never* may show."""

    async def holds():
        for other in never:
            assert await exporter.value(MODE, mode=other) == 0
        return await exporter.value(MODE, mode=mode) == 1

    await exporter.until(holds, within=within)


async def one_move(exporter, *, within=LIMIT, **move):
    """Wait until this move is counted, and some more probes; it is the only one."""
    await exporter.until_value(1, FAILOVERS, within=within, **move)
    probed = await exporter.value(PROBES)
    await until_more(exporter, PROBES, than=probed + 50)
    assert await exporter.value(FAILOVERS) == 1
