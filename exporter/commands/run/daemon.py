"""One exporter as a process: the stages side by side, and their start, reload and stop."""

import asyncio
import gc
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from exporter import __version__
from exporter.accesslog.readers.reader import Reader
from exporter.accesslog.source import LogSource
from exporter.commands.load import RuntimeConfig, load
from exporter.commands.refuse import refuse_change, refuse_reach
from exporter.commands.run.monitor_settings import monitor_settings
from exporter.commands.run.parts import Parts
from exporter.commands.run.shard import ALL, Shard, own_shard
from exporter.commands.run.standing import Alone
from exporter.config.settings import KubernetesSettings
from exporter.config.yaml_reader import SettingsError
from exporter.discover.identity import IdentityError
from exporter.discover.static import StaticInventory, read_inventory
from exporter.metrics import families as series
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Probe
from exporter.probe.drivers.driver import Driver
from exporter.probe.stage import BusyError, ProbeStage
from exporter.web.app import Pages, TooOftenError, serve
from exporter.web.auth import WebAuth
from exporter.web.page.render import page

if TYPE_CHECKING:
    from exporter.apiserver.client import ApiClient
    from exporter.commands.run.cluster import LocalCluster

LOOP_CHECK = 0.5
"""Seconds between two tries of how late the event loop wakes a task up."""
SETTLE_EVERY = 0.5
"""Seconds between two looks at what waits to be settled."""
INVENTORY_CHECK = 0.25
RESOLV_CONF_CHECK = 5.0

Stage = Callable[[], Awaitable[None]]
log = structlog.get_logger()


class ListenError(Exception):
    """An address cannot be served on."""


class EndedError(Exception):
    """The exporter cannot go on as it is; started anew it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    config_file: Path | None
    """None: what can be discovered in the local cluster."""
    cluster: str | None
    listen: tuple[tuple[str, int], ...]
    telemetry_path: str
    web_config: Path | None = None
    kubeconfig: str | None = None
    context: str | None = None
    shard: Shard | None = ALL
    """None: to be found by the pod's name."""
    pod: str = ""
    """The name of our own pod."""


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


async def run(options: Options, driver: Driver) -> None:
    """
    Run one exporter until SIGTERM or SIGINT.

    Args:
        options: The command line.
        driver: Waits for the sockets of probes.

    Raises:
        SettingsError: If the configuration or the inventory is wrong at the start.
        ListenError: If an address cannot be served on.
        EndedError: If it cannot go on.
    """
    stop, hangup = asyncio.Event(), asyncio.Event()
    with _signals({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: hangup}):
        loaded = await asyncio.to_thread(load, options.config_file, options.cluster)
        refuse_reach(loaded, kubeconfig=options.kubeconfig, context=options.context)
        async with AsyncExitStack() as stack:
            client, shard = None, options.shard
            if loaded.settings.inventory.kubernetes is not None:
                from exporter.apiserver.open_client import open_client  # noqa: PLC0415 - only in a cluster

                client = await stack.enter_async_context(
                    open_client(options.kubeconfig, options.context)
                )
            if shard is None:
                shard = await _own_shard(client, options)
            auth = None
            if options.web_config is not None:
                auth = await asyncio.to_thread(WebAuth, options.web_config)
            daemon = Daemon(
                options, loaded, stop, driver=driver, client=client, shard=shard, auth=auth
            )
            if client is None:
                await daemon.read_inventory()
            # What is here by now stays. Looking through it again and again for garbage would hold
            # up probes: 15 ms each time with 10,000 series.
            gc.freeze()
            # A probe makes some objects that stay for a while, and no garbage that only this finds.
            gc.set_threshold(10_000, 10, 100)
            await _serve(daemon, options, stop, hangup)
            daemon.raise_end()


async def _own_shard(client: "ApiClient | None", options: Options) -> Shard:
    if client is None:
        msg = "--shard auto: wants inventory.kubernetes; write for example 0/3"
        raise SettingsError(msg)
    return await own_shard(client, options.pod)


async def _serve(
    daemon: "Daemon", options: Options, stop: asyncio.Event, hangup: asyncio.Event
) -> None:
    try:
        async with (
            serve(
                daemon.pages,
                options.listen,
                telemetry_path=options.telemetry_path,
                auth=daemon.auth,
            ) as addresses,
            asyncio.TaskGroup() as group,
        ):
            await daemon.start(group)
            hangups = group.create_task(_on(hangup, daemon.reload), name="reload")
            listen = ", ".join(_url_host(host, port) for host, port in addresses)
            log.info("started", version=__version__, cluster=daemon.monitor.local, listen=listen)
            await stop.wait()
            log.info("stopping")
            hangups.cancel()
            daemon.stop()
    except OSError as error:
        told = " or ".join(_url_host(host, port) for host, port in options.listen)
        why = error.strerror or error
        msg = f"cannot listen on {told}: {why}; choose an address by --web.listen-address"
        raise ListenError(msg) from error


class Daemon:
    """
    The stages of one exporter.

    Each stage has a key that describes it. A reload stops the stages that are no longer wanted,
    starts the new ones, and leaves the others alone, so places in log files are kept.

    Args:
        options: What the command line says.
        loaded: The configuration to start with.
        stop: Ends this daemon when set.
        driver: Waits for the sockets of probes.
        client: Of the local cluster's API server; None with a static inventory.
        shard: The part of the services that this is for.
        auth: Says who may come in; None for everybody.
        moment: Returns the time on both clocks.
    """

    def __init__(
        self,
        options: Options,
        loaded: RuntimeConfig,
        stop: asyncio.Event,
        *,
        driver: Driver,
        client: "ApiClient | None",
        shard: Shard,
        auth: WebAuth | None = None,
        moment: Callable[[], Moment] | None = None,
    ) -> None:
        moment = moment or _moment
        self._options = options
        self._loaded = loaded
        self._stop = stop
        self._error: Exception | None = None
        self._shard, self.auth = shard, auth
        self._stages_changed = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._stages: dict[Hashable, asyncio.Task[None]] = {}
        self._reloading = asyncio.Lock()
        parts = Parts(
            monitor_settings(loaded.settings, loaded.probes.key),
            logs=[source.title for source in loaded.logs],
            local=loaded.local,
            moment=moment,
            accelerate=self._accelerate,
            tells_clusters=shard.index == 0,
        )
        self.monitor, self.metrics = parts.monitor, parts.metrics
        self._leaks, self._logs, metrics = parts.leaks, parts.logs, parts.metrics
        self._probing = ProbeStage(
            loaded.probes,
            loaded.local,
            driver=driver,
            emit=self.monitor.probed,
            skipped=lambda reason: metrics.count(series.SKIPPED, (reason,)),
            delayed=partial(metrics.observe, series.START_DELAY),
        )
        self._reader = Reader(parts.logs)
        self._reader.configure(loaded.logs)
        self._cluster = None if client is None else self._in_cluster(client)
        standing = self._cluster or Alone()
        data = parts.page_data(standing)
        self.pages = Pages(
            metrics=parts.scrape(standing).render,
            status=data.status,
            page=page,
            not_ready=data.not_ready,
            reload=self.reload,
            probes=data.probes,
            probe=self._probe_now,
            shown=data.probe,
        )

    def _in_cluster(self, client: "ApiClient") -> "LocalCluster":
        from exporter.commands.run.cluster import LocalCluster  # noqa: PLC0415 - as above

        return LocalCluster(
            client,
            pod=self._options.pod,
            learns=self.monitor,
            sink=self._logs,
            reader=self._reader,
            changed=self._inventory_changed,
            arrange=self._stages_changed.set,
            end=self.end,
        )

    async def read_inventory(self) -> None:
        """Read the inventory file; SettingsError if it is wrong."""
        loaded = self._loaded
        read = await asyncio.to_thread(read_inventory, loaded.inventory_file, loaded.local)
        self._inventory_changed(read)

    def end(self, error: Exception) -> None:
        """End the process for *error*, unless it ends already."""
        if not self._stop.is_set():
            self._error = error
            self._stop.set()

    def raise_end(self) -> None:
        """Raise what ended this daemon, if something did."""
        if isinstance(self._error, IdentityError):
            raise SettingsError(str(self._error)) from self._error
        if self._error is not None:
            raise EndedError(str(self._error)) from self._error

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
                self.monitor.configuration_failed(str(error))
                return str(error)
            log.info("configuration taken", file=str(self._options.config_file))
            return None

    async def _reload(self) -> None:
        loaded = await asyncio.to_thread(load, self._options.config_file, self._options.cluster)
        refuse_change(self._loaded, loaded, local=self.monitor.local)
        inventory = None
        if self._cluster is None and loaded.inventory_file != self._loaded.inventory_file:
            inventory = await asyncio.to_thread(read_inventory, loaded.inventory_file, loaded.local)
        self._loaded = loaded
        self.monitor.configure(monitor_settings(loaded.settings, loaded.probes.key))
        self._probing.configure(loaded.probes)
        self._reader.configure(loaded.logs)
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
        yield "failovers", partial(self.monitor.run, _every(SETTLE_EVERY))
        yield "leaks", partial(self._leaks.run, _every(SETTLE_EVERY))
        if self.auth is not None:
            yield "web configuration", self.auth.watch
        if self._cluster is None:
            yield ("inventory", self._loaded.inventory_file), self._watch_inventory
        else:
            yield "arrangement", self._rearrange
            kubernetes = wanted.inventory.kubernetes or KubernetesSettings()
            yield from self._cluster.stages(kubernetes, self._loaded.local)
            if not self._cluster.works:
                return
        yield "probes", self._probing.run
        yield "name servers", partial(self._probing.follow_name_servers, _every(RESOLV_CONF_CHECK))
        for source in self._loaded.logs:
            yield ("log", source), partial(self._read, source)

    async def _read(self, source: LogSource) -> None:
        by_pod = source.pods is not None or source.by_pod
        if by_pod and self._cluster is not None:
            await self._cluster.read(source)
        else:
            await self._reader.read(source)

    async def _rearrange(self) -> None:
        async def arrange() -> None:
            async with self._reloading:
                await self._arrange()

        await _on(self._stages_changed, arrange)

    async def _watch_loop(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + LOOP_CHECK
            await asyncio.sleep(LOOP_CHECK)
            self.metrics.observe(series.LOOP_LAG, max(0.0, clock() - due))

    async def _watch_inventory(self) -> None:
        watcher = StaticInventory(
            self._loaded.inventory_file,
            self._loaded.local,
            changed=self._inventory_changed,
            failed=self.monitor.inventory_failed,
        )
        await watcher.watch(_every(INVENTORY_CHECK))

    async def _probe_now(self, service: ServiceName) -> Probe | None:
        try:
            return await self._probing.probe_now(service)
        except BusyError as error:
            raise TooOftenError from error

    def _accelerate(self, service: ServiceName) -> None:
        self._probing.accelerate(service)

    def _inventory_changed(self, inventory: Inventory) -> None:
        inventory = self._shard.of(inventory)
        self._probing.set_inventory(inventory)
        self.monitor.inventory_changed(inventory)
        self._reader.forget()


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
