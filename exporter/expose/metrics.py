"""What each event does to which series."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import product
from math import isfinite

from exporter.expose import series
from exporter.expose.render import Labels, Registry
from exporter.expose.series import FAMILIES, Family, Kind
from exporter.model import (
    DNS_FAILURES,
    EXTERNAL,
    HTTP_FAILURES,
    NOT_CLUSTERS,
    UNKNOWN,
    Failover,
    Failure,
    Hazard,
    Hits,
    Inventory,
    Judged,
    Locality,
    LogCounts,
    Mode,
    NameKind,
    Phase,
    Probe,
    Protocol,
    Rule,
    Service,
    ServiceName,
    ServiceView,
    Stage,
    Watch,
    WatchState,
)

VANTAGE_RESOLVER = "resolver"
VIEW_STRICT = "strict"
VIEW_LIGHTHOUSE = "lighthouse"
_CLUSTER_LABELS = frozenset(
    {
        "source_cluster",
        "destination_cluster",
        "from_cluster",
        "to_cluster",
        "claimed_cluster",
        "attributed_cluster",
    }
)
_SERVICE_LABELS = ("destination_service_namespace", "destination_service_name")


class Metrics:
    """
    The exporter's counters and gauges, in the words of the model.

    Args:
        registry: Where the values are kept.
        local: The cluster that this exporter runs in.
        tells_clusters: Whether the series of clusters are told here, or by another shard.
    """

    def __init__(self, registry: Registry, local: str, *, tells_clusters: bool = True) -> None:
        self._registry = registry
        self._tells_clusters = tells_clusters
        self._local = local
        self._identity = ""
        self._kinds: tuple[NameKind, ...] = (NameKind.PLAIN,)
        self._shape: object = None
        # From the first scrape on, so that increase() sees the first event.
        for family in FAMILIES:
            if family.kind is Kind.COUNTER and not family.labels:
                self._inc(family, (), 0)

    def configure(self, *, pinned: bool) -> None:
        """Let children of pinned names begin at 0 too, or not, from the next inventory on."""
        self._kinds, self._shape = tuple(NameKind) if pinned else (NameKind.PLAIN,), None

    def identified(self, local: str, source: str) -> None:
        """Take *local* for the cluster that this runs in, as *source* says."""
        self._local, self._identity = local, source

    # What happens.

    def probed(self, probe: Probe, judged: Judged) -> None:
        """Count one probe and what it showed."""
        service, kind = probe.question.service, probe.question.kind
        destination = judged.destination or probe.question.pinned or ""
        pair = (self._local, destination, *service)
        self._tried((*pair, Protocol.DNS, kind), probe.answer.failure)
        if probe.reply is not None:
            self._tried((*pair, Protocol.HTTP, kind), probe.reply.failure)
        if judged.destination is not None:
            self._time(probe, judged.destination)
            if kind is NameKind.PLAIN:
                self._inc(series.DNS_ANSWERS, (*pair, VANTAGE_RESOLVER))
        for rule, kept in judged.checks:
            self._inc(series.RULE_CHECKS, (self._local, *service, rule))
            self._inc(series.RULE_VIOLATIONS, (self._local, *service, rule), 0 if kept else 1)
        if judged.outage:
            self._inc(series.OUTAGE, (self._local, *service), judged.outage)

    def moved(self, failover: Failover) -> None:
        """Count a move, and note how long it took."""
        source = (self._local, *failover.service)
        where = (failover.from_cluster, failover.to_cluster, failover.reason)
        self._inc(series.FAILOVERS, (*source, *where))
        self.note(series.FAILOVER_TIMESTAMP, failover.unix, source)
        # Of a move that nobody measured, the durations of the one before would be wrong.
        accuracy = failover.accuracy if failover.durations else None
        self._maybe(series.FAILOVER_ACCURACY, accuracy, source)
        for stage in Stage:
            seconds = failover.durations.get(stage)
            self._maybe(series.FAILOVER_LAST_DURATION, seconds, (*source, stage))
            if seconds is not None:
                self._registry.histograms[series.FAILOVER_DURATION].observe(
                    (*source, stage), seconds
                )

    def withheld(self, service: ServiceName, source: str, requests: int) -> None:
        """Count requests that would be leaks, if attribution could be believed."""
        self._inc(series.LEAKS_WITHHELD, (source, self._local, *service), requests)

    def agreed(self, cluster: str, agreement: float | None) -> None:
        """Note how well attribution agrees with the probes of *cluster*."""
        if agreement is not None:
            self.note(series.ATTRIBUTION_AGREEMENT, agreement, (cluster, self._local))

    def hit(self, service: ServiceName, source: str, locality: Locality, hits: Hits) -> None:
        """Count client requests that this cluster served."""
        labels = (source, self._local, *service, locality)
        self._inc(series.REQUESTS, labels, hits.requests)
        self._inc(series.REQUEST_FAILURES, labels, hits.failures)
        self._inc(series.RESPONSE_BYTES, labels, hits.bytes)
        if hits.durations:
            held = self._registry.histograms[series.REQUEST_DURATION]
            held.merge((source, self._local, *service), hits.durations, hits.seconds)

    def probe_hit(
        self, service: ServiceName, *, claimed: str, attributed: str, verified: bool
    ) -> None:
        """Count a probe of the cluster *claimed* in our logs, whose address is *attributed*'s."""
        word = "true" if verified else "false"
        self._inc(series.PROBE_HITS, (claimed, self._local, *service, word))
        self._inc(series.ATTRIBUTION_CHECKS, (self._local, claimed, attributed))

    def forged(self, reason: str) -> None:
        """Count a probe that is not believed."""
        self._inc(series.FORGERIES, (reason,))

    def logged(self, log: str, counts: LogCounts) -> None:
        """Count the lines of a log source by what they are."""
        access = counts.access - counts.ignored - counts.foreign
        for outcome, lines in (
            ("access", access),
            ("ignored", counts.ignored),
            ("foreign", counts.foreign),
            ("other", counts.other),
            ("truncated", counts.truncated),
        ):
            self._inc(series.LOG_LINES, (log, outcome), lines)
        self._inc(series.LOG_SLOW_BLOCKS, (log,), counts.slow_blocks)

    def log_gone(self, log: str) -> None:
        """Forget a log source."""
        for family in FAMILIES:
            if family.labels[:1] == ("log",):
                self._registry.held(family).keep(lambda labels: labels[0] != log)

    def count(self, family: Family, labels: Labels = (), amount: float = 1) -> None:
        """Count an event of the exporter itself."""
        self._inc(family, labels, amount)

    def note(self, family: Family, value: float, labels: Labels = ()) -> None:
        """Set a gauge of the exporter itself."""
        self._registry.series[family].set(labels, value)

    def observe(self, family: Family, seconds: float) -> None:
        """Time something of the exporter itself."""
        self._registry.histograms[family].observe((), seconds)

    # What is.

    def set_inventory(self, inventory: Inventory, changed: Collection[ServiceName]) -> None:
        """Forget what is gone, and let what is new about the *changed* services begin at 0."""
        shape = (
            inventory.clusters.keys() | {self._local},
            {
                (export.cluster, *service.name)
                for service in inventory.services.values()
                for export in service.exports
            },
            inventory.services.keys() | set(),
        )
        if shape != self._shape:
            changed = inventory.services.keys()
            self._forget(inventory, shape[1])
            self._shape = shape
        if self._tells_clusters:
            self._clusters(inventory)
        for family, labels in _begins(inventory, changed, self._local, self._kinds):
            self._registry.held(family).prepare(labels)

    def _clusters(self, inventory: Inventory) -> None:
        for cluster in inventory.clusters:
            for name, view in (
                (VIEW_STRICT, inventory.connected),
                (VIEW_LIGHTHOUSE, inventory.answered),
            ):
                self.note(series.CONNECTED, float(cluster in view), (self._local, cluster, name))
            self._maybe(series.LATENCY, inventory.clusters[cluster].latency, (self._local, cluster))
        globalnet = any(cluster.global_cidrs for cluster in inventory.clusters.values())
        version = ".".join(map(str, inventory.version or ()))
        info = (inventory.karmada_cluster, version, str(globalnet).lower(), self._identity)
        self._registry.series[series.INFO].keep(lambda _: False)
        self.note(series.INFO, 1, (self._local, *info))

    def show(self, view: ServiceView) -> None:
        """Set the gauges of one service."""
        service = view.service
        source = (self._local, *service.name)
        for mode in Mode:
            self.note(series.SERVICE_MODE, float(mode is view.mode), (*source, mode))
        self.note(series.STANDBYS, len(view.standbys), source)
        for hazard in Hazard:
            self.note(series.HAZARD, float(hazard in view.hazards), (*source, hazard))
        exported = service.export_of(self._local) is not None
        self.note(series.EXPORTED, float(exported), source)
        for condition in ("ready", "not_ready"):
            held = None if service.endpoints is None else getattr(service.endpoints, condition)
            self._maybe(series.ENDPOINTS, held, (*source, condition))
        for told in service.conditions:
            holds = None if told.holds is None else float(told.holds)
            self._maybe(series.EXPORT_CONDITION, holds, (*source, told.type))
        for export in service.exports:
            self.note(
                series.READY, float(export.ready), (self._local, export.cluster, *service.name)
            )

    def watched(self, watches: Iterable[Watch]) -> None:
        """Note how the resources of the API server stand."""
        for watch in watches:
            labels = (watch.resource,)
            for state in WatchState:
                self.note(series.WATCH_STATE, float(state is watch.state), (*labels, state))
            self._maybe(series.WATCH_AGE, watch.age if isfinite(watch.age) else None, labels)
            self.note(series.WATCH_REQUESTS, watch.requests, labels)
            self.note(series.WATCH_RELISTS, watch.relists, labels)
            self.note(series.WATCH_FAILURES, watch.failures, labels)
            self.note(series.BROKEN_OBJECTS, watch.broken, labels)

    def found(self, kinds: Mapping[str, int]) -> None:
        """Note how many findings there are, by kind."""
        for kind, number in kinds.items():
            self.note(series.FINDINGS, number, (kind,))

    def requests(self) -> Mapping[ServiceName, list[tuple[str, Locality, Hits]]]:
        """Return the client requests counted since start, by service."""
        held = self._registry.series
        by_service: dict[ServiceName, list[tuple[str, Locality, Hits]]] = {}
        for labels, requests in held[series.REQUESTS].items():
            source, _, namespace, name, locality = labels
            hits = Hits(
                requests=int(requests),
                failures=int(held[series.REQUEST_FAILURES].get(labels)),
                bytes=int(held[series.RESPONSE_BYTES].get(labels)),
            )
            if requests:
                entry = (source, Locality(locality), hits)
                by_service.setdefault(ServiceName(namespace, name), []).append(entry)
        return by_service

    def _maybe(self, family: Family, value: float | None, labels: Labels) -> None:
        """Set a gauge, or take it away where there is nothing to say."""
        if value is None:
            self._registry.series[family].drop(labels)
        else:
            self.note(family, value, labels)

    def _inc(self, family: Family, labels: Labels, amount: float = 1) -> None:
        self._registry.series[family].inc(labels, amount)

    def _tried(self, labels: Labels, failure: Failure | None) -> None:
        self._inc(series.PROBES, labels)
        if failure is not None:
            self._inc(series.PROBE_FAILURES, (*labels, failure))

    def _time(self, probe: Probe, destination: str) -> None:
        spent: dict[Phase, float | None] = {Phase.DNS: probe.answer.took}
        if probe.reply is not None:
            spent[Phase.CONNECT] = probe.reply.connect
            spent[Phase.REPLY] = None if probe.reply.failure else probe.reply.took
        for phase, seconds in spent.items():
            if seconds is not None:
                labels = (self._local, destination, phase)
                self._registry.histograms[series.PROBE_DURATION].observe(labels, seconds)

    def _forget(self, inventory: Inventory, exports: AbstractSet[Labels]) -> None:
        clusters = NOT_CLUSTERS | inventory.clusters.keys() | {"", self._local}
        for held in map(self._registry.held, FAMILIES):
            names = held.family.labels
            places = [i for i, name in enumerate(names) if name in _CLUSTER_LABELS]
            service = [i for i, name in enumerate(names) if name in _SERVICE_LABELS]
            if not places and not service:
                continue

            def wanted(
                labels: Labels, places: list[int] = places, service: list[int] = service
            ) -> bool:
                named = ServiceName(*(labels[i] for i in service)) if service else None
                return (named is None or named in inventory.services) and all(
                    labels[i] in clusters for i in places
                )

            held.keep(wanted)
        self._registry.series[series.READY].keep(lambda labels: labels[1:] in exports)


def _begins(
    inventory: Inventory, changed: Collection[ServiceName], local: str, kinds: tuple[NameKind, ...]
) -> Iterator[tuple[Family, Labels]]:
    """Yield the children that begin at 0, the more telling ones first: there may not be room."""
    services = [inventory.services[name] for name in changed]
    for service in services:
        yield from _probe_children(service, local, kinds)
        yield from _request_children(inventory, service, local)
    for service in services:
        yield from _failure_children(service, local, kinds)
        for stage in Stage:
            yield series.FAILOVER_DURATION, (local, *service.name, stage)


def _probe_children(
    service: Service, local: str, kinds: tuple[NameKind, ...]
) -> Iterator[tuple[Family, Labels]]:
    yield series.OUTAGE, (local, *service.name)
    for rule in Rule:
        yield series.RULE_CHECKS, (local, *service.name, rule)
        yield series.RULE_VIOLATIONS, (local, *service.name, rule)
    yield series.PROBES, (local, "", *service.name, Protocol.DNS, NameKind.PLAIN)
    for export in service.exports:
        pair = (local, export.cluster, *service.name)
        yield series.DNS_ANSWERS, (*pair, VANTAGE_RESOLVER)
        for protocol, kind in product(Protocol, kinds):
            yield series.PROBES, (*pair, protocol, kind)


def _request_children(
    inventory: Inventory, service: Service, local: str
) -> Iterator[tuple[Family, Labels]]:
    if service.export_of(local) is None:
        return
    for source in (*inventory.clusters, EXTERNAL, UNKNOWN):
        for locality in _likely(source, local, service):
            for family in (series.REQUESTS, series.REQUEST_FAILURES, series.RESPONSE_BYTES):
                yield family, (source, local, *service.name, locality)
        if source in inventory.clusters:
            yield series.LEAKS_WITHHELD, (source, local, *service.name)
            yield series.PROBE_HITS, (source, local, *service.name, "true")
            yield series.PROBE_HITS, (source, local, *service.name, "false")


def _likely(source: str, local: str, service: Service) -> tuple[Locality, ...]:
    if source in NOT_CLUSTERS:
        return (Locality(source),)
    if source == local:
        return (Locality.LOCAL,)
    if service.export_of(source) is None:
        return (Locality.REMOTE,)
    return (Locality.FAILOVER, Locality.LEAK)


def _failure_children(
    service: Service, local: str, kinds: tuple[NameKind, ...]
) -> Iterator[tuple[Family, Labels]]:
    for reason in DNS_FAILURES:
        labels = (local, "", *service.name, Protocol.DNS, NameKind.PLAIN, reason)
        yield series.PROBE_FAILURES, labels
    for export, kind in product(service.exports, kinds):
        pair = (local, export.cluster, *service.name)
        for reason in HTTP_FAILURES:
            yield series.PROBE_FAILURES, (*pair, Protocol.HTTP, kind, reason)
        for reason in DNS_FAILURES if kind is NameKind.PINNED else ():
            yield series.PROBE_FAILURES, (*pair, Protocol.DNS, kind, reason)
