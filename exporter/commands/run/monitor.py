"""What each stage's output sets off: a fact comes in, is judged, counted, kept and logged."""

import platform
from collections.abc import AsyncIterable, Callable
from dataclasses import replace

import structlog

from exporter import __version__
from exporter.commands.run.changes import Changes
from exporter.commands.run.clients import Clients
from exporter.commands.run.history import ProbeHistory
from exporter.commands.run.monitor_settings import Current, MonitorSettings
from exporter.commands.run.name_servers import NameServers
from exporter.commands.run.pauses import Pauses
from exporter.commands.run.probe_log import log_probe
from exporter.commands.run.problems import Problems
from exporter.commands.run.promises import Promises
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.judge.services import agrees
from exporter.metrics import families as series
from exporter.metrics.record import Metrics
from exporter.metrics.store import SeriesBudget
from exporter.model.clusterset import UNKNOWN, Address, Inventory, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Failure, Lookup, Probe
from exporter.model.verdicts import Failover

log = structlog.get_logger()


class Monitor:
    """
    Relays inventories and probes to the judges, and verdicts to whoever counts or shows them.

    Args:
        current: The settings in use and the local cluster; this replaces both.
        verdicts: Judges probes.
        metrics: Counts.
        budget: How many series may be made.
        problems: Shows what hinders.
        history: Keeps the newest probes and failovers.
        clients: Attributes logged requests by the inventory.
        name_servers: Follows each single name server.
        changes: Tells what changed for clients.
        moment: Returns the time on both clocks.
        accelerate: Called with each service that should be probed more often for a while.
    """

    def __init__(
        self,
        current: Current,
        *,
        verdicts: ServiceVerdicts,
        metrics: Metrics,
        budget: SeriesBudget,
        problems: Problems,
        history: ProbeHistory,
        clients: Clients,
        name_servers: NameServers,
        changes: Changes,
        moment: Callable[[], Moment],
        accelerate: Callable[[ServiceName], None],
    ) -> None:
        self._current, self._verdicts, self._metrics = current, verdicts, metrics
        self._budget, self._problems, self._history = budget, problems, history
        self._clients, self._moment, self._accelerate = clients, moment, accelerate
        self._name_servers, self._changes = name_servers, changes
        self._promises = Promises(verdicts, metrics, lambda: moment().at)
        self._pauses = Pauses(lambda: moment().at, self.observation_gap)
        self.found = problems.found
        self.look = self._pauses.look
        metrics.set_gauge(series.BUILD_INFO, 1, (__version__, platform.python_version()))
        self.configure(current.settings)

    def identified(self, local: str, source: str) -> None:
        """Take *local* for the cluster that this exporter runs in, because *source* says so."""
        self._current.local = local
        self._metrics.identified(local, source)

    def observation_gap(self, since: float) -> None:
        """Remember that changes after *since*, on the monotonic clock, are seen only now."""
        self._verdicts.observation_gap(since, self._moment().at)

    @property
    def inventory(self) -> Inventory | None:
        """The inventory in use, or None before the first."""
        return self._verdicts.inventory

    @property
    def local(self) -> str:
        """The cluster that this exporter runs in; empty until it is known."""
        return self._current.local

    def configure(self, settings: MonitorSettings) -> None:
        """Take settings into use; what is known already stays."""
        self._current.settings = settings
        self._budget.limit = settings.series_limit
        self._configure_metrics()
        self._verdicts.configure(
            confirm=settings.confirm,
            pinned=settings.pinned,
            stale_after=settings.stale_after,
            record=settings.record,
        )
        self._metrics.set_gauge(series.CONFIG_RELOAD_OK, 1)
        self._metrics.set_gauge(series.CONFIG_RELOAD_TIME, self._moment().unix)
        self._problems.solved("configuration")
        if self.inventory is not None:
            self.inventory_changed(self.inventory)

    def use_keys(self, keys: tuple[bytes, ...]) -> None:
        """Check the signatures of probes by these keys from now on."""
        self._current.settings = replace(self._current.settings, keys=keys)
        self._configure_metrics()

    def _configure_metrics(self) -> None:
        settings = self._current.settings
        self._metrics.configure(
            pinned=settings.pinned,
            upstreams=settings.upstreams,
            lookups=settings.lookups,
            replies=settings.replies_of,
            logs=settings.logs,
            signed=bool(settings.keys),
        )

    def configuration_failed(self, message: str) -> None:
        """Show that the newest configuration is not in use."""
        self._metrics.set_gauge(series.CONFIG_RELOAD_OK, 0)
        self._problems.problem("configuration", message)

    def inventory_changed(self, inventory: Inventory) -> None:
        """Take a new inventory into use."""
        now, first = self._moment(), self.inventory is None
        self._metrics.set_passive(passive=False)
        changed = self._verdicts.set_inventory(inventory, now.at)
        self._clients.set_inventory(inventory)
        self._metrics.set_inventory(inventory, changed)
        self._history.keep(inventory.services)
        self._changes.keep(inventory.services)
        self._metrics.set_gauge(series.INVENTORY_OK, 1)
        self._metrics.set_gauge(series.INVENTORY_TIME, now.unix)
        if self._problems.shows("inventory"):
            log.info("inventory accepted again")
            self._problems.solved("inventory")
        for service in () if first else changed:
            log.info("inventory changed", service=str(service))
            self._accelerate(service)

    def stand_by(self, inventory: Inventory) -> None:
        """Show what can be counted at 0, while another replica counts."""
        self._metrics.set_passive(passive=True)
        self._metrics.set_inventory(inventory, inventory.services)

    def inventory_failed(self, message: str) -> None:
        """Show that the newest inventory is not in use."""
        log.error("inventory rejected", error=message)
        self._metrics.set_gauge(series.INVENTORY_OK, 0)
        self._metrics.count(series.INVENTORY_FAILURES)
        self._problems.problem("inventory", message)

    def probed(self, probe: Probe) -> None:
        """Judge and count a probe."""
        if probe.question.service == self._current.settings.log_probes:
            first = probe.answer.addresses[0] if probe.answer.addresses else None
            destination = UNKNOWN if first is None else self._owner(probe, first)
            log_probe(probe, destination, self._current.settings.domain)
        if not probe.decides:
            self._compare(probe)
            return
        verdict = self._verdicts.probed(probe, probe.ended)
        if verdict is None:
            return
        self._metrics.probed(probe, self._promises.hold(probe, verdict))
        for reply in probe.more:
            self._metrics.replied(probe, reply, self._owner(probe, reply.address))
        self._history.add(probe, verdict.destination)
        self._name_servers.looked_up(probe, verdict.destination)
        self._changes.probed(probe)
        for failover in verdict.failovers:
            self._moved(failover)
        if verdict.unstable:
            self._accelerate(probe.question.service)

    async def run(self, ticks: AsyncIterable[None]) -> None:
        """Settle at each of *ticks*. Without this stage a failover without a cause stays open."""
        async for _ in ticks:
            self.settle()

    def settle(self) -> None:
        """Report the failovers that waited for a cause and will wait no longer."""
        self.look()
        self._promises.settle()
        self._name_servers.settle()
        self._changes.settle()
        for failover in self._verdicts.settle():
            self._moved(failover)

    def _compare(self, probe: Probe) -> None:
        """Count a look-up that decides nothing."""
        inventory, answer = self.inventory, probe.answer
        service = None if inventory is None else inventory.services.get(probe.question.service)
        if service is None:
            return
        destination, failure = None, answer.failure
        if answer.addresses:
            destination = self._owner(probe, answer.addresses[0])
        name = probe.question.dns_name(self._current.settings.domain)
        if failure is None and probe.lookup is Lookup.SRV and not agrees(service, name, answer):
            failure = Failure.SRV_MISMATCH
        self._metrics.looked_up(probe, destination, failure)
        self._history.add(probe, destination)
        self._name_servers.looked_up(probe, destination)

    def _owner(self, probe: Probe, address: Address) -> str:
        return self._verdicts.owner(probe.question.service, address, probe.ended) or UNKNOWN

    def _moved(self, failover: Failover) -> None:
        self._metrics.moved(failover)
        self._history.moved(failover)
        self._changes.moved(failover)
