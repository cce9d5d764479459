"""Access logs of the past: who was served from where."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.accesslog.count import Counter
from exporter.accesslog.format import compile_format
from exporter.accesslog.read import read_blocks
from exporter.discover.static import read_inventory
from exporter.judge.attribute import Attribution
from exporter.model import EXTERNAL, NOT_CLUSTERS, Hits, Inventory, Locality, LogCounts, ServiceName
from exporter.yamlfile import SettingsError

PATIENCE = 1.0
"""Seconds after which a person wants to see that something is going on."""


def analyze(
    *,
    inventory_file: Path,
    cluster: str,
    service: str | None,
    log_format: str,
    files: Sequence[str],
) -> dict[str, Any]:
    """
    Count the access logs in *files* and attribute each client request to a cluster.

    Args:
        inventory_file: A static inventory.
        cluster: The cluster that wrote the logs.
        service: The service that they belong to, as namespace/name; may be left out if the
            inventory has just one.
        log_format: `main` or `combined`.
        files: Paths; gzip is seen by its first bytes, `-` is standard input.

    Raises:
        SettingsError: If the inventory is broken, or the service cannot be told.
        exporter.accesslog.read.ReadError: If a file cannot be read.
    """
    inventory = read_inventory(inventory_file, cluster)
    name = _service(inventory, inventory_file, service)
    # Health checks of kubelets are no client traffic, as in the daemon.
    log = compile_format(log_format, ignore_user_agents=("kube-probe/",))
    counter, counts = Counter(log, Attribution(inventory).source), LogCounts()

    def cut() -> None:
        counts.read += 1
        counts.truncated += 1

    with _progress(files) as read:
        for block in read_blocks(files, read=read, cut=cut):
            counter.count(block, counts)
    return _report(name, cluster, counts)


def table(report: dict[str, Any]) -> None:
    """Print *report* for a person."""
    from rich.console import Console  # noqa: PLC0415 - slow to import, and JSON needs none of it
    from rich.table import Table  # noqa: PLC0415

    console, lines = Console(highlight=False), report["lines"]
    for service in report["services"]:
        where = service["destination_cluster"]
        name = f"{service['destination_service_namespace']}/{service['destination_service_name']}"
        columns = Table("source", "locality", title=f"{name}, served by {where}", title_style="")
        for column in ("requests", "share", "failures", "bytes", "probes"):
            columns.add_column(column, justify="right")
        total = sum(source["requests"] for source in service["sources"])
        for source in service["sources"]:
            share = f"{source['requests'] / total:.1%}" if total else "-"
            columns.add_row(
                source["source_cluster"],
                source["locality"],
                f"{source['requests']:,}",
                share,
                f"{source['failures']:,}",
                f"{source['bytes']:,}",
                f"{source['probes']:,}",
            )
        console.print(columns)
    counted = ", ".join(f"{number:,} {what}" for what, number in lines.items())
    span = f" from {report['from']} to {report['to']}" if report["from"] else ""
    console.print(f"lines: {counted}{span}", soft_wrap=True)


def _service(inventory: Inventory, path: Path, service: str | None) -> ServiceName:
    if service is not None:
        namespace, _, name = service.partition("/")
        if not namespace or not name or "/" in name:
            msg = f"--service {service}: should be namespace/name"
            raise SettingsError(msg)
        return ServiceName(namespace, name)
    if len(inventory.services) == 1:
        return next(iter(inventory.services))
    known = ", ".join(map(str, inventory.services)) or "none"
    msg = f"--service is missing, and {path} has not just one; known are {known}"
    raise SettingsError(msg)


def _report(service: ServiceName, cluster: str, counts: LogCounts) -> dict[str, Any]:
    probes = [hit.source for hit in counts.probes]
    sources = sorted({*counts.clients, *probes})
    return {
        "lines": {
            "read": counts.read,
            "access": counts.access,
            "other": counts.other,
            "ignored": counts.ignored,
            "truncated": counts.truncated,
        },
        "from": _iso(counts.first),
        "to": _iso(counts.last),
        "services": [
            {
                "destination_service_namespace": service.namespace,
                "destination_service_name": service.name,
                "destination_cluster": cluster,
                "sources": [
                    _source(source, cluster, counts.clients.get(source, Hits()), probes)
                    for source in sources
                ],
            }
        ],
    }


def _source(source: str, cluster: str, hits: Hits, probes: list[str]) -> dict[str, Any]:
    return {
        "source_cluster": source,
        "requests": hits.requests,
        "failures": hits.failures,
        "bytes": hits.bytes,
        "probes": probes.count(source),
        "locality": _locality(source, cluster),
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
