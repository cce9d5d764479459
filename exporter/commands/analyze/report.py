"""Access logs of the past: which cluster served whose clients, and when that changed."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

from exporter.accesslog.readers.past import FilePart, file_parts
from exporter.commands.analyze.count import AUTO, AnalyzeRequest, LogCounter
from exporter.commands.analyze.formats import FitOfFormats, Formats, choose, told
from exporter.commands.analyze.jobs import count_all
from exporter.judge.past import past_locality
from exporter.model.clusterset import NOT_CLUSTERS, ServiceName
from exporter.model.traffic import Client, Hits, LogCounts


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
    files = [name for names in request.logs.values() for name in names]
    formats = choose(files, request.wrapper) if request.form == AUTO else Formats()
    found, fit, begin = _Found(), FitOfFormats(), partial(LogCounter, request, formats)
    for cluster, inventory in begin().inventories.items():
        found.exporters = {
            name: frozenset(export.cluster for export in service.exports)
            for name, service in inventory.services.items()
        }
        found.counts[cluster] = LogCounts()
    tasks = [
        (cluster, part)
        for cluster, names in request.logs.items()
        for name in names
        # A wrapper holds the parts of a line over any place in a file.
        for part in (file_parts(name) if _is_bare(request, formats, name) else [FilePart(name)])
    ]
    # What can be read only once gets its format where it is counted.
    once = any(name == "-" or (request.form == AUTO and name not in formats) for name in files)
    made = count_all(tasks, 1 if once else request.jobs, read, begin)
    for (cluster, part), (_, counts) in zip(tasks, made, strict=True):
        found.counts[cluster].add(counts)
        fit.add(part.name, counts)
    return _report(found, request) | told(formats, fit) | _hints(found, request)


def _hints(found: _Found, request: AnalyzeRequest) -> dict[str, Any]:
    """Return a hint if the service is not in an inventory that has services."""
    if request.service is None or not found.exporters:
        return {}
    if ServiceName.parse(request.service) in found.exporters:
        return {}
    known = ", ".join(map(str, found.exporters))
    why = f"{request.service} is not in {request.inventory_file}, so nobody is taken to export it"
    return {"hints": [f"{why}; known are {known}"]}


def _is_bare(request: AnalyzeRequest, formats: Formats, name: str) -> bool:
    """Return whether lines of the file *name* stand by themselves, with no wrapper."""
    chosen = formats.get(name)
    return (request.wrapper if chosen is None else chosen.wrapper) == "none"


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
    if upstreams := list(_upstreams(found)):
        report["upstreams"] = upstreams
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


def _upstreams(found: _Found) -> Iterator[dict[str, Any]]:
    """Yield for each service and cluster with a gateway where that sent requests, by its log."""
    sums: dict[tuple[ServiceName, str], dict[str, Hits]] = {}
    for counts in found.counts.values():
        for client, hits in counts.upstreams.items():
            by = sums.setdefault((client.service, client.source), {})
            by.setdefault(client.destination, Hits()).add(hits)
    for (service, source), by in sorted(sums.items()):
        exporters = found.exporters.get(service, frozenset())
        yield {
            "destination_service_namespace": service.namespace,
            "destination_service_name": service.name,
            "source_cluster": source,
            "destinations": [
                {
                    "destination_cluster": destination,
                    "requests": hits.requests,
                    "failures": hits.failures,
                    "locality": past_locality(source, destination, exporters),
                }
                for destination, hits in sorted(by.items())
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
