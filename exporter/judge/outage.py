"""For how long nobody served, by the plain probes of one service."""

from dataclasses import dataclass
from typing import NamedTuple


class Began(NamedTuple):
    """When the outage began that a move ended."""

    began: float
    """The start of the first failed probe; the moment of service if none failed."""
    late: float
    """Seconds before or after *began* in which it may have begun in truth."""


@dataclass(slots=True)
class OutageClock:
    """
    Sum the seconds without service. A failure counts once *confirm* of them came in a row.

    There are two separate spans. The first is the current run of failures, which the sum grows
    by. The second starts when the serving cluster failed first, and ends with a move.
    """

    confirm: int
    total: float = 0.0
    failures: int = 0
    """Failed probes in a row."""
    _counted_to: float = 0.0
    _served_at: float | None = None
    """When the serving cluster was last seen to serve."""
    _first: float | None = None
    """The first failed probe since the serving cluster replied last."""
    _first_sure: float | None = None
    """The first of them that a lost packet does not explain."""
    _gap: float = 0.0
    """From the last good reply to the first failed probe."""

    @property
    def failing(self) -> bool:
        """Return whether the newest probe failed."""
        return self.failures > 0

    def failed(self, at: float, ended: float, *, lost: bool) -> None:
        """Take in a failed probe; *lost* if nothing came back."""
        if self.failures == 0:
            self._counted_to = at
        self.failures += 1
        if self._first is None:
            self._first, self._first_sure = at, None
            self._gap = 0.0 if self._served_at is None else max(0.0, at - self._served_at)
        if self._first_sure is None and not lost:
            self._first_sure = at
        if self.failures >= self.confirm:
            self._count(ended)

    def served(self, at: float) -> None:
        """Take in a good reply of the cluster that serves, at the moment *at*."""
        self.served_by_another(at)
        self._served_at = at
        self.moved()

    def served_as_before(self, at: float) -> None:
        """Take in a good reply while nothing failed."""
        self._served_at = at

    def served_by_another(self, at: float) -> None:
        """Take in a good reply of another cluster: somebody serves, and no move is over yet."""
        if self.failures >= self.confirm:
            self._count(at)
        self.failures = 0

    def moved(self) -> None:
        """Begin anew: the outage of the move that is over belongs to that move."""
        self._first = self._first_sure = None

    def forget(self) -> None:
        """Forget what was under way: nobody looked."""
        self.failures, self._served_at = 0, None
        self.moved()

    def of_move(self, served_at: float) -> Began:
        """Return when the outage began that ended at *served_at*."""
        if self._first is None:
            late = 0.0 if self._served_at is None else max(0.0, served_at - self._served_at)
            return Began(served_at, late)
        # Lost packets at the beginning may be just that, and the outage may be shorter.
        sure = served_at if self._first_sure is None else self._first_sure
        return Began(self._first, max(self._gap, sure - self._first))

    def _count(self, until: float) -> None:
        self.total += max(0.0, until - self._counted_to)
        self._counted_to = max(self._counted_to, until)
