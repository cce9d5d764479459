"""What this exporter leaves for the next one, and what it takes over from the one before."""

import asyncio
import os
import stat
import threading
import time
from collections.abc import AsyncIterable, Callable
from functools import partial
from pathlib import Path

import msgspec
import structlog

from exporter.apiserver.lease_spec import RENEW_DEADLINE
from exporter.apiserver.left_word import LeftWord, ReadUntil, left_word
from exporter.commands.load import RuntimeConfig
from exporter.files.regular import UnsuitableFileError, read_regular
from exporter.files.replace import replace_file, set_aside
from exporter.judge.handover import MAX_BYTES, HandoverError, parse
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.moment import Moment

FILE = "handover.json"
UPGRADE = 120.0
"""Seconds for which an upgrade may have run before this process: it replaces pods one by one."""
SCRAPED = 300.0
"""Seconds without a scrape after which nobody is expected to miss what was counted."""
ON_THE_WAY = 1.0
"""Seconds that a line may need from its writer to the counts of a scrape."""
LEASE_BYTES = 32 << 10
"""Bytes that are left on the Lease. It is written every two seconds, so it stays small."""

log = structlog.get_logger()


class Handover:
    """
    Keeps what a successor needs, and takes over from a predecessor.

    Args:
        verdicts: Of all services.
        moment: Returns the time on both clocks.
        accelerate: Called with each service that should be probed more often for a while.
        directory: Where a process that is started again finds it; None: nowhere.
        reads_pod_logs: Returns whether this replica reads logs of pods while it leads, and whether
            it reads those of pods behind services.
    """

    def __init__(
        self,
        verdicts: ServiceVerdicts,
        moment: Callable[[], Moment],
        accelerate: Callable[[ServiceName], None],
        directory: Path | None,
        reads_pod_logs: Callable[[], tuple[bool, bool]] = lambda: (True, True),
    ) -> None:
        self._verdicts, self._moment, self._accelerate = verdicts, moment, accelerate
        self._path = None if directory is None else directory / FILE
        self._reads_pod_logs, self._begun = reads_pod_logs, time.time()
        self._exposed = self._begun
        """When what was counted until then had been scraped, in unix seconds."""
        self._marked: float | None = None
        """When the text of the scrape that is sent next was made."""
        self._unread = False
        """The leader before read no logs of pods."""
        self._read_until: ReadUntil | None = None
        """Until when leaders before read logs of pods behind services."""
        self._alive: float | None = None
        self._exposed_before: float | None = None
        """When the leader before renewed its Lease last, and had been scraped last."""
        self._best: tuple[float, str] | None = None
        self._succeeds = False
        """There was a predecessor, whether or not it left something."""
        self._written, self._failed = "", False
        self._lock, self._turn = threading.Lock(), 0

    def observe(self, inventory: Inventory) -> None:
        """Follow what changes while another replica works."""
        self._verdicts.observe(inventory, self._moment().at)

    def for_lease(self) -> str:
        """Return what is left on the Lease."""
        now = self._moment()
        text = self._verdicts.snapshot(now.at, now.unix, limit=LEASE_BYTES)
        any_, behind_services = self._reads_pod_logs()
        word = LeftWord(
            pod_logs=any_,
            exposed=self._exposed if now.unix - self._exposed <= SCRAPED else None,
            service_pods=behind_services,
            service_pods_until=None if behind_services else self._read_until,
        )
        return f"{text[:-1]},{msgspec.json.encode(word).decode()[1:]}"

    def mark(self) -> None:
        """Take note that a scrape will bring all that was counted until now."""
        self._marked = self._moment().unix

    async def expose(self) -> None:
        """Take in that what was marked last was scraped."""
        self._exposed, self._marked = self._marked or self._exposed, None

    def unread_since(self, free_since: float | None) -> float | None:
        """
        Return since when logs of pods were not read, or read for nothing; None: they were read.

        If the leader before read none, that is somewhat before this process began, because an
        upgrade has it read what that leader did not read. If that leader died, what it had counted
        since its last scrape is known to nobody.

        Args:
            free_since: When the leader before stopped being certain, in unix seconds. It is later
                than its last renewal if it did not release its Lease.
        """
        return self._begun - UPGRADE if self._unread else self._lost_since(free_since)

    def _lost_since(self, free_since: float | None) -> float | None:
        if self._exposed_before is None or free_since is None or self._alive is None:
            return None
        # Its clock, or whatever wrote the note, may say anything.
        known = min(max(self._exposed_before, self._alive - SCRAPED), self._alive)
        return known - ON_THE_WAY if free_since > self._alive else None

    def load(self) -> None:
        """Read what a process before this one left in the directory. Blocks."""
        if self._path is None:
            return
        try:
            raw = read_regular(self._path, 2 * MAX_BYTES, follow=False)
            self._offer_file(self._path, raw, self._path.lstat().st_mtime)
        except FileNotFoundError:
            pass
        except UnsuitableFileError as error:
            _set_aside(self._path, str(error.strerror))
        except OSError as error:
            log.warning("handover file cannot be read", error=f"{self._path}: {error.strerror}")

    def _offer_file(self, path: Path, raw: bytes, alive: float) -> None:
        try:
            text = raw.decode()
            parse(text)
        except (UnicodeDecodeError, HandoverError) as error:
            # There was a predecessor all the same, so probes are accelerated.
            self.offer("", alive)
            _set_aside(path, str(error))
        else:
            self.offer(text, alive)

    def offer(self, text: str, alive: float | None, free_since: float | None = None) -> None:
        """
        Take in what a predecessor left that worked until *alive*; the newest is used.

        Args:
            text: What it left.
            alive: When it worked last, in unix seconds; None if there was none.
            free_since: As for `unread_since`; None if it was this replica.
        """
        self._succeeds = self._succeeds or alive is not None
        if alive is not None and (left := left_word(text)) is not None:
            self._unread = self._unread or not left.pod_logs
            self._alive, self._exposed_before = alive, left.exposed
            self._read_until = left.service_pods_until
            if left.service_pods:
                at = alive + RENEW_DEADLINE if free_since is None else free_since
                lost = self._lost_since(at)
                self._read_until = ReadUntil(at, at if lost is None else min(lost, at))
        if text and alive is not None and (self._best is None or alive > self._best[0]):
            self._best = (alive, text)

    def begin(self, local: str = "") -> None:
        """
        Go on where the predecessor stopped. Call this before the first inventory is used.

        Args:
            local: The local cluster, if it is known. What was left under another name of it is
                not used.
        """
        if self._best is not None:
            now, (alive, text) = self._moment(), self._best
            self._verdicts.restore(text, now.at, now.unix, alive, local)

    def look_closer(self) -> None:
        """
        Accelerate what was under way and what is not known, if there was a predecessor.

        Probes must have their targets.
        """
        if not self._succeeds:
            return
        for name in tuple(self._verdicts.unsettled()):
            self._accelerate(name)

    async def run(self, ticks: AsyncIterable[None]) -> None:
        """Write the file at each of *ticks*, and at the end."""
        try:
            async for _ in ticks:
                await self._save()
        finally:
            await self._save()

    async def _save(self) -> None:
        if self._path is None or self._verdicts.inventory is None:
            return
        now = self._moment()
        text = self._verdicts.snapshot(now.at, now.unix)
        self._turn += 1
        write = partial(self._write, self._path, text, self._turn, same=text == self._written)
        try:
            # Cancelled, the thread goes on; the turn keeps it from undoing what comes after.
            await asyncio.to_thread(write)
            self._written = text
            self._failed = False
        except OSError as error:
            if not self._failed:
                told = f"{self._path}: {error.strerror}"
                log.warning("handover file cannot be written", error=told)
            self._failed = True

    def _write(self, path: Path, text: str, turn: int, *, same: bool) -> None:
        """Replace the file as a whole; if it says the *same*, only note that we still work."""
        with self._lock:
            if turn < self._turn:
                return
            if same and _is_regular(path):
                os.utime(path, follow_symlinks=False)
            else:
                write_file(path, text)


def handover(
    verdicts: ServiceVerdicts,
    moment: Callable[[], Moment],
    accelerate: Callable[[ServiceName], None],
    loaded: Callable[[], RuntimeConfig],
) -> Handover:
    """Return what an exporter with this configuration leaves and takes over."""

    def reads_pod_logs() -> tuple[bool, bool]:
        read = [source for source in loaded().logs if source.pods is not None]
        return bool(read), any(source.match is None for source in read)

    return Handover(verdicts, moment, accelerate, loaded().state_directory, reads_pod_logs)


def write_file(path: Path, text: str) -> None:
    """Replace the file as a whole. Blocks."""
    replace_file(path, text.encode())


def _set_aside(path: Path, why: str) -> None:
    told = f"{path}: {why}; {set_aside(path)}, moves under way are not continued"
    log.warning("handover file cannot be used", error=told)


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
