"""
Regular expressions made of the pieces of a log format.

No expression takes more than linear time. A value that begins without a quote or a tab before it
ends with its line at the latest. Another one ends at the next quote or tab, which begins a value
itself where a line is torn, so no byte is passed more than twice.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from exporter.accesslog.formats.values import Shape, Value

WORD_ENDS = b" \n"


class Escape(Enum):
    """What a server does to a quote inside a value."""

    HEX = "hex"
    """It becomes `\\x22`."""
    BACKSLASH = "backslash"
    """It becomes `\\"`, and a backslash becomes two."""
    JSON = "json"
    """The same, in an object of JSON."""
    RAW = "raw"
    """It stays as it is."""
    NONE = "none"
    """It stays as it is, in a format that tells of it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A literal, or a variable."""

    text: str
    """The literal, or what the variable is called."""
    value: Value | None
    """None for a literal."""
    place: int
    """Where it begins in the format."""


class Maker:
    """
    Makes expressions of a format's pieces.

    Args:
        pieces: Of the format.
        escape: What is done to quotes in values.
        special: What the values of agents and paths that matter begin with, as expressions.
        optional: The pieces that a line may lack.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        escape: Escape,
        special: Mapping[str, bytes],
        *,
        optional: range = range(0),
    ) -> None:
        self._optional = optional
        self._pieces = pieces
        self._escape = escape
        self._special = special

    @property
    def shortest(self) -> int:
        """Return how many bytes a line has at least, its line feed included."""
        sure = (p for n, p in enumerate(self._pieces) if n not in self._optional)
        return sum(map(_least, sure)) + 1

    def expression(
        self, groups: Mapping[Piece, str], *, strict: bool, until: Piece | None = None
    ) -> tuple[bytes, tuple[str, ...]]:
        """
        Return an expression with the variables in *groups* as groups, and their names.

        Args:
            groups: Names of the fields that are wanted, by variable.
            strict: Whether it reads each line that the format can write, if slower.
            until: The variable that it ends with; None for the whole line.
        """
        made, names, before, skip = b"", list[str](), "", 0
        gap = self._gap() if strict and self._escape is Escape.RAW and until is None else range(0)
        for place, piece in enumerate(self._pieces):
            if place in gap:
                if place == gap.start:
                    made, skip = made + self._anything(groups, gap, names), 0
                continue
            after = next(iter(self._pieces[place + 1 :]), None)
            made += self._bracket(place)
            if piece.value is None:
                made += re.escape(piece.text[skip:].encode())
                before, skip = piece.text, 0
                continue
            if self._is_user_before_time(place):
                made += self._user(place, strict=strict)
                continue
            name = groups.get(piece, "")
            names += [name] if name else []
            made += self._value(piece.value, name, after, before=before, strict=strict)
            if piece is until:
                break
            # The space is taken by such a user.
            skip = int(piece.value.user and after is not None and after.text[:2] == " [")
        if until is None:
            made += self._bracket(len(self._pieces))
        return made, tuple(names)

    def _bracket(self, place: int) -> bytes:
        """Return what opens or closes the optional part of an expression before *place*."""
        if not self._optional or place not in {self._optional.start, self._optional.stop}:
            return b""
        return b"(?:" if place == self._optional.start else b")?+"

    def stamps(self, stamp: Piece) -> bytes:
        """Return an expression whose group is the time *stamp* of a line."""
        place = self._pieces.index(stamp)
        around = [p.text for p in self._pieces[place - 1 : place + 2] if p.value is None]
        quoted = place > 0 and any('"' in text for text in around)
        if not quoted or self._escape not in {Escape.HEX, Escape.JSON}:
            made, _ = self.expression({stamp: "stamp"}, strict=True, until=stamp)
            return rb"^" + made
        # Fast: a quote beside the time is no part of any value, because nginx escapes those.
        before, after = (around[0], around[1] if around[1:] else "\n")
        shape = _shape(stamp).expression(named=True, end=b"")
        return re.escape(before.encode()) + shape + re.escape(after.encode())

    def _gap(self) -> range:
        """
        Return the pieces from the first to the last that may hold quotes which are not escaped.

        What stands between them in a line with too many quotes cannot be told apart.
        """
        unsure = [
            place
            for place, piece in enumerate(self._pieces)
            if piece.value is not None
            and not (piece.value.word or piece.value.made)
            and place > 0
            and self._pieces[place - 1].text.endswith('"')
        ]
        return range(unsure[0], unsure[-1] + 1) if unsure else range(0)

    def _anything(self, groups: Mapping[Piece, str], gap: range, names: list[str]) -> bytes:
        """Return an expression for the pieces of *gap*; what they tell is left empty."""
        lost = [groups[self._pieces[n]] for n in gap if self._pieces[n] in groups]
        names += lost
        # A client that nobody can tell is still one: a lone quote is no address of any cluster.
        held = (b"([^\n])" if name == "address" else b"()" for name in lost)
        return b"".join(held) + rb"[^\n]*"

    def _is_user_before_time(self, place: int) -> bool:
        """Return whether ` [<time>] "` follows a user at *place*: a quote ends it for sure."""
        pieces = self._pieces[place : place + 4]
        if len(pieces) < 4 or self._escape is Escape.JSON:  # noqa: PLR2004 - with user and time
            return False
        user, bracket, time, end = pieces
        return (
            user.value is not None
            and user.value.user
            and bracket.text == " ["
            and time.value is not None
            and time.value.time is not None
            and time.value.shape is not None
            and end.text.startswith('] "')
        )

    def _user(self, place: int, *, strict: bool) -> bytes:
        """
        Return an expression for a user before a time.

        A user may hold spaces and brackets. nginx escapes quotes, so the first quote follows the
        time, which stands at a known distance before it. Nearly all users are `-`.
        """
        stamp = _shape(self._pieces[place + 2]).expression(named=False, end=b"")
        time = rb"(?= \[" + stamp + rb'\] ")'
        any_ = rb'[^"\n]*?'
        if strict and self._escape is not Escape.HEX:
            # Apache writes "" for a user without a name.
            any_ = rb"[^\n]*?"
        return rb"(?>-" + time + rb"|" + any_ + time + rb")"

    def _value(
        self, value: Value, name: str, after: Piece | None, *, before: str, strict: bool
    ) -> bytes:
        end = after.text[0].encode() if after is not None else b"\n"
        ends = re.escape(end) if after is not None else rb"\n|\Z"
        if value.shape is not None:
            return value.shape.expression(named=bool(name), end=ends)
        if value.user and after is not None and after.text.startswith(" ["):
            return rb"[^[\n]*+"
        any_ = self._any(value, after, end, before=before, strict=strict)
        if name in self._special:
            return self._beginning(value, name, any_, end)
        if name == "address":
            any_ = any_[:-2] + b"++"
        return b"(" + any_ + b")" if name else any_

    def _any(
        self, value: Value, after: Piece | None, end: bytes, *, before: str, strict: bool
    ) -> bytes:
        """Return an expression for a value that ends with *end*."""
        not_in = b"" if before.encode().endswith(end) and end in b'"\t' else rb"\n"
        if value.word and end != b" ":
            not_in = WORD_ENDS
        if self._escape in {Escape.JSON, Escape.BACKSLASH} and end == b'"':
            if strict:
                return rb'(?:[^"\\\n]|\\[^\n])*+'
            if self._escape is Escape.JSON and after is not None and after.text.count('"') > 1:
                # Faster. A quote inside the value is escaped, and so is any after it that somebody
                # put there; the second one of what follows the value is not.
                return rb'[^"]*+'
            return rb'[^"\\]*+'
        return b"[^" + re.escape(end) + not_in + b"]*+"

    def _beginning(self, value: Value, name: str, any_: bytes, end: bytes) -> bytes:
        """Return an expression whose group is empty unless the value begins as wanted."""
        begins = self._special[name]
        if name == "agent":
            return b"((?:" + begins + b")" + any_ + b")?+" + any_
        method = b"[A-Z]++ " if value.request else b""
        stop = re.escape(end)
        return b"(?:" + method + b"(" + begins + b")(?=[? " + stop + b"]))?+" + any_


def _shape(piece: Piece) -> Shape:
    if piece.value is None or piece.value.shape is None:
        msg = f"{piece.text} has no shape of its own"
        raise ValueError(msg)
    return piece.value.shape


def _least(piece: Piece) -> int:
    if piece.value is None:
        return len(piece.text)
    return piece.value.shape.shortest if piece.value.shape is not None else 0


def either(words: Iterable[str]) -> bytes:
    """Return an expression for any of *words*."""
    return b"|".join(re.escape(word.encode()) for word in words)
