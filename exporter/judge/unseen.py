"""When changes of the inventory could not be seen, because a watch failed or nobody looked."""

from collections import deque
from dataclasses import dataclass, field

MAX_GAPS = 64
"""Gaps that are remembered."""


@dataclass(slots=True)
class Unseen:
    """
    The spans of time in which a change may have gone unseen. All moments are monotonic.

    Each watched resource has a span of its own: it is open from the watch's first failure until
    that resource itself has been listed or watched again.
    """

    _open: dict[str, float] = field(default_factory=dict)
    _gaps: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MAX_GAPS))

    @property
    def since(self) -> float | None:
        """Return since when something is not seen now; None if all is."""
        return min(self._open.values(), default=None)

    def failed(self, resource: str, since: float) -> None:
        """Begin a span: changes of *resource* are not seen from *since* on."""
        self._open.setdefault(resource, since)

    def recovered(self, resource: str, now: float) -> None:
        """End the span of *resource*: what it is now is known from *now* on."""
        since = self._open.pop(resource, None)
        if since is not None:
            self.gap(since, now)

    def gap(self, start: float, end: float) -> None:
        """Remember that changes from *start* to *end* were not seen when they happened."""
        self._gaps.append((start, end))

    def overlaps(self, start: float, end: float) -> bool:
        """Return whether a change may have gone unseen at some time from *start* to *end*."""
        since = self.since
        if since is not None and since < end:
            return True
        return any(start < to and begin < end for begin, to in self._gaps)

    def late(self, now: float) -> float:
        """Return by how many seconds a change that is seen at *now* may be seen late."""
        newest = max((g for g in self._gaps if g[1] >= now), default=None, key=lambda gap: gap[1])
        begins = [*self._open.values(), *([newest[0]] if newest is not None else [])]
        return max((now - begin for begin in begins), default=0.0)
