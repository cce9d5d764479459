"""One moment on the two clocks that are in use."""

from dataclasses import dataclass


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
