"""What a compiled log format is, and the errors of one that cannot be compiled."""

import re
from collections.abc import Callable, Iterator
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
UPSTREAMS = ("upstream", "upstream_status")
"""What follows that where it is wanted, see `LogFormat.upstream`."""
NARROW = ("address", "status", "size", "agent", "line")

MAX_LENGTH = 8 << 10
"""Bytes of the longest line that is tried in other formats."""
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
    """Where in a tuple each of FIELDS is, and of UPSTREAMS; None if it is NARROW as it comes."""
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
    """Makes the tuples of a block, in the order of FIELDS and UPSTREAMS, one a line."""
    upstream: bool = False
    """Whether tuples hold UPSTREAMS after FIELDS: they are wanted, and told."""


def other_lines(log_format: LogFormat, block: bytes, number: int) -> Iterator[bytes]:
    """Yield the first *number* lines of *block* that are no access lines."""
    for line in block.split(b"\n")[:-1]:
        if number <= 0:
            return
        if 0 < len(line) <= MAX_LENGTH and not is_access(log_format, line):
            number -= 1
            yield line


def is_access(log_format: LogFormat, line: bytes) -> bool:
    """Return whether *line* is an access line of this format."""
    if log_format.rows is not None:
        return not log_format.rows(line + b"\n")[0][FIELDS.index("line")]
    return log_format.line is not None and log_format.line.fullmatch(line) is not None
