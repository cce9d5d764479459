r"""
Log formats that are text, from their pieces to regular expressions over bytes.

The block expression makes one tuple of each line, in one call for many lines. A line that does
not fit the format arrives whole in the last place of its tuple. If a line is torn, a match may run
over its end; `count` detects that.

A server that escapes quotes ends each value with a quote for sure. nginx writes `"` as `\x22`.
Apache, and nginx with `escape=json`, write `\"`; lines with such a quote are left to the slower
expression for single lines. Envoy and Traefik escape nothing or not all. Of their lines with too
many quotes only the values before the first and after the last unsure one are read.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from exporter.accesslog.formats.expression import Escape, Maker, Piece, either
from exporter.accesslog.formats.log_format import (
    FIELDS,
    NARROW,
    PROBE,
    UPSTREAMS,
    FormatError,
    LogFormat,
)
from exporter.accesslog.formats.times import parse_time
from exporter.accesslog.formats.values import Value
from exporter.accesslog.possessive import compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFormat:
    """A log format as pieces, and what is said of it in messages."""

    pieces: tuple[Piece, ...]
    escape: Escape
    body: str
    """The format as it was given, for places in it."""
    asks: dict[str, str]
    """What to add to the format, and where, for each field that it may lack."""
    optional: range = range(0)
    """The pieces that a line may lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFields:
    """What of each line is wanted."""

    ignore_user_agents: tuple[str, ...] = ()
    """Beginnings of user agents that are no clients."""
    ignore_paths: tuple[str, ...] = ()
    """Exact paths that are no client traffic."""
    forwarded: bool = False
    """Whether X-Forwarded-For is wanted."""
    host: bool = False
    """Whether the host is needed to tell the service."""
    stamps: bool = False
    """Whether the time of each line is wanted."""
    upstream: bool = False
    """Whether it is wanted where a gateway sent the request, if the format tells it."""
    by_upstream: bool = False
    """Whether the upstream's own name stands in for the host, because it tells the service."""

    @property
    def service(self) -> str:
        """Return the field that tells the service."""
        return "upstream_name" if self.by_upstream else "host"

    @property
    def fields(self) -> set[str]:
        """Return the fields that become groups."""
        wanted = {"address", "status", "size", "seconds", "agent", "host"}
        wanted |= {"forwarded"} if self.forwarded else set()
        wanted |= {"path"} if self.ignore_paths else set()
        wanted |= set(UPSTREAMS) if self.upstream else set()
        return wanted | ({"stamp"} if self.stamps else set())


def compile_text(text: TextFormat, wanted: WantedFields) -> LogFormat:
    """
    Compile a format.

    Raises:
        FormatError: If lines of this format could only be guessed at.
    """
    told = _told(text, wanted)
    upstream = wanted.upstream and "upstream" in told
    paths = sorted(wanted.ignore_paths, key=len, reverse=True)
    special = {"agent": either((PROBE, *wanted.ignore_user_agents)), "path": either(paths)}
    groups = {piece: name for name, piece in told.items() if name in wanted.fields}
    made = Maker(text.pieces, text.escape, special, optional=text.optional)
    fast, names = made.expression(groups, strict=False)
    slow, _ = made.expression(groups, strict=True)
    stamp, seconds = told.get("stamp"), told.get("seconds")
    names = (*names, "line")
    if names == NARROW:
        order = None
    else:
        # The empty group, last but one, stands in for what is not there.
        fast, slow = fast + b"()", slow + b"()"
        names = (*names[:-1], "", "line")
        order = _order(names, FIELDS + UPSTREAMS if upstream else FIELDS)
    stamped = None if stamp is None else compiled(made.stamps(stamp), re.MULTILINE)
    at_end = stamp is not None and stamp.value is not None and stamp.value.at_end
    return LogFormat(
        block=compiled(rb"^(?:" + fast + rb"\n|([^\n]*+)\n)", re.MULTILINE),
        line=compiled(slow),
        order=order,
        fields=frozenset(told),
        stamp=stamped,
        time=(stamp and stamp.value and stamp.value.time) or parse_time,
        strict=fast != slow,
        came=bool(at_end and seconds and seconds.value and seconds.value.whole),
        shortest=made.shortest,
        unit=seconds.value.unit if seconds is not None and seconds.value is not None else 1.0,
        upstream=upstream,
    )


def _told(text: TextFormat, wanted: WantedFields) -> dict[str, Piece]:
    told = tellers(text.pieces)
    _check(text, told, wanted)
    if wanted.by_upstream:
        told["host"] = told.pop("upstream_name")
    return told


def _order(names: tuple[str, ...], held: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(names.index(name) if name in names else len(names) - 2 for name in held)


def split(
    text: str,
    variable: re.Pattern[str],
    value_of: Callable[[re.Match[str]], Value],
    called: Callable[[re.Match[str]], str] = lambda found: found[0],
) -> Iterator[Piece]:
    """
    Yield the pieces of a format.

    Args:
        text: The format.
        variable: Finds the variables in it.
        value_of: Says what one of them looks like in a line.
        called: Says what messages call it.
    """
    end = 0
    for found in variable.finditer(text):
        if found.start() > end:
            yield Piece(text[end : found.start()], None, end)
        yield Piece(called(found), value_of(found), found.start())
        end = found.end()
    if end < len(text):
        yield Piece(text[end:], None, end)


def tellers(pieces: Iterable[Piece]) -> dict[str, Piece]:
    """Return the variable that tells each field."""
    found: dict[str, Piece] = {}
    for piece in pieces:
        if piece.value is None or not piece.value.field:
            continue
        known = found.get(piece.value.field)
        if known is None or known.value is None or piece.value.rank < known.value.rank:
            found[piece.value.field] = piece
    return found


def join_ports(pieces: Iterable[Piece], shape_of_pair: dict[str, Piece]) -> list[Piece]:
    """Return *pieces* with each address, colon and port as one variable."""
    made = list[Piece]()
    for piece in pieces:
        port = piece.value is not None and piece.value.numeric_port
        if port and len(made) > 1 and made[-1].text == ":" and made[-2].text in shape_of_pair:
            pair = shape_of_pair[made[-2].text]
            made[-2:] = [Piece(pair.text, pair.value, made[-2].place)]
        else:
            made.append(piece)
    return made


def _check(text: TextFormat, told: dict[str, Piece], wanted: WantedFields) -> None:
    needed = ["address", "status"]
    needed += [wanted.service] if wanted.host or wanted.by_upstream else []
    needed += ["path"] if wanted.ignore_paths else []
    for name in needed:
        if name not in told:
            raise FormatError(text.asks[name])
    if "\n" in text.body:
        place = text.body.index("\n") + 1
        msg = f"has a line feed at character {place}; a request must be one line"
        raise FormatError(msg)
    for piece, after in zip(text.pieces, [*text.pieces[1:], None], strict=True):
        if piece.value is None:
            continue
        where = f"{piece.text} at character {piece.place + 1}"
        if after is not None and after.value is not None and not piece.value.glued:
            msg = f"{where} is followed by {after.text} with nothing between; put a space there"
            raise FormatError(msg)
        if not _ends(piece, after, text.escape):
            held = after.text[0] if after is not None else ""
            msg = f"{where} may itself hold the {held!r} that ends it"
            if text.escape is Escape.NONE:
                msg = f"{msg}, since escape=none escapes nothing; take escape=none away"
            else:
                msg = f'{msg}; put it in double quotes, as "{piece.text}"'
            raise FormatError(msg)


def _ends(piece: Piece, after: Piece | None, escape: Escape) -> bool:
    """Return whether it can be told where a variable's value ends."""
    value = piece.value
    if after is None or value is None or value.escaped:
        return True
    if value.shape is not None:
        return not value.shape.lazy or not (after.text[0].isalnum() or after.text[0] in ".:-_")
    first = after.text[0]
    if value.word:
        return not (first.isalnum() or first in ".:-_")
    if escape is Escape.NONE:
        # Nothing is escaped, so anybody's header may hold anything.
        return False
    # Quotes are escaped or noticed; a user with a bracket makes an odd line.
    return first in ('"' if escape is Escape.RAW else '"\t') or (
        value.user and after.text.startswith(" [")
    )
