"""A clusterset on this machine: changes of it, clients in it, and the reports of its exporters."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from exporter.demo import client, lighthouse, parts
from exporter.demo.layout import DNS_PORT, DOMAIN, SERVICE_PORT, Site, Situation, clusterset_name
from exporter.model.verdicts import Locality

DNS_DELAY = 1.0
"""Seconds from a change of the inventory until the name servers follow."""
PATIENCE = 20.0
"""Seconds to wait for a state that usually comes within three."""
POLL_EVERY = 0.05
_LIMIT = aiohttp.ClientTimeout(total=5)

RequestKey = tuple[str, str, Locality]
"""Source, destination, locality."""
Samples = Mapping[str, list[tuple[dict[str, str], float]]]


class Clusterset:
    """
    The running parts, the inventories they read, and what clients did.

    Times are unix seconds, as the exporters report them.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        backends: Mapping[str, parts.Part],
        name_servers: Mapping[str, lighthouse.Lighthouse],
        session: aiohttp.ClientSession,
    ) -> None:
        self.sites = list(sites)
        self.requests: Counter[RequestKey] = Counter()
        """What clients received, and so what the logs should contain."""
        self._backends, self._name_servers = backends, name_servers
        self._session = session
        self._situation = Situation(self.sites)
        self._of = {site.service: site for site in self.sites}

    def write(self) -> None:
        """Write the inventories."""
        self._situation.write()

    async def stop_backend(self, site: Site) -> float:
        """Stop a site's nginx; return the time in unix seconds."""
        await self._backends[site.id].stop()
        return time.time()

    async def start_backend(self, site: Site) -> None:
        """Start a site's nginx and wait until it answers."""
        await self._backends[site.id].start()

        async def answers() -> bool:
            try:
                _, writer = await asyncio.open_connection(site.service, SERVICE_PORT)
            except OSError:
                return False
            writer.close()
            return True

        await until(answers, f"nginx of {site.id} listens")

    def set_ready(self, site: Site, *, ready: bool) -> float:
        """Write to all inventories if a site's service is ready; return the unix time."""
        self._situation.unready -= {site.id}
        self._situation.unready |= set() if ready else {site.id}
        self.write()
        return time.time()

    def set_links(self, site: Site, *, up: bool) -> float:
        """Cut or restore a site's links to all others; return the time in unix seconds."""
        self._situation.cut_off = set() if up else {site.id}
        self.write()
        return time.time()

    def set_stuck_replica(self, site: Site, *, stuck: bool) -> None:
        """Let a second replica of a site's name server miss the newest change, or recover."""
        server = self._name_servers[site.id]
        if stuck:
            server.add_stuck_replica()
        else:
            server.mend_stuck_replica()

    async def ask(self, site: Site) -> str | None:
        """Return the address that a client in *site* gets for the name."""
        server = (site.dns, DNS_PORT)
        return await client.look_up(clusterset_name(), server=server, source=site.client)

    async def request(
        self, site: Site, crossing: Locality, address: str | None = None
    ) -> str | None:
        """
        Make a request as a client in *site*.

        Args:
            site: The cluster of the client.
            crossing: The locality that the request has if another cluster serves it.
            address: The address to ask; None for the answer of the name server.

        Returns:
            The cluster that served the request; None if nobody did.
        """
        address = address or await self.ask(site)
        if address is None:
            return None
        status = await client.fetch(
            address, SERVICE_PORT, host=clusterset_name(), source=site.client
        )
        if status is None:
            return None
        served = self._of[address].id
        locality = Locality.LOCAL if served == site.id else crossing
        self.requests[site.id, served, locality] += 1
        return served

    async def status(self, site: Site) -> Mapping[str, Any]:
        """Return the status of the exporter of *site*."""
        async with self._session.get(f"{site.url}api/v1/status") as reply:
            shown: Mapping[str, Any] = await reply.json()
        return shown

    async def service(self, site: Site) -> Mapping[str, Any]:
        """Return the service in the status of the exporter of *site*."""
        service: Mapping[str, Any] = (await self.status(site))["services"][0]
        return service

    async def metrics(self, site: Site) -> Samples:
        """Return the series of the exporter of *site*, by name."""
        async with self._session.get(f"{site.url}metrics") as reply:
            text = await reply.text()
        return {
            name: [
                (sample.labels, sample.value) for sample in family.samples if sample.name == name
            ]
            for family in text_string_to_metric_families(text)
            for name in {sample.name for sample in family.samples}
        }

    async def failovers(self, site: Site) -> float:
        """Return how many failovers the exporter of *site* has counted."""
        samples = (await self.metrics(site)).get("clusterset_failovers_total", [])
        return sum(value for _, value in samples)

    async def logged(self) -> Counter[RequestKey]:
        """Return the client requests that all exporters together have seen in the logs."""
        seen: Counter[RequestKey] = Counter()
        for site in self.sites:
            for labels, value in (await self.metrics(site))["clusterset_requests_total"]:
                if value:
                    where = labels["source_cluster"], labels["destination_cluster"]
                    seen[*where, Locality(labels["locality"])] += int(value)
        return seen


@asynccontextmanager
async def clusterset(sites: Sequence[Site], folder: Path) -> AsyncIterator[Clusterset]:
    """
    Yield a clusterset that runs, with an exporter in each site that has seen all is well.

    Raises:
        MissingError: If a program is missing or does not start.
    """
    binary, key = parts.find_nginx(), folder / "probe.key"
    key.write_text(token_hex(16))
    for site in sites:
        site.folder.mkdir()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=_LIMIT))
        backends = {site.id: parts.nginx(site, binary) for site in sites}
        exporters = {site.id: parts.exporter(site, key) for site in sites}
        name_servers = {
            site.id: lighthouse.Lighthouse(site.inventory, site.id, domain=DOMAIN, delay=DNS_DELAY)
            for site in sites
        }
        made = Clusterset(sites, backends, name_servers, session)
        made.write()
        for site in sites:
            serving = lighthouse.serve_dns(name_servers[site.id], site.dns, DNS_PORT)
            await stack.enter_async_context(serving)
        started = [*backends.values(), *exporters.values()]
        await stack.enter_async_context(parts.running(started))
        for site in sites:
            await until(partial(_is_ready, session, site, started), f"{site.id} is ready")
        yield made


async def _is_ready(
    session: aiohttp.ClientSession, site: Site, started: Sequence[parts.Part]
) -> bool:
    """Return whether the exporter of *site* is ready; raise MissingError if a part has ended."""
    for part in started:
        part.check()
    try:
        async with session.get(f"{site.url}-/ready") as reply:
            return reply.ok
    except aiohttp.ClientConnectionError:
        return False


async def until(holds: Callable[[], Any], what: str) -> None:
    """
    Wait until *holds*() is true.

    Raises:
        TimeoutError: If that takes longer than PATIENCE.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + PATIENCE
    while not await holds():
        if clock() > end:
            msg = f"waited {PATIENCE:.0f} s in vain until {what}"
            raise TimeoutError(msg)
        await asyncio.sleep(POLL_EVERY)
