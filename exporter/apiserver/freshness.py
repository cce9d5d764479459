"""Whether the objects of one resource are those of now, and since when they may not be."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exporter.apiserver.errors import ApiError

CATCH_UP = 1.0
"""Seconds that a continued watch is given to deliver what it missed. A list needs no time."""


class Freshness:
    """
    Follows one watched resource.

    Args:
        became_stale: Called at the first failure, with the time on the loop's clock since when
            changes may have gone unseen.

    Attributes:
        seen_until: Until when changes were seen for certain; None before the first list.
        stale_since: Since when they may have gone unseen; None while all are seen.
    """

    def __init__(self, became_stale: Callable[[float], None]) -> None:
        self._became_stale = became_stale
        self.seen_until: float | None = None
        self.stale_since: float | None = None
        self._current_from: float | None = None

    def seen(self) -> None:
        """Take in that the server sent something, or ended a watch in order."""
        self.seen_until = asyncio.get_running_loop().time()

    def failed(self, *, hidden: bool = False) -> None:
        """
        Take in a failure. Before the first list there is nothing that could be stale.

        Args:
            hidden: True if it may not be read: also before the first list it is not known.
        """
        if hidden and self.seen_until is None:
            self.seen()
        self._current_from = None
        if self.stale_since is None and self.seen_until is not None:
            self.stale_since = self.seen_until
            self._became_stale(self.stale_since)

    def listed(self) -> None:
        """Take in that all objects of now are known."""
        self.seen()
        self._current_from = self.seen_until

    def absent(self) -> None:
        """Take in that there is no such resource, so nothing of it can be stale from now on."""
        self.listed()
        self.seen_until = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Follow an open watch to its end. What it missed before comes first."""
        self.seen()
        if self._current_from is None and self.seen_until is not None:
            self._current_from = self.seen_until + CATCH_UP
        try:
            yield
        except ApiError as error:
            # A silent connection may have been broken since the last byte.
            if not error.silent:
                self.seen()
            raise
        self.seen()

    @property
    def left(self) -> float | None:
        """Return the seconds until the objects are those of now; None if that is not known."""
        if self._current_from is None:
            return None
        return max(0.0, self._current_from - asyncio.get_running_loop().time())

    def recovered(self) -> None:
        """Take in that the objects of now are in use."""
        self.stale_since = None
