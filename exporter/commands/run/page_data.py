"""What the page and the JSON API show, as dictionaries."""

from collections.abc import Callable, Mapping
from typing import Any

from exporter import __version__
from exporter.commands.run.history import ProbeHistory
from exporter.commands.run.logs import LogMonitor
from exporter.commands.run.monitor_settings import Current
from exporter.commands.run.problems import Problems
from exporter.commands.run.recent_requests import RecentRequests
from exporter.commands.run.standing import Standing
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.metrics.record import Metrics
from exporter.model.clusterset import UNKNOWN, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Probe
from exporter.web import status
from exporter.web.probes import shown


class PageData:
    """
    Puts together what the page and the JSON API show.

    Args:
        current: The settings in use and the local cluster.
        verdicts: The inventory, and how each service stands.
        metrics: What was counted since the start.
        problems: What hinders.
        history: The newest probes and failovers.
        recent: The client requests of the last minutes.
        logs: The lines that were read, and the logs that were not looked at yet.
        standing: The API server and leadership.
        moment: Returns the time on both clocks.
    """

    def __init__(
        self,
        current: Current,
        *,
        verdicts: ServiceVerdicts,
        metrics: Metrics,
        problems: Problems,
        history: ProbeHistory,
        recent: RecentRequests,
        logs: LogMonitor,
        standing: Standing,
        moment: Callable[[], Moment],
    ) -> None:
        self._current, self._verdicts, self._metrics = current, verdicts, metrics
        self._problems, self._history, self._logs = problems, history, logs
        self._standing, self._moment, self._recent = standing, moment, recent
        self._started = moment().unix

    def not_ready(self) -> str | None:
        """Return why there is nothing to scrape yet, or None."""
        if waiting := self._standing.waits_for():
            return waiting
        leads, _ = self._standing.leadership() or (True, "")
        if not leads:
            return None
        if self._verdicts.inventory is None:
            return "the inventory has not been read yet"
        if self._logs.unread:
            return f"logs have not been looked at yet: {', '.join(sorted(self._logs.unread))}"
        return None

    async def status(self) -> Mapping[str, Any]:
        """Return what the page and `/api/v1/status` show; other work runs in between."""
        now, not_ready = self._moment(), self.not_ready()
        leads, leader = self._standing.leadership() or (True, None)
        settings = self._current.settings
        return {
            "cluster": self._current.local,
            "version": __version__,
            "now": now.unix,
            "started": self._started,
            "ready": not_ready is None,
            "not_ready_reason": not_ready,
            "dashboard_url": settings.dashboard_url,
            "runbook_url": settings.runbook_url,
            "leader": leader,
            "leading": leads,
            "problems": list(self._problems.shown(self._standing.watches())),
            **await status.status(
                inventory=self._verdicts.inventory,
                views=self._verdicts.views(now.at),
                requests=self._metrics.requests(),
                recent=self._recent.sums(),
                lookups=self._metrics.lookups(),
                failovers=self._history.failovers,
                failed=self._history.failed,
                lines=self._logs.lines,
                domain=settings.domain,
                now=now,
            ),
        }

    def probes(self, service: ServiceName | None) -> dict[str, Any] | None:
        """Return the newest probes with every step, of *service* or of all; None if unknown."""
        history, inventory = self._history, self._verdicts.inventory
        more = {} if service is None else {"answer_changes": history.changes[service]}
        if service is None:
            seen = history.newest()
        elif inventory is not None and service in inventory.services:
            seen = history.of(service)
        else:
            return None
        domain = self._current.settings.domain
        return {"probes": [shown(probe, owner, domain) for probe, owner in seen], **more}

    def probe(self, probe: Probe) -> dict[str, Any]:
        """Return a probe that was asked for by hand, with every step; it counts nowhere."""
        addresses = probe.answer.addresses
        destination = None
        if addresses:
            owner = self._verdicts.owner(probe.question.service, addresses[0], probe.ended)
            destination = owner or UNKNOWN
        return shown(probe, destination, self._current.settings.domain)
