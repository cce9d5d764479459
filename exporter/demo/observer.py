"""What the acts of the story have in common: wait for a report, compare it, make requests."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from exporter.demo.clusterset import Clusterset, until
from exporter.demo.compare import SLACK, ComparedRow, Comparison, Move
from exporter.demo.layout import Site
from exporter.model.verdicts import Locality, Mode

BURST_SIZE = 10
"""Requests that the clients of each cluster make in each act."""
QUARTER = 0.25
"""By how much a share of the newest probes may differ from a half."""


class Narrator(Protocol):
    """Tells a person what happens."""

    def title(self, title: str, text: str = "") -> None:
        """Tell that something new begins."""

    def say(self, text: str) -> None:
        """Tell one thing."""

    def compare(self, rows: Sequence[ComparedRow]) -> None:
        """Show what was staged and what was reported."""


@dataclass(slots=True)
class Observer:
    """
    Waits for what exporters report of the clusterset, compares it, and tells the narrator.

    Args:
        clusterset: Where.
        narrator: Tells what happens.
    """

    clusterset: Clusterset
    narrator: Narrator
    comparison: Comparison = field(default_factory=Comparison)
    moves: list[Move] = field(default_factory=list)
    outages: dict[str, float] = field(default_factory=dict)
    """Seconds without service that no move ended, by cluster."""

    @property
    def equal(self) -> bool:
        """Return True if everything was reported as it was staged."""
        return self.comparison.equal

    @property
    def rows(self) -> list[ComparedRow]:
        """Return what was staged and what was reported, so far."""
        return self.comparison.rows

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

    async def _see_half_served(self, site: Site) -> None:
        """Wait until the share that is served has settled; compare it with that of two clusters."""
        seen: dict[str, Any] = {}

        async def settled() -> bool:
            seen.update(await self.clusterset.service(site))
            return seen["mode"] == Mode.DEGRADED and _is_half(seen["served_share"])

        with suppress(TimeoutError):
            await until(settled, f"{site.id} reports that half is served")
        share = "about half" if _is_half(seen["served_share"]) else seen["served_share"]
        staged, reported = f"{Mode.DEGRADED}, about half", f"{seen['mode']}, {share}"
        self.comparison.note(site, "share that is served", staged, reported)

    def _move(self, what: str, changed: float, broke: float | None = None) -> None:
        self.moves.append(Move(f"{len(self.moves) + 1}. {what}", changed, broke))

    async def _moved(self, site: Site, mode: Mode, *, slack: float = 0.0) -> None:
        """
        Wait for a move to be reported; compare its durations with what was staged.

        They may differ by *slack* seconds more than usual.
        """
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
        self.comparison.failover(site, move, failover["reason"], took, slack=SLACK + slack)

    async def _failing(self, site: Site) -> int:
        served = [await self.clusterset.request(site, Locality.FAILOVER) for _ in range(BURST_SIZE)]
        return served.count(None)

    async def _burst(self, sites: Sequence[Site], crossing: Locality = Locality.FAILOVER) -> None:
        for site in sites:
            by: Counter[str] = Counter()
            for _ in range(BURST_SIZE):
                by[await self.clusterset.request(site, crossing) or "nobody"] += 1
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


def _is_half(share: float | None) -> bool:
    """Return whether about half of the probes of two clusters in turn were served."""
    return share is not None and QUARTER <= share <= 1 - QUARTER
