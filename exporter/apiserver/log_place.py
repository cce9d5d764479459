"""A place in a container's log: how far it was read, by its time stamps and lines."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.model.moment import LAST

_HOUR = rb"(?:[01]\d|2[0-3]):[0-5]\d"
_STAMP = re.compile(
    rb"(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    rb"T%b:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-]%b)" % (_HOUR, _HOUR)
)
_EACH_MONTH = b"28"
"""No month has fewer days."""
_WHOLE = len("2006-01-02T15:04:05")
_FIXED = len("2006-01-02T15:04:05.000000000")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """How far a log has been read: the last time stamp, and which of its lines were read."""

    stamp: bytes = b""
    """Empty before the first line."""
    lines: tuple[int, ...] = ()
    """Checksums of the lines with exactly that time stamp."""


BEGINNING = LogPlace()


def since(unix: float) -> LogPlace:
    """Return the place after everything that was written before *unix*, in seconds."""
    at = datetime.fromtimestamp(min(max(unix, 0.0), LAST), UTC)
    # In the form of a kubelet's time stamps, so that a line of exactly that moment is after it.
    return LogPlace(stamp=f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z".encode())


def is_place(place: LogPlace) -> bool:
    """Return whether reading can continue from *place*."""
    if not place.stamp:
        return True
    return is_stamp(place.stamp) and _moment(place.stamp)[0] > float("-inf")


def latest(one: LogPlace, other: LogPlace) -> LogPlace:
    """Return the later of two places in one log."""
    return other if is_later(other.stamp, one.stamp) else one


def is_stamp(text: bytes) -> bool:
    """Return whether *text* is an RFC 3339 time; a kubelet's own messages begin with none."""
    if _STAMP.fullmatch(text) is None:
        return False
    return text[8:10] <= _EACH_MONTH or _moment(text)[0] > float("-inf")


def is_later(one: bytes, other: bytes) -> bool:
    """Compare time stamps. A kubelet writes all of them in one form, except for the time zone."""
    if one[_FIXED:] == other[_FIXED:] and len(one) == len(other):
        return one > other
    return _moment(one) > _moment(other)


def unix_of(stamp: bytes) -> float:
    """Return a time stamp in unix seconds; minus infinity if it is not a time."""
    whole, nanos = _moment(stamp)
    return whole + nanos / 1e9


def _moment(stamp: bytes) -> tuple[float, int]:
    """Return seconds and nanoseconds; minus infinity if *stamp* is not a time."""
    text = stamp.decode(errors="replace")
    fraction = text[_WHOLE:].lstrip(".")
    digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
    zone = fraction[len(digits) :]
    try:
        whole = datetime.fromisoformat(text[:_WHOLE] + zone).timestamp()
    except ValueError:
        return (float("-inf"), 0)
    return whole, int(digits.ljust(9, "0")[:9])
