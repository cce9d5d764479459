"""Which series are created with value 0, so that `rate()` sees the first event."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import product

from exporter.metrics import families
from exporter.metrics.family import Family
from exporter.metrics.labels import Labels
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
from exporter.model.verdicts import FailoverStage, Locality, Rule

Children = Iterator[tuple[Family, Labels]]
Replies = tuple[Protocol, tuple[Failure, ...]]
"""The protocol that a service is probed with after the lookup, and how that may fail."""
HTTP_REPLIES: Replies = (Protocol.HTTP, HTTP_FAILURES)
LOOKUPS = ((Vantage.RESOLVER, Lookup.A),)
_LIKELY = (Failure.NODATA, Failure.NXDOMAIN, Failure.SERVFAIL, Failure.TIMEOUT)
"""The likely failures of lookups. All of them for each kind would be many series."""

_REQUESTS = (families.REQUESTS, families.REQUEST_FAILURES, families.RESPONSE_BYTES)


@dataclass(frozen=True, slots=True)
class Zeroes:
    """
    The children that can occur under a configuration.

    Args:
        local: The cluster that this exporter runs in.
        kinds: The kinds of names that are probed.
        lookups: How plain names are looked up.
        replies: See `Replies`; None for a service whose name is only looked up.
        upstreams: Whether a log tells where a gateway sent requests.
    """

    local: str
    kinds: tuple[NameKind, ...]
    lookups: tuple[tuple[Vantage, Lookup], ...]
    replies: Callable[[ServiceName], Replies | None]
    upstreams: bool = False

    def of(self, inventory: Inventory, changed: Collection[ServiceName]) -> Children:
        """Yield the children to create at 0, the important ones first: the budget may end."""
        services = [inventory.services[name] for name in changed]
        for service in services:
            yield from self._probes(service)
            yield from self._requests(inventory, service)
            yield from self._sent(service) if self.upstreams else ()
        for service in services:
            yield from self._failures(service)
            for stage in FailoverStage:
                yield families.FAILOVER_DURATION, (self.local, *service.name, stage)

    def _probes(self, service: Service) -> Children:
        source, asked = (self.local, *service.name), self.replies(service.name)
        yield families.OUTAGE, source
        # Series with equal labels share one tuple, because many of them are held.
        for rule in Rule:
            labels = (*source, rule)
            yield families.RULE_CHECKS, labels
            yield families.RULE_VIOLATIONS, labels
        yield families.PROBES, (self.local, "", *service.name, Protocol.DNS, NameKind.PLAIN)
        for lookup in self.lookups:
            yield families.DNS_LOOKUPS, (*source, *lookup)
        protocols = (Protocol.DNS,) if asked is None else (Protocol.DNS, asked[0])
        for export in service.exports:
            pair = (self.local, export.cluster, *service.name)
            for vantage in {vantage for vantage, _ in self.lookups}:
                yield families.DNS_ANSWERS, (*pair, vantage)
            for protocol, kind in product(protocols, self.kinds):
                yield families.PROBES, (*pair, protocol, kind)

    def _requests(self, inventory: Inventory, service: Service) -> Children:
        local = self.local
        if service.export_of(local) is None:
            return
        for source in (*inventory.clusters, EXTERNAL, UNKNOWN):
            for locality in _likely_localities(source, local, service):
                labels = (source, local, *service.name, locality)
                for family in _REQUESTS:
                    yield family, labels
            if source in inventory.clusters:
                yield families.LEAKS_WITHHELD, (source, local, *service.name)
                yield families.PROBE_HITS, (source, local, *service.name, "true")
                yield families.PROBE_HITS, (source, local, *service.name, "false")

    def _sent(self, service: Service) -> Children:
        exporters = (export.cluster for export in service.exports)
        for destination in (*exporters, EXTERNAL, UNKNOWN):
            for locality in _likely_crossings(destination, self.local, service):
                labels = (self.local, destination, *service.name, locality)
                yield families.UPSTREAM_REQUESTS, labels
                yield families.UPSTREAM_FAILURES, labels

    def _failures(self, service: Service) -> Children:
        source, asked = (self.local, *service.name), self.replies(service.name)
        for lookup, reason in product(self.lookups, _LIKELY):
            yield families.DNS_LOOKUP_FAILURES, (*source, *lookup, reason)
        for reason in DNS_FAILURES:
            labels = (self.local, "", *service.name, Protocol.DNS, NameKind.PLAIN, reason)
            yield families.PROBE_FAILURES, labels
        for export, kind in product(service.exports, self.kinds):
            pair = (self.local, export.cluster, *service.name)
            protocol, reasons = (Protocol.DNS, ()) if asked is None else asked
            for reason in reasons:
                yield families.PROBE_FAILURES, (*pair, protocol, kind, reason)
            for reason in DNS_FAILURES if kind is NameKind.PINNED else ():
                yield families.PROBE_FAILURES, (*pair, Protocol.DNS, kind, reason)


def _likely_crossings(destination: str, local: str, service: Service) -> tuple[Locality, ...]:
    if destination in NOT_CLUSTERS:
        return (Locality(destination),)
    return (Locality.LOCAL,) if destination == local else _from(local, service)


def _likely_localities(source: str, local: str, service: Service) -> tuple[Locality, ...]:
    if source in NOT_CLUSTERS:
        return (Locality(source),)
    if source == local:
        return (Locality.LOCAL,)
    return _from(source, service)


def _from(source: str, service: Service) -> tuple[Locality, ...]:
    """Return the likely verdicts on requests that cross from *source* to another cluster."""
    if service.export_of(source) is None:
        return (Locality.REMOTE,)
    return (Locality.FAILOVER, Locality.LEAK)
