"""The time stamps that nginx writes."""

import calendar
from datetime import datetime

_MAX_UNIX = 253402300800.0
"""The year 10000. No later moment is a date, and "inf" is none at all."""
_MONTHS = {name.encode(): n for n, name in enumerate(calendar.month_abbr) if n}


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


def parse_iso(stamp: bytes) -> float | None:
    """Return the unix seconds of an ISO 8601 time with its offset, or None."""
    try:
        at = datetime.fromisoformat(stamp.decode("ascii"))
        # A time without an offset could be that of any place.
        return None if at.tzinfo is None else at.timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def parse_msec(stamp: bytes) -> float | None:
    """Return the unix seconds in a number, or None."""
    try:
        at = float(stamp)
    except ValueError:
        return None
    # The comparison also refuses "nan".
    return at if 0 <= at < _MAX_UNIX else None


def parse_any_time(stamp: bytes) -> float | None:
    """Return the unix seconds of any of these times, or None."""
    if b"/" in stamp:
        return parse_time(stamp)
    return parse_iso(stamp) if b":" in stamp else parse_msec(stamp)
