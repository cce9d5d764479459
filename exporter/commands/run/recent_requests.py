"""The client requests of the last minutes, because a sum since the start tells nothing of now."""

from collections import deque
from collections.abc import Callable, Mapping

from exporter.model.clusterset import ServiceName
from exporter.model.traffic import RECENT, Hits
from exporter.model.verdicts import Locality

PARTS = 5
"""Parts of that time that are forgotten one after the other."""

RecentKey = tuple[ServiceName, str, Locality]
"""Service, source, locality."""


class RecentRequests:
    """
    Sums the client requests of the last RECENT seconds, or up to a part less.

    It keeps at most PARTS sums for each service, source and locality.

    Args:
        clock: Returns seconds of the monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._parts: deque[tuple[float, dict[RecentKey, Hits]]] = deque(maxlen=PARTS)
        """Each with the time at which it began, the newest last."""

    def add(
        self, service: ServiceName, source: str, locality: Locality, hits: Hits, served: float
    ) -> None:
        """Take in requests that are counted now, unless they were *served* long ago."""
        now = self._clock()
        # After a start, hours of a log may be read at once.
        if served < now - RECENT:
            return
        if not self._parts or now - self._parts[-1][0] >= RECENT / PARTS:
            self._parts.append((now, {}))
        sums = self._parts[-1][1].setdefault((service, source, locality), Hits())
        sums.requests += hits.requests
        sums.failures += hits.failures

    def sums(self) -> Mapping[RecentKey, Hits]:
        """Return the requests and failures that are recent."""
        oldest, made = self._clock() - RECENT, dict[RecentKey, Hits]()
        while self._parts and self._parts[0][0] < oldest:
            self._parts.popleft()
        for _, part in self._parts:
            for key, hits in part.items():
                made.setdefault(key, Hits()).add(hits)
        return made
