"""What a compiled log format is, and the errors of one that cannot be compiled."""

import re
from collections.abc import Callable
from dataclasses import dataclass

PROBE = "clusterset-exporter/"
"""How the user agent of a probe begins."""

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
    """Finds the times of lines in a block; None for a format without one."""
    time: Stamp
    """Reads that time."""
    strict: bool
    """Whether a line that the block expression refuses may still be one, see `line`."""
    came: bool = False
    """Whether its seconds are those from a request's arrival to the end of its answer."""
    unit: float = 1.0
    """How many of the units that its seconds are logged in make a second."""
    shortest: int = 0
    """No access line has fewer bytes, its line feed included."""
    rows: Callable[[bytes], list[tuple[bytes, ...]]] | None = None
    """Makes the tuples of a block, in the order of FIELDS, one a line."""
