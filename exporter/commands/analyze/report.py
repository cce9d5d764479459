"""Access logs of the past: who was served from where, and when that changed."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.nginx import FormatError, LogFormat
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.readers.past import read_blocks
from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import read_inventory
from exporter.judge.attribute import Attribution
from exporter.model.clusterset import EXTERNAL, NOT_CLUSTERS, Inventory, ServiceName
from exporter.model.probes import Question
from exporter.model.traffic import Client, Hits, LogCounts
from exporter.model.verdicts import Locality

PATIENCE = 1.0
"""Seconds after which a person wants to see that something is going on."""
MINUTE = 60.0
DOMAIN = "clusterset.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be found out."""

    inventory_file: Path
    logs: Mapping[str, Sequence[str]]
    """Files by the cluster that wrote them; gzip is seen by its first bytes, `-` is stdin."""
    service: str | None = None
    """As namespace/name; None if the logged host tells, or the inventory has just one."""
    form: str = "main"
    """combined, main, json, or a log_format string."""
    wrapper: str = "none"
    since: float | None = None
    """Unix seconds."""
    until: float | None = None
    every: float | None = None
    """Length of the spans of time that are told apart, seconds."""


@dataclass(slots=True)
class _Found:
    """What the logs of all clusters hold."""

    counts: dict[str, LogCounts] = field(default_factory=dict)
    """By the cluster that wrote them."""

    def hits(self) -> Iterator[tuple[str, Client, Hits]]:
        """Yield who served whom how often."""
        for destination, counts in self.counts.items():
            for client, hits in counts.clients.items():
                yield destination, client, hits


def analyze(asked: Asked) -> dict[str, Any]:
    """
    Count access logs and attribute each client request to a cluster.

    Raises:
        SettingsError: If the inventory is broken, or format or service cannot be told.
        exporter.accesslog.readers.past.ReadError: If a file cannot be read.
    """
    timed = len(asked.logs) > 1 or any(
        each is not None for each in (asked.since, asked.until, asked.every)
    )
    log = _compile(asked, timed=timed)
    found = _Found()
    with _progress([name for files in asked.logs.values() for name in files]) as read:
        for cluster, files in asked.logs.items():
            inventory = read_inventory(asked.inventory_file, cluster)
            fixed = _service(inventory, asked, log)
            found.counts[cluster] = _count(asked, log, inventory, files, fixed, read, timed=timed)
    return _report(found, asked)


def _compile(asked: Asked, *, timed: bool) -> LogFormat:
    try:
        # Health checks of kubelets are no client traffic, as in the daemon.
        log = compile_log(asked.form, ignore_user_agents=("kube-probe/",), stamps=timed)
    except FormatError as error:
        msg = f"--format: {error}"
        raise SettingsError(msg) from error
    if timed and "stamp" not in log.fields:
        msg = "--format: has no $time_local, which several clusters and spans of time need"
        raise SettingsError(msg)
    return log


def _count(
    asked: Asked,
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
        if at < (asked.since or 0) or (asked.until is not None and at >= asked.until):
            return None
        return at // (asked.every or MINUTE) * (asked.every or MINUTE)

    source_of = Attribution(inventory).source
    counter = Counter(log, source_of, service_of, span_of if timed else None)
    lines, counts = Lines(counter, asked.wrapper), LogCounts()

    def cut() -> None:
        counts.read += 1
        counts.truncated += 1

    for name in files:
        for block in read_blocks([name], read=read, cut=cut):
            lines.count(name, block, counts)
    return counts


def _service(inventory: Inventory, asked: Asked, log: LogFormat) -> ServiceName | None:
    """Return the service that the logs belong to, None if the host tells."""
    if asked.service is not None:
        name = ServiceName.parse(asked.service)
        if name is None:
            msg = f"--service {asked.service}: should be namespace/name"
            raise SettingsError(msg)
        return name
    if "host" in log.fields:
        return None
    if len(inventory.services) == 1:
        return next(iter(inventory.services))
    known = ", ".join(map(str, inventory.services)) or "none"
    msg = (
        f"--service is missing: the format logs no $host, and {asked.inventory_file} has not "
        f"just one; known are {known}"
    )
    raise SettingsError(msg)


def _report(found: _Found, asked: Asked) -> dict[str, Any]:
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
        "services": list(_services(found, asked)),
    }
    if foreign := sum(each.foreign for each in counts):
        report["lines"]["foreign"] = foreign
    if asked.every is not None:
        report["course"] = list(_spans(found))
    if len(asked.logs) > 1:
        report["failovers"] = list(_failovers(found))
    return report


def _services(found: _Found, asked: Asked) -> Iterator[dict[str, Any]]:
    for cluster, counts in found.counts.items():
        sums: dict[tuple[ServiceName, str], Hits] = {}
        for client, hits in counts.clients.items():
            sums.setdefault((client.service, client.source), Hits()).add(hits)
        probes: dict[tuple[ServiceName, str], int] = defaultdict(int)
        for hit in counts.probes:
            probes[hit.service, hit.source] += 1
        named = {service for service, _ in (*sums, *probes)}
        if not named and asked.service is not None:
            named = {name for name in [ServiceName.parse(asked.service)] if name is not None}
        for service in sorted(named):
            sources = sorted({source for each, source in (*sums, *probes) if each == service})
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
                        "locality": _locality(source, cluster),
                    }
                    for source in sources
                ],
            }


def _spans(found: _Found) -> Iterator[dict[str, Any]]:
    """Yield who served whom how often in each span of time."""
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
        # Without a majority they take turns, which is no move.
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
                    # A log that only begins then may have had them before, too.
                    "sure": first is not None and first < at,
                }


def _locality(source: str, cluster: str) -> Locality:
    # Nobody knows any more who was ready when, so failovers and leaks are both just remote.
    if source in NOT_CLUSTERS:
        return Locality.EXTERNAL if source == EXTERNAL else Locality.UNKNOWN
    return Locality.LOCAL if source == cluster else Locality.REMOTE


def _iso(unix: float | None) -> str | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC).isoformat()


@contextmanager
def _progress(files: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """Show how far reading is, on a terminal, once it takes longer than PATIENCE."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    total = sum(Path(name).stat().st_size for name in files if Path(name).is_file())
    bar = Progress(
        "reading",
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task, began = bar.add_task("reading", total=total or None), time.monotonic()

    def read(number: int) -> None:
        bar.update(task, advance=number)
        if not bar.live.is_started and time.monotonic() - began > PATIENCE:
            bar.start()

    try:
        yield read
    finally:
        bar.stop()
