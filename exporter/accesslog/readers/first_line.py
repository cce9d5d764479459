"""Where to begin in a container's log file: at the first line that is not before a moment."""

import os

from exporter.accesslog.readers.open_file import last_line_end
from exporter.apiserver.log_place import is_later, is_stamp

NEAR = 64 << 10
"""Bytes that are looked at line by line, once the place is known so closely."""
BLOCK = 4096
HEAD = 64
"""Bytes of a line in which its time stamp is."""


def offset_after(descriptor: int, size: int, stamp: bytes) -> int:
    """
    Return where the first line begins that is not before *stamp*; the last line's end if all are.

    A runtime writes lines in the order of their time stamps. If its clock was set back, lines may
    be passed over, and none is read that is before it.

    Args:
        descriptor: A file as container runtimes write it for the kubelet.
        size: How long it is, in bytes. A last line without an end is taken to be late.
        stamp: The moment, as an RFC 3339 time.
    """
    if is_after(descriptor, 0, stamp):
        return 0
    # Lines that begin before *low* are earlier; *high* is the end, or the start of one that is not.
    low, high = 0, last_line_end(descriptor, size)
    while high - low > NEAR:
        start = _next_start(descriptor, (low + high) // 2, high)
        if start is None:
            break
        if is_after(descriptor, start, stamp):
            high = start
        else:
            low = start
    while low < high and not is_after(descriptor, low, stamp):
        low = _next_start(descriptor, low + 1, high) or high
    return low


def is_after(descriptor: int, start: int, stamp: bytes) -> bool:
    """Return whether the line that begins at *start* is not before; False without a time stamp."""
    found = stamp_at(descriptor, start)
    return bool(found) and not is_later(stamp, found)


def stamp_at(descriptor: int, start: int) -> bytes:
    """Return the time stamp of the line that begins at *start*; empty if it has none."""
    found = os.pread(descriptor, HEAD, start).partition(b" ")[0]
    return found if is_stamp(found) else b""


def _next_start(descriptor: int, at: int, end: int) -> int | None:
    """Return where the first line begins at or after *at*, if that is before *end*."""
    place = at - 1
    while place < end:
        block = os.pread(descriptor, min(BLOCK, end - place), place)
        feed = block.find(b"\n")
        if feed >= 0:
            start = place + feed + 1
            return start if start < end else None
        if not block:
            return None
        place += len(block)
    return None
