"""What the access logs contain, and what that does to which series."""

from collections.abc import Mapping

from exporter.metrics import families
from exporter.metrics.families import FAMILIES
from exporter.metrics.recorder import Recorder
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import Hits, LogCounts
from exporter.model.verdicts import Locality


class TrafficRecorder(Recorder):
    """Counts client requests, probes found in logs, and the lines themselves."""

    def hit(self, service: ServiceName, source: str, locality: Locality, hits: Hits) -> None:
        """Count client requests that this cluster served."""
        labels = (source, self._local, *service, locality)
        self.count(families.REQUESTS, labels, hits.requests)
        self.count(families.REQUEST_FAILURES, labels, hits.failures)
        self.count(families.RESPONSE_BYTES, labels, hits.bytes)
        if hits.durations:
            histogram = self._store.histograms[families.REQUEST_DURATION]
            histogram.merge((source, self._local, *service), hits.durations, hits.seconds)

    def sent(self, service: ServiceName, destination: str, locality: Locality, hits: Hits) -> None:
        """Count requests that a gateway of this cluster sent to *destination*."""
        labels = (self._local, destination, *service, locality)
        self.count(families.UPSTREAM_REQUESTS, labels, hits.requests)
        self.count(families.UPSTREAM_FAILURES, labels, hits.failures)

    def withheld(self, service: ServiceName, source: str, requests: int) -> None:
        """Count requests that would be leaks if attribution were reliable."""
        self.count(families.LEAKS_WITHHELD, (source, self._local, *service), requests)

    def agreed(self, cluster: str, agreement: float | None) -> None:
        """Set how well attribution agrees with the probes of *cluster*."""
        if agreement is not None:
            self.set_gauge(families.ATTRIBUTION_AGREEMENT, agreement, (cluster, self._local))

    def clock_is_off(self, cluster: str, seconds: float | None) -> None:
        """Set by how much the clock of *cluster* is ahead."""
        if seconds is not None:
            self.set_gauge(families.CLOCK_SKEW, seconds, (cluster, self._local))

    def probe_hit(
        self, service: ServiceName, *, claimed: str, attributed: str, verified: bool
    ) -> None:
        """
        Count a probe found in our logs.

        Args:
            service: What was probed.
            claimed: The cluster that the probe claims to come from.
            attributed: The cluster that its address belongs to.
            verified: Whether its signature is valid.
        """
        word = "true" if verified else "false"
        self.count(families.PROBE_HITS, (claimed, self._local, *service, word))
        self.count(families.ATTRIBUTION_CHECKS, (self._local, claimed, attributed))

    def forged(self, reason: str) -> None:
        """Count a probe that is not believed."""
        self.count(families.FORGED)
        self.count(families.FORGERIES, (reason,))

    def logged(self, log: str, counts: LogCounts) -> None:
        """Count the lines of a log source by outcome."""
        access = counts.access - counts.ignored - counts.foreign
        for outcome, lines in (
            ("access", access),
            ("ignored", counts.ignored),
            ("foreign", counts.foreign),
            ("other", counts.other),
            ("truncated", counts.truncated),
        ):
            self.count(families.LOG_LINES, (log, outcome), lines)
        self.count(families.LOG_SLOW_BLOCKS, (log,), counts.slow_blocks)

    def pod_log_read(self, log: str, *, requests: int, repeated: int, unstamped: int) -> None:
        """Count what it took to follow a pod log, and the lines that were left out."""
        self.count(families.POD_LOG_REQUESTS, (log,), requests)
        self.count(families.POD_LOG_SKIPPED, (log, "repeated"), repeated)
        self.count(families.POD_LOG_SKIPPED, (log, "unstamped"), unstamped)

    def log_gap(self, log: str, seconds: float | None) -> None:
        """Count a gap in a log and its seconds; None only creates the counters."""
        self.count(families.LOG_GAPS, (log,), 0 if seconds is None else 1)
        self.count(families.LOG_GAP_SECONDS, (log,), seconds or 0)

    def log_gone(self, log: str) -> None:
        """Drop the series of a log source."""
        for family in FAMILIES:
            if family.labels[:1] == ("log",):
                self._store.children(family).keep(lambda labels: labels[0] != log)

    def requests(self) -> Mapping[ServiceName, list[tuple[str, Locality, Hits]]]:
        """Return the client requests counted since the start, by service."""
        series = self._store.series
        by_service: dict[ServiceName, list[tuple[str, Locality, Hits]]] = {}
        for labels, requests in series[families.REQUESTS].items():
            source, _, namespace, name, locality = labels
            hits = Hits(
                requests=int(requests),
                failures=int(series[families.REQUEST_FAILURES].get(labels)),
                bytes=int(series[families.RESPONSE_BYTES].get(labels)),
            )
            if requests:
                entry = (source, Locality(locality), hits)
                by_service.setdefault(ServiceName(namespace, name), []).append(entry)
        return by_service
