"""The newest lines of the access log files: which clusters' clients a service served lately."""

import os
from collections.abc import Callable, Iterator
from glob import glob

from exporter.accesslog.counter import Counter
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.source import LogSource, compile_source
from exporter.commands.load import RuntimeConfig
from exporter.config.paths import STDIN
from exporter.config.yaml_reader import SettingsError
from exporter.files.regular import open_regular
from exporter.judge.attribute import Attribution
from exporter.judge.named_services import named_service
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.traffic import Hits, LogCounts

TAIL_BYTES = 128 << 10
"""Bytes at the end of each access log that are read."""


def newest_requests(
    loaded: RuntimeConfig, inventory: Inventory, service: ServiceName
) -> Iterator[tuple[str, dict[str, Hits]]]:
    """Yield each log file of *service*, with its newest client requests by source cluster."""
    proxies = [proxy.network for proxy in loaded.settings.attribution.trusted_proxies]
    source_of = Attribution(inventory, proxies).source
    for source in loaded.logs:
        mine = source.service in {None, service} and not source.by_pod
        if mine and source.files != (STDIN,):
            for name in sorted({path for each in source.files for path in glob(each)}):  # noqa: PTH207 - as the daemon does
                counts = _newest(loaded, inventory, source, source_of, name)
                requests: dict[str, Hits] = {}
                for client, hits in counts.clients.items():
                    if client.service == service:
                        requests.setdefault(client.source, Hits()).add(hits)
                yield name, requests


def _newest(
    loaded: RuntimeConfig,
    inventory: Inventory,
    source: LogSource,
    source_of: Callable[[str, str], str],
    name: str,
) -> LogCounts:
    names, domain = dict(source.names), loaded.settings.clusterset_domain

    def service_of(host: str) -> tuple[ServiceName, bool] | None:
        if source.service is not None:
            return source.service, False
        asked = named_service(
            host, names, inventory, domain, by_upstream=source.by_upstream, by_route=source.by_route
        )
        return None if asked is None else (asked.service, False)

    counter = Counter(compile_source(source), source_of, service_of)
    try:
        with os.fdopen(open_regular(name), "rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
            file.seek(start)
            text = file.read(TAIL_BYTES)
    except OSError as error:
        msg = f"{name}: {error.strerror or error}"
        raise SettingsError(msg) from error
    first = text.find(b"\n") + 1 if start else 0
    whole = text[first : text.rfind(b"\n") + 1]
    return Lines(counter, source.wrapper).count(name, whole)
