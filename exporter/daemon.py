"""One exporter as a process: the stages side by side, and their start, reload and stop."""

import asyncio
import gc
import logging
import signal
import sys
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Hashable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import floor
from pathlib import Path

import structlog

from exporter import __version__
from exporter.accesslog.checkpoint import Checkpoint, CheckpointError, Parts, Saver
from exporter.accesslog.count import Counter
from exporter.accesslog.follow import Follower, Place, Poll, follow
from exporter.accesslog.lines import Lines
from exporter.accesslog.pipe import read_pipe
from exporter.accesslog.syslog import Inbox, receive
from exporter.discover.static import StaticInventory, read_inventory
from exporter.expose import series
from exporter.expose.page.render import page
from exporter.expose.server import Pages, TooOftenError, serve
from exporter.expose.status import Moment
from exporter.flow import Flow
from exporter.loading import STDIN, Loaded, LogSource, compile_source, load
from exporter.model import Inventory, Probe, ServiceName
from exporter.probing import BusyError, Probing
from exporter.yamlfile import SettingsError

LOOP_CHECK = 0.5
"""Seconds between two tries of how late the event loop wakes a task up."""
LOG_CHECK = 0.25
INVENTORY_CHECK = 0.25
RESOLV_CONF_CHECK = 5.0

Stage = Callable[[], Awaitable[None]]
log = structlog.get_logger()


class ListenError(Exception):
    """An address cannot be served on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    config_file: Path
    cluster: str | None
    listen: tuple[tuple[str, int], ...]
    telemetry_path: str


def log_to_stderr(level: str, form: str) -> None:
    """Send the process's messages to standard error, as logfmt or JSON lines."""
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


async def run(options: Options) -> None:
    """
    Run one exporter until SIGTERM or SIGINT.

    Raises:
        SettingsError: If the configuration or the inventory is wrong at the start.
        ListenError: If an address cannot be served on.
    """
    stop, hangup = asyncio.Event(), asyncio.Event()
    with _signals({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: hangup}):
        loaded = await asyncio.to_thread(load, options.config_file, options.cluster)
        inventory = await asyncio.to_thread(read_inventory, loaded.inventory_file, loaded.local)
        daemon = Daemon(options, loaded, inventory)
        # What is here by now stays. Looking through it again and again for garbage would hold up
        # probes: 15 ms each time with 10,000 series.
        gc.freeze()
        try:
            async with (
                serve(
                    daemon.pages, options.listen, telemetry_path=options.telemetry_path
                ) as addresses,
                asyncio.TaskGroup() as group,
            ):
                await daemon.start(group)
                hangups = group.create_task(_on(hangup, daemon.reload), name="reload")
                listen = ", ".join(_url_host(host, port) for host, port in addresses)
                log.info("started", version=__version__, cluster=loaded.local, listen=listen)
                await stop.wait()
                log.info("stopping")
                hangups.cancel()
                daemon.stop()
        except OSError as error:
            told = " or ".join(_url_host(host, port) for host, port in options.listen)
            msg = f"cannot listen on {told}: {error.strerror or error}"
            raise ListenError(msg) from error


class Daemon:
    """
    The stages of one exporter.

    Each stage is known by what makes it what it is; a reload stops those that are not wanted any
    more, starts those that are new, and leaves the others alone: places in log files are kept.

    Args:
        options: What the command line says.
        loaded: The configuration to start with.
        inventory: The inventory to start with.
    """

    def __init__(self, options: Options, loaded: Loaded, inventory: Inventory) -> None:
        self._options = options
        self._loaded = loaded
        self._lines: set[Lines] = set()
        self._read_to: dict[str, tuple[Sequence[Place], Parts]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stages: dict[Hashable, asyncio.Task[None]] = {}
        self._reloading = asyncio.Lock()
        self.flow = Flow(
            loaded.settings,
            logs=[source.title for source in loaded.logs],
            local=loaded.local,
            key=loaded.key,
            moment=_moment,
            hurry=self._hurry,
        )
        metrics = self.flow.metrics
        self._probing = Probing(
            loaded,
            emit=self.flow.probed,
            skipped=lambda reason: metrics.count(series.SKIPPED, (reason,)),
            delayed=partial(metrics.observe, series.START_DELAY),
        )
        self.pages = Pages(
            metrics=self.flow.render,
            status=self.flow.status,
            page=page,
            not_ready=self.flow.not_ready,
            reload=self.reload,
            probes=self.flow.probes,
            probe=self._probe_now,
            shown=self.flow.probe,
        )
        self._inventory_changed(inventory)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start all stages as tasks of *group*."""
        self._group = group
        await self._arrange()

    def stop(self) -> None:
        """Cancel all stages."""
        self._group = None
        for task in self._stages.values():
            task.cancel()

    async def reload(self) -> str | None:
        """Take the newest configuration into use; return what is wrong with it, or None."""
        async with self._reloading:
            try:
                await self._reload()
            except SettingsError as error:
                log.error("configuration not taken", error=str(error))  # noqa: TRY400 - one line
                self.flow.configuration_failed(str(error))
                return str(error)
            log.info("configuration taken", file=str(self._options.config_file))
            return None

    async def _reload(self) -> None:
        loaded = await asyncio.to_thread(load, self._options.config_file, self._options.cluster)
        if loaded.local != self.flow.local:
            msg = f"cluster: cannot change from {self.flow.local} to {loaded.local}; restart"
            raise SettingsError(msg)
        inventory = None
        if loaded.inventory_file != self._loaded.inventory_file:
            inventory = await asyncio.to_thread(read_inventory, loaded.inventory_file, loaded.local)
        self._loaded = loaded
        self.flow.configure(loaded.settings, loaded.key)
        self._probing.configure(loaded)
        for lines in self._lines:
            lines.forget()
        await self._arrange()
        if inventory is not None:
            self._inventory_changed(inventory)

    async def _arrange(self) -> None:
        """Make the stages those that the configuration wants."""
        wanted = dict(self._wanted())
        gone = [self._stages.pop(key) for key in self._stages.keys() - wanted.keys()]
        for task in gone:
            task.cancel()
        if gone:
            # A log source that only changed goes on where it stopped, so it has to stop first.
            await asyncio.wait(gone)
        for key in wanted.keys() - self._stages.keys():
            if self._group is not None:
                self._stages[key] = self._group.create_task(_endless(wanted[key], str(key)))

    def _wanted(self) -> Iterator[tuple[Hashable, Stage]]:
        wanted = self._loaded.settings
        yield "event loop", self._watch_loop
        yield ("inventory", self._loaded.inventory_file), self._watch_inventory
        yield "probes", self._probing.run
        yield "name servers", partial(self._probing.follow_name_servers, _every(RESOLV_CONF_CHECK))
        for source in self._loaded.logs:
            read = self._follow if source.syslog is None else self._receive
            read = self._read_stdin if source.files == (STDIN,) else read
            yield (
                ("log", source, wanted.attribution, wanted.state_directory),
                partial(read, source, self._loaded),
            )

    async def _watch_loop(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + LOOP_CHECK
            await asyncio.sleep(LOOP_CHECK)
            self.flow.metrics.observe(series.LOOP_LAG, max(0.0, clock() - due))
            self.flow.settle()

    async def _watch_inventory(self) -> None:
        watcher = StaticInventory(
            self._loaded.inventory_file,
            self._loaded.local,
            changed=self._inventory_changed,
            failed=self.flow.inventory_failed,
        )
        await watcher.watch(_every(INVENTORY_CHECK))

    async def _probe_now(self, service: ServiceName) -> Probe | None:
        try:
            return await self._probing.probe_now(service)
        except BusyError as error:
            raise TooOftenError from error

    def _hurry(self, service: ServiceName) -> None:
        self._probing.hurry(service)

    def _inventory_changed(self, inventory: Inventory) -> None:
        self._probing.set_inventory(inventory)
        self.flow.inventory_changed(inventory)
        for lines in self._lines:
            lines.forget()

    @contextmanager
    def _counting(self, source: LogSource, loaded: Loaded) -> Iterator[Lines]:
        def service_of(host: str) -> tuple[ServiceName, bool] | None:
            return self.flow.service_of(host, source.service)

        attribution, source_of = loaded.settings.attribution, self.flow.source_of
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

    def _count(self, title: str, lines: Lines, stream: str, text: bytes) -> None:
        self.flow.logged(title, lines.count(stream, text), lines.by_second)

    async def _follow(self, source: LogSource, loaded: Loaded) -> None:
        directory, title = loaded.settings.state_directory, source.title
        keeper = None if directory is None else Checkpoint(Path(directory), title)
        with self._counting(source, loaded) as lines:
            places, parts = await self._places(title, keeper)
            for path, held in parts.items():
                lines.restore(path, held)
            follower = Follower(source.files, places)
            saver = Saver(keeper, partial(self.flow.checkpoint_failed, title))

            def polled(poll: Poll) -> None:
                self.flow.polled(title, poll)
                lines.keep(follower.paths)
                if saver.is_due():
                    saver.note(follower.places(), lines.all_parts())

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
                self._read_to[title] = follower.places(), lines.all_parts()
                follower.close()
                saver.note(*self._read_to[title])
                await saver.save()
                self._let_go(title)

    def _let_go(self, title: str) -> None:
        """Forget a log source, unless it is only read in another way from now on."""
        if title not in {source.title for source in self._loaded.logs}:
            self.flow.log_gone(title)

    async def _places(
        self, title: str, keeper: Checkpoint | None
    ) -> tuple[Sequence[Place] | None, Parts]:
        """Return how far a source was read before: by this process, else by the one before."""
        if title in self._read_to:
            return self._read_to[title]
        try:
            saved = None if keeper is None else await asyncio.to_thread(keeper.load)
        except CheckpointError as error:
            self.flow.checkpoint_failed(title, str(error))
            return None, {}
        return (None, {}) if saved is None else saved

    async def _receive(self, source: LogSource, loaded: Loaded) -> None:
        title, inbox = source.title, Inbox()
        if source.syslog is None:
            msg = f"{title} is no syslog source"
            raise ValueError(msg)
        with self._counting(source, loaded) as lines:
            try:
                async with receive(source.syslog, inbox):
                    self.flow.received(title, 0, 0)
                    await inbox.drain(
                        lambda text: self.flow.logged(
                            title, lines.count("", text), lines.by_second
                        ),
                        partial(self.flow.received, title),
                    )
            except OSError as error:
                # The rest of the exporter is worth more than one log.
                self.flow.log_failed(title, f"cannot listen: {error.strerror or error}")
                await asyncio.Event().wait()
            finally:
                self._let_go(title)

    async def _read_stdin(self, source: LogSource, loaded: Loaded) -> None:
        title = source.title
        with self._counting(source, loaded) as lines:
            self.flow.received(title, 0, 0)
            await read_pipe(
                sys.stdin.buffer,
                partial(self._count, title, lines, ""),
                lambda: self.flow.truncated(title, 1),
            )
            log.info("log ended", log=title)
            await asyncio.Event().wait()


def _url_host(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _moment() -> Moment:
    return Moment(at=asyncio.get_running_loop().time(), unix=time.time())


async def _endless(stage: Stage, name: str) -> None:
    await stage()
    msg = f"stage {name} ended by itself"
    raise RuntimeError(msg)


async def _on(event: asyncio.Event, act: Callable[[], Awaitable[object]]) -> None:
    while True:
        await event.wait()
        event.clear()
        await act()


async def _every(seconds: float) -> AsyncIterator[None]:
    while True:
        yield
        await asyncio.sleep(seconds)


@contextmanager
def _signals(events: Mapping[signal.Signals, asyncio.Event]) -> Iterator[None]:
    """Set an event for each signal."""
    loop = asyncio.get_running_loop()
    for number, event in events.items():
        loop.add_signal_handler(number, event.set)
    try:
        yield
    finally:
        for number in events:
            loop.remove_signal_handler(number)
