r"""
An nginx `log_format` as regular expressions over bytes.

The block expression makes one tuple of each line, in one call for many lines. A line that does
not fit the format arrives whole in the last place of its tuple. If a line is torn, a match may run
over its end; `count` detects that.

nginx writes `"` inside a value as `\x22`, and control characters likewise. A quote or a tab
therefore always ends a value. With `escape=json` nginx writes `\"`. Lines with such a quote are
left to the slower expression for single lines.
"""

import calendar
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

PROBE = "clusterset-exporter/"

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
NAMED = {"combined": COMBINED, "main": f'{COMBINED} "$http_x_forwarded_for"'}
"""nginx's own format, and that of its docker image."""

FIELDS = (
    "address",
    "forwarded",
    "host",
    "path",
    "stamp",
    "status",
    "size",
    "seconds",
    "agent",
    "line",
)
"""What a tuple holds once it is put in order; what a format does not log is empty."""
NARROW = ("address", "status", "size", "agent", "line")

Stamp = Callable[[bytes], float | None]

# Which variable tells a field; of several the first goes first.
_TELLS = {
    "address": ("remote_addr", "realip_remote_addr"),
    "forwarded": ("http_x_forwarded_for", "proxy_add_x_forwarded_for"),
    "host": ("host", "http_host"),
    "path": ("request", "request_uri", "uri"),
    "stamp": ("time_local", "time_iso8601", "msec"),
    "status": ("status",),
    "size": ("body_bytes_sent", "bytes_sent"),
    "seconds": ("request_time", "upstream_response_time"),
    "agent": ("http_user_agent",),
}
# Variables whose values hold neither spaces nor quotes; of all others anything is expected.
_WORDS = frozenset(
    """
    remote_addr realip_remote_addr remote_port realip_remote_port status body_bytes_sent bytes_sent
    request_time request_length msec time_iso8601 connection connection_requests pid server_port
    server_addr scheme request_method server_protocol host hostname server_name request_id
    request_uri ssl_protocol ssl_cipher pipe gzip_ratio https connection_time nginx_version
    proxy_protocol_addr
    """.split()  # noqa: SIM905 - words read better than commas
)
_EXACT = {
    "time_local": rb".{26}",
    "time_iso8601": rb".{25}",
    "status": rb"\d\d\d",
    "body_bytes_sent": rb"\d++",
    "bytes_sent": rb"\d++",
    "msec": rb"\d++\.\d++",
    "request_time": rb"\d++\.\d++",
    "upstream_response_time": rb"(?:[-\d.]++(?:(?:, | : )[-\d.]++)*+)?+",
}
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_DIRECTIVE = re.compile(r"\s*log_format\s+\S+\s+(.*?);?\s*", re.DOTALL)
_ESCAPE = re.compile(r"\s*escape=(\w+)\s+")
_STRINGS = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(\S+)""")
_MONTHS = {name.encode(): n for n, name in enumerate(calendar.month_abbr) if n}


class FormatError(ValueError):
    """A format cannot be read without guessing; says why, and where in it."""


@dataclass(frozen=True, slots=True)
class LogFormat:
    """A compiled format."""

    block: re.Pattern[bytes] | None
    """None if *rows* does its work."""
    line: re.Pattern[bytes] | None
    """For a single line without its end, with the same groups but the last."""
    order: tuple[int, ...] | None
    """Where in a tuple each of FIELDS is; None if the tuple is NARROW as it comes."""
    fields: frozenset[str]
    """Which of FIELDS the format tells."""
    stamp: re.Pattern[bytes] | None
    """Finds an access line in a block, and its time; None for a format without one."""
    time: Stamp
    """Reads that time."""
    strict: bool
    """Whether a line that the block expression refuses may still be one, see `line`."""
    rows: Callable[[bytes], list[tuple[bytes, ...]]] | None = None
    """Makes the tuples of a block, in the order of FIELDS, one a line."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A literal, or a variable."""

    text: str
    variable: bool
    place: int
    """Where it begins in the format."""


def compile_format(
    text: str,
    *,
    ignore_user_agents: Iterable[str] = (),
    ignore_paths: Iterable[str] = (),
    forwarded: bool = False,
    host: bool = False,
    stamps: bool = False,
) -> LogFormat:
    """
    Compile a format.

    Args:
        text: `combined`, `main`, a log_format string, or a whole `log_format` directive.
        ignore_user_agents: Beginnings of user agents that are no clients.
        ignore_paths: Exact paths that are no client traffic.
        forwarded: Whether X-Forwarded-For is wanted.
        host: Whether the host is needed to tell the service.
        stamps: Whether the time of each line is wanted.

    Raises:
        FormatError: If lines of this format could only be guessed at.
    """
    body, escape = _plain(text)
    pieces = _pieces(body)
    told = _tellers(pieces)
    _check(pieces, told, body, escape=escape, host=host, paths=bool(tuple(ignore_paths)))
    wanted = {"address", "status", "size", "seconds", "agent"} | {"host"}
    wanted |= {"forwarded"} if forwarded else set()
    wanted |= {"path"} if tuple(ignore_paths) else set()
    wanted |= {"stamp"} if stamps else set()
    groups = {variable: name for name, variable in told.items() if name in wanted}
    special = {
        "agent": _either((PROBE, *ignore_user_agents)),
        "path": _either(sorted(ignore_paths, key=len, reverse=True)),
    }
    made = _Maker(pieces, escape == "json", special)
    fast, names = made.expression(groups, strict=False)
    slow, _ = made.expression(groups, strict=True)
    times = {told["stamp"]: "stamp"} if "stamp" in told else {}
    stamp, _ = made.expression(times, strict=False)
    names = (*names, "line")
    if names == NARROW:
        order = None
    else:
        # The empty group, last but one, stands in for what is not there.
        fast, slow = fast + b"()", slow + b"()"
        names = (*names[:-1], "", "line")
        order = tuple(names.index(name) if name in names else len(names) - 2 for name in FIELDS)
    return LogFormat(
        block=re.compile(rb"^(?:" + fast + rb"\n|([^\n]*+)\n)", re.MULTILINE),
        line=re.compile(slow),
        order=order,
        fields=frozenset(told),
        stamp=re.compile(rb"^" + stamp + rb"$", re.MULTILINE) if times else None,
        time=_TIMES.get(told.get("stamp", ""), parse_time),
        strict=fast != slow,
    )


def parse_time(stamp: bytes) -> float | None:
    """Return the unix seconds of nginx's $time_local, `07/Jul/2022:07:42:11 +0000`, or None."""
    try:
        day, month, year = int(stamp[:2]), _MONTHS[stamp[3:6]], int(stamp[7:11])
        hour, minute, second = int(stamp[12:14]), int(stamp[15:17]), int(stamp[18:20])
        zone = int(stamp[22:24]) * 3600 + int(stamp[24:26]) * 60
        local = calendar.timegm((year, month, day, hour, minute, second))
    except (ValueError, KeyError):
        return None
    return float(local + zone if stamp[21:22] == b"-" else local - zone)


def _parse_iso(stamp: bytes) -> float | None:
    try:
        return datetime.fromisoformat(stamp.decode("ascii")).timestamp()
    except ValueError:
        return None


def _parse_msec(stamp: bytes) -> float | None:
    try:
        return float(stamp)
    except ValueError:
        return None


_TIMES: dict[str, Stamp] = {
    "time_local": parse_time,
    "time_iso8601": _parse_iso,
    "msec": _parse_msec,
}


def parse_any_time(stamp: bytes) -> float | None:
    """Return the unix seconds of any of nginx's times, or None."""
    return next((at for at in (each(stamp) for each in _TIMES.values()) if at is not None), None)


def _plain(text: str) -> tuple[str, str]:
    """Return the format's string and how it is escaped."""
    if text in NAMED:
        return NAMED[text], "default"
    directive = _DIRECTIVE.fullmatch(text)
    body = directive[1] if directive else text
    escaped = _ESCAPE.match(body)
    escape = escaped[1] if escaped else "default"
    if escape not in {"default", "json", "none"}:
        msg = f"escape={escape} is none of default, json and none"
        raise FormatError(msg)
    body = body[escaped.end() :] if escaped else body
    if directive:
        strings = _STRINGS.findall(body)
        body = "".join(_unescape(one or two or bare) for one, two, bare in strings)
    return body, escape


def _unescape(text: str) -> str:
    """Undo what nginx's configuration parser undoes."""
    known = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\", "'": "'", '"': '"'}
    return re.sub(r"\\([trn\\'\"])", lambda found: known[found[1]], text)


def _pieces(text: str) -> list[_Piece]:
    pieces, end = [], 0
    for found in _VARIABLE.finditer(text):
        if found.start() > end:
            pieces.append(_Piece(text[end : found.start()], variable=False, place=end))
        pieces.append(_Piece(found[1] or found[2], variable=True, place=found.start()))
        end = found.end()
    if end < len(text):
        pieces.append(_Piece(text[end:], variable=False, place=end))
    return pieces


def _tellers(pieces: Iterable[_Piece]) -> dict[str, str]:
    """Return the variable that tells each field."""
    present = {piece.text for piece in pieces if piece.variable}
    found = {
        name: next((each for each in variables if each in present), "")
        for name, variables in _TELLS.items()
    }
    return {name: variable for name, variable in found.items() if variable}


def _check(
    pieces: list[_Piece], told: dict[str, str], text: str, *, escape: str, host: bool, paths: bool
) -> None:
    needed = {"address": "$remote_addr", "status": "$status"}
    needed |= {"host": "$host"} if host else {}
    needed |= {"path": "$request"} if paths else {}
    for name, variable in needed.items():
        if name not in told:
            msg = f"has no {variable}; add it to the log_format in nginx"
            raise FormatError(msg)
    if "\n" in text:
        msg = f"has a line feed at character {text.index(chr(10)) + 1}; a request must be one line"
        raise FormatError(msg)
    for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
        if not piece.variable:
            continue
        where = f"${piece.text} at character {piece.place + 1}"
        if after is not None and after.variable:
            msg = f"{where} is followed by ${after.text} with nothing between; put a space there"
            raise FormatError(msg)
        if not _ends(piece, after, escape):
            held = after.text[0] if after is not None else ""
            msg = f"{where} may itself hold the {held!r} that ends it"
            if escape == "none":
                msg = f"{msg}, since escape=none escapes nothing; take escape=none away"
            else:
                msg = f'{msg}; put it in double quotes, as "${piece.text}"'
            raise FormatError(msg)


def _ends(piece: _Piece, after: _Piece | None, escape: str) -> bool:
    """Return whether it can be told where a variable's value ends."""
    if after is None or piece.text in _EXACT:
        return True
    first = after.text[0]
    if piece.text in _WORDS:
        return not (first.isalnum() or first in ".:-_")
    if escape == "none":
        # Nothing is escaped, so anybody's header may hold anything.
        return False
    # nginx escapes quotes and control characters; a user with a bracket makes an odd line.
    return first in '"\t' or (piece.text == "remote_user" and after.text.startswith(" ["))


class _Maker:
    """
    Makes expressions of a format's pieces.

    Args:
        pieces: Of the format.
        json: Whether values are escaped as in JSON.
        special: What the values of agents and paths that matter begin with, as expressions.
    """

    def __init__(self, pieces: list[_Piece], json: bool, special: dict[str, bytes]) -> None:
        self._pieces = pieces
        self._json = json
        self._special = special

    def expression(self, groups: dict[str, str], *, strict: bool) -> tuple[bytes, tuple[str, ...]]:
        """Return an expression with the variables in *groups* as groups, and their names."""
        made, names, done = b"", [], set[str]()
        skip = 0
        for piece, after in zip(self._pieces, [*self._pieces[1:], None], strict=True):
            if not piece.variable:
                made += re.escape(piece.text[skip:].encode())
                skip = 0
                continue
            name = groups.get(piece.text, "")
            if name in done:
                name = ""
            if name:
                names.append(name)
                done.add(name)
            made += self._value(piece.text, name, after, strict=strict)
            if piece.text == "remote_user" and after and after.text.startswith(" ["):
                skip = 1  # the space is taken by the value
        return made, tuple(names)

    def _value(self, variable: str, name: str, after: _Piece | None, *, strict: bool) -> bytes:
        if variable in _EXACT:
            return b"(" + _EXACT[variable] + b")" if name else _EXACT[variable]
        end = after.text[0].encode() if after is not None else b"\n"
        if variable == "remote_user" and after is not None and after.text.startswith(" ["):
            return rb"[^[]*+"
        any_ = b"[^" + re.escape(end) + b"]*+"
        if variable in _WORDS and end != b" ":
            any_ = b"[^ " + re.escape(end) + b"]*+"
        if self._json and end == b'"':
            any_ = rb'(?:[^"\\]|\\.)*+' if strict else rb'[^"\\]*+'
            if not strict and after is not None and after.text.count('"') > 1:
                # Faster. A quote inside the value is escaped, and so is any after it that somebody
                # put there; the second one of what follows the value is not.
                any_ = rb'[^"]*+'
        if name in self._special:
            return self._beginning(variable, name, any_, end)
        if name == "address":
            any_ = any_[:-2] + b"++"
        return b"(" + any_ + b")" if name else any_

    def _beginning(self, variable: str, name: str, any_: bytes, end: bytes) -> bytes:
        """Return an expression whose group is empty unless the value begins as wanted."""
        begins = self._special[name]
        if name == "agent":
            return b"((?:" + begins + b")" + any_ + b")?+" + any_
        method = b"[A-Z]++ " if variable == "request" else b""
        stop = re.escape(end)
        return b"(?:" + method + b"(" + begins + b")(?=[? " + stop + b"]))?+" + any_


def _either(words: Iterable[str]) -> bytes:
    return b"|".join(re.escape(word.encode()) for word in words)
