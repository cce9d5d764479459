"""Which series are created with value 0, so that `rate()` sees the first event."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, product

from exporter.metrics import families
from exporter.metrics.family import Family
from exporter.metrics.labels import Labels
from exporter.metrics.store import AWAITED_SHARE, SPARE_SHARE
from exporter.model.clusterset import (
    EXTERNAL,
    NOT_CLUSTERS,
    UNKNOWN,
    Inventory,
    Service,
    ServiceName,
)
from exporter.model.probes import Lookup, NameKind, Protocol, Vantage
from exporter.model.verdicts import FailoverStage, Locality, Rule

Child = tuple[Family, Labels]
Replies = tuple[Protocol]
"""The protocol that a service is probed with after the lookup."""
HTTP_REPLIES: Replies = (Protocol.HTTP,)
LOOKUPS = ((Vantage.RESOLVER, Lookup.A),)
VERIFIED = ("true", "false")
_AWAITED_RANKS = 2
"""Ranks of children that alerts wait for."""


@dataclass(frozen=True, slots=True)
class Zeroes:
    """
    The children that can occur under a configuration.

    Children with a label `reason` are not among them: one total beside them begins at 0.

    Args:
        local: The cluster that this exporter runs in.
        kinds: The kinds of names that are probed.
        lookups: How plain names are looked up.
        replies: See `Replies`; None for a service whose name is only looked up.
        logs: True if access logs are read.
        verified: The values of the label of probes in logs.
        upstreams: Whether a log tells where a gateway sent requests.
    """

    local: str
    kinds: tuple[NameKind, ...]
    lookups: tuple[tuple[Vantage, Lookup], ...]
    replies: Callable[[ServiceName], Replies | None]
    logs: bool
    verified: tuple[str, ...]
    upstreams: bool = False

    def of(
        self, inventory: Inventory, changed: Collection[ServiceName]
    ) -> Iterator[tuple[Child, float]]:
        """
        Yield the children to create at 0, the important ones first: the budget may end.

        With each comes the share of the budget that may be used then.
        """
        plans = [self._plan(inventory, inventory.services[name]) for name in changed]
        for rank, same_rank in enumerate(zip(*plans, strict=True)):
            share = AWAITED_SHARE if rank < _AWAITED_RANKS else SPARE_SHARE
            for child in chain.from_iterable(same_rank):
                yield child, share

    def _plan(self, inventory: Inventory, service: Service) -> tuple[list[Child], ...]:
        """
        Return the children of one service by rank.

        What alerts wait for is in the first two. Failures of requests come later, because the first
        request creates its counter of failures as well. Counters of probes come next to last,
        because the first round of probes creates most of them.
        """
        # Series with equal labels share one tuple, because many of them are held.
        rules = [(self.local, *service.name, rule) for rule in Rule]
        requests = [*self._requests(inventory, service)]
        sent = [*self._sent(service)]
        served = (self.local, *service.name, FailoverStage.SERVED)
        return (
            [*self._failures(service), *_each(families.RULE_VIOLATIONS, rules)],
            [*_each(families.REQUESTS, requests), *_each(families.UPSTREAM_REQUESTS, sent)],
            [*_each(families.REQUEST_FAILURES, requests), *_each(families.UPSTREAM_FAILURES, sent)],
            [
                *self._probes(service),
                *_each(families.RULE_CHECKS, rules),
                *_each(families.RESPONSE_BYTES, requests),
                *self._hits(inventory, service),
            ],
            [(families.FAILOVER_DURATION, served)],
        )

    def _failures(self, service: Service) -> Iterator[Child]:
        source = (self.local, *service.name)
        yield families.OUTAGE, source
        yield families.MOVES, source
        for protocol, kind in product(self._protocols(service), self.kinds):
            yield families.PROBES_FAILED, (*source, protocol, kind)
        for lookup in self.lookups:
            yield families.DNS_LOOKUPS_FAILED, (*source, *lookup)

    def _probes(self, service: Service) -> Iterator[Child]:
        yield families.PROBES, (self.local, "", *service.name, Protocol.DNS, NameKind.PLAIN)
        for lookup in self.lookups:
            yield families.DNS_LOOKUPS, (self.local, *service.name, *lookup)
        for export in service.exports:
            pair = (self.local, export.cluster, *service.name)
            for vantage in {vantage for vantage, _ in self.lookups}:
                yield families.DNS_ANSWERS, (*pair, vantage)
            for protocol, kind in product(self._protocols(service), self.kinds):
                yield families.PROBES, (*pair, protocol, kind)

    def _requests(self, inventory: Inventory, service: Service) -> Iterator[Labels]:
        if not self._is_logged(service):
            return
        for source in (*inventory.clusters, EXTERNAL, UNKNOWN):
            for locality in _likely_localities(source, self.local, service):
                yield source, self.local, *service.name, locality

    def _sent(self, service: Service) -> Iterator[Labels]:
        exporters = (export.cluster for export in service.exports)
        for destination in (*exporters, EXTERNAL, UNKNOWN) if self.upstreams else ():
            for locality in _likely_crossings(destination, self.local, service):
                yield self.local, destination, *service.name, locality

    def _hits(self, inventory: Inventory, service: Service) -> Iterator[Child]:
        for source in inventory.clusters if self._is_logged(service) else ():
            for verified in self.verified:
                yield families.PROBE_HITS, (source, self.local, *service.name, verified)

    def _is_logged(self, service: Service) -> bool:
        return self.logs and service.export_of(self.local) is not None

    def _protocols(self, service: Service) -> tuple[Protocol, ...]:
        return (Protocol.DNS, *(self.replies(service.name) or ()))


def _each(family: Family, labels: Iterable[Labels]) -> list[Child]:
    return [(family, each) for each in labels]


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
