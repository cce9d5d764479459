"""The newest probes and failovers, kept for the page and the JSON API, and bounded."""

from collections import Counter, deque
from collections.abc import Iterable

from exporter.model.clusterset import Address, ServiceName
from exporter.model.probes import Probe
from exporter.model.verdicts import Failover

KEPT_FAILOVERS = 20
KEPT_FAILURES = 50
KEPT = 10
"""Probes of each service that are kept, if services are few."""
KEPT_IN_ALL = 3000
"""Probes that are kept: each is about a kilobyte."""
LEAST_KEPT = 2
NEWEST = 100
"""Probes of all services together that are shown."""

SeenProbe = tuple[Probe, str | None]
"""A probe, and the cluster that its answer points to."""


class ProbeHistory:
    """
    The newest probes of each service, the newest failed ones of all, and the newest failovers.

    Attributes:
        failovers: The newest first.
        failed: The newest first.
        changes: How often the answer for a plain name differed from the one before.
    """

    def __init__(self) -> None:
        self.failovers: deque[Failover] = deque(maxlen=KEPT_FAILOVERS)
        self.failed: deque[SeenProbe] = deque(maxlen=KEPT_FAILURES)
        self.changes: Counter[ServiceName] = Counter()
        self._probes: dict[ServiceName, tuple[SeenProbe, ...]] = {}
        self._places = KEPT
        self._answers: dict[ServiceName, tuple[Address, ...]] = {}

    def add(self, probe: Probe, destination: str | None) -> None:
        """Keep a probe whose answer points to *destination*."""
        self._compare(probe)
        service = probe.question.service
        kept = self._probes.get(service, ())
        self._probes[service] = ((probe, destination), *kept[: self._places - 1])
        if probe.decides and probe.failure is not None:
            self.failed.appendleft((probe, destination))

    def moved(self, failover: Failover) -> None:
        """Keep a failover."""
        self.failovers.appendleft(failover)

    def keep(self, services: Iterable[ServiceName]) -> None:
        """Forget the probes of all other services, and keep fewer of each if they are many."""
        wanted = set(services)
        self._places = max(LEAST_KEPT, min(KEPT, KEPT_IN_ALL // max(1, len(wanted))))
        for gone in self._probes.keys() - wanted:
            del self._probes[gone]
            self._answers.pop(gone, None)
            self.changes.pop(gone, None)

    def of(self, service: ServiceName) -> list[SeenProbe]:
        """Return the newest probes of *service*, the newest first."""
        return list(self._probes.get(service, ()))

    def newest(self) -> list[SeenProbe]:
        """Return the newest probes of all services, the newest first."""
        every = [seen for kept in self._probes.values() for seen in kept]
        return sorted(every, key=lambda seen: seen[0].unix, reverse=True)[:NEWEST]

    def _compare(self, probe: Probe) -> None:
        service, addresses = probe.question.service, probe.answer.addresses
        if not probe.decides or probe.question.pinned is not None or not addresses:
            return
        before = self._answers.get(service, addresses)
        # Equal answers are mostly the same object. Those of several addresses take turns.
        if before is not addresses and set(before) != set(addresses):
            self.changes[service] += 1
        self._answers[service] = addresses
