"""The parts of one exporter that know something, each given what it needs of the others."""

from collections.abc import Awaitable, Callable, Iterable

from exporter.accesslog.saver import Exposures
from exporter.commands.run.changes import Changes
from exporter.commands.run.clients import Clients
from exporter.commands.run.heartbeats import Heartbeats
from exporter.commands.run.history import ProbeHistory
from exporter.commands.run.leaks import Leaks
from exporter.commands.run.logs import LogMonitor
from exporter.commands.run.monitor import Monitor
from exporter.commands.run.monitor_settings import Current, MonitorSettings
from exporter.commands.run.name_servers import NameServers
from exporter.commands.run.page_data import PageData
from exporter.commands.run.problems import Problems
from exporter.commands.run.recent_requests import RecentRequests
from exporter.commands.run.scrape import Scrape
from exporter.commands.run.staleness import Staleness
from exporter.commands.run.standing import Standing
from exporter.commands.run.supervisor import Supervisor
from exporter.commands.run.upstreams import Upstreams
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.metrics.exposition import Exposition
from exporter.metrics.record import Metrics
from exporter.metrics.store import SeriesStore
from exporter.model.clusterset import Address, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Probe
from exporter.web.app import Pages
from exporter.web.page.render import page


class Parts:
    """
    The parts, for whoever starts them. No part is given this object.

    Args:
        settings: What judging and counting go by.
        logs: The titles of the log sources that are looked at before this exporter is ready.
        local: The cluster that this exporter runs in; empty if it is to be discovered.
        moment: Returns the time on both clocks.
        accelerate: Called with each service that should be probed more often for a while.
        tells_clusters: True if this shard also exports the series of clusters.
    """

    def __init__(
        self,
        settings: MonitorSettings,
        *,
        logs: Iterable[str] = (),
        local: str,
        moment: Callable[[], Moment],
        accelerate: Callable[[ServiceName], None],
        tells_clusters: bool = True,
    ) -> None:
        self._moment, self._clock = moment, lambda: moment().at
        self._current = current = Current(settings, local)
        self.store = SeriesStore(settings.series_limit)
        self.metrics = Metrics(self.store, local, tells_clusters=tells_clusters)
        self.verdicts = ServiceVerdicts(
            confirm=settings.confirm,
            pinned=settings.pinned,
            stale_after=settings.stale_after,
            graces_of=current.graces_of,
            policy_of=current.policy_of,
        )
        self.problems = Problems(lambda: moment().unix, self.metrics.found)
        self.heartbeats = Heartbeats(lambda: moment().unix)
        self.supervisor = Supervisor(
            self.heartbeats, restarted=self.metrics.stage_restarted, problems=self.problems
        )
        self.staleness = Staleness(self.verdicts.unseen, self.problems, self.metrics, moment)
        self.history = ProbeHistory()
        self.changes = Changes(self.verdicts, moment)
        self.recent = RecentRequests(self._clock)
        clients = Clients(current, self.verdicts, self.metrics, self.problems)
        self.monitor = self._make_monitor(clients, accelerate)
        self.leaks = self._make_leaks(clients)
        self.logs = self._make_logs(clients, logs)

    def _make_monitor(self, clients: Clients, accelerate: Callable[[ServiceName], None]) -> Monitor:
        return Monitor(
            self._current,
            verdicts=self.verdicts,
            metrics=self.metrics,
            budget=self.store.budget,
            problems=self.problems,
            history=self.history,
            clients=clients,
            name_servers=NameServers(self._current, self.verdicts, self.problems, self._clock),
            changes=self.changes,
            moment=self._moment,
            accelerate=accelerate,
        )

    def _make_leaks(self, clients: Clients) -> Leaks:
        return Leaks(
            self.verdicts,
            clients,
            self.metrics,
            recent=self.recent,
            clock=self._clock,
            look=self.monitor.look,
            leaked=self.changes.leaked,
        )

    def _make_logs(self, clients: Clients, titles: Iterable[str]) -> LogMonitor:
        return LogMonitor(
            titles,
            verdicts=self.verdicts,
            clients=clients,
            upstreams=Upstreams(self._current, self.verdicts, self._clock),
            leaks=self.leaks,
            metrics=self.metrics,
            problems=self.problems,
            moment=self._moment,
            look=self.monitor.look,
        )

    def owner_of(self, service: ServiceName, address: Address) -> str | None:
        """Return the cluster that *address* of *service* leads to now, None if nobody's."""
        return self.verdicts.owner(service, address, self._moment().at)

    def scrape(self, standing: Standing, exposures: Exposures | None = None) -> Scrape:
        """Return what makes the text of `/metrics`, and tells *exposures* of it."""
        exposition = Exposition(self.store)
        return Scrape(self.verdicts, self.metrics, exposition, standing, self._moment, exposures)

    def pages(
        self,
        scrape: Scrape,
        reload: Callable[[], Awaitable[str | None]],
        probe: Callable[[ServiceName], Awaitable[Probe | None]],
    ) -> Pages:
        """Return where the answers of the HTTP server come from."""
        data = self.page_data(scrape.standing)
        return Pages(
            metrics=scrape.render,
            asked=scrape.asked,
            status=data.status,
            page=page,
            not_ready=data.not_ready,
            hung=self.heartbeats.silent,
            reload=reload,
            probes=data.probes,
            probe=probe,
            shown=data.probe,
        )

    def page_data(self, standing: Standing) -> PageData:
        """Return what the page and the JSON API are made from."""
        return PageData(
            self._current,
            verdicts=self.verdicts,
            metrics=self.metrics,
            problems=self.problems,
            history=self.history,
            recent=self.recent,
            logs=self.logs,
            standing=standing,
            moment=self._moment,
        )
