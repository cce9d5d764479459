"""Words of the command line that are more than text: addresses, times, durations, shards."""

import re
import time
from collections.abc import Collection
from datetime import UTC, datetime

from exporter.cli.errors import UsageMistakeError
from exporter.commands.run.shard import ALL, Shard, parse_shard
from exporter.config.scalars import MAX_PORT, Duration


def host_port(flag: str, text: str) -> tuple[str, int]:
    """Read host:port; the host may be empty or an IPv6 address in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > MAX_PORT:
        msg = f"{flag}: {text!r} is not host:port; for example :9877 or [::1]:9877"
        raise UsageMistakeError(msg)
    return host.strip("[]"), int(port)


def unix_time(flag: str, text: str | None) -> float | None:
    """Read a time as unix seconds; without an offset it is UTC. A duration is so long ago."""
    try:
        return None if text is None else time.time() - Duration.parse(text)
    except ValueError:
        pass
    try:
        at = None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{flag}: {text!r} is not a time; write 2026-11-28T10:00:00Z or a duration such as 1h"
        raise UsageMistakeError(msg) from error
    return None if at is None else (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def duration(flag: str, text: str | None) -> float | None:
    """Read a duration as seconds."""
    try:
        return None if text is None else Duration.parse(text)
    except ValueError as error:
        msg = f"{flag}: {error}"
        raise UsageMistakeError(msg) from error


def telemetry_path(flag: str, text: str, pages: Collection[str]) -> str:
    """Read the path of the metrics, which must not be that of one of the other *pages*."""
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]*", text):
        msg = f"{flag}: {text!r} is not a path; write for example /metrics"
        raise UsageMistakeError(msg)
    if text in pages:
        msg = f"{flag}: {text} is another page of this exporter; write for example /metrics"
        raise UsageMistakeError(msg)
    return text


def shard(flag: str, text: str | None) -> Shard | None:
    """Read a shard; None for `auto`."""
    try:
        return ALL if text is None else None if text == "auto" else parse_shard(text)
    except ValueError as error:
        msg = f"{flag}: {error}"
        raise UsageMistakeError(msg) from error
