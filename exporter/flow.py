"""What each stage's output sets off in the next: where inventory, probes, logs, verdicts meet."""

import asyncio
import platform
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_text

from exporter import __version__
from exporter.accesslog.follow import Poll
from exporter.expose import series, status
from exporter.expose.metrics import Metrics
from exporter.expose.render import Registry
from exporter.judge.attribute import Attribution
from exporter.judge.locality import Graces
from exporter.judge.state import State
from exporter.model import Inventory, Judged, LogCounts, Mode, Policy, Probe, ProbeHit, ServiceName
from exporter.probe.origin import Forgery, Origins
from exporter.settings import Settings

log = structlog.get_logger()

VIEWS_A_TURN = 50
"""Services whose gauges are set between two turns of the event loop: about 1 ms of work."""

Hurry = Callable[[ServiceName], None]


class Flow:
    """
    All that one exporter knows, and what it does when it learns something.

    Args:
        settings: The configuration in use; `configure` replaces it.
        local: The cluster that this exporter runs in.
        key: What probes are signed with, if there is a key.
        moment: Tells the time on both clocks.
        hurry: Called with each service that is worth a closer look.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        local: str,
        key: bytes | None,
        moment: Callable[[], status.Moment],
        hurry: Hurry,
    ) -> None:
        self.local = local
        self._moment = moment
        self._hurry = hurry
        self._started = moment()
        self._problems: dict[str, tuple[str, float]] = {}
        self._modes: dict[ServiceName, Mode] = {}
        self._history = status.History()
        self._lines: LogCounts | None = None
        self._behind: dict[str, int] = {}
        self._unread = {entry.title for entry in settings.logs}
        self._attribution: Attribution | None = None
        self._origins = Origins(key)
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        self.registry = Registry(settings.limits.series)
        self.metrics = Metrics(self.registry, local)
        self.metrics.note(series.BUILD_INFO, 1, (__version__, platform.python_version()))
        self.state = State(policy_of=self._policy_of, **_judging(settings))
        self._settings = settings
        self.configure(settings, key)

    @property
    def inventory(self) -> Inventory | None:
        """The inventory in use, or None before the first."""
        return self.state.inventory

    def configure(self, settings: Settings, key: bytes | None) -> None:
        """Take a configuration into use; what is known already stays."""
        self._settings = settings
        self._origins.key = key
        self.registry.room.limit = settings.limits.series
        self.metrics.configure(pinned=settings.probe.pinned)
        self.state.configure(**_judging(settings))
        self.metrics.note(series.CONFIG_RELOAD_OK, 1)
        self.metrics.note(series.CONFIG_RELOAD_TIME, self._moment().unix)
        self.solved("configuration")
        if self.inventory is not None:
            self.inventory_changed(self.inventory)

    def configuration_failed(self, message: str) -> None:
        """Remember that the newest configuration is not in use."""
        self.metrics.note(series.CONFIG_RELOAD_OK, 0)
        self.problem("configuration", message)

    def inventory_changed(self, inventory: Inventory) -> None:
        """Take a new inventory into use."""
        now, first = self._moment(), self.inventory is None
        changed = self.state.set_inventory(inventory, now.at)
        proxies = self._settings.attribution.trusted_proxies
        self._attribution = Attribution(inventory, [proxy.network for proxy in proxies])
        self.metrics.set_inventory(inventory, changed)
        self.metrics.note(series.INVENTORY_OK, 1)
        self.metrics.note(series.INVENTORY_TIME, now.unix)
        self.solved("inventory")
        for service in () if first else changed:
            log.info("inventory changed", service=str(service))
            self._hurry(service)

    def inventory_failed(self, message: str) -> None:
        """Remember that the newest inventory is not in use."""
        log.error("inventory not taken", error=message)
        self.metrics.note(series.INVENTORY_OK, 0)
        self.metrics.count(series.INVENTORY_FAILURES)
        self.problem("inventory", message)

    def probed(self, probe: Probe) -> None:
        """Judge and count a probe."""
        judged = self.state.probed(probe, self._moment().at)
        if judged is None:
            return
        self.metrics.probed(probe, judged)
        self._history.add(probe, judged)
        self._tell(probe, judged)
        if judged.restless:
            self._hurry(probe.question.service)

    def logged(self, service: ServiceName, counts: LogCounts) -> None:
        """Judge and count what a service's access log says."""
        self.metrics.logged(counts)
        self._sum(counts)
        if self.inventory is None or service not in self.inventory.services:
            message = f"{service} has an access log here and is not in the inventory: not counted"
            self.problem(f"service {service}", message)
            return
        self.solved(f"service {service}")
        now = self._moment()
        for source, hits in counts.clients.items():
            self.metrics.hit(service, source, self.state.locality(service, source, now.at), hits)
        for hit in counts.probes:
            self._probe_hit(service, hit, self.inventory, now.unix)

    def polled(self, source: str, poll: Poll) -> None:
        """Count what happened to the files of a log source, called *source*."""
        self._behind[source] = poll.behind
        self._unread.discard(source)
        self.metrics.note(series.LOG_BEHIND, sum(self._behind.values()))
        self.metrics.count(series.LOG_ROTATIONS, (), poll.rotations)
        self.metrics.count(series.LOG_TRUNCATIONS, (), poll.truncations)
        self.metrics.count(series.LOG_ERRORS, (), len(poll.errors))
        self.metrics.logged(LogCounts(read=poll.truncated, truncated=poll.truncated))
        self._sum(LogCounts(read=poll.truncated, truncated=poll.truncated))
        for error in poll.errors:
            log.error("log not read", error=error)
        if poll.troubled:
            self.problem(f"log {source}", "; ".join(poll.troubled))
        else:
            self.solved(f"log {source}")

    def log_gone(self, source: str) -> None:
        """Forget a log source."""
        self._behind.pop(source, None)
        self._unread.discard(source)
        self.solved(f"log {source}")

    def source_of(self, remote: str, forwarded: str) -> str:
        """Return the cluster that a client address belongs to, by the inventory in use."""
        if self._attribution is None:
            msg = "a log was read before there was an inventory"
            raise RuntimeError(msg)
        return self._attribution.source(remote, forwarded)

    def problem(self, what: str, message: str) -> None:
        """Show a problem until it is solved."""
        _, since = self._problems.get(what, ("", self._moment().unix))
        self._problems[what] = (message, since)

    def solved(self, what: str) -> None:
        """Show it no longer."""
        self._problems.pop(what, None)

    def not_ready(self) -> str | None:
        """Return why there is nothing to scrape yet, or None."""
        if self.inventory is None:
            return "the inventory has not been read yet"
        if self._unread:
            return f"logs have not been looked at yet: {', '.join(sorted(self._unread))}"
        return None

    async def render(self, openmetrics: bool) -> AsyncIterator[bytes]:
        """Yield the text of `/metrics` in pieces; others get their turn between them."""
        for n, view in enumerate(self.state.views()):
            self.metrics.show(view)
            if n % VIEWS_A_TURN == 0:
                await asyncio.sleep(0)
        self.metrics.note(series.SERIES, self.registry.room.used)
        self.metrics.note(series.SERIES_LIMIT, self.registry.room.limit)
        dropped = self.registry.room.dropped - self.registry.series[series.SERIES_DROPPED].get(())
        self.metrics.count(series.SERIES_DROPPED, (), dropped)
        for piece in self.registry.pieces(openmetrics=openmetrics):
            yield piece.encode()
            await asyncio.sleep(0)
        generate: Callable[[CollectorRegistry], bytes] = (
            openmetrics_text if openmetrics else generate_latest
        )
        # It reads files of /proc.
        yield await asyncio.to_thread(generate, self._process)

    def status(self) -> Mapping[str, Any]:
        """Return what the page and `/api/v1/status` show."""
        now, not_ready = self._moment(), self.not_ready()
        return {
            "cluster": self.local,
            "version": __version__,
            "now": now.unix,
            "started": self._started.unix,
            "ready": not_ready is None,
            "not_ready_reason": not_ready,
            "problems": [
                {"what": what, "message": message, "since": since}
                for what, (message, since) in self._problems.items()
            ],
            **status.status(
                inventory=self.inventory,
                views=self.state.views(),
                requests=self.metrics.requests(),
                history=self._history,
                lines=self._lines,
                domain=self._settings.clusterset_domain,
                now=now,
            ),
        }

    def _sum(self, counts: LogCounts) -> None:
        self._lines = self._lines or LogCounts()
        for name in ("read", "access", "other", "ignored", "truncated"):
            setattr(self._lines, name, getattr(self._lines, name) + getattr(counts, name))

    def _policy_of(self, service: ServiceName) -> Policy:
        return self._settings.probe.for_service(service).policy

    def _tell(self, probe: Probe, judged: Judged) -> None:
        service = probe.question.service
        mode = self.state.mode(service)
        if self._modes.get(service, Mode.UNKNOWN) is not mode:
            log.info("mode changed", service=str(service), mode=mode, why=probe.failure)
            self._modes[service] = mode
        if judged.failover is not None:
            moved = judged.failover
            log.info(
                "failover",
                service=str(service),
                from_cluster=moved.from_cluster,
                to_cluster=moved.to_cluster,
                reason=moved.reason,
                **{f"{stage}_seconds": round(s, 3) for stage, s in moved.durations.items()},
            )

    def _probe_hit(
        self, service: ServiceName, hit: ProbeHit, inventory: Inventory, unix: float
    ) -> None:
        origin = self._origins.read(hit.user_agent, now_unix=unix, clusters=inventory.clusters)
        if isinstance(origin, Forgery):
            self.metrics.forged(origin)
            return
        self.metrics.probe_hit(
            service, claimed=origin.cluster, attributed=hit.source, verified=origin.verified
        )


def _judging(settings: Settings) -> dict[str, Any]:
    return {
        "confirm": settings.probe.confirm,
        "pinned": settings.probe.pinned,
        "graces": Graces(leak=settings.leak_grace, export=settings.export_grace),
    }
