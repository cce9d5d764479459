"""What probes and the failovers that they found do to which series."""

from collections.abc import Mapping
from typing import NamedTuple

from exporter.metrics import families
from exporter.metrics.labels import Labels
from exporter.metrics.recorder import Recorder
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Failure, Lookup, NameKind, Phase, Probe, Protocol, Reply, Skip
from exporter.model.verdicts import Failover, FailoverStage, ProbeVerdict, Rule


class LookupCounts(NamedTuple):
    """How often a name was looked up in one way."""

    vantage: str
    lookup: str
    lookups: int
    failures: int


class ProbeRecorder(Recorder):
    """Counts probes, lookups and failovers."""

    def looked_up(self, probe: Probe, destination: str | None, failure: Failure | None) -> None:
        """Count a lookup of a plain name; *destination* is where its first address points."""
        source = (self._local, *probe.question.service)
        labels = (*source, probe.vantage, probe.lookup)
        self.count(families.DNS_LOOKUPS, labels)
        if failure is not None:
            self.count(families.DNS_LOOKUPS_FAILED, labels)
            self.count(families.DNS_LOOKUP_FAILURES, (*labels, failure))
        if destination is not None and probe.lookup is Lookup.A:
            pair = (self._local, destination, *probe.question.service)
            self.count(families.DNS_ANSWERS, (*pair, probe.vantage))
        if probe.answer.mismatched_responses:
            self.count(families.DNS_MISMATCHES, (), probe.answer.mismatched_responses)

    def replied(self, probe: Probe, reply: Reply, destination: str) -> None:
        """Count what one address of *destination* replied to a probe."""
        pair = (self._local, destination)
        labels = (*pair, *probe.question.service, probe.protocol, probe.question.kind)
        self._tried(labels, reply.failure)
        if reply.certificate_expires is not None:
            where = (*pair, *probe.question.service)
            self.set_gauge(families.CERTIFICATE_EXPIRY, reply.certificate_expires, where)
        if not probe.lagged:
            self._time(pair, Phase.CONNECT, reply.connect)
            self._time(pair, Phase.TLS, reply.tls)
            self._time(pair, Phase.REPLY, None if reply.failure else reply.took)
            if reply.rtt is not None:
                self.observe(families.PROBE_RTT, reply.rtt, pair)

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
            self.count(families.LAGGED)
        for rule, kept in verdict.checks:
            self.checked(service, rule, kept=kept)
        if verdict.outage:
            self.count(families.OUTAGE, (self._local, *service), verdict.outage)

    def checked(self, service: ServiceName, rule: Rule, *, kept: bool) -> None:
        """Count that *rule* was checked."""
        checked = (self._local, *service, rule)
        existed = self._store.series[families.RULE_CHECKS].inc(checked)
        # A rule is nearly always kept, and then a large table need not be searched.
        if not kept or not existed:
            self.count(families.RULE_VIOLATIONS, checked, 0 if kept else 1)

    def moved(self, failover: Failover) -> None:
        """Count a move, and set how long it took."""
        source = (self._local, *failover.service)
        where = (failover.from_cluster, failover.to_cluster, failover.reason)
        self.count(families.MOVES, source)
        self.count(families.FAILOVERS, (*source, *where))
        self.set_gauge(families.FAILOVER_TIMESTAMP, failover.unix, source)
        # If nobody measured this move, the durations of the previous one would be wrong for it.
        for stage in FailoverStage:
            accuracy = failover.accuracy.get(stage) if stage in failover.durations else None
            self.set_or_remove(families.FAILOVER_ACCURACY, accuracy, (*source, stage))
            seconds = failover.durations.get(stage)
            self.set_or_remove(families.FAILOVER_LAST_DURATION, seconds, (*source, stage))
            if seconds is not None:
                self.observe(families.FAILOVER_DURATION, seconds, (*source, stage))

    def skipped(self, reason: Skip) -> None:
        """Count a probe that was due and not made."""
        self.count(families.NOT_MADE)
        self.count(families.SKIPPED, (reason,))

    def lookups(self) -> Mapping[ServiceName, list[LookupCounts]]:
        """Return the lookups of plain names counted since the start, by service."""
        failures = self._store.series[families.DNS_LOOKUPS_FAILED]
        by_service: dict[ServiceName, list[LookupCounts]] = {}
        for labels, made in self._store.series[families.DNS_LOOKUPS].items():
            _, namespace, name, vantage, lookup = labels
            counts = LookupCounts(vantage, lookup, int(made), int(failures.get(labels)))
            by_service.setdefault(ServiceName(namespace, name), []).append(counts)
        return by_service

    def _tried(self, labels: Labels, failure: Failure | None) -> None:
        self.count(families.PROBES, labels)
        if failure is not None:
            source, _, *rest = labels
            self.count(families.PROBES_FAILED, (source, *rest))
            self.count(families.PROBE_FAILURES, (*labels, failure))

    def _time(self, pair: Labels, phase: Phase, seconds: float | None) -> None:
        if seconds is not None:
            self.observe(families.PROBE_DURATION, seconds, (*pair, phase))
