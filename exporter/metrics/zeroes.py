"""Which series begin at 0, so that `rate()` sees the first event."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import product

from exporter.metrics import families as series
from exporter.metrics.families import Family
from exporter.metrics.store import Labels
from exporter.model.clusterset import (
    EXTERNAL,
    NOT_CLUSTERS,
    UNKNOWN,
    Inventory,
    Service,
    ServiceName,
)
from exporter.model.probes import (
    DNS_FAILURES,
    HTTP_FAILURES,
    Failure,
    Lookup,
    NameKind,
    Protocol,
    Vantage,
)
from exporter.model.verdicts import Locality, Rule, Stage

Begins = Iterator[tuple[Family, Labels]]
Replies = tuple[Protocol, tuple[Failure, ...]]
"""What a service is asked by after the look-up, and how that may fail."""
HTTP_REPLIES: Replies = (Protocol.HTTP, HTTP_FAILURES)
LOOKUPS = ((Vantage.RESOLVER, Lookup.A),)
_TELLING = (Failure.NODATA, Failure.NXDOMAIN, Failure.SERVFAIL, Failure.TIMEOUT)
"""Failures of look-ups that are likely: all of them, for each kind, would be many series."""


@dataclass(frozen=True, slots=True)
class Beginnings:
    """What a configuration lets happen."""

    local: str
    kinds: tuple[NameKind, ...]
    lookups: tuple[tuple[Vantage, Lookup], ...]
    replies: Callable[[ServiceName], Replies | None]

    def of(self, inventory: Inventory, changed: Collection[ServiceName]) -> Begins:
        """Yield the children that begin at 0, the more telling first: there may not be room."""
        services = [inventory.services[name] for name in changed]
        for service in services:
            yield from self._probes(service)
            yield from self._requests(inventory, service)
        for service in services:
            yield from self._failures(service)
            for stage in Stage:
                yield series.FAILOVER_DURATION, (self.local, *service.name, stage)

    def _probes(self, service: Service) -> Begins:
        source, asked = (self.local, *service.name), self.replies(service.name)
        yield series.OUTAGE, source
        # One and the same labels for series that have the same: many of them are held.
        for rule in Rule:
            labels = (*source, rule)
            yield series.RULE_CHECKS, labels
            yield series.RULE_VIOLATIONS, labels
        yield series.PROBES, (self.local, "", *service.name, Protocol.DNS, NameKind.PLAIN)
        for lookup in self.lookups:
            yield series.DNS_LOOKUPS, (*source, *lookup)
        protocols = (Protocol.DNS,) if asked is None else (Protocol.DNS, asked[0])
        for export in service.exports:
            pair = (self.local, export.cluster, *service.name)
            for vantage in {vantage for vantage, _ in self.lookups}:
                yield series.DNS_ANSWERS, (*pair, vantage)
            for protocol, kind in product(protocols, self.kinds):
                yield series.PROBES, (*pair, protocol, kind)

    def _requests(self, inventory: Inventory, service: Service) -> Begins:
        local = self.local
        if service.export_of(local) is None:
            return
        for source in (*inventory.clusters, EXTERNAL, UNKNOWN):
            for locality in _likely(source, local, service):
                labels = (source, local, *service.name, locality)
                for family in (series.REQUESTS, series.REQUEST_FAILURES, series.RESPONSE_BYTES):
                    yield family, labels
            if source in inventory.clusters:
                yield series.LEAKS_WITHHELD, (source, local, *service.name)
                yield series.PROBE_HITS, (source, local, *service.name, "true")
                yield series.PROBE_HITS, (source, local, *service.name, "false")

    def _failures(self, service: Service) -> Begins:
        source, asked = (self.local, *service.name), self.replies(service.name)
        for lookup, reason in product(self.lookups, _TELLING):
            yield series.DNS_LOOKUP_FAILURES, (*source, *lookup, reason)
        for reason in DNS_FAILURES:
            labels = (self.local, "", *service.name, Protocol.DNS, NameKind.PLAIN, reason)
            yield series.PROBE_FAILURES, labels
        for export, kind in product(service.exports, self.kinds):
            pair = (self.local, export.cluster, *service.name)
            protocol, reasons = (Protocol.DNS, ()) if asked is None else asked
            for reason in reasons:
                yield series.PROBE_FAILURES, (*pair, protocol, kind, reason)
            for reason in DNS_FAILURES if kind is NameKind.PINNED else ():
                yield series.PROBE_FAILURES, (*pair, Protocol.DNS, kind, reason)


def _likely(source: str, local: str, service: Service) -> tuple[Locality, ...]:
    if source in NOT_CLUSTERS:
        return (Locality(source),)
    if source == local:
        return (Locality.LOCAL,)
    if service.export_of(source) is None:
        return (Locality.REMOTE,)
    return (Locality.FAILOVER, Locality.LEAK)
