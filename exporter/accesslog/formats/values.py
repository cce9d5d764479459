"""What the variables of log formats look like in a line, and which field each one tells."""

from dataclasses import dataclass

from exporter.accesslog.formats.log_format import Stamp

SECONDS, MILLISECONDS, MICROSECONDS = 1.0, 1e3, 1e6
"""How many of them make one second."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An expression of a value: what is held of it, and what stands around that."""

    held: bytes
    before: bytes = b""
    after: bytes = b""
    shortest: int = 0
    """No such value has fewer bytes."""
    lazy: bool = False
    """Whether it ends only where what follows it begins."""

    def expression(self, *, named: bool, end: bytes) -> bytes:
        """Return the expression, with a group if it is *named*; *end* is what follows it."""
        held = b"(" + self.held + b")" if named else self.held
        ends = b"(?=" + end + b")" if self.lazy else b""
        return self.before + held + self.after + ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A variable of a log format."""

    field: str = ""
    """Which of the fields of a line it tells, empty for none."""
    rank: int = 0
    """Of several variables that tell the same field, the one with the lowest rank is used."""
    shape: Shape | None = None
    """None for anything up to what follows it."""
    word: bool = False
    """Whether it holds neither spaces nor quotes."""
    user: bool = False
    """Whether it is the name of a user, which may hold spaces and brackets."""
    made: bool = False
    """Whether the server makes it of its own words, so that it holds no quote."""
    escaped: bool = False
    """Whether whatever ends it is escaped inside."""
    request: bool = False
    """Whether it is a whole request line, whose path follows the method."""
    glued: bool = False
    """Whether the next variable may follow with nothing between."""
    numeric_port: bool = False
    time: Stamp | None = None
    """Reads it as a moment."""
    at_end: bool = False
    """Whether that moment is the end of an answer; else it is the start of the request."""
    unit: float = SECONDS
    """How many of its units make a second."""
    whole: bool = False
    """Whether its seconds go from the arrival of a request to the end of its answer."""


# No number is longer than a file can be: what is longer is no access line.
DIGITS = Shape(rb"\d{1,18}+", shortest=1)
STATUS = Shape(rb"\d\d\d", shortest=3)
SIZE_OR_DASH = Shape(rb"\d{1,18}+", before=rb"(?:-|", after=rb")", shortest=1)
HOST_AND_PORT = Shape(
    rb'[0-9.]*+[^ "\n]*?', before=rb"\[?+", after=rb"\]?+(?::\d{1,5})?+", shortest=1, lazy=True
)
"""An address and a port; IPv6 with or without brackets. Anything else is held as it is."""
LAST_OF_LIST = Shape(rb'[^", \n]*+', before=rb'(?:[^"\n]*[, ])?+')
"""The last entry of X-Forwarded-For: the one that the server itself added."""
