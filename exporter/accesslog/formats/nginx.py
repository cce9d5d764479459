r"""
An nginx `log_format` as regular expressions over bytes.

The block expression makes one tuple of each line, in one call for many lines. A line that does
not fit the format arrives whole in the last place of its tuple. If a line is torn, a match may run
over its end; `count` detects that.

nginx writes `"` inside a value as `\x22`, and control characters likewise. A quote or a tab
therefore always ends a value. With `escape=json` nginx writes `\"`. Lines with such a quote are
left to the slower expression for single lines.
"""

import re
from collections.abc import Iterable, Iterator

from exporter.accesslog.formats.expression import EXACT, WORDS, Maker, Piece, either
from exporter.accesslog.formats.log_format import FIELDS, NARROW, PROBE, FormatError, LogFormat
from exporter.accesslog.formats.times import TIMES, parse_time

COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
NAMED = {"combined": COMBINED, "main": f'{COMBINED} "$http_x_forwarded_for"'}
"""nginx's own format, and that of its docker image."""

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
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
_DIRECTIVE = re.compile(r"\s*log_format\s+\S+\s+(.*?);?\s*", re.DOTALL)
_ESCAPE = re.compile(r"\s*escape=(\w+)\s+")
_STRINGS = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(\S+)""")


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
    pieces, paths = _pieces(body), sorted(ignore_paths, key=len, reverse=True)
    told = _tellers(pieces)
    _check(pieces, told, body, escape=escape, host=host, paths=bool(paths))
    wanted = {"address", "status", "size", "seconds", "agent", "host"}
    wanted |= {"forwarded"} if forwarded else set()
    wanted |= {"path"} if paths else set()
    wanted |= {"stamp"} if stamps else set()
    groups = {variable: name for name, variable in told.items() if name in wanted}
    special = {"agent": either((PROBE, *ignore_user_agents)), "path": either(paths)}
    return _compiled(Maker(pieces, escape == "json", special), groups, told)


def with_host(text: str) -> Iterator[str]:
    """Yield log_format strings that have `$host` beside what *text* has; the best comes first."""
    body, escape = _plain(text)
    prefix = "" if escape == "default" else f"escape={escape} "
    if body.rstrip().endswith("}"):
        yield f'{prefix}{body.rstrip()[:-1]},"host":"$host"}}'
    yield f'{prefix}{body} "$host"'
    yield f'{prefix}"$host" {body}'


def _compiled(made: Maker, groups: dict[str, str], told: dict[str, str]) -> LogFormat:
    fast, names = made.expression(groups, strict=False)
    slow, _ = made.expression(groups, strict=True)
    times = "stamp" in told
    stamp = made.stamps(told["stamp"]) if times else b""
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
        stamp=re.compile(stamp, re.MULTILINE) if times else None,
        time=TIMES.get(told.get("stamp", ""), parse_time),
        strict=fast != slow,
        came=told.get("seconds") == "request_time",
        shortest=made.shortest,
    )


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


def _pieces(text: str) -> list[Piece]:
    pieces, end = [], 0
    for found in _VARIABLE.finditer(text):
        if found.start() > end:
            pieces.append(Piece(text[end : found.start()], variable=False, place=end))
        pieces.append(Piece(found[1] or found[2], variable=True, place=found.start()))
        end = found.end()
    if end < len(text):
        pieces.append(Piece(text[end:], variable=False, place=end))
    return pieces


def _tellers(pieces: Iterable[Piece]) -> dict[str, str]:
    """Return the variable that tells each field."""
    present = {piece.text for piece in pieces if piece.variable}
    found = {
        name: next((each for each in variables if each in present), "")
        for name, variables in _TELLS.items()
    }
    return {name: variable for name, variable in found.items() if variable}


def _check(
    pieces: list[Piece], told: dict[str, str], text: str, *, escape: str, host: bool, paths: bool
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


def _ends(piece: Piece, after: Piece | None, escape: str) -> bool:
    """Return whether it can be told where a variable's value ends."""
    if after is None or piece.text in EXACT:
        return True
    first = after.text[0]
    if piece.text in WORDS:
        return not (first.isalnum() or first in ".:-_")
    if escape == "none":
        # Nothing is escaped, so anybody's header may hold anything.
        return False
    # nginx escapes quotes and control characters; a user with a bracket makes an odd line.
    return first in '"\t' or (piece.text == "remote_user" and after.text.startswith(" ["))
