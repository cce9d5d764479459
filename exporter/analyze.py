"""Access logs of the past: who was served from where."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.accesslog.count import Counter
from exporter.accesslog.format import compile_format
from exporter.accesslog.read import read_blocks
from exporter.discover.static import read_inventory
from exporter.judge.attribute import Attribution
from exporter.model import EXTERNAL, NOT_CLUSTERS, Hits, Inventory, Locality, LogCounts, ServiceName


class AnalyzeError(Exception):
    """What was asked for cannot be done; the message says what would work."""


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
        AnalyzeError: If the service cannot be told.
        exporter.yamlfile.SettingsError: If the inventory is broken.
        exporter.accesslog.read.ReadError: If a file cannot be read.
    """
    inventory = read_inventory(inventory_file, cluster)
    name = _service(inventory, inventory_file, service)
    counter = Counter(compile_format(log_format), Attribution(inventory).source)
    counts = LogCounts()
    with _progress(files) as seen:
        for block in read_blocks(files, seen):
            counter.count(block, counts)
    return _report(name, cluster, counts)
