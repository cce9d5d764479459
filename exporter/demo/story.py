"""What is played on the clusterset, and whether the exporters reported just that."""

import asyncio
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from exporter.demo import parts
from exporter.demo.clusterset import DNS_DELAY, Clusterset, clusterset, until
from exporter.demo.layout import NoRoomError, Site, claim, clusterset_name
from exporter.model.verdicts import FailoverStage, Locality, Mode, Reason

IDS = ("k8s-node4", "k8s-node5", "k8s-node6")
BURST = 10
"""Requests that the clients of each cluster make in each act."""
SLACK = parts.FAST * (1 + parts.CONFIRM)
"""How far a duration may be off: a probe at the fast interval, and its confirmation."""
FAILURE, INTERRUPTED = 1, 130


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was staged, and what an exporter said of it."""

    exporter: str
    what: str
    staged: str
    reported: str
    equal: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A staged change after which the name should lead elsewhere."""

    what: str
    changed: float
    """When the inventory said so, unix seconds."""
    broke: float | None = None
    """When nobody served any more, if that was so."""

    @property
    def served(self) -> float:
        """Return when the name servers followed, so that clients were served again."""
        return self.changed + DNS_DELAY


@dataclass(slots=True)
class Story:
    """
    Plays the acts one after the other.

    Args:
        clusterset: Where.
        console: Where to narrate.
    """

    clusterset: Clusterset
    console: Console
    rows: list[Row] = field(default_factory=list)
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
        await self._compare_totals(here)

    @property
    def equal(self) -> bool:
        """Return whether all was reported as it was staged."""
        return all(row.equal for row in self.rows)

    async def _all_local(self, title: str) -> None:
        self._say(title, "Each cluster's clients should be served by their own.")
        for site in self.clusterset.sites:
            await self._see(site, Mode.LOCAL, standbys=len(self.clusterset.sites) - 1)
        await self._burst(self.clusterset.sites)

    async def _fails(self, site: Site) -> None:
        self._say(f"nginx of {site.id} fails.", "Nobody knows yet, so its clients fail.")
        broke = await self.clusterset.stop_backend(site)
        await asyncio.sleep(1.5 * parts.INTERVAL)
        self._tell(f"{await self._failing(site)} of {BURST} requests of its clients fail")
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
        for _ in range(BURST):
            await self.clusterset.request(site, Locality.LEAK, other.service)
        self._tell(f"{BURST} requests of clients in {site.id}: {BURST} by {other.id}")
        await self._logs_tell()

    async def _cut_off(self, site: Site) -> None:
        self._say(f"The links of {site.id} drop while it is down.", "Nobody can serve its clients.")
        changed = self.clusterset.set_links(site, up=False)
        await self._see(site, Mode.BLACKOUT, standbys=0)
        self._tell(f"{await self._failing(site)} of {BURST} requests of its clients fail")
        await self.clusterset.start_backend(site)
        back = self.clusterset.set_ready(site, ready=True)
        self._tell("nginx returns, then the links")
        self._move("recovery", back, changed + DNS_DELAY)
        await self._moved(site, Mode.LOCAL)
        self.clusterset.set_links(site, up=True)

    async def _see(self, site: Site, mode: Mode, *, standbys: int | None = None) -> None:
        """Wait until an exporter reports *mode*, and note what it did report."""
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
        self._note(site, "mode", told, reported)

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
            self._note(site, move.what, "a failover", "none")
            return
        failover = (await self.clusterset.status(site))["failovers"][0]
        took = failover["durations_seconds"]
        self._tell(
            f"{failover['from_cluster']} → {failover['to_cluster']} ({failover['reason']}): "
            f"new answer after {took['dns']:.2f} s, served after {took['served']:.2f} s, "
            f"outage {took['outage']:.2f} s"
        )
        self._note(site, f"{move.what}, reason", Reason.READINESS, failover["reason"])
        for stage in (FailoverStage.DNS, FailoverStage.SERVED):
            self._near(site, f"{move.what}, {stage}", DNS_DELAY, took[stage], SLACK)
        outage = 0.0 if move.broke is None else move.served - move.broke
        # When it began is known as well as the probes were frequent then.
        slack = 0.0 if move.broke is None else parts.INTERVAL + SLACK
        self._near(site, f"{move.what}, outage", outage, took[FailoverStage.OUTAGE], slack)

    async def _failing(self, site: Site) -> int:
        served = [await self.clusterset.request(site, Locality.FAILOVER) for _ in range(BURST)]
        return served.count(None)

    async def _burst(self, sites: Sequence[Site]) -> None:
        for site in sites:
            by: Counter[str] = Counter()
            for _ in range(BURST):
                by[await self.clusterset.request(site, Locality.FAILOVER) or "nobody"] += 1
            served = ", ".join(f"{number} by {cluster}" for cluster, number in by.items())
            self._tell(f"{BURST} requests of clients in {site.id}: {served}")
        await self._logs_tell()

    async def _logs_tell(self) -> None:
        """Wait until the exporters have read all that clients did."""

        async def read() -> bool:
            return (await self.clusterset.logged()).total() >= self.clusterset.requests.total()

        try:
            await until(read, "all requests are counted")
        except TimeoutError:
            self._tell("not all requests were counted")

    async def _compare_totals(self, here: Site) -> None:
        logged = await self.clusterset.logged()
        by_id = {site.id: site for site in self.clusterset.sites}
        for key in sorted(logged.keys() | self.clusterset.requests.keys()):
            source, destination, locality = key
            what = f"{locality} from {source}"
            staged, reported = self.clusterset.requests[key], logged[key]
            self._note(by_id[destination], what, f"{staged} requests", f"{reported} requests")
        for site in self.clusterset.sites:
            samples = await self.clusterset.metrics(site)
            moves = sum(value for _, value in samples.get("clusterset_failovers_total", []))
            staged = len(self.moves) if site is here else 0
            self._note(site, "failovers", str(staged), f"{moves:.0f}")
            outages = [move.served - move.broke for move in self.moves if move.broke is not None]
            outage = sum(value for _, value in samples["clusterset_service_outage_seconds_total"])
            slack = len(outages) * (parts.INTERVAL + SLACK)
            if site is here:
                self._near(site, "outage in all", sum(outages), outage, slack)
            else:
                self._note(site, "outage in all", "0 s", f"{outage:.0f} s")
            checks = samples["clusterset_attribution_checks_total"]
            agree = sum(n for at, n in checks if at["claimed_cluster"] == at["attributed_cluster"])
            told = "all agree" if agree and agree == sum(n for _, n in checks) else "some do not"
            self._note(site, "attribution of probes", "all agree", told)

    def _note(self, site: Site, what: str, staged: str, reported: str) -> None:
        self.rows.append(Row(site.id, what, staged, reported, staged == reported))

    def _near(self, site: Site, what: str, staged: float, reported: float, slack: float) -> None:
        told = f"{staged:.2f} s" + (f" ± {slack:.1f}" if slack else "")
        near = abs(reported - staged) <= slack
        self.rows.append(Row(site.id, what, told, f"{reported:.2f} s", near))

    def _say(self, title: str, text: str) -> None:
        self.console.print(f"\n[bold]{title}[/bold] {text}", soft_wrap=True)

    def _tell(self, text: str) -> None:
        self.console.print(f"  {text}", soft_wrap=True)


async def play(*, clusters: int, keep: bool, prometheus: bool, console: Console) -> int:
    """
    Build a clusterset of so many *clusters*, play the story and print the table.

    Args:
        clusters: How many, 2 or 3.
        keep: Whether to stay up afterwards, until interrupted.
        prometheus: Whether to start a prometheus that scrapes all exporters.
        console: Where to narrate.

    Returns:
        The exit code: 0 if all was reported as it was staged.
    """
    with _interruptible() as interrupted:
        try:
            return await _play(clusters, keep=keep, prometheus=prometheus, console=console)
        except (parts.MissingError, NoRoomError, TimeoutError) as error:
            console.print(f"clusterset-exporter demo: {error}", style="bold", soft_wrap=True)
            return FAILURE
        except asyncio.CancelledError:
            if not interrupted:
                raise
            console.print("interrupted; all is stopped and removed")
            return INTERRUPTED


async def _play(clusters: int, *, keep: bool, prometheus: bool, console: Console) -> int:
    async with AsyncExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="clusterset-demo-"))
        folder = Path(name)
        sites = stack.enter_context(claim(list(IDS[:clusters]), folder))
        urls = [f"{site.id}: {site.url}" for site in sites]
        if prometheus:
            part, url = parts.prometheus(sites, folder)
            urls.append(f"prometheus: {url}")
        console.print(
            f"Clients ask for {clusterset_name()}. Status pages while this runs:\n  "
            + "\n  ".join(urls),
            soft_wrap=True,
        )
        made = await stack.enter_async_context(clusterset(sites, folder))
        if prometheus:
            await stack.enter_async_context(parts.running([part]))
        story = Story(made, console)
        await story.play()
        console.print(table(story.rows))
        verdict = "All was reported as staged." if story.equal else "Not all was as staged."
        console.print(f"[bold]{verdict}[/bold]")
        if keep:
            console.print("Still up; Ctrl-C ends it:\n  " + "\n  ".join(urls))
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                console.print("all is stopped and removed")
        return 0 if story.equal else FAILURE


def table(rows: Sequence[Row]) -> Table:
    """Return what was staged beside what was reported."""
    made = Table(
        "exporter",
        "what",
        "staged",
        "reported",
        "equal",
        box=SIMPLE,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for row in rows:
        verdict = "yes" if row.equal else "[bold]NO[/bold]"
        made.add_row(row.exporter, row.what, row.staged, row.reported, verdict)
    return made


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Cancel this task at the first SIGINT or SIGTERM; another must not stop the clearing up."""
    loop, task, seen = asyncio.get_running_loop(), asyncio.current_task(), list[int]()

    def interrupt(number: int) -> None:
        if not seen and task is not None:
            task.cancel()
        seen.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, interrupt, number)
    try:
        yield seen
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
