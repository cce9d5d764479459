"""What each event does to which series."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from math import isfinite
from typing import NamedTuple

from exporter.metrics import families as series
from exporter.metrics.families import FAMILIES, Family, Kind
from exporter.metrics.store import Labels, Registry
from exporter.metrics.zeroes import HTTP_REPLIES, LOOKUPS, Beginnings, Replies
from exporter.model.clusterset import NOT_CLUSTERS, Inventory, ServiceName
from exporter.model.probes import (
    Failure,
    Lookup,
    NameKind,
    Phase,
    Probe,
    Protocol,
    Reply,
    Skip,
    Vantage,
)
from exporter.model.traffic import Hits, LogCounts
from exporter.model.verdicts import (
    Failover,
    Hazard,
    Locality,
    Mode,
    ProbeVerdict,
    ServiceView,
    Stage,
)
from exporter.model.watches import Watch, WatchState

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


class LookupCounts(NamedTuple):
    """How often a name was looked up in one way."""

    vantage: str
    lookup: str
    lookups: int
    failures: int


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
        self._shape: object = None
        self.configure(pinned=False)
        for skip in Skip:
            registry.held(series.SKIPPED).prepare((skip,))
        # From the first scrape on, so that increase() sees the first event.
        for family in FAMILIES:
            if family.kind is Kind.COUNTER and not family.labels:
                self._inc(family, (), 0)

    def configure(
        self,
        *,
        pinned: bool,
        lookups: Collection[tuple[Vantage, Lookup]] = LOOKUPS,
        replies: Callable[[ServiceName], Replies | None] = lambda _: HTTP_REPLIES,
    ) -> None:
        """
        Let what can happen begin at 0, from the next inventory on.

        Args:
            pinned: Whether pinned names are probed.
            lookups: How plain names are looked up.
            replies: What a service is asked by, and how that may fail; None for DNS only.
        """
        kinds = tuple(NameKind) if pinned else (NameKind.PLAIN,)
        self._begin, self._shape = Beginnings(self._local, kinds, tuple(lookups), replies), None
        self._registry.held(series.CERTIFICATE_EXPIRY).keep(lambda _: False)

    def identified(self, local: str, source: str) -> None:
        """Take *local* for the cluster that this runs in, as *source* says."""
        self._local, self._identity = local, source
        self._begin = replace(self._begin, local=local)

    # What happens.

    def looked_up(self, probe: Probe, destination: str | None, failure: Failure | None) -> None:
        """Count a look-up of a plain name; *destination* is where its first address points."""
        source = (self._local, *probe.question.service)
        labels = (*source, probe.vantage, probe.lookup)
        self._inc(series.DNS_LOOKUPS, labels)
        if failure is not None:
            self._inc(series.DNS_LOOKUP_FAILURES, (*labels, failure))
        if destination is not None and probe.lookup is Lookup.A:
            pair = (self._local, destination, *probe.question.service)
            self._inc(series.DNS_ANSWERS, (*pair, probe.vantage))
        if probe.answer.mismatched_responses:
            self._inc(series.STRANGERS, (), probe.answer.mismatched_responses)

    def replied(self, probe: Probe, reply: Reply, destination: str) -> None:
        """Count what one address of *destination* replied to a probe."""
        pair = (self._local, destination)
        labels = (*pair, *probe.question.service, probe.protocol, probe.question.kind)
        self._tried(labels, reply.failure)
        if reply.certificate_expires is not None:
            where = (*pair, *probe.question.service)
            self.set_gauge(series.CERTIFICATE_EXPIRY, reply.certificate_expires, where)
        if not probe.lagged:
            self._time(pair, Phase.CONNECT, reply.connect)
            self._time(pair, Phase.TLS, reply.tls)
            self._time(pair, Phase.REPLY, None if reply.failure else reply.took)
            if reply.rtt is not None:
                self._registry.histograms[series.PROBE_RTT].observe(pair, reply.rtt)

    def probed(self, probe: Probe, verdict: ProbeVerdict) -> None:
        """Count one probe and what it showed."""
        service, kind = probe.question.service, probe.question.kind
        destination = verdict.destination or probe.question.pinned or ""
        pair = (self._local, destination, *service)
        self._tried((*pair, Protocol.DNS, kind), probe.answer.failure)
        if probe.reply is not None:
            self.replied(probe, probe.reply, destination)
        if verdict.destination is not None and not probe.lagged:
            self._time((self._local, verdict.destination), Phase.DNS, probe.answer.took)
        if kind is NameKind.PLAIN:
            self.looked_up(probe, verdict.destination, probe.answer.failure)
        if probe.lagged:
            self._inc(series.LAGGED, ())
        for rule, kept in verdict.checks:
            checked = (self._local, *service, rule)
            known = self._inc(series.RULE_CHECKS, checked)
            # Nearly always kept, and then there is nothing to look for in a large table.
            if not kept or not known:
                self._inc(series.RULE_VIOLATIONS, checked, 0 if kept else 1)
        if verdict.outage:
            self._inc(series.OUTAGE, (self._local, *service), verdict.outage)

    def moved(self, failover: Failover) -> None:
        """Count a move, and note how long it took."""
        source = (self._local, *failover.service)
        where = (failover.from_cluster, failover.to_cluster, failover.reason)
        self._inc(series.FAILOVERS, (*source, *where))
        self.set_gauge(series.FAILOVER_TIMESTAMP, failover.unix, source)
        # Of a move that nobody measured, the durations of the one before would be wrong.
        accuracy = failover.accuracy if failover.durations else None
        self.set_or_remove(series.FAILOVER_ACCURACY, accuracy, source)
        for stage in Stage:
            seconds = failover.durations.get(stage)
            self.set_or_remove(series.FAILOVER_LAST_DURATION, seconds, (*source, stage))
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
            self.set_gauge(series.ATTRIBUTION_AGREEMENT, agreement, (cluster, self._local))

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

    def set_gauge(self, family: Family, value: float, labels: Labels = ()) -> None:
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
        for family, labels in self._begin.of(inventory, changed):
            self._registry.held(family).prepare(labels)

    def _clusters(self, inventory: Inventory) -> None:
        for cluster in inventory.clusters:
            for name, view in (
                (VIEW_STRICT, inventory.connected),
                (VIEW_LIGHTHOUSE, inventory.answered),
            ):
                self.set_gauge(
                    series.CONNECTED, float(cluster in view), (self._local, cluster, name)
                )
            self.set_or_remove(
                series.LATENCY, inventory.clusters[cluster].latency, (self._local, cluster)
            )
        globalnet = any(cluster.global_cidrs for cluster in inventory.clusters.values())
        version = ".".join(map(str, inventory.version or ()))
        info = (inventory.karmada_cluster, version, str(globalnet).lower(), self._identity)
        self._registry.series[series.INFO].keep(lambda _: False)
        self.set_gauge(series.INFO, 1, (self._local, *info))

    def show(self, view: ServiceView) -> None:
        """Set the gauges of one service."""
        service = view.service
        source = (self._local, *service.name)
        for mode in Mode:
            self.set_gauge(series.SERVICE_MODE, float(mode is view.mode), (*source, mode))
        self.set_gauge(series.STANDBYS, len(view.standbys), source)
        for hazard in Hazard:
            self.set_gauge(series.HAZARD, float(hazard in view.hazards), (*source, hazard))
        exported = service.export_of(self._local) is not None
        self.set_gauge(series.EXPORTED, float(exported), source)
        for condition in ("ready", "not_ready"):
            held = None if service.endpoints is None else getattr(service.endpoints, condition)
            self.set_or_remove(series.ENDPOINTS, held, (*source, condition))
        for told in service.conditions:
            holds = None if told.holds is None else float(told.holds)
            self.set_or_remove(series.EXPORT_CONDITION, holds, (*source, told.type))
        for export in service.exports:
            self.set_gauge(
                series.READY, float(export.ready), (self._local, export.cluster, *service.name)
            )

    def watched(self, watches: Iterable[Watch]) -> None:
        """Note how the resources of the API server stand."""
        for watch in watches:
            labels = (watch.resource,)
            for state in WatchState:
                self.set_gauge(series.WATCH_STATE, float(state is watch.state), (*labels, state))
            self.set_or_remove(series.WATCH_AGE, watch.age if isfinite(watch.age) else None, labels)
            self.set_gauge(series.WATCH_REQUESTS, watch.requests, labels)
            self.set_gauge(series.WATCH_RELISTS, watch.relists, labels)
            self.set_gauge(series.WATCH_FAILURES, watch.failures, labels)
            self.set_gauge(series.BROKEN_OBJECTS, watch.broken, labels)

    def found(self, kinds: Mapping[str, int]) -> None:
        """Note how many findings there are, by kind."""
        for kind, number in kinds.items():
            self.set_gauge(series.FINDINGS, number, (kind,))

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

    def lookups(self) -> Mapping[ServiceName, list[LookupCounts]]:
        """Return the look-ups of plain names counted since start, by service."""
        held, failures = self._registry.series, Counter[Labels]()
        for reasoned, failed in held[series.DNS_LOOKUP_FAILURES].items():
            failures[reasoned[:-1]] += int(failed)
        by_service: dict[ServiceName, list[LookupCounts]] = {}
        for labels, made in held[series.DNS_LOOKUPS].items():
            _, namespace, name, vantage, lookup = labels
            counts = LookupCounts(vantage, lookup, int(made), failures[labels])
            by_service.setdefault(ServiceName(namespace, name), []).append(counts)
        return by_service

    def set_or_remove(self, family: Family, value: float | None, labels: Labels) -> None:
        """Set a gauge, or take it away where there is nothing to say."""
        if value is None:
            self._registry.series[family].drop(labels)
        else:
            self.set_gauge(family, value, labels)

    def _inc(self, family: Family, labels: Labels, amount: float = 1) -> bool:
        return self._registry.series[family].inc(labels, amount)

    def _tried(self, labels: Labels, failure: Failure | None) -> None:
        self._inc(series.PROBES, labels)
        if failure is not None:
            self._inc(series.PROBE_FAILURES, (*labels, failure))

    def _time(self, pair: Labels, phase: Phase, seconds: float | None) -> None:
        if seconds is not None:
            self._registry.histograms[series.PROBE_DURATION].observe((*pair, phase), seconds)

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
