"""What each stage's output sets off in the next: where inventory, probes, logs, verdicts meet."""

import asyncio
import platform
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from exporter import __version__
from exporter.accesslog.readers.files import Poll
from exporter.commands.run.problems import ProblemGroup, Problems
from exporter.config.probe_settings import ProbeSettings
from exporter.config.settings import Settings
from exporter.judge.attribute import Attribution
from exporter.judge.calibrate import Calibration
from exporter.judge.locality import LEAKS, Graces
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.judge.services import agrees
from exporter.metrics import families as series
from exporter.metrics.exposition import Exposition
from exporter.metrics.record import Metrics
from exporter.metrics.store import SeriesStore
from exporter.model.clusterset import UNKNOWN, Address, Inventory, Network, ServiceName
from exporter.model.probes import Failure, Lookup, Probe, Question, Record
from exporter.model.traffic import Client, Hits, LogCounts, ProbeHit
from exporter.model.verdicts import Failover, Locality, Mode, Policy
from exporter.probe.identity import Forgery, IdentityChecker
from exporter.web import status
from exporter.web.probes import ProbeLog, shown

if TYPE_CHECKING:
    from exporter.model.watches import Watch

log = structlog.get_logger()

VIEWS_A_TURN = 20
"""Services whose gauges are set between two turns of the event loop: about 1 ms of work."""

LEAK_SETTLES = 5.0
"""Seconds for which a hit that looks like a leak waits before it is counted. Another cluster
knows its own change, and its name server answers accordingly, before this cluster learns of
it."""
MAX_DOUBTFUL = 10_000
"""Such hits that wait at once, each for all of a client's hits in one block."""
SECOND = 1.0
ASLEEP_AFTER = 5.0
"""Seconds without a turn of `settle` after which this exporter was asleep: stopped, or starved."""
STALE_INTERVALS = 3
"""Intervals without a probe after which nothing is said of a service: this exporter was asleep."""

Accelerate = Callable[[ServiceName], None]


class Monitor:
    """
    All that one exporter knows, and what it does when it learns something.

    Args:
        settings: The configuration in use; `configure` replaces it.
        logs: What the log sources are called that are looked at before this is ready.
        local: The cluster that this exporter runs in.
        key: What probes are signed with, if there is a key.
        moment: Tells the time on both clocks.
        accelerate: Called with each service that is worth a closer look.
        tells_clusters: Whether what is no service's is told here, or by another shard.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        logs: Iterable[str] = (),
        local: str,
        key: bytes | None,
        moment: Callable[[], status.Moment],
        accelerate: Accelerate,
        tells_clusters: bool = True,
    ) -> None:
        self.local = local
        self._moment = moment
        self._accelerate = accelerate
        self.watches: Callable[[], Iterable[Watch]] = tuple
        """Tells how the watched resources of the API server stand."""
        self.authentication_errors: Callable[[], int] = int
        """Returns how often the API server refused our credentials."""
        self.waits_for: Callable[[], str] = str
        """Tells what there has to be before there can be an inventory."""
        self.leadership: Callable[[], tuple[bool, str] | None] = lambda: None
        """Tells whether this replica works, and who does; None if there is only this one."""
        self._started = moment()
        self._settled = self._started.at
        self._modes: dict[ServiceName, Mode] = {}
        self._history = status.History()
        self._probes = ProbeLog()
        self._lines: LogCounts | None = None
        self._fresh: set[str] = set()
        self._doubtful: deque[_Hit] = deque()
        self._unread = set(logs)
        self._attribution: Attribution | None = None
        self._identities = IdentityChecker(key)
        self._calibration = Calibration()
        self.store = SeriesStore(settings.limits.series)
        self._exposition = Exposition(self.store)
        self.metrics = Metrics(self.store, local, tells_clusters=tells_clusters)
        self.problems = Problems(lambda: moment().unix, self.metrics.found)
        self.problem, self.solved = self.problems.problem, self.problems.solved
        self.found, self.problem_group = self.problems.found, partial(ProblemGroup, self.problems)
        for reason in Forgery:
            self.metrics.count(series.FORGERIES, (reason,), 0)
        self.metrics.set_gauge(series.BUILD_INFO, 1, (__version__, platform.python_version()))
        self.state = ServiceVerdicts(
            confirm=settings.probe.confirm,
            pinned=settings.probe.pinned,
            stale_after=_stale_after(settings.probe),
            graces_of=self._graces_of,
            policy_of=self._policy_of,
        )
        self._settings = settings
        self.configure(settings, key)

    def identified(self, local: str, source: str) -> None:
        """Take *local* for the cluster that this runs in, as *source* says."""
        self.local = local
        self.metrics.identified(local, source)

    def observation_gap(self, since: float) -> None:
        """Remember that changes since then, on the monotonic clock, are seen only now."""
        self.state.observation_gap(since, self._moment().at)

    @property
    def inventory(self) -> Inventory | None:
        """The inventory in use, or None before the first."""
        return self.state.inventory

    def configure(self, settings: Settings, key: bytes | None) -> None:
        """Take a configuration into use; what is known already stays."""
        self._settings = settings
        self._identities.key = key
        self.store.budget.limit = settings.limits.series
        self.metrics.configure(
            pinned=settings.probe.pinned,
            lookups=settings.compared,
            replies=lambda service: settings.probe.for_service(service).replies,
        )
        self.state.configure(
            confirm=settings.probe.confirm,
            pinned=settings.probe.pinned,
            stale_after=_stale_after(settings.probe),
            record=Record(settings.probe.record),
        )
        self.metrics.set_gauge(series.CONFIG_RELOAD_OK, 1)
        self.metrics.set_gauge(series.CONFIG_RELOAD_TIME, self._moment().unix)
        self.solved("configuration")
        if self.inventory is not None:
            self.inventory_changed(self.inventory)

    def configuration_failed(self, message: str) -> None:
        """Remember that the newest configuration is not in use."""
        self.metrics.set_gauge(series.CONFIG_RELOAD_OK, 0)
        self.problem("configuration", message)

    def inventory_changed(self, inventory: Inventory) -> None:
        """Take a new inventory into use."""
        now, first = self._moment(), self.inventory is None
        changed = self.state.set_inventory(inventory, now.at)
        proxies = self._settings.attribution.trusted_proxies
        self._attribution = Attribution(inventory, [proxy.network for proxy in proxies])
        self._tell_conflicts(self._attribution.conflicts)
        self.metrics.set_inventory(inventory, changed)
        self._probes.keep(inventory.services)
        self.metrics.set_gauge(series.INVENTORY_OK, 1)
        self.metrics.set_gauge(series.INVENTORY_TIME, now.unix)
        self.solved("inventory")
        for service in () if first else changed:
            log.info("inventory changed", service=str(service))
            self._accelerate(service)

    def inventory_failed(self, message: str) -> None:
        """Remember that the newest inventory is not in use."""
        log.error("inventory not taken", error=message)
        self.metrics.set_gauge(series.INVENTORY_OK, 0)
        self.metrics.count(series.INVENTORY_FAILURES)
        self.problem("inventory", message)

    def probed(self, probe: Probe) -> None:
        """Judge and count a probe."""
        if not probe.decides:
            self._compare(probe)
            return
        verdict = self.state.probed(probe, probe.ended)
        if verdict is None:
            return
        self.metrics.probed(probe, verdict)
        for reply in probe.more:
            self.metrics.replied(probe, reply, self._owner(probe, reply.address))
        self._history.add(probe, verdict.destination)
        self._probes.add(probe, verdict.destination)
        self._tell(probe)
        for failover in verdict.failovers:
            self._moved(failover)
        if verdict.unstable:
            self._accelerate(probe.question.service)

    def _compare(self, probe: Probe) -> None:
        """Count a look-up that decides nothing."""
        inventory, answer = self.inventory, probe.answer
        service = None if inventory is None else inventory.services.get(probe.question.service)
        if service is None:
            return
        destination, failure = None, answer.failure
        if answer.addresses:
            destination = self._owner(probe, answer.addresses[0])
        name = probe.question.dns_name(self._settings.clusterset_domain)
        if failure is None and probe.lookup is Lookup.SRV and not agrees(service, name, answer):
            failure = Failure.SRV_MISMATCH
        self.metrics.looked_up(probe, destination, failure)
        self._probes.add(probe, destination)

    def _owner(self, probe: Probe, address: Address) -> str:
        inventory = self.inventory
        service = None if inventory is None else inventory.services.get(probe.question.service)
        return (service and service.owner_of(address)) or UNKNOWN

    def logged(
        self, source: str, counts: LogCounts, by_second: Callable[[], LogCounts] = LogCounts
    ) -> None:
        """
        Judge and count what the access logs of the source called *source* say.

        Args:
            source: What the log source is called.
            counts: Of some lines.
            by_second: Counts the same lines again with the clients of each second apart; asked if
                something changed while they were written.
        """
        self.metrics.logged(source, counts)
        self._sum(counts)
        now = self._moment()
        if counts.last is not None:
            self._fresh.add(source)
            lag = max(0.0, now.unix - counts.last)
            self.metrics.set_gauge(series.LOG_SECONDS_BEHIND, lag, (source,))
        clients = counts.clients
        if not all(self._is_steady(client, counts, now) for client in clients):
            clients = by_second().clients or clients
        for client, hits in clients.items():
            if self._is_known(client.service):
                start, end = _span(client, counts, now)
                self._hit(_Hit(client, hits, start, end, now.at))
        for hit in counts.probes:
            if self.inventory is not None and self._is_known(hit.service):
                self._probe_hit(hit, self.inventory, now.unix)

    def settle(self) -> None:
        """Count what waited to be known better: what looked like leaks, moves without a cause."""
        now = self._moment().at
        if now - self._settled > ASLEEP_AFTER:
            log.warning("was asleep", seconds=round(now - self._settled, 1))
            self.state.observation_gap(self._settled, now)
        self._settled = now
        for failover in self.state.settle():
            self._moved(failover)
        while self._doubtful and self._doubtful[0].read <= now - LEAK_SETTLES:
            hit = self._doubtful.popleft()
            if self._is_known(hit.client.service):
                self._count(hit, self._locality(hit, hit.end + LEAK_SETTLES))

    def _hit(self, hit: "_Hit") -> None:
        locality = self._locality(hit, hit.end)
        doubtful = locality in LEAKS
        if doubtful and len(self._doubtful) < MAX_DOUBTFUL:
            self._doubtful.append(hit)
        else:
            self._count(hit, locality)

    def _locality(self, hit: "_Hit", end: float) -> Locality:
        client = hit.client
        return self.state.locality(
            client.service, client.source, hit.start, end, pinned=client.pinned
        )

    def _count(self, hit: "_Hit", locality: Locality) -> None:
        service, source = hit.client.service, hit.client.source
        if locality in LEAKS and not self._calibration.trusts(source):
            # A false leak is worse than none: somebody is paged by it.
            self.metrics.withheld(service, source, hit.hits.requests)
            locality = Locality.UNKNOWN
        self.metrics.hit(service, source, locality, hit.hits)

    def _is_steady(self, client: Client, counts: LogCounts, now: status.Moment) -> bool:
        start, end = _span(client, counts, now)
        return self.state.is_steady(client.service, client.source, start, end)

    def polled(self, source: str, poll: Poll) -> None:
        """Count what happened to the files of the log source called *source*."""
        self._unread.discard(source)
        if source not in self._fresh:
            self.metrics.set_gauge(series.LOG_SECONDS_BEHIND, 0, (source,))
        self._fresh.discard(source)
        self.metrics.set_gauge(series.LOG_BEHIND, poll.behind, (source,))
        self.metrics.count(series.LOG_ROTATIONS, (source,), poll.rotations)
        self.metrics.count(series.LOG_TRUNCATIONS, (source,), poll.truncations)
        self.metrics.count(series.LOG_ERRORS, (source,), len(poll.errors))
        self.metrics.count(series.CHECKPOINT_FAILURES, (source,), 0)
        self.metrics.count(series.LOG_LINES, (source, "partial"), poll.partial)
        self.truncated(source, poll.truncated)
        for error in poll.errors:
            log.error("log not read", error=error)
        if poll.troubled:
            self.problem(f"log {source}", "; ".join(poll.troubled))
        else:
            self.solved(f"log {source}")

    def received(self, source: str, dropped: int, truncated: int) -> None:
        """Count what was lost of the syslog messages of the source called *source*."""
        self._unread.discard(source)
        self.metrics.count(series.LOG_DROPS, (source,), dropped)
        self.truncated(source, truncated)

    def truncated(self, source: str, lines: int) -> None:
        """Count lines that were too long."""
        counts = LogCounts(read=lines, truncated=lines)
        self.metrics.logged(source, counts)
        self._sum(counts)

    def log_failed(self, source: str, message: str) -> None:
        """Remember that a log source cannot be read at all."""
        self._unread.discard(source)
        log.error("log not read", error=f"{source}: {message}")
        self.metrics.count(series.LOG_ERRORS, (source,))
        self.problem(f"log {source}", message)

    def checkpoint_failed(self, source: str, message: str) -> None:
        """Remember that places in logs are not kept, or not found again."""
        if not self.problems.is_shown(f"checkpoint of {source}", message):
            log.error("checkpoint not used or written", error=message)
        self.metrics.count(series.CHECKPOINT_FAILURES, (source,))
        self.problem(f"checkpoint of {source}", message)

    def pod_log_read(self, source: str, *, requests: int, repeated: int, unstamped: int) -> None:
        """Count what it took to follow a pod log since the last report."""
        self.metrics.pod_log_read(source, requests=requests, repeated=repeated, unstamped=unstamped)

    def pods_followed(self, number: int) -> None:
        """Take in how many logs of pods are followed now."""
        self.metrics.set_gauge(series.PODS_FOLLOWED, number)

    def log_gone(self, source: str) -> None:
        """Forget a log source."""
        self._unread.discard(source)
        self.metrics.log_gone(source)
        self.solved(f"log {source}")
        self.solved(f"checkpoint of {source}")

    def service_of(self, host: str, fixed: ServiceName | None) -> tuple[ServiceName, bool] | None:
        """
        Return the service that a request was for, and whether its host names this cluster.

        Args:
            host: The request's host, empty if it was not logged.
            fixed: The service that the log belongs to; None if the host has to tell.
        """
        asked = Question.of_name(host, self._settings.clusterset_domain)
        if asked is None:
            return None if fixed is None else (fixed, False)
        pinned = asked.pinned == self.local
        if fixed is not None:
            return fixed, pinned and asked.service == fixed
        known = self.inventory is not None and asked.service in self.inventory.services
        return (asked.service, pinned) if known else None

    def source_of(self, remote: str, forwarded: str) -> str:
        """Return the cluster that a client address belongs to, by the inventory in use."""
        if self._attribution is None:
            msg = "a log was read before there was an inventory"
            raise RuntimeError(msg)
        return self._attribution.source(remote, forwarded)

    def not_ready(self) -> str | None:
        """Return why there is nothing to scrape yet, or None."""
        if waiting := self.waits_for():
            return waiting
        leads, _ = self.leadership() or (True, "")
        if not leads:
            return None
        if self.inventory is None:
            return "the inventory has not been read yet"
        if self._unread:
            return f"logs have not been looked at yet: {', '.join(sorted(self._unread))}"
        return None

    async def render(self, openmetrics: bool) -> AsyncGenerator[bytes, None]:
        """Yield the text of `/metrics` in pieces; others get their turn between them."""
        for n, view in enumerate(self.state.views(self._moment().at)):
            self.metrics.show(view)
            if n % VIEWS_A_TURN == 0:
                await asyncio.sleep(0)
        self.metrics.watched(self.watches())
        errors = self.authentication_errors()
        self.metrics.set_gauge(series.AUTHENTICATION_ERRORS, errors)
        if (leadership := self.leadership()) is not None:
            self.metrics.set_gauge(series.LEADER, float(leadership[0]))
        self.metrics.measure_store()
        async for piece in self._exposition.stream(openmetrics=openmetrics):
            yield piece

    def status(self) -> Mapping[str, Any]:
        """Return what the page and `/api/v1/status` show."""
        now, not_ready = self._moment(), self.not_ready()
        leads, leader = self.leadership() or (True, None)
        return {
            "cluster": self.local,
            "version": __version__,
            "now": now.unix,
            "started": self._started.unix,
            "ready": not_ready is None,
            "not_ready_reason": not_ready,
            "dashboard_url": self._settings.dashboard_url,
            "leader": leader,
            "leading": leads,
            "problems": list(self.problems.shown(self.watches())),
            **status.status(
                inventory=self.inventory,
                views=self.state.views(now.at),
                requests=self.metrics.requests(),
                lookups=self.metrics.lookups(),
                history=self._history,
                lines=self._lines,
                domain=self._settings.clusterset_domain,
                now=now,
            ),
        }

    def probes(self, service: ServiceName | None) -> dict[str, Any] | None:
        """Return the newest probes with every step, of *service* or of all; None if unknown."""
        more = {} if service is None else {"answer_changes": self._probes.changes[service]}
        if service is None:
            seen = self._probes.newest()
        elif self.inventory is not None and service in self.inventory.services:
            seen = self._probes.of(service)
        else:
            return None
        domain = self._settings.clusterset_domain
        return {"probes": [shown(probe, owner, domain) for probe, owner in seen], **more}

    def probe(self, probe: Probe) -> dict[str, Any]:
        """Return a probe that was asked for by hand, with every step; it counts nowhere."""
        addresses = probe.answer.addresses
        destination = self._owner(probe, addresses[0]) if addresses else None
        return shown(probe, destination, self._settings.clusterset_domain)

    def _is_known(self, service: ServiceName) -> bool:
        if self.inventory is not None and service in self.inventory.services:
            self.solved(f"service {service}")
            return True
        message = f"{service} has an access log here and is not in the inventory: not counted"
        self.problem(f"service {service}", message)
        return False

    def _sum(self, counts: LogCounts) -> None:
        self._lines = self._lines or LogCounts()
        for name in ("read", "access", "other", "ignored", "truncated"):
            setattr(self._lines, name, getattr(self._lines, name) + getattr(counts, name))

    def _policy_of(self, service: ServiceName) -> Policy:
        return self._settings.probe.for_service(service).policy

    def _graces_of(self, service: ServiceName) -> Graces:
        grace = self._settings.probe.for_service(service).leak_grace or self._settings.leak_grace
        return Graces(leak=grace, export=self._settings.export_grace)

    def _tell(self, probe: Probe) -> None:
        service = probe.question.service
        mode = self.state.mode(service)
        if self._modes.get(service, Mode.UNKNOWN) is not mode:
            log.info("mode changed", service=str(service), mode=mode, why=probe.failure)
            self._modes[service] = mode

    def _moved(self, failover: Failover) -> None:
        self.metrics.moved(failover)
        self._history.moved(failover)
        log.info(
            "failover",
            service=str(failover.service),
            from_cluster=failover.from_cluster,
            to_cluster=failover.to_cluster,
            reason=failover.reason,
            **{f"{stage}_seconds": round(s, 3) for stage, s in failover.durations.items()},
        )

    def _tell_conflicts(self, conflicts: Mapping[Network, frozenset[str]]) -> None:
        what = "address ranges"
        message = "; ".join(
            f"{network} is claimed by {' and '.join(sorted(clusters))}, so its addresses belong "
            "to none"
            for network, clusters in conflicts.items()
        )
        if not message:
            self.solved(what)
            return
        if not self.problems.is_shown(what, message):
            log.error("attribution", error=message)
        self.problem(what, message)

    def _probe_hit(self, hit: ProbeHit, inventory: Inventory, unix: float) -> None:
        origin = self._identities.read(hit.user_agent, now_unix=unix, clusters=inventory.clusters)
        if isinstance(origin, Forgery):
            self.metrics.forged(origin)
            return
        if origin.verified:
            self._calibration.saw(origin.cluster, hit.source)
            for cluster in {origin.cluster, hit.source}:
                self.metrics.agreed(cluster, self._calibration.agreement(cluster))
        self.metrics.probe_hit(
            hit.service, claimed=origin.cluster, attributed=hit.source, verified=origin.verified
        )


@dataclass(frozen=True, slots=True)
class _Hit:
    """Hits of one client, and when they were served, on the monotonic clock."""

    client: Client
    hits: Hits
    start: float
    end: float
    read: float


def _stale_after(probe: ProbeSettings) -> float:
    return STALE_INTERVALS * probe.longest_interval + probe.timeout


def _span(client: Client, counts: LogCounts, now: status.Moment) -> tuple[float, float]:
    """Return when a client's hits were served: nginx cuts seconds off, clocks may be ahead."""
    first = counts.first if client.at is None else client.at
    last = counts.last if client.at is None else client.at
    if first is None or last is None:
        return now.at, now.at
    offset = now.at - now.unix
    start, end = first + offset, last + offset + SECOND
    return min(start, now.at), min(end, now.at)
