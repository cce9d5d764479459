"""Who scrapes this exporter, so that a leader that ends knows for whom to wait."""

from collections.abc import Callable
from dataclasses import dataclass

RECENT = 300.0
"""Seconds without a scrape after which a scraper is not expected to come."""
MOST = 100
"""Scrapers that are known; the one that was away for longest is forgotten first."""


@dataclass(slots=True)
class _Seen:
    """When a scraper came."""

    last: float
    before: float | None = None


class Scrapers:
    """
    The scrapers that came lately, each by a name such as its address and its User-Agent.

    Args:
        clock: Returns seconds of the monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    def came(self, who: str) -> None:
        """Take in that *who* was given the series."""
        known = self._seen.pop(who, None)
        self._seen[who] = _Seen(self._clock(), None if known is None else known.last)
        if len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]

    def expected(self) -> set[str]:
        """
        Return who will probably come again soon.

        If somebody came twice lately, one who came once only is a person with curl.
        """
        recent = {who: seen for who, seen in self._seen.items() if self._is_recent(seen.last)}
        regular = {who for who, seen in recent.items() if self._is_recent(seen.before)}
        return regular or set(recent)

    def _is_recent(self, at: float | None) -> bool:
        return at is not None and self._clock() - at <= RECENT
