"""
Regular expressions made of the pieces of a log format.

No expression takes more than linear time. A value that begins without a quote or a tab before it
ends with its line at the latest. Another one ends at the next quote or tab, which begins a value
itself where a line is torn, so no byte is passed more than twice.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Variables whose values hold neither spaces nor quotes; of all others anything is expected.
WORDS = frozenset(
    """
    remote_addr realip_remote_addr remote_port realip_remote_port status body_bytes_sent bytes_sent
    request_time request_length msec time_iso8601 connection connection_requests pid server_port
    server_addr scheme request_method server_protocol host hostname server_name request_id
    request_uri ssl_protocol ssl_cipher pipe gzip_ratio https connection_time nginx_version
    proxy_protocol_addr
    """.split()  # noqa: SIM905 - words read better than commas
)
EXACT = {
    "time_local": rb".{26}",
    "time_iso8601": rb".{25}",
    "status": rb"\d\d\d",
    # No number is longer than a file can be: what is longer is no access line.
    "body_bytes_sent": rb"\d{1,18}+",
    "bytes_sent": rb"\d{1,18}+",
    "msec": rb"\d{1,12}+\.\d{1,9}+",
    "request_time": rb"\d{1,9}+\.\d{1,9}+",
    "upstream_response_time": rb"(?:[-\d.]++(?:(?:, | : )[-\d.]++)*+)?+",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A literal, or a variable."""

    text: str
    variable: bool
    place: int
    """Where it begins in the format."""


class Maker:
    """
    Makes expressions of a format's pieces.

    Args:
        pieces: Of the format.
        json: Whether values are escaped as in JSON.
        special: What the values of agents and paths that matter begin with, as expressions.
    """

    def __init__(self, pieces: list[Piece], json: bool, special: dict[str, bytes]) -> None:
        self._pieces = pieces
        self._json = json
        self._special = special

    @property
    def shortest(self) -> int:
        """Return how many bytes a line has at least, its line feed included."""
        exact = {"time_local": 26, "time_iso8601": 25, "status": 3}
        lengths = (exact.get(p.text, 0) if p.variable else len(p.text) for p in self._pieces)
        return sum(lengths) + 1

    def expression(
        self, groups: dict[str, str], *, strict: bool, until: str = ""
    ) -> tuple[bytes, tuple[str, ...]]:
        """
        Return an expression with the variables in *groups* as groups, and their names.

        Args:
            groups: Names by variable.
            strict: Whether it reads each line that the format can write, if slower.
            until: The variable that it ends with; empty for the whole line.
        """
        made, names, before, skip = b"", list[str](), "", 0
        for place, piece in enumerate(self._pieces):
            after = next(iter(self._pieces[place + 1 :]), None)
            if not piece.variable:
                made += re.escape(piece.text[skip:].encode())
                before, skip = piece.text, 0
                continue
            if self._is_user_before_time(place):
                made += self._user(place)
                continue
            name = groups.get(piece.text, "")
            name = "" if name in names else name
            names += [name] if name else []
            made += self._value(piece.text, name, after, before=before, strict=strict)
            # The space is taken by such a user.
            if piece.text == until:
                break
            skip = int(piece.text == "remote_user" and after is not None and after.text[:2] == " [")
        return made, tuple(names)

    def stamps(self, variable: str) -> bytes:
        """Return an expression whose group is the time *variable* of a line."""
        place = next(n for n, p in enumerate(self._pieces) if p.variable and p.text == variable)
        around = [p.text for p in self._pieces[place - 1 : place + 2] if not p.variable]
        if place == 0 or not any('"' in text for text in around):
            made, _ = self.expression({variable: "stamp"}, strict=False, until=variable)
            return rb"^" + made
        # Fast: a quote beside the time is no part of any value, because nginx escapes those.
        before, after = (around[0], around[1] if around[1:] else "\n")
        return (
            re.escape(before.encode()) + b"(" + EXACT[variable] + b")" + re.escape(after.encode())
        )

    def _is_user_before_time(self, place: int) -> bool:
        """Return whether ` [<time>] "` follows a user at *place*: a quote ends it for sure."""
        pieces = self._pieces[place : place + 4]
        texts = [piece.text for piece in pieces]
        return (
            not self._json
            and len(texts) == 4  # noqa: PLR2004 - user, bracket, time, bracket
            and texts[:2] == ["remote_user", " ["]
            and texts[2] in {"time_local", "time_iso8601"}
            and texts[3].startswith('] "')
        )

    def _user(self, place: int) -> bytes:
        """
        Return an expression for a user before a time.

        A user may hold spaces and brackets. nginx escapes quotes, so the first quote follows the
        time, which stands at a known distance before it. Nearly all users are `-`.
        """
        time = rb"(?= \[" + EXACT[self._pieces[place + 2].text] + rb'\] ")'
        return rb"(?>-" + time + rb'|[^"\n]*?' + time + rb")"

    def _value(
        self, variable: str, name: str, after: Piece | None, *, before: str, strict: bool
    ) -> bytes:
        if variable in EXACT:
            return b"(" + EXACT[variable] + b")" if name else EXACT[variable]
        end = after.text[0].encode() if after is not None else b"\n"
        if variable == "remote_user" and after is not None and after.text.startswith(" ["):
            return rb"[^[\n]*+"
        not_in = b"" if before.encode().endswith(end) and end in b'"\t' else rb"\n"
        if variable in WORDS and end != b" ":
            not_in = rb" \n"
        any_ = b"[^" + re.escape(end) + not_in + b"]*+"
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


def either(words: Iterable[str]) -> bytes:
    """Return an expression for any of *words*."""
    return b"|".join(re.escape(word.encode()) for word in words)
