"""One exporter as a process: the stages side by side, and their start, reload and stop."""

import asyncio
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from exporter import __version__, settings
from exporter.accesslog.count import Counter
from exporter.accesslog.follow import Follower
from exporter.accesslog.format import compile_format
from exporter.discover.static import StaticInventory, read_inventory
from exporter.expose import series
from exporter.expose.server import serve
from exporter.expose.status import Moment
from exporter.flow import Flow
from exporter.model import Inventory, LogCounts, Question, ServiceName
from exporter.probe.http import Request
from exporter.probe.resolve import Server, system_resolvers
from exporter.probe.schedule import Schedule, Target
from exporter.settings import LogSettings, Settings, SettingsError

LOOP_CHECK = 0.5
"""Seconds between two tries of how late the event loop is."""
LOG_CHECK = 0.25
INVENTORY_CHECK = 0.1

Stage = Callable[[], Awaitable[None]]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    config_file: Path
    cluster: str | None
    listen: tuple[tuple[str, int], ...]
    telemetry_path: str


def log_to_stderr(level: str, form: str) -> None:
    """Send the process's messages to standard error, as logfmt or JSON lines."""
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["ts", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


class Loaded:
    """A configuration and all that it names, read together so that a mistake in any stops all."""

    def __init__(self, path: Path, cluster: str | None) -> None:
        self.settings = settings.load(path)
        self.local = cluster or self.settings.cluster
        if self.local is None:
            msg = (
                f"{path}: cluster: this exporter does not know which cluster it is in; set "
                "`cluster:` in the file, --cluster, or CLUSTER_NAME in the environment"
            )
            raise SettingsError(msg)


async def run(options: Options) -> None:
    """
    Run one exporter until SIGTERM or SIGINT.

    Raises:
        SettingsError: If the configuration or what it names is wrong at the start.
    """
    stop, reload_asked = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload_asked.set)
