"""One moment on the two clocks that are in use, and a moment for people."""

from dataclasses import dataclass
from datetime import UTC, datetime

LAST = 253402300799.0
"""The last second of the year 9999, in unix seconds. Another clock may say anything."""


@dataclass(slots=True, kw_only=True)
class Moment:
    """The same moment on both clocks: verdicts are stamped by one, people read the other."""

    at: float
    """Seconds of the monotonic clock."""
    unix: float
    """Unix seconds."""

    def to_unix(self, at: float | None) -> float | None:
        """Turn a moment of the monotonic clock into unix seconds."""
        return None if at is None else self.unix + at - self.at


def iso(unix: float) -> str:
    """Return a time for people, as 2026-11-28T10:00:00.000Z; one that no clock shows is cut."""
    at = datetime.fromtimestamp(min(max(unix, 0.0), LAST), UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
