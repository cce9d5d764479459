"""A probe that is due -> schedule -> one try -> Probe -> judge -> counted, over real sockets."""

import asyncio
import re
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from exporter.commands.load import load
from exporter.commands.run.daemon import Daemon
from exporter.commands.run.shard import ALL
from exporter.probe.dns import message as dns
from exporter.probe.dns.records import Type
from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from tests.fakes.files import INVENTORY, write
from tests.fakes.servers import HOST, tcp, udp

EAST, WEST = ip_address("127.0.0.1"), ip_address("127.0.0.2")
CONFIG = """\
cluster: east
inventory: {{static: inventory.yaml}}
probe:
  interval: 1s
  timeout: 1s
  fast: {{interval: 50ms}}
  resolvers: ["{host}:{port}"]
  lookup: []
"""
WITHIN = 30.0
"""Seconds until a state must be seen; usually it takes a few probes."""


class Walk:
    """A daemon, the name server that it asks, and the requests that came to the services."""

    def __init__(self):
        self.answered, self.requests, self.daemon = EAST, [], None

    def answer(self, query):
        """Answer pinned names with their own cluster, and the plain name as the test says."""
        asked = dns.decode_query(query)
        pinned = {"east": EAST, "west": WEST}.get(asked.name.partition(".")[0], self.answered)
        return [dns.encode_response(asked, 0, (pinned,) if asked.type == Type.A else ())]

    async def serve(self, reader, writer):
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async def samples(self, name):
        """Return the samples of /metrics that are not 0, by their labels' values."""
        text = b"".join([piece async for piece in self.daemon.pages.metrics(False)]).decode()
        return {
            tuple(sample.labels.values()): sample.value
            for family in families(text)
            for sample in family.samples
            if sample.name == name and sample.value
        }

    async def until(self, name, *labels):
        """Wait until a sample has all these labels' values, and return what it is."""
        async with asyncio.timeout(WITHIN):
            while True:
                for found, value in (await self.samples(name)).items():
                    if set(labels) <= set(found):
                        return value
                await asyncio.sleep(0.02)


@asynccontextmanager
async def walk(folder):
    made = Walk()
    async with (
        udp(made.answer) as (resolver, _),
        tcp(made.serve) as port,
        tcp(made.serve, port=port, host=str(WEST)),
        asyncio.TaskGroup() as group,
    ):
        path = await asyncio.to_thread(
            write,
            folder,
            config=CONFIG.format(host=HOST, port=resolver),
            inventory=INVENTORY.replace("8080", str(port)),
        )
        read = partial(load, path, None)
        made.daemon = Daemon(
            await asyncio.to_thread(read),
            read=read,
            driver=AsyncioDriver(),
            client=None,
            replica="",
            shard=ALL,
            end=pytest.fail,
            hangup=asyncio.Event(),
        )
        await made.daemon.read_inventory()
        await made.daemon.start(group)
        try:
            yield made
        finally:
            made.daemon.stop()


async def test_a_probe_that_is_due_is_judged_and_counted(tmp_path):
    async with walk(tmp_path) as made:
        assert await made.until("clusterset_service_mode", "local") == 1
        assert await made.until("clusterset_probes_total", "east") >= 1
        (request, *_) = made.requests
        host = rb"\r\nHost: (east\.|west\.)?nginx\.nginx-test\.svc\.clusterset\.local(:\d+)?\r\n"
        assert re.search(host, request)
        assert b"(cluster=east; service=nginx-test/nginx; id=" in request


async def test_probes_that_lead_elsewhere_become_a_counted_failover(tmp_path):
    async with walk(tmp_path) as made:
        await made.until("clusterset_service_mode", "local")
        assert await made.samples("clusterset_failovers_total") == {}
        text = (tmp_path / "inventory.yaml").read_text()
        (tmp_path / "inventory.yaml").write_text(
            text.replace("[127.0.0.1], ready: true", "[127.0.0.1], ready: false")
        )
        made.answered = WEST
        assert await made.until("clusterset_service_mode", "failover") == 1
        moved = ("east", "west", "readiness")
        assert await made.until("clusterset_failovers_total", *moved) == 1


async def test_an_address_where_nobody_listens_is_a_failed_probe(tmp_path):
    async with walk(tmp_path) as made:
        await made.until("clusterset_service_mode", "local")
        made.answered = ip_address("127.0.0.3")
        assert await made.until("clusterset_probe_failures_total", "connect_refused") >= 1
