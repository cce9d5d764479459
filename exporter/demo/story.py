"""The acts that are played on the clusterset; each is compared with what exporters report."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from exporter.demo import parts
from exporter.demo.clusterset import DNS_DELAY, Clusterset, until
from exporter.demo.compare import ComparedRow, Comparison, Move
from exporter.demo.layout import Site
from exporter.model.verdicts import Locality, Mode

BURST_SIZE = 10
"""Requests that the clients of each cluster make in each act."""


class Narrator(Protocol):
    """Tells a person what happens."""

    def title(self, title: str, text: str = "") -> None:
        """Tell that something new begins."""

    def say(self, text: str) -> None:
        """Tell one thing."""

    def compare(self, rows: Sequence[ComparedRow]) -> None:
        """Show what was staged and what was reported."""


@dataclass(slots=True)
class Story:
    """
    Plays the acts one after the other.

    Args:
        clusterset: Where.
        narrator: Tells what happens.
    """

    clusterset: Clusterset
    narrator: Narrator
    comparison: Comparison = field(default_factory=Comparison)
    moves: list[Move] = field(default_factory=list)

    async def play(self) -> None:
        """Play all acts and compare."""
        here = self.clusterset.sites[0]
        await self._all_local("All is well.")
        await self._fails(here)
        await self._returns(here)
        await self._leaks(here)
        await self._fails(here)
        await self._cut_off(here)
        await self._all_local("All is well again.")
        await self.comparison.totals(self.clusterset, self.moves, here)

    @property
    def equal(self) -> bool:
        """Return True if everything was reported as it was staged."""
        return self.comparison.equal

    @property
    def rows(self) -> list[ComparedRow]:
        """Return what was staged and what was reported, so far."""
        return self.comparison.rows

    async def _all_local(self, title: str) -> None:
        self._say(title, "Each cluster's clients should be served by their own.")
        for site in self.clusterset.sites:
            await self._see(site, Mode.LOCAL, standbys=len(self.clusterset.sites) - 1)
        await self._burst(self.clusterset.sites)

    async def _fails(self, site: Site) -> None:
        self._say(f"nginx of {site.id} fails.", "Nobody knows yet, so its clients fail.")
        broke = await self.clusterset.stop_backend(site)
        await asyncio.sleep(1.5 * parts.INTERVAL)
        self._tell(f"{await self._failing(site)} of {BURST_SIZE} requests of its clients fail")
        changed = self.clusterset.set_ready(site, ready=False)
        self._tell(f"its readiness follows, and {DNS_DELAY:.0f} s later the name servers")
        self._move("failover", changed, broke)
        await self._moved(site, Mode.FAILOVER)
        for other in self.clusterset.sites[1:]:
            await self._see(other, Mode.LOCAL, standbys=len(self.clusterset.sites) - 2)
        await self._burst([site])

    async def _returns(self, site: Site) -> None:
        self._say(f"nginx of {site.id} returns.", "Its clients should come home.")
        await self.clusterset.start_backend(site)
        self._move("failback", self.clusterset.set_ready(site, ready=True))
        await self._moved(site, Mode.LOCAL)

    async def _leaks(self, site: Site) -> None:
        other = self.clusterset.sites[1]
        self._say(
            f"Clients of {site.id} keep an old address of {other.id}.",
            f"{site.id} is ready for longer than leak_grace, so that is a leak.",
        )
        await asyncio.sleep(parts.LEAK_GRACE + 0.5)
        for _ in range(BURST_SIZE):
            await self.clusterset.request(site, Locality.LEAK, other.service)
        self._tell(f"{BURST_SIZE} requests of clients in {site.id}: {BURST_SIZE} by {other.id}")
        await self._logs_tell()

    async def _cut_off(self, site: Site) -> None:
        self._say(f"The links of {site.id} drop while it is down.", "Nobody can serve its clients.")
        changed = self.clusterset.set_links(site, up=False)
        await self._see(site, Mode.BLACKOUT, standbys=0)
        self._tell(f"{await self._failing(site)} of {BURST_SIZE} requests of its clients fail")
        await self.clusterset.start_backend(site)
        back = self.clusterset.set_ready(site, ready=True)
        self._tell("nginx returns, then the links")
        self._move("recovery", back, changed + DNS_DELAY)
        await self._moved(site, Mode.LOCAL)
        self.clusterset.set_links(site, up=True)

    async def _see(self, site: Site, mode: Mode, *, standbys: int | None = None) -> None:
        """Wait until an exporter reports *mode*, and compare what it reports then."""
        seen: dict[str, Any] = {}

        async def holds() -> bool:
            seen.update(await self.clusterset.service(site))
            right = standbys is None or seen["standby_clusters"] == standbys
            return bool(seen["mode"] == mode and right)

        with suppress(TimeoutError):
            await until(holds, f"{site.id} reports {mode}")
        told, reported = str(mode), str(seen["mode"])
        if standbys is not None:
            told, reported = (
                f"{told}, {standbys} standby",
                f"{reported}, {seen['standby_clusters']} standby",
            )
        self.comparison.note(site, "mode", told, reported)

    def _move(self, what: str, changed: float, broke: float | None = None) -> None:
        self.moves.append(Move(f"{len(self.moves) + 1}. {what}", changed, broke))

    async def _moved(self, site: Site, mode: Mode) -> None:
        """Wait for a move to be reported; compare its durations with what was staged."""
        await self._see(site, mode)
        move = self.moves[-1]
        total = len(self.moves)

        async def counted() -> bool:
            return len((await self.clusterset.status(site))["failovers"]) >= total

        try:
            await until(counted, f"{site.id} reports {total} failovers")
        except TimeoutError:
            self.comparison.note(site, move.what, "a failover", "none")
            return
        failover = (await self.clusterset.status(site))["failovers"][0]
        took = failover["durations_seconds"]
        self._tell(
            f"{failover['from_cluster']} → {failover['to_cluster']} ({failover['reason']}): "
            f"new answer after {took['dns']:.2f} s, served after {took['served']:.2f} s, "
            f"outage {took['outage']:.2f} s"
        )
        self.comparison.failover(site, move, failover["reason"], took)

    async def _failing(self, site: Site) -> int:
        served = [await self.clusterset.request(site, Locality.FAILOVER) for _ in range(BURST_SIZE)]
        return served.count(None)

    async def _burst(self, sites: Sequence[Site]) -> None:
        for site in sites:
            by: Counter[str] = Counter()
            for _ in range(BURST_SIZE):
                by[await self.clusterset.request(site, Locality.FAILOVER) or "nobody"] += 1
            served = ", ".join(f"{number} by {cluster}" for cluster, number in by.items())
            self._tell(f"{BURST_SIZE} requests of clients in {site.id}: {served}")
        await self._logs_tell()

    async def _logs_tell(self) -> None:
        """Wait until the exporters have read all that clients did."""

        async def read() -> bool:
            return (await self.clusterset.logged()).total() >= self.clusterset.requests.total()

        try:
            await until(read, "all requests are counted")
        except TimeoutError:
            self._tell("not all requests were counted")

    def _say(self, title: str, text: str) -> None:
        self.narrator.title(title, text)

    def _tell(self, text: str) -> None:
        self.narrator.say(f"  {text}")
