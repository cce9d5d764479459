"""
Access logs whose lines are JSON objects, from a map that says which key tells which field.

A map is written as in YAML: `{remote: request.remote_ip, status: status, size: size}`. A dot goes
into an object, and the first of several keys that has a value is taken: `time_local|msec`. Keys
may stand in any order, and further keys are passed over without being made into objects.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from exporter.accesslog.formats.json_reader import DOT, NONE, reader
from exporter.accesslog.formats.log_format import FIELDS, PROBE, UPSTREAMS, FormatError, LogFormat
from exporter.accesslog.formats.text import WantedFields
from exporter.accesslog.formats.times import parse_any_time
from exporter.accesslog.line_times import MAX_KEY, MAX_MEMO, Block
from exporter.accesslog.special_lines import Row

MAX_SIZE = 10**18
MAX_DIGITS = 18
"""No size has more digits: what has is none."""
SHORTEST = 20
"""A line with an address and a status has no fewer bytes."""
UNITS = {"seconds": 1.0, "milliseconds": 1e3, "nanoseconds": 1e9}
KEYS = {
    "remote": "address",
    "forwarded": "forwarded",
    "host": "host",
    "path": "path",
    "time": "stamp",
    "status": "status",
    "size": "size",
    "user_agent": "agent",
    "upstream": "upstream",
    "upstream_status": "upstream_status",
    "upstream_name": "upstream_name",
} | dict.fromkeys(UNITS, "seconds")
"""What a map may tell, and the field that it is."""
_ENTRY = re.compile(r"""\s*(\w+)\s*:\s*(?:"([^"]*)"|'([^']*)'|([^,{}"'\s][^,{}]*?))\s*(?:,|$)""")
_PORT = re.compile(r"\[([^\]]+)\](?::\d{1,5})?|([\d.]+):\d{1,5}")
_OTHER: Row = (*[b""] * (len(FIELDS) - 1), b"x")
_OTHER_SENT: Row = (*_OTHER, *[b""] * len(UPSTREAMS))
_STATUSES: dict[Any, bytes] = {n: b"%d" % n for n in (0, *range(100, 1000))}
_STATUSES |= {str(n): text for n, text in _STATUSES.items()}


def is_map(form: str) -> bool:
    """Return whether *form* is a map of keys, rather than a format that writes JSON."""
    return form.lstrip().startswith("{") and not {"$", "%"} & set(form)


def read_map(text: str) -> dict[str, str]:
    """
    Return the paths by what they tell.

    Raises:
        FormatError: If *text* is no such map; says where.
    """
    body = text.strip()
    if not body.endswith("}"):
        msg = "has no } at its end; write {remote: KEY, status: KEY, ...}"
        raise FormatError(msg)
    body, found, place = body[1:-1].strip(), dict[str, str](), 0
    while place < len(body):
        entry = _ENTRY.match(body, place)
        if entry is None:
            msg = f"cannot be read from {body[place : place + 20]!r} on; write name: KEY, name: KEY"
            raise FormatError(msg)
        found[entry[1]] = (entry[2] or entry[3] or entry[4] or "").strip()
        place = entry.end()
    return found


def compile_map(
    keys: Mapping[str, str], wanted: WantedFields, *, at_end: bool = False
) -> LogFormat:
    """
    Return the format of lines with these keys.

    Args:
        keys: Paths by what they tell; `|` stands between paths of which the first counts.
        wanted: What of each line is wanted.
        at_end: Whether the time of a line is the end of its answer, and not its start.

    Raises:
        FormatError: If the map tells too little, or contradicts itself.
    """
    _check(keys, wanted)
    fields = {KEYS[name]: path.split("|") for name, path in keys.items()}
    unit = next((UNITS[name] for name in keys if name in UNITS), 1.0)
    if wanted.by_upstream:
        fields["host"] = fields.pop("upstream_name")
    upstream = wanted.upstream and "upstream" in fields
    read = reader(fields, _ORDER + UPSTREAMS if upstream else _ORDER)
    row = _sent_row(_row(wanted, unit)) if upstream else _row(wanted, unit)

    def rows(block: Block) -> list[Row]:
        # msgspec's decode_lines takes two objects on one line, and one object on two lines.
        return [row(read(line)) for line in bytes(block).split(b"\n")[:-1]]

    return LogFormat(
        block=None,
        line=None,
        order=tuple(range(len(FIELDS + UPSTREAMS if upstream else FIELDS))),
        fields=frozenset(fields),
        stamp=None,
        time=parse_any_time,
        strict=False,
        came=at_end and "seconds" in fields,
        shortest=SHORTEST,
        rows=rows,
        upstream=upstream,
    )


def _check(keys: Mapping[str, str], wanted: WantedFields) -> None:
    for name, path in keys.items():
        if name not in KEYS:
            msg = f"{name} is nothing that a line tells; known are {', '.join(KEYS)}"
            raise FormatError(msg)
        if not all(all(DOT.split(each)) for each in path.split("|")):
            msg = f"{name}: {path!r} is not a key, or a path such as request.remote_ip"
            raise FormatError(msg)
    needed = ["remote", "status"]
    needed += [wanted.service] if wanted.host or wanted.by_upstream else []
    needed += ["path"] if wanted.ignore_paths else []
    for name in needed:
        if name not in keys:
            msg = f"has no {name}; add {name}: and the key that has it"
            raise FormatError(msg)
    if sum(name in UNITS for name in keys) > 1:
        msg = f"{' and '.join(name for name in keys if name in UNITS)} are the same; keep one"
        raise FormatError(msg)


_ORDER = ("address", "status", "size", "seconds", "agent", "host", "path", "stamp", "forwarded")


def _row(wanted: WantedFields, unit: float) -> Callable[[Any], Row]:
    """Return what makes a row of the values of a line."""
    special, paths = (PROBE, *wanted.ignore_user_agents), frozenset(wanted.ignore_paths)
    memo: dict[Any, bytes] = {}
    forwarding = wanted.forwarded

    def row(values: Any) -> Row:  # noqa: ANN401 - values of JSON
        if values is None:
            return _OTHER
        address, status, size, seconds, agent, host, path, stamp, forwarded = values
        try:
            known = _STATUSES[status]
            client = memo.get(address) or _remember(memo, address)
            named = memo.get(host) or (_remember(memo, host) if host else b"")
        except (KeyError, TypeError):
            return _OTHER
        if known == b"0" and path in NONE:
            # A connection that asked for nothing, such as one of TCP.
            return _OTHER
        if agent.__class__ is list:
            agent = agent[0] if agent else None
        is_special = agent.__class__ is str and agent.startswith(special)
        is_size = size.__class__ is int and 0 <= size < MAX_SIZE
        return (
            client,
            _raw(forwarded) if forwarding and forwarded is not None else b"",
            named if host != "-" else b"",
            b"x" if paths and _path(path) in paths else b"",
            b"" if stamp is None else _moment(stamp),
            known,
            b"%d" % size if is_size else _digits(size),
            b"" if seconds is None else _spent(seconds, unit),
            agent.encode("utf-8", "replace") if is_special else b"",
            b"",
        )

    return row


def _sent_row(row: Callable[[Any], Row]) -> Callable[[Any], Row]:
    """Return what makes a row with UPSTREAMS after what *row* makes."""

    def sent_row(values: Any) -> Row:  # noqa: ANN401 - values of JSON
        made = row(None if values is None else values[:-2])
        if made is _OTHER:
            return _OTHER_SENT
        upstream, status = values[-2:]
        if upstream.__class__ is list:
            upstream = upstream[0] if upstream else None
        return (*made, _raw(upstream) if upstream.__class__ is str else b"", _status(status))

    return sent_row


def _status(value: Any) -> bytes:  # noqa: ANN401 - a value of JSON
    kind = value.__class__
    if kind is str:
        return _raw(value)
    return b"%d" % value if kind is int and 0 <= value <= MAX_SIZE else b""


def _remember(memo: dict[Any, bytes], text: Any) -> bytes:  # noqa: ANN401 - a value of JSON
    """
    Return an address or a host as bytes, an address without its port.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(text, str) or not text:
        msg = "is not text"
        raise TypeError(msg)
    made = _address(text)
    if len(memo) >= MAX_MEMO:
        memo.clear()
    if len(text) <= MAX_KEY:
        memo[text] = made
    return made


def _address(text: str) -> bytes:
    found = _PORT.fullmatch(text) if ":" in text else None
    return (text if found is None else found[1] or found[2]).encode("utf-8", "replace")


def _raw(value: Any) -> bytes:  # noqa: ANN401 - a value of JSON
    if isinstance(value, list):
        value = ",".join(map(str, value))
    return b"" if value in NONE else str(value).encode("utf-8", "replace")


def _digits(value: Any) -> bytes:  # noqa: ANN401 - a value of JSON
    text = str(value)
    return text.encode() if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else b""


def _spent(value: Any, unit: float) -> bytes:  # noqa: ANN401 - a value of JSON
    kind = value.__class__
    if kind is str:
        if unit == 1.0:
            return _raw(value)  # also that of several tries
        value = float(value) if value.isascii() and value.isdigit() else -1.0
    elif kind is not int and kind is not float:
        return b""
    return b"%.3f" % (value / unit) if 0 <= value <= MAX_SIZE else b""


def _moment(value: Any) -> bytes:  # noqa: ANN401 - a value of JSON
    kind = value.__class__
    if kind is str:
        return _raw(value)
    return b"%.3f" % value if kind in {int, float} and 0 <= value <= MAX_SIZE else b""


def _path(value: Any) -> str:  # noqa: ANN401 - a value of JSON
    text = value if isinstance(value, str) else ""
    # With a method before it, it is a whole request line.
    asked = text if text.startswith("/") else text.partition(" ")[2]
    return asked.partition(" ")[0].partition("?")[0]
