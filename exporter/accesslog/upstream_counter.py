"""Counts of the lines of a gateway: who asked, and where each request was sent."""

from collections.abc import Callable

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.log_format import FIELDS, LogFormat
from exporter.accesslog.formats.upstreams import read_tries
from exporter.accesslog.line_times import MAX_KEY, MAX_PASSED, Block, SpanOf
from exporter.accesslog.special_lines import Row, ServiceOf, SourceOf, text_of
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import Client, Hits, LogCounts

MAX_TALLIES = 16_384
"""Requests of the same kind, and servers, that are remembered with what they mean."""
MAX_NAME = 253
"""Characters of the longest server that is looked up; a longer one is no address."""
Sent = tuple[ServiceName, str, str, bool]
"""The service, the cluster of the gateway, that of the server, and whether the host names that."""
SentTo = Callable[[str, str], Sent | None]


class _Tally:
    """The same tries of requests, and how many requests there were."""

    __slots__ = ("requests", "tries")

    def __init__(self, tries: list[tuple[Client, bool]]) -> None:
        self.requests, self.tries = 0, tries


class UpstreamCounter(Counter):
    """
    Counts lines of one format that tells where requests were sent.

    Probes and health checks that pass through a gateway are sent, too, but they are no requests of
    clients and are left out.

    Args:
        log_format: Compiled with upstreams.
        source_of: See `Counter`.
        service_of: See `Counter`.
        sent_to: Says which service a request with this host was for, and which cluster the server
            with this address is in; None for a host that is no service.
        span_of: See `Counter`.
        by_arrival: See `Counter`.
        sum_probes: See `Counter`.
    """

    def __init__(
        self,
        log_format: LogFormat,
        source_of: SourceOf,
        service_of: ServiceOf,
        sent_to: SentTo,
        span_of: SpanOf | None = None,
        *,
        by_arrival: bool = True,
        sum_probes: bool = False,
    ) -> None:
        super().__init__(
            log_format, source_of, service_of, span_of, by_arrival=by_arrival, sum_probes=sum_probes
        )
        self._sent_to = sent_to
        self._tallies: dict[object, _Tally] = {}
        self._touched: list[_Tally] = []
        self._destinations: dict[tuple[str, str], Sent | None] = {}
        self._most_tallies = MAX_PASSED if self._spanned else MAX_TALLIES

    def forget(self) -> None:
        """Ask for every source, service and destination anew from now on."""
        super().forget()
        self._tallies.clear()
        self._destinations.clear()

    def count(self, block: Block, into: LogCounts | None = None) -> LogCounts:
        """Count a *block* that ends with a line feed; return the counts, or add them to *into*."""
        counts = super().count(block, into)
        for tally in self._touched:
            for client, failed in tally.tries:
                hits = counts.upstreams.get(client)
                if hits is None:
                    hits = counts.upstreams[client] = Hits()
                hits.requests += tally.requests
                hits.failures += tally.requests * failed
            tally.requests = 0
        self._touched.clear()
        return counts

    def _full(self, rows: list[Row], counts: LogCounts) -> int:
        """Count rows in the order of FIELDS and UPSTREAMS."""
        known, touched, times, span = self._tallies.get, self._touched, self._times, None
        for _, _, host, path, stamp, status, _, seconds, agent, line, upstream, statuses in rows:
            if not upstream or line or path or agent:
                continue
            if self._spanned:
                span = times.span(stamp, seconds)
                if span is None:
                    continue
            key = (host, upstream, statuses, status, span)
            tally = known(key) or self._first(key, host, upstream, statuses, status, span)
            if not tally.requests:
                touched.append(tally)
            tally.requests += 1
        return super()._full([row[: len(FIELDS)] for row in rows], counts)

    def _first(
        self,
        key: object,
        host: bytes,
        upstream: bytes,
        statuses: bytes,
        status: bytes,
        span: float | None,
    ) -> _Tally:
        tries = list[tuple[Client, bool]]()
        for each in read_tries(text_of(upstream), text_of(statuses), text_of(status)):
            sent = self._sent(text_of(host), each.server[:MAX_NAME])
            if sent is not None:
                service, gateway, destination, pinned = sent
                tries.append((Client(service, gateway, pinned, span, destination), each.failed))
        tally = _Tally(tries)
        if len(self._tallies) >= self._most_tallies:
            self._tallies.clear()
        if len(host) + len(upstream) + len(statuses) <= MAX_KEY:
            self._tallies[key] = tally
        return tally

    def _sent(self, host: str, server: str) -> Sent | None:
        key = (host, server)
        if key in self._destinations:
            return self._destinations[key]
        sent = self._sent_to(host, server)
        if len(self._destinations) >= MAX_TALLIES:
            self._destinations.clear()
        if len(host) + len(server) <= MAX_KEY:
            self._destinations[key] = sent
        return sent
