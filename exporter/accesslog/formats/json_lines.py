"""
Access logs whose lines are JSON objects with nginx's variables as keys, in any order.

For a log whose keys stand in a known order the format itself, given verbatim, is faster.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from exporter.accesslog.formats.log_format import PROBE, LogFormat
from exporter.accesslog.formats.times import parse_any_time
from exporter.accesslog.line_times import Block
from exporter.accesslog.special_lines import Row

Value = str | int | float | None
MAX_DIGITS = 18
"""No size has more digits: what has is none."""
SHORTEST = 20
"""A line with an address and a status has no fewer bytes."""


class _Line(msgspec.Struct):
    """What is wanted of a line."""

    remote_addr: Value = None
    http_x_forwarded_for: Value = None
    host: Value = None
    request: Value = None
    request_uri: Value = None
    time_local: Value = None
    time_iso8601: Value = None
    msec: Value = None
    status: Value = None
    body_bytes_sent: Value = None
    bytes_sent: Value = None
    request_time: Value = None
    upstream_response_time: Value = None
    http_user_agent: Value = None


_DECODER = msgspec.json.Decoder(_Line)


def compile_objects(
    *, ignore_user_agents: Iterable[str] = (), ignore_paths: Iterable[str] = ()
) -> LogFormat:
    """Return the format of such lines, as `compile_format` does for text."""
    special = (PROBE, *ignore_user_agents)
    paths = frozenset(ignore_paths)

    def row(line: _Line | None) -> Row:
        if line is None or not line.remote_addr or not _is_status(line.status):
            return (b"",) * 9 + (b"x",)
        agent = str(line.http_user_agent or "")
        size = line.body_bytes_sent if line.body_bytes_sent is not None else line.bytes_sent
        return (
            _raw(line.remote_addr),
            _raw(line.http_x_forwarded_for),
            _raw(line.host),
            b"x" if paths and _path(line) in paths else b"",
            _raw(_first(line.time_local, line.time_iso8601, line.msec)),
            _raw(line.status),
            _digits(size),
            _raw(_first(line.request_time, line.upstream_response_time)),
            _raw(agent) if agent.startswith(special) else b"",
            b"",
        )

    def rows(block: Block) -> list[Row]:
        return [row(line) for line in _lines(bytes(block))]

    return LogFormat(
        block=None,
        line=None,
        order=tuple(range(10)),
        fields=frozenset({"address", "status", "host", "forwarded", "path", "stamp", "seconds"}),
        stamp=None,
        time=parse_any_time,
        strict=False,
        came=True,
        shortest=SHORTEST,
        rows=rows,
    )


def _lines(block: bytes) -> list[_Line | None]:
    # msgspec's decode_lines takes two objects on one line, and one object on two lines.
    return [_line(line) for line in block.split(b"\n")[:-1]]


def _line(line: bytes) -> _Line | None:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def _raw(value: Value) -> bytes:
    return b"" if value is None or value == "-" else str(value).encode("utf-8", "replace")


def _digits(value: Value) -> bytes:
    text = _raw(value)
    return text if text.isdigit() and len(text) <= MAX_DIGITS else b""


def _first(*values: Value) -> Any:  # noqa: ANN401 - a Value
    return next((value for value in values if value not in {None, "", "-"}), None)


def _is_status(value: Value) -> bool:
    return len(text := str(value)) == 3 and text.isascii() and text.isdigit()  # noqa: PLR2004


def _path(line: _Line) -> str:
    asked = str(line.request_uri or "") or str(line.request or "").partition(" ")[2]
    return asked.partition(" ")[0].partition("?")[0]
