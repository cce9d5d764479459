"""The sources of access logs as stages: lines are read, counted and reported to a sink."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from math import floor
from typing import Protocol

import structlog

from exporter.accesslog.checkpoint import Checkpoint, CheckpointError, FilePlaces, LineParts
from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.log_format import LogFormat
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.line_times import SpanOf
from exporter.accesslog.readers.choose import Chosen
from exporter.accesslog.readers.files import Follower
from exporter.accesslog.readers.follow import follow
from exporter.accesslog.readers.open_file import Poll
from exporter.accesslog.readers.stdin import LinePipe
from exporter.accesslog.readers.syslog import Inbox, receive
from exporter.accesslog.saver import Exposures, Saver
from exporter.accesslog.sink import Sink
from exporter.accesslog.source import LogSource, compile_source
from exporter.accesslog.upstream_counter import Sent, UpstreamCounter
from exporter.apiserver.left_word import ReadUntil
from exporter.config.paths import STDIN
from exporter.model.clusterset import ServiceName
from exporter.model.stages import UNKEPT, UNWATCHED, Keeper, Pulse, StageName
from exporter.model.traffic import LogCounts

LOG_CHECK = 0.25
OUTDATED = 600.0
"""Seconds after which a checkpoint of a node's files is not used. The directory outlives the pod,
and logs of pods may have been read through the API server meanwhile, by another configuration."""
log = structlog.get_logger()


class Streams(Protocol):
    """What counts the lines of several files, as `exporter.accesslog.line_reader.Lines` does."""

    def count(self, stream: str, block: bytes) -> LogCounts:
        """Count a block of whole lines of *stream*."""

    def by_second(self) -> LogCounts:
        """Count the newest block again, the clients of each second apart."""

    def keep(self, streams: Collection[str]) -> None:
        """Let go of all streams but these."""

    def all_parts(self) -> LineParts:
        """Return what is held of lines that are not whole yet."""

    def restore(self, stream: str, parts: dict[str, bytes]) -> None:
        """Go on with what was held of *stream*."""


class Reader:
    """
    Reads access logs.

    Args:
        sink: Takes counts and problems.
        keeper: Keeps at work what must go on even if the counting of a block fails.

    Attributes:
        exposures: Are to be told of each scrape.
    """

    def __init__(self, sink: Sink, keeper: Keeper = UNKEPT) -> None:
        self._sink, self._keeper, self.exposures = sink, keeper, Exposures()
        self._titles: frozenset[str] = frozenset()
        self._lines: set[Lines] = set()
        self._read_to: dict[str, FilePlaces] = {}

    def configure(self, sources: Iterable[LogSource]) -> None:
        """Keep what is known of these sources, and of no others."""
        sources = tuple(sources)
        self._titles = frozenset(source.title for source in sources)
        for source in sources:
            if source.pods is not None or source.after_lease is not None:
                # Also while another replica reads, so that increase() sees the first gap.
                self._sink.may_have_gaps(source.title)
        self.forget()

    def forget(self) -> None:
        """Ask for every source and service anew from now on."""
        for lines in self._lines:
            lines.forget()

    async def read(self, source: LogSource, pulse: Pulse = UNWATCHED) -> None:
        """
        Read *source* until cancelled.

        After a failure this can be called again. A block whose counting failed is not counted
        again, because it would fail again; all others are counted once.
        """
        if source.syslog is not None:
            pulse.rest()
            await self._receive(source)
        elif source.files == (STDIN,):
            pulse.rest()
            await self._read_stdin(source)
        else:
            with self.counting(source) as lines:
                await self.follow(source, lines, pulse=pulse)

    @contextmanager
    def counting(self, source: LogSource) -> Iterator[Lines]:
        """Give what counts the lines of *source*, for as long as it is read."""
        log_format = compile_source(source, upstream=True)
        timed = None
        if "stamp" in log_format.fields:
            by_second = compile_source(source, stamps=True, upstream=True)
            timed = self._counter(source, by_second, floor)
        lines = Lines(self._counter(source, log_format), source.wrapper, timed)
        self._lines.add(lines)
        try:
            with self._sink.counting(source, has_host="host" in log_format.fields):
                yield lines
        finally:
            self._lines.discard(lines)

    def _counter(
        self, source: LogSource, log_format: LogFormat, span_of: SpanOf | None = None
    ) -> Counter:
        sink, fixed, names = self._sink, source.service, dict(source.names)
        how = {"by_upstream": source.by_upstream, "by_route": source.by_route}

        def service_of(host: str) -> tuple[ServiceName, bool] | None:
            return sink.service_of(host, fixed, names, **how)

        def sent_to(host: str, server: str) -> Sent | None:
            return sink.sent_to(host, server, fixed, names, **how)

        if log_format.upstream:
            return UpstreamCounter(log_format, sink.source_of, service_of, sent_to, span_of)
        return Counter(log_format, sink.source_of, service_of, span_of, by_arrival=True)

    def _count(self, title: str, lines: Streams, stream: str, text: bytes) -> None:
        self._sink.logged(title, lines.count(stream, text), lines.by_second)

    async def follow(
        self,
        source: LogSource,
        lines: Streams,
        chosen: Chosen | None = None,
        *,
        pulse: Pulse = UNWATCHED,
    ) -> None:
        """
        Follow the files of *source* until cancelled.

        Args:
            source: Of files.
            lines: Counts what is read.
            chosen: Says which of the files are read; None: all.
            pulse: Beats with each poll.
        """
        directory, title = source.state_directory, source.title
        keeper = None if directory is None else Checkpoint(directory, title, FilePlaces)
        before = None if chosen is None else chosen.before
        places, parts = await self._places(source, keeper, before) or (None, {})
        for path, held in parts.items():
            lines.restore(path, held)
        follower = Follower(source.files, places, chosen)
        failed = partial(self._sink.checkpoint_failed, title)
        saver = Saver(keeper, failed, self.exposures, name=title)
        try:
            await self._follow(title, follower, saver, lines, pulse)
        finally:
            self._read_to[title] = _read_to(follower, lines)
            follower.close()
            self.let_go(title)
            saver.note(self._read_to[title])
            await saver.end()

    async def _follow(
        self, title: str, follower: Follower, saver: Saver[FilePlaces], lines: Streams, pulse: Pulse
    ) -> None:
        def count(path: str, block: bytes) -> None:
            counted.add(path)
            self._count(title, lines, path, block)

        def polled(poll: Poll) -> None:
            self._sink.polled(title, poll)
            follower.tell_gaps(poll)
            lines.keep(follower.paths)
            if saver.is_due(counted=bool(counted)):
                saver.note(_read_to(follower, lines))
                counted.clear()

        counted = set[str]()

        async with asyncio.TaskGroup() as group:
            saving = self._keeper.keep(StageName.CHECKPOINT, title, saver.run)
            group.create_task(saving, name=f"checkpoint of {title}")
            await follow(follower, _every(LOG_CHECK), block=count, polled=polled, beat=pulse.beat)

    def let_go(self, title: str) -> None:
        """Forget a log source, unless it is read again later, because counters must not go back."""
        if title not in self._titles:
            self._sink.log_gone(title)

    async def _places(
        self, source: LogSource, keeper: Checkpoint[FilePlaces] | None, before: ReadUntil | None
    ) -> FilePlaces | None:
        """Return how far a source was read before: by this process, else by the one before."""
        title = source.title
        if title in self._read_to or keeper is None:
            return self._read_to.get(title)
        try:
            return await asyncio.to_thread(_load, keeper, source, before)
        except CheckpointError as error:
            self._sink.checkpoint_failed(title, str(error))
            return None

    async def _receive(self, source: LogSource) -> None:
        title, inbox = source.title, Inbox()
        if source.syslog is None:
            msg = f"{title} is no syslog source"
            raise ValueError(msg)
        with self.counting(source) as lines:
            try:
                async with receive(source.syslog, inbox):
                    self._sink.received(title, 0, 0)
                    drain = partial(
                        inbox.drain,
                        partial(self._count, title, lines, ""),
                        partial(self._sink.received, title),
                    )
                    # Meanwhile messages are still received.
                    await self._keeper.keep(StageName.LOG, title, drain)
            except OSError as error:
                # The rest of the exporter is worth more than one log.
                self._sink.log_failed(title, f"cannot listen: {error.strerror or error}")
                await asyncio.Event().wait()
            finally:
                self.let_go(title)

    async def _read_stdin(self, source: LogSource) -> None:
        title = source.title
        with self.counting(source) as lines:
            self._sink.received(title, 0, 0)
            async with LinePipe(sys.stdin.buffer) as pipe:
                read = partial(
                    pipe.read,
                    partial(self._count, title, lines, ""),
                    partial(self._sink.truncated, title),
                )
                await self._keeper.keep(StageName.LOG, title, read)
            log.info("log ended", log=title)
            await asyncio.Event().wait()


def _load(
    keeper: Checkpoint[FilePlaces], source: LogSource, before: ReadUntil | None
) -> FilePlaces | None:
    """
    Return what the process before left, unless somebody else has read on since. Blocks.

    Args:
        keeper: Has it.
        source: Of files.
        before: Until when somebody else read the same lines.
    """
    age = keeper.age()
    read_on = before is not None and before.at > time.time() - age
    if source.by_pod and (age > OUTDATED or read_on):
        log.warning(
            "checkpoint is outdated, reading begins anew", log=source.title, seconds=round(age)
        )
        return None
    return keeper.load()


def _read_to(follower: Follower, lines: Streams) -> FilePlaces:
    return FilePlaces(tuple(follower.places()), lines.all_parts())


async def _every(seconds: float) -> AsyncIterator[None]:
    while True:
        yield
        await asyncio.sleep(seconds)
