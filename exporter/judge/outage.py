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
    counted_to: float = 0.0
    served_at: float | None = None
    """When the serving cluster was last seen to serve."""
    first: float | None = None
    """The first failed probe since the serving cluster replied last."""
    first_sure: float | None = None
    """The first of them that a lost packet does not explain."""
    gap: float = 0.0
    """From the last good reply to the first failed probe."""

    @property
    def failing(self) -> bool:
        """Return whether the newest probe failed."""
        return self.failures > 0

    def failed(self, at: float, ended: float, *, lost: bool) -> None:
        """Take in a failed probe; *lost* if nothing came back."""
        if self.failures == 0:
            self.counted_to = at
        self.failures += 1
        if self.first is None:
            self.first, self.first_sure = at, None
            self.gap = 0.0 if self.served_at is None else max(0.0, at - self.served_at)
        if self.first_sure is None and not lost:
            self.first_sure = at
        if self.failures >= self.confirm:
            self._count(ended)

    def served(self, at: float) -> None:
        """Take in a good reply of the cluster that serves, at the moment *at*."""
        self.served_by_another(at)
        self.served_at = at
        self.moved()

    def served_as_before(self, at: float) -> None:
        """Take in a good reply while nothing failed."""
        self.served_at = at

    def served_by_another(self, at: float) -> None:
        """Take in a good reply of another cluster: somebody serves, and no move is over yet."""
        if self.failures >= self.confirm:
            self._count(at)
        self.failures = 0

    def moved(self) -> None:
        """Begin anew: the outage of the move that is over belongs to that move."""
        self.first = self.first_sure = None

    def forget(self) -> None:
        """Forget what was under way: nobody looked."""
        self.failures, self.served_at = 0, None
        self.moved()

    def of_move(self, served_at: float) -> Began:
        """Return when the outage began that ended at *served_at*."""
        if self.first is None:
            late = 0.0 if self.served_at is None else max(0.0, served_at - self.served_at)
            return Began(served_at, late)
        # Lost packets at the beginning may be just that, and the outage may be shorter.
        sure = served_at if self.first_sure is None else self.first_sure
        return Began(self.first, max(self.gap, sure - self.first))

    def _count(self, until: float) -> None:
        self.total += max(0.0, until - self.counted_to)
        self.counted_to = max(self.counted_to, until)
