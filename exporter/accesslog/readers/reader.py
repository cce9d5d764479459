"""The sources of access logs as stages: what is read, counted and handed to the monitor."""

import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from math import floor
from pathlib import Path
from typing import Protocol

import structlog

from exporter.accesslog.checkpoint import Checkpoint, CheckpointError, FilePlaces, Parts, Saver
from exporter.accesslog.counter import Counter
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.readers.choose import Chosen
from exporter.accesslog.readers.files import Follower, Poll, follow
from exporter.accesslog.readers.stdin import read_pipe
from exporter.accesslog.readers.syslog import Inbox, receive
from exporter.commands.load import LogSource, RuntimeConfig, compile_source
from exporter.commands.run.monitor import Monitor
from exporter.config.paths import STDIN
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import LogCounts

LOG_CHECK = 0.25
log = structlog.get_logger()


class Streams(Protocol):
    """What counts the lines of several files, as `exporter.accesslog.line_reader.Lines` does."""

    def count(self, stream: str, block: bytes) -> LogCounts:
        """Count a block of whole lines of *stream*."""

    def by_second(self) -> LogCounts:
        """Count the newest block again, the clients of each second apart."""

    def keep(self, streams: Collection[str]) -> None:
        """Let go of all streams but these."""

    def all_parts(self) -> Parts:
        """Return what is held of lines that are not whole yet."""

    def restore(self, stream: str, parts: dict[str, bytes]) -> None:
        """Go on with what was held of *stream*."""


class Reader:
    """
    Reads access logs.

    Args:
        monitor: What counts go to.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._titles: frozenset[str] = frozenset()
        self._lines: set[Lines] = set()
        self._read_to: dict[str, FilePlaces] = {}

    def configure(self, loaded: RuntimeConfig) -> None:
        """Keep what is known of the sources of this configuration, and of no others."""
        self._titles = frozenset(source.title for source in loaded.logs)
        self.forget()

    def forget(self) -> None:
        """Ask for every source and service anew from now on."""
        for lines in self._lines:
            lines.forget()

    async def read(self, source: LogSource, loaded: RuntimeConfig) -> None:
        """Read *source* until cancelled."""
        if source.syslog is not None:
            await self._receive(source, loaded)
        elif source.files == (STDIN,):
            await self._read_stdin(source, loaded)
        else:
            with self.counting(source, loaded) as lines:
                await self.follow(source, loaded, lines)

    @contextmanager
    def counting(self, source: LogSource, loaded: RuntimeConfig) -> Iterator[Lines]:
        """Give what counts the lines of *source*, for as long as it is read."""

        def service_of(host: str) -> tuple[ServiceName, bool] | None:
            return self._monitor.service_of(host, source.service)

        attribution, source_of = loaded.settings.attribution, self._monitor.source_of
        log_format = compile_source(source, attribution)
        timed = None
        if "stamp" in log_format.fields:
            by_second = compile_source(source, attribution, stamps=True)
            timed = Counter(by_second, source_of, service_of, floor)
        lines = Lines(Counter(log_format, source_of, service_of), source.wrapper, timed)
        self._lines.add(lines)
        try:
            yield lines
        finally:
            self._lines.discard(lines)

    def _count(self, title: str, lines: Streams, stream: str, text: bytes) -> None:
        self._monitor.logged(title, lines.count(stream, text), lines.by_second)

    async def follow(
        self, source: LogSource, loaded: RuntimeConfig, lines: Streams, chosen: Chosen | None = None
    ) -> None:
        """
        Follow the files of *source* until cancelled.

        Args:
            source: Of files.
            loaded: Says where checkpoints are.
            lines: Counts what is read.
            chosen: Says which of the files are read; None: all.
        """
        directory, title = loaded.settings.state_directory, source.title
        keeper = None if directory is None else Checkpoint(Path(directory), title, FilePlaces)
        places, parts = await self._places(title, keeper) or (None, {})
        for path, held in parts.items():
            lines.restore(path, held)
        follower = Follower(source.files, places, chosen)
        saver = Saver(keeper, partial(self._monitor.checkpoint_failed, title))

        def read_to() -> FilePlaces:
            return FilePlaces(tuple(follower.places()), lines.all_parts())

        def polled(poll: Poll) -> None:
            self._monitor.polled(title, poll)
            lines.keep(follower.paths)
            if saver.is_due():
                saver.note(read_to())

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(saver.run(), name=f"checkpoint of {title}")
                await follow(
                    follower,
                    _every(LOG_CHECK),
                    block=partial(self._count, title, lines),
                    polled=polled,
                )
        finally:
            self._read_to[title] = read_to()
            follower.close()
            saver.note(self._read_to[title])
            await saver.save()
            self._let_go(title)

    def _let_go(self, title: str) -> None:
        """Forget a log source, unless it is only read in another way from now on."""
        if title not in self._titles:
            self._monitor.log_gone(title)

    async def _places(self, title: str, keeper: Checkpoint[FilePlaces] | None) -> FilePlaces | None:
        """Return how far a source was read before: by this process, else by the one before."""
        if title in self._read_to:
            return self._read_to[title]
        try:
            return None if keeper is None else await asyncio.to_thread(keeper.load)
        except CheckpointError as error:
            self._monitor.checkpoint_failed(title, str(error))
            return None

    async def _receive(self, source: LogSource, loaded: RuntimeConfig) -> None:
        title, inbox = source.title, Inbox()
        if source.syslog is None:
            msg = f"{title} is no syslog source"
            raise ValueError(msg)
        with self.counting(source, loaded) as lines:
            try:
                async with receive(source.syslog, inbox):
                    self._monitor.received(title, 0, 0)
                    await inbox.drain(
                        lambda text: self._monitor.logged(
                            title, lines.count("", text), lines.by_second
                        ),
                        partial(self._monitor.received, title),
                    )
            except OSError as error:
                # The rest of the exporter is worth more than one log.
                self._monitor.log_failed(title, f"cannot listen: {error.strerror or error}")
                await asyncio.Event().wait()
            finally:
                self._let_go(title)

    async def _read_stdin(self, source: LogSource, loaded: RuntimeConfig) -> None:
        title = source.title
        with self.counting(source, loaded) as lines:
            self._monitor.received(title, 0, 0)
            await read_pipe(
                sys.stdin.buffer,
                partial(self._count, title, lines, ""),
                lambda: self._monitor.truncated(title, 1),
            )
            log.info("log ended", log=title)
            await asyncio.Event().wait()


async def _every(seconds: float) -> AsyncIterator[None]:
    while True:
        yield
        await asyncio.sleep(seconds)
