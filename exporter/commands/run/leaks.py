"""Client requests that look like leaks: they wait until it is known whether they are."""

from collections import deque
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass

import structlog

from exporter.commands.run.clients import Clients
from exporter.commands.run.recent_requests import RecentRequests
from exporter.judge.locality import LEAKS
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.metrics.record import Metrics
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import Client, Hits
from exporter.model.verdicts import Locality

LEAK_SETTLES = 5.0
"""Seconds for which a request that looks like a leak waits to be counted. Another cluster's change
is known there, and answered by its name server, before it is known here."""
MAX_WAITING = 10_000
"""Entries that wait at once, each for all requests of a client in one block of a log."""
MAX_GONE = 1024
"""Pairs of a service that is gone and a cluster that are remembered."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ClientHits:
    """Requests of one client, and when they were served, on the monotonic clock."""

    client: Client
    hits: Hits
    start: float
    end: float
    read: float
    """When their log lines were read."""


class Leaks:
    """
    Counts client requests by locality; those that look like leaks only after a while.

    Args:
        verdicts: Judges the locality of requests.
        clients: Says which services are known, and which attribution is trusted.
        metrics: Counts the requests.
        recent: Keeps those of the last minutes.
        clock: Returns seconds of the monotonic clock.
        look: Called before anything is settled: notices that the process was paused.
        leaked: Called with the client and the number of requests that leaked.
    """

    def __init__(
        self,
        verdicts: ServiceVerdicts,
        clients: Clients,
        metrics: Metrics,
        *,
        recent: RecentRequests,
        clock: Callable[[], float],
        look: Callable[[], None],
        leaked: Callable[[Client, int], None],
    ) -> None:
        self._verdicts, self._clients, self._metrics = verdicts, clients, metrics
        self._clock, self._look, self._leaked = clock, look, leaked
        self._recent = recent
        self._waiting: deque[ClientHits] = deque()
        self._localities: dict[tuple[ServiceName, str], Locality] = {}
        """What was counted last for the clients of a service in one cluster."""
        self._tidy_at = MAX_GONE

    async def run(self, ticks: AsyncIterable[None]) -> None:
        """Settle at each of *ticks*. Without this stage no leak is ever counted."""
        async for _ in ticks:
            self.settle()

    def add(self, hit: ClientHits) -> None:
        """Count *hit*, at once or after it has waited."""
        locality = self._locality(hit, hit.end)
        if locality in LEAKS and len(self._waiting) < MAX_WAITING:
            self._waiting.append(hit)
            _log_decision("possible leak waits", hit, locality)
        else:
            self._count(hit, locality)

    def looks_like_leak(self, client: Client, start: float, end: float) -> bool:
        """Return whether requests of *client* from *start* to *end* would have to wait."""
        return self._judge(client, start, end) in LEAKS

    def settle(self) -> None:
        """Judge again, and count, what has waited long enough."""
        self._look()
        now = self._clock()
        while self._waiting and self._waiting[0].read <= now - LEAK_SETTLES:
            hit = self._waiting.popleft()
            if self._clients.is_known(hit.client.service):
                locality = self._locality(hit, hit.end + LEAK_SETTLES)
                leaked = locality in LEAKS
                decided = "possible leak was confirmed" if leaked else "possible leak was withdrawn"
                _log_decision(decided, hit, locality)
                self._count(hit, locality)

    def _locality(self, hit: ClientHits, end: float) -> Locality:
        client, margin = hit.client, self._clients.clock_margin(hit.client.source)
        found = self._judge(client, hit.start, end)
        # Its cluster may have had another state when the request left, by its own clock.
        if margin and found in LEAKS:
            around = self._judge(client, hit.start - margin, end + margin)
            return found if around in LEAKS else Locality.UNKNOWN
        return found

    def _judge(self, client: Client, start: float, end: float) -> Locality:
        return self._verdicts.locality(
            client.service,
            client.source,
            start,
            end,
            pinned=client.pinned,
            destination=client.destination,
        )

    def _count(self, hit: ClientHits, locality: Locality) -> None:
        service, source, destination = hit.client.service, hit.client.source, hit.client.destination
        if destination:
            # What was sent out needs no attribution of a client.
            self._metrics.sent(service, destination, locality, hit.hits)
            if locality is Locality.LEAK:
                self._leaked(hit.client, hit.hits.requests)
            return
        if locality in LEAKS and not self._clients.trusts(source):
            # A false leak is worse than none: somebody is paged by it.
            self._metrics.withheld(service, source, hit.hits.requests)
            _log_decision("leak was withheld because signed probes disagree", hit, locality)
            locality = Locality.UNKNOWN
        self._metrics.hit(service, source, locality, hit.hits)
        self._recent.add(service, source, locality, hit.hits, hit.end)
        if locality is Locality.LEAK:
            self._leaked(hit.client, hit.hits.requests)
        if not hit.client.pinned:
            self._log_change(service, source, locality)

    def _log_change(self, service: ServiceName, source: str, locality: Locality) -> None:
        previous = self._localities.get((service, source), Locality.UNKNOWN)
        if locality is previous:
            return
        self._localities[service, source] = locality
        if len(self._localities) > self._tidy_at:
            self._tidy()
        self._log_reason(service, source, locality)
        self._clients.hosts.leaks(service, source, leaking=locality is Locality.LEAK)
        if locality is Locality.LEAK:
            log.warning(
                "client requests leaked",
                service=str(service),
                source_cluster=source,
                locality=locality,
                previous=previous,
                host_logged=service not in self._verdicts.hostless,
            )

    def _tidy(self) -> None:
        """Forget what was counted of services that are gone."""
        inventory = self._verdicts.inventory
        known = {} if inventory is None else inventory.services
        kept = {key: last for key, last in self._localities.items() if key[0] in known}
        self._localities, self._tidy_at = kept, len(kept) + MAX_GONE

    def _log_reason(self, service: ServiceName, source: str, locality: Locality) -> None:
        """Log how the cluster of the clients stands to the service, which decides."""
        track = self._verdicts.track(service)
        standings = None if track is None else track.standings.get(source)
        if standings is not None:
            log.debug(
                "locality was decided",
                service=str(service),
                source_cluster=source,
                locality=locality,
                exported=standings.now.exported,
                ready=standings.now.ready,
                for_seconds=round(self._clock() - standings.now.since, 1),
            )


def _log_decision(event: str, hit: ClientHits, locality: Locality) -> None:
    log.debug(
        event,
        service=str(hit.client.service),
        source_cluster=hit.client.source,
        locality=locality,
        requests=hit.hits.requests,
    )
