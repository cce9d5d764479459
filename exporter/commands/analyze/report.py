"""Access logs of the past: which cluster served whose clients, and when that changed."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.log_format import FormatError, LogFormat
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.readers.past import read_blocks
from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import read_inventory
from exporter.judge.attribute import Attribution
from exporter.judge.past import past_locality
from exporter.model.clusterset import NOT_CLUSTERS, Inventory, ServiceName
from exporter.model.probes import Question
from exporter.model.traffic import Client, Hits, LogCounts

MINUTE = 60.0
DOMAIN = "clusterset.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyzeRequest:
    """The logs, and what is counted of them."""

    inventory_file: Path
    logs: Mapping[str, Sequence[str]]
    """Files by the cluster that wrote them; `-` is standard input, and files may be gzip."""
    service: str | None = None
    """As namespace/name; None if each line has a host, or the inventory has only one service."""
    form: str = "main"
    """combined, main, json, or a log_format string."""
    wrapper: str = "none"
    since: float | None = None
    """Unix seconds."""
    until: float | None = None
    every: float | None = None
    """Seconds of each step in time; None for no steps."""


@dataclass(slots=True)
class _Found:
    """The counts of the logs of all clusters."""

    counts: dict[str, LogCounts] = field(default_factory=dict)
    """By the cluster that wrote them."""
    exporters: dict[ServiceName, frozenset[str]] = field(default_factory=dict)
    """The clusters that export each service, by the inventory."""

    def hits(self) -> Iterator[tuple[str, Client, Hits]]:
        """Yield each serving cluster, client and number of hits."""
        for destination, counts in self.counts.items():
            for client, hits in counts.clients.items():
                yield destination, client, hits


def analyze(
    request: AnalyzeRequest, read: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """
    Count access logs and attribute each client request to a cluster.

    Args:
        request: The logs, and what is counted of them.
        read: Called with each number of bytes that was read.

    Returns:
        The report, made of what JSON can hold.

    Raises:
        SettingsError: If the inventory is broken, or format or service cannot be told.
        exporter.accesslog.readers.past.ReadError: If a file cannot be read.
    """
    timed = len(request.logs) > 1 or any(
        each is not None for each in (request.since, request.until, request.every)
    )
    log = _compile(request, timed=timed)
    found = _Found()
    for cluster, files in request.logs.items():
        inventory = read_inventory(request.inventory_file, cluster)
        fixed = _service(inventory, request, log)
        found.exporters = {
            name: frozenset(export.cluster for export in service.exports)
            for name, service in inventory.services.items()
        }
        found.counts[cluster] = _count(request, log, inventory, files, fixed, read, timed=timed)
    return _report(found, request)


def _compile(request: AnalyzeRequest, *, timed: bool) -> LogFormat:
    try:
        # Health checks of kubelets do not count as client traffic, as in `run`.
        log = compile_log(request.form, ignore_user_agents=("kube-probe/",), stamps=timed)
    except FormatError as error:
        msg = f"--format: {error}"
        raise SettingsError(msg) from error
    if timed and "stamp" not in log.fields:
        msg = "--format: has no $time_local; logs of several clusters and times need it"
        raise SettingsError(msg)
    return log


def _count(
    request: AnalyzeRequest,
    log: LogFormat,
    inventory: Inventory,
    files: Sequence[str],
    fixed: ServiceName | None,
    read: Callable[[int], None],
    *,
    timed: bool,
) -> LogCounts:
    def service_of(host: str) -> tuple[ServiceName, bool] | None:
        if fixed is not None:
            return fixed, False
        named = Question.of_name(host, DOMAIN)
        return None if named is None else (named.service, False)

    def span_of(at: float) -> float | None:
        if at < (request.since or 0) or (request.until is not None and at >= request.until):
            return None
        return at // (request.every or MINUTE) * (request.every or MINUTE)

    source_of = Attribution(inventory).source
    counter = Counter(log, source_of, service_of, span_of if timed else None, sum_probes=True)
    lines, counts = Lines(counter, request.wrapper), LogCounts()

    def cut() -> None:
        counts.read += 1
        counts.truncated += 1

    for name in files:
        for block in read_blocks([name], read=read, cut=cut):
            lines.count(name, block, counts)
    return counts


def _service(inventory: Inventory, request: AnalyzeRequest, log: LogFormat) -> ServiceName | None:
    """Return the service of all lines; None if each line has a host."""
    if request.service is not None:
        name = ServiceName.parse(request.service)
        if name is None:
            msg = f"--service {request.service}: should be namespace/name"
            raise SettingsError(msg)
        return name
    if "host" in log.fields:
        return None
    if len(inventory.services) == 1:
        return next(iter(inventory.services))
    known = ", ".join(map(str, inventory.services)) or "none"
    msg = (
        f"--service is missing: the format logs no $host, and {request.inventory_file} has not "
        f"just one; known are {known}"
    )
    raise SettingsError(msg)


def _report(found: _Found, request: AnalyzeRequest) -> dict[str, Any]:
    counts = found.counts.values()
    firsts = [each.first for each in counts if each.first is not None]
    lasts = [each.last for each in counts if each.last is not None]
    report: dict[str, Any] = {
        "lines": {
            name: sum(getattr(each, name) for each in counts)
            for name in ("read", "access", "other", "ignored", "truncated")
        },
        "from": _iso(min(firsts, default=None)),
        "to": _iso(max(lasts, default=None)),
        "services": list(_services(found, request)),
    }
    if foreign := sum(each.foreign for each in counts):
        report["lines"]["foreign"] = foreign
    if request.every is not None:
        report["course"] = list(_spans(found))
    if len(request.logs) > 1:
        report["failovers"] = list(_failovers(found))
    return report


def _services(found: _Found, request: AnalyzeRequest) -> Iterator[dict[str, Any]]:
    for cluster, counts in found.counts.items():
        sums: dict[tuple[ServiceName, str], Hits] = {}
        for client, hits in counts.clients.items():
            sums.setdefault((client.service, client.source), Hits()).add(hits)
        probes: dict[tuple[ServiceName, str], int] = defaultdict(int)
        for (service, _, source), number in counts.probe_sums.items():
            probes[service, source] += number
        named = {service for service, _ in (*sums, *probes)}
        if not named and request.service is not None:
            named = {name for name in [ServiceName.parse(request.service)] if name is not None}
        for service in sorted(named):
            sources = sorted({source for each, source in (*sums, *probes) if each == service})
            exporters = found.exporters.get(service, frozenset())
            yield {
                "destination_service_namespace": service.namespace,
                "destination_service_name": service.name,
                "destination_cluster": cluster,
                "sources": [
                    {
                        "source_cluster": source,
                        "requests": sums.get((service, source), Hits()).requests,
                        "failures": sums.get((service, source), Hits()).failures,
                        "bytes": sums.get((service, source), Hits()).bytes,
                        "probes": probes[service, source],
                        "locality": past_locality(source, cluster, exporters),
                    }
                    for source in sources
                ],
            }


def _spans(found: _Found) -> Iterator[dict[str, Any]]:
    """Yield each serving cluster, client and number of hits, for each step in time."""
    rows = [(client.at, client, destination, hits) for destination, client, hits in found.hits()]
    for at, client, destination, hits in sorted(
        rows, key=lambda row: (row[0] or 0, row[1], row[2])
    ):
        yield {
            "at": _iso(at),
            "destination_service_namespace": client.service.namespace,
            "destination_service_name": client.service.name,
            "source_cluster": client.source,
            "destination_cluster": destination,
            "requests": hits.requests,
            "failures": hits.failures,
        }


def _failovers(found: _Found) -> Iterator[dict[str, Any]]:
    """Yield when most requests of a cluster's clients began to be served by another cluster."""
    served: dict[tuple[ServiceName, str], dict[float, dict[str, int]]] = {}
    for destination, client, hits in found.hits():
        if client.source not in NOT_CLUSTERS and client.at is not None:
            spans = served.setdefault((client.service, client.source), {})
            spans.setdefault(client.at, defaultdict(int))[destination] += hits.requests
    for (service, source), spans in sorted(served.items()):
        # Without a majority the clusters take turns, and that is not a move.
        most = [(at, max(by, key=lambda each: by[each])) for at, by in sorted(spans.items())]
        most = [(at, to) for at, to in most if 2 * spans[at][to] > sum(spans[at].values())]
        for (_, before), (at, after) in pairwise(most):
            if before != after:
                first = found.counts[after].first
                yield {
                    "at": _iso(at),
                    "destination_service_namespace": service.namespace,
                    "destination_service_name": service.name,
                    "source_cluster": source,
                    "from_cluster": before,
                    "to_cluster": after,
                    # If the log begins only then, the same requests may have come earlier.
                    "sure": first is not None and first < at,
                }


def _iso(unix: float | None) -> str | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC).isoformat()
