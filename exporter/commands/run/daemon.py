"""The stages of one exporter, and how a reload or a new inventory changes them."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import structlog

from exporter.accesslog.readers.reader import Reader
from exporter.accesslog.source import LogSource
from exporter.commands.load import RuntimeConfig
from exporter.commands.refuse import refuse_change
from exporter.commands.run.discovery_wanted import discovery_wanted
from exporter.commands.run.handover import handover
from exporter.commands.run.monitor_settings import settings_of
from exporter.commands.run.parts import Parts
from exporter.commands.run.probe_certificates import Contexts
from exporter.commands.run.probe_files import ProbeFiles
from exporter.commands.run.readiness import Readiness
from exporter.commands.run.reloads import Reloads
from exporter.commands.run.shard import Shard
from exporter.commands.run.stages import Stages, WantedStage, measure_lag, on_event, ticking
from exporter.commands.run.standing import Alone
from exporter.config.settings import KubernetesSettings
from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import StaticInventory, read_inventory
from exporter.metrics import families as series
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Probe
from exporter.model.stages import Pulse, StageName
from exporter.probe.drivers.driver import Driver
from exporter.probe.stage import BusyError, ProbeStage
from exporter.web.app import TooOftenError
from exporter.web.auth import LOOK_EVERY, WebAuth

if TYPE_CHECKING:
    from exporter.apiserver.client import ApiClient
    from exporter.commands.run.cluster import LocalCluster

HANDOVER_EVERY = 2.0
"""Seconds between two looks at what a successor should know."""
SETTLE_EVERY = 0.5
"""Seconds between two looks at what waits to be settled."""
INVENTORY_CHECK = 0.25
"""Seconds between two looks at the inventory file."""
RESOLV_CONF_CHECK = 5.0
"""Seconds between two looks at resolv.conf."""

log = structlog.get_logger()


def clocks() -> Moment:
    """Return the time now, on the clock of the event loop and in unix seconds."""
    return Moment(at=asyncio.get_running_loop().time(), unix=time.time())


class Daemon:
    """
    One exporter: makes its parts, gives each what it needs, and runs the stages.

    Args:
        loaded: The configuration to start with.
        read: Reads the newest configuration; called in a thread.
        driver: Waits for the sockets of probes.
        client: A client of the local cluster's API server; None with a static inventory.
        replica: The name of this replica among others.
        shard: The part of the services that this exporter is responsible for.
        auth: Decides which requests are answered; None if all are.
        end: Called with the error if the exporter cannot continue.
        hangup: Set when the configuration is to be read again.
        moment: Returns the time on both clocks.
        use_log_level: Called with the level of a new configuration.
    """

    _cluster: "LocalCluster | None" = None

    def __init__(
        self,
        loaded: RuntimeConfig,
        *,
        read: Callable[[], RuntimeConfig],
        driver: Driver,
        client: "ApiClient | None",
        replica: str,
        shard: Shard,
        end: Callable[[Exception], None],
        hangup: asyncio.Event,
        auth: WebAuth | None = None,
        moment: Callable[[], Moment] = clocks,
        use_log_level: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self.loaded, self._read_config, self._shard = loaded, read, shard
        self._rearranged, self._changing, self._auth = asyncio.Event(), asyncio.Lock(), auth
        self._reloads, self._use_log_level = Reloads(self.reload, hangup), use_log_level
        parts = Parts(
            settings_of(loaded),
            logs=[source.title for source in loaded.logs],
            local=loaded.local,
            moment=moment,
            accelerate=self._accelerate,
            tells_clusters=shard.index == 0,
        )
        self.monitor, self.metrics, self._leaks = parts.monitor, parts.metrics, parts.leaks
        self._heartbeats, keeper = parts.heartbeats, parts.supervisor
        self._stages = Stages(self._wanted, keeper)
        self.start, self.stop = self._stages.start, self._stages.stop
        self._handover = handover(parts.verdicts, moment, self._accelerate, lambda: self.loaded)
        self._probing = _probe_stage(loaded, driver, parts)
        self._files = ProbeFiles(self._use_keys, self._use_tls, self._changing, parts.problems)
        self._reader = Reader(parts.logs, keeper)
        self._reader.configure(loaded.logs)
        self._enter_cluster(client, replica, parts, end)
        scrape = parts.scrape(self._cluster or Alone(), self._reader.exposures)
        self.pages = parts.pages(scrape, self._reloads.ask, partial(_probe_now, self._probing))
        self.last_scrape = scrape.last
        self._settle = partial(Readiness(self.pages.not_ready).beside, self.monitor.settle)

    def _enter_cluster(
        self,
        client: "ApiClient | None",
        replica: str,
        parts: Parts,
        end: Callable[[Exception], None],
    ) -> None:
        if client is None:
            return
        from exporter.commands.run.cluster import LocalCluster  # noqa: PLC0415 - only in a cluster
        from exporter.commands.run.event_stage import event_writer  # noqa: PLC0415

        self._cluster = LocalCluster(
            client,
            replica=replica,
            learns=parts.monitor,
            staleness=parts.staleness,
            handover=self._handover,
            sink=parts.logs,
            reader=self._reader,
            keeper=parts.supervisor,
            changed=self._inventory_changed,
            arrange=self._rearranged.set,
            end=end,
        )
        self._reader.exposures.tell(self._handover, "handover")
        self._events = event_writer(client, replica, parts, lambda: self.loaded)

    async def prepare(self) -> None:
        """Take over what a process before left, and read the inventory file if there is one."""
        self._use_log_level(self.loaded.settings.log_level)
        await asyncio.to_thread(self._handover.load)
        if self._cluster is None:
            await self.read_inventory()

    async def read_inventory(self) -> None:
        """Read the inventory file; SettingsError if it is wrong."""
        found = await _read_inventory(self.loaded)
        self._handover.begin(found.local)
        self._inventory_changed(found)
        self._handover.look_closer()

    async def reload(self) -> str | None:
        """Use the newest configuration; return the mistake if it has one, else None."""
        async with self._changing:
            try:
                await self._reload()
            except SettingsError as error:
                log.error("configuration rejected", error=str(error))  # noqa: TRY400 - one line
                self.monitor.configuration_failed(str(error))
                return str(error)
            log.info("configuration reloaded", cluster=self.monitor.local)
            return None

    async def _reload(self) -> None:
        loaded = await asyncio.to_thread(self._read_config)
        refuse_change(self.loaded, loaded, local=self.monitor.local)
        inventory = None
        if self._cluster is None and loaded.inventory_file != self.loaded.inventory_file:
            inventory = await _read_inventory(loaded)
        self.loaded = loaded
        self._use_log_level(loaded.settings.log_level)
        self.monitor.configure(settings_of(loaded))
        self._probing.configure(loaded.probes)
        self._reader.configure(loaded.logs)
        await self._stages.arrange()
        if inventory is not None:
            self._inventory_changed(inventory)

    def _use_keys(self, keys: tuple[bytes, ...]) -> None:
        before = self.loaded.probes
        if keys != before.keys:
            self.loaded = replace(self.loaded, probes=replace(before, keys=keys))
            self.monitor.use_keys(keys)
            self._probing.use_keys(keys)
            _log_keys(keys, before.keys)

    def _use_tls(self, contexts: Contexts) -> None:
        before = self.loaded.probes
        self.loaded = replace(self.loaded, probes=replace(before, tls={**before.tls, **contexts}))
        self._probing.configure(self.loaded.probes)

    def _wanted(self) -> Iterator[WantedStage]:
        loaded = self.loaded
        observe = partial(self.metrics.observe, series.LOOP_LAG)
        measure = partial(measure_lag, observe, self._heartbeats.passed)
        yield WantedStage(StageName.EVENT_LOOP, measure)
        yield WantedStage(StageName.RELOAD, self._reloads.run)
        yield WantedStage(StageName.FAILOVERS, ticking(self._settle, SETTLE_EVERY))
        yield WantedStage(StageName.LEAKS, ticking(self._leaks.run, SETTLE_EVERY))
        if self._auth is not None:
            yield WantedStage(StageName.WEB_CONFIGURATION, ticking(self._auth.watch, LOOK_EVERY))
        yield from self._files.stages(loaded)
        if self._cluster is None:
            file = loaded.inventory_file
            changed, failed = self._inventory_changed, self.monitor.inventory_failed
            watcher = StaticInventory(file, loaded.local, changed=changed, failed=failed)
            watch = ticking(watcher.watch, INVENTORY_CHECK)
            yield WantedStage(StageName.INVENTORY, watch, file)
        else:
            yield WantedStage(StageName.ARRANGEMENT, on_event(self._rearranged, self._rearrange))
            kubernetes = _kubernetes(loaded)
            yield from self._cluster.stages(discovery_wanted(loaded))
            if not self._cluster.works:
                return
            if kubernetes.events:
                where = kubernetes.watch_namespaces
                yield WantedStage(StageName.EVENTS, partial(self._events.run, where), where)
        yield from self._working(loaded)

    def _working(self, loaded: RuntimeConfig) -> Iterator[WantedStage]:
        yield WantedStage(StageName.PROBES, self._probing.run)
        yield WantedStage(StageName.HANDOVER, ticking(self._handover.run, HANDOVER_EVERY))
        follow = ticking(self._probing.follow_name_servers, RESOLV_CONF_CHECK)
        yield WantedStage(StageName.NAME_SERVERS, follow)
        for source in loaded.logs:
            if self._cluster is None or self._cluster.may_read(source):
                read = partial(self._read_log, source)
                yield WantedStage(StageName.LOG, read, source, source.title)

    async def _read_log(self, source: LogSource, pulse: Pulse) -> None:
        if self._cluster is not None and (source.pods is not None or source.by_pod):
            await self._cluster.read(source, pulse)
        else:
            await self._reader.read(source, pulse)

    async def _rearrange(self) -> None:
        async with self._changing:
            await self._stages.arrange()

    def _accelerate(self, service: ServiceName) -> None:
        self._probing.accelerate(service)

    def _inventory_changed(self, inventory: Inventory) -> None:
        inventory = self._shard.of(inventory)
        self._probing.set_inventory(inventory)
        self.monitor.inventory_changed(inventory)
        self._reader.forget()


def _kubernetes(loaded: RuntimeConfig) -> KubernetesSettings:
    return loaded.settings.inventory.kubernetes or KubernetesSettings()


def _log_keys(keys: tuple[bytes, ...], before: tuple[bytes, ...]) -> None:
    signing = "the same key" if keys[:1] == before[:1] else "another key"
    # As text, because events that differ in numbers only count as the same.
    log.info("probe keys changed", signing=signing, valid=str(len(keys)))


async def _read_inventory(loaded: RuntimeConfig) -> Inventory:
    return await asyncio.to_thread(read_inventory, loaded.inventory_file, loaded.local)


async def _probe_now(stage: ProbeStage, service: ServiceName) -> Probe | None:
    try:
        return await stage.probe_now(service)
    except BusyError as error:
        raise TooOftenError from error


def _probe_stage(loaded: RuntimeConfig, driver: Driver, parts: Parts) -> ProbeStage:
    metrics = parts.metrics
    return ProbeStage(
        loaded.probes,
        loaded.local,
        driver=driver,
        owner_of=parts.owner_of,
        emit=parts.monitor.probed,
        skipped=metrics.skipped,
        delayed=partial(metrics.observe, series.START_DELAY),
    )
