"""
A name server that answers as Submariner's Lighthouse 0.15 to 0.20 does, for ClusterIP services.

Written from Lighthouse's documented and measured behaviour, apart from `judge.expect`, which it
is there to contradict if that is wrong.

Source: lighthouse 0.19, coredns/plugin/handler.go and coredns/resolver/resolver.go.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from exporter.discover.static import StaticInventory
from exporter.model.clusterset import Address, Inventory, ServiceName
from exporter.probe.dns import message as dns
from exporter.probe.dns.name import MalformedError
from exporter.probe.dns.records import Type

TTL = 5
"""Seconds, Lighthouse's default."""
INVENTORY_POLL = 0.02
_SRV = 33


class Lighthouse:
    """
    The name server of one cluster.

    It can have a second replica behind the same address, which is stuck: see `add_stuck_replica`.

    Args:
        inventory: The cluster's inventory file.
        local: The cluster.
        domain: The zone.
        delay: Seconds from a change of the file until answers follow.
    """

    def __init__(self, inventory: Path, local: str, *, domain: str, delay: float) -> None:
        self._domain = domain
        self._delay = delay
        self._inventory: Inventory | None = None
        self._previous: Inventory | None = None
        """What it knew before the newest change."""
        self._stuck: Inventory | None = None
        """What the stuck replica knows; None without one."""
        self._watch = StaticInventory(inventory, local, changed=self._later, failed=self._fail)
        self._turns: Counter[ServiceName] = Counter()

    def answer(self, query: dns.Query) -> bytes:
        """Return the response to *query*."""
        rcode, addresses = self._resolve(query)
        if query.type != Type.A:
            addresses = ()
        return dns.encode_response(query, rcode, addresses, ttl=TTL)

    async def follow(self) -> None:
        """Follow the inventory file, until cancelled."""
        while True:
            await self._watch.look()
            await asyncio.sleep(INVENTORY_POLL)

    def _later(self, inventory: Inventory) -> None:
        if self._inventory is None:
            self._inventory = inventory
        asyncio.get_running_loop().call_later(self._delay, self._take, inventory)

    def add_stuck_replica(self) -> None:
        """
        Let a second replica answer every second query, chosen at random as by kube-proxy.

        It missed the newest change of the inventory, and it follows no change.
        """
        self._stuck = self._previous

    def mend_stuck_replica(self) -> None:
        """Let the second replica follow the inventory, as the first does."""
        self._stuck = None

    def _take(self, inventory: Inventory) -> None:
        self._previous, self._inventory = self._inventory, inventory

    def _known(self) -> Inventory | None:
        """Return what the replica knows that answers the next query."""
        if self._stuck is not None and random.random() < 1 / 2:  # noqa: S311 - no secret
            return self._stuck
        return self._inventory

    def _fail(self, message: str) -> None:
        raise RuntimeError(message)

    def _resolve(  # noqa: PLR0911 - a return for each case of the source
        self, query: dns.Query
    ) -> tuple[int, tuple[Address, ...]]:
        inventory = self._known()
        if not query.name.endswith(f".{self._domain}") or inventory is None:
            # CoreDNS has no server block for other names.
            return dns.Rcode.REFUSED, ()
        if query.type not in {Type.A, Type.AAAA, _SRV}:
            return dns.Rcode.NOTIMP, ()
        labels = query.name.removesuffix(f".{self._domain}").split(".")
        if len(labels) < 3 or labels[-1] != "svc":  # noqa: PLR2004 - service, namespace, svc
            return dns.Rcode.NXDOMAIN, ()
        *prefix, name, namespace, _ = labels
        service = inventory.services.get(ServiceName(namespace, name))
        if service is None or not service.exports:
            return dns.Rcode.NXDOMAIN, ()
        exports = {export.cluster: export for export in service.exports}
        if prefix:
            pinned = exports.get(prefix[-1])
            return (dns.Rcode.NXDOMAIN, ()) if pinned is None else (0, pinned.addresses[:1])
        local = exports.get(inventory.local)
        if local is not None and local.ready:
            return dns.Rcode.NOERROR, local.addresses[:1]
        eligible = [
            export
            for export in service.exports
            if export.ready and inventory.clusters[export.cluster].connected
        ]
        if not eligible:
            return dns.Rcode.NOERROR, ()
        self._turns[service.name] += 1
        return 0, eligible[self._turns[service.name] % len(eligible)].addresses[:1]


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: Lighthouse) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            query = dns.decode_query(data)
        except MalformedError:
            return
        if self._transport is not None:
            self._transport.sendto(self._server.answer(query), addr)


@asynccontextmanager
async def serve_dns(server: Lighthouse, host: str, port: int) -> AsyncIterator[None]:
    """Answer with *server* over UDP and TCP, and follow its file, until the context ends."""

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length = int.from_bytes(await reader.readexactly(2))
            answer = server.answer(dns.decode_query(await reader.readexactly(length)))
            writer.write(len(answer).to_bytes(2) + answer)
            await writer.drain()
        except (MalformedError, EOFError, ConnectionError):
            pass
        finally:
            writer.close()

    loop = asyncio.get_running_loop()
    udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(server), local_addr=(host, port))
    try:
        async with await asyncio.start_server(stream, host, port), asyncio.TaskGroup() as group:
            following = group.create_task(server.follow(), name=f"lighthouse {host}")
            yield
            following.cancel()
    finally:
        udp.close()
