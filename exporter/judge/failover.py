"""
Follows a service from cluster to cluster: when it moved, why, and how long that took.

There is one `FailoverJudge` for each service. It receives each plain probe and each change of the
expected clusters, in the order in which they were seen. It emits a move once the move is over. All
moments are on one monotonic clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.judge.moves import (
    Candidate,
    Cause,
    Move,
    Outage,
    ProbeObservation,
    Signs,
    cause_of,
    failover_to,
)
from exporter.model.clusterset import ServiceName
from exporter.model.verdicts import Failover

SETTLES = 5.0
"""Seconds without the old cluster after which a move has settled. Replicas and caches of the name
server change one after the other, so the old cluster may be answered again for as long as their
TTL. The name server may also hear of a change before this exporter does."""


@dataclass(slots=True, kw_only=True)
class FailoverJudge:
    """
    Follows one service from cluster to cluster.

    A move needs *confirm* good replies of the new cluster in a row. It is emitted once its cause is
    known, or once the old cluster has not served for `SETTLES`. If it is the new cluster that does
    not serve for that long, there was no move. Replies of the old cluster before a move has settled
    are old answers. They are no move back.
    """

    service: ServiceName
    confirm: int
    serving: str | None = None
    """The cluster that serves, confirmed; kept during a blackout."""
    _outage: Outage = field(init=False)
    _signs: Signs = field(default_factory=Signs)
    _cause: Cause | None = None
    _group: frozenset[str] = frozenset()
    """Clusters that take turns."""
    _strayed_at: float = 0.0
    """When a cluster last served that was not expected, or when the expected clusters changed."""
    _before: float | None = None
    """When the previous probe started."""
    _after_gap: bool = False
    """Nobody probed for long, and the first reply since then has not come yet."""
    _move: Move | None = None
    _stable_right: frozenset[str] | None = None
    """The expected clusters while the state is stable; None while something is pending."""
    _pending: list[Failover] = field(default_factory=list)
    """Moves that are over and not emitted yet."""

    def __post_init__(self) -> None:
        """Begin without an outage."""
        self._outage = Outage(self.confirm)

    @property
    def outage(self) -> float:
        """Return the seconds without service in all, up to the newest probe."""
        return self._outage.total

    def changed(self, cause: Cause) -> None:
        """Take in a change of the expected clusters."""
        self._strayed_at, self._stable_right = cause.at, None
        move = self._move
        if move is not None and move.failover.to_cluster not in cause.right:
            # The service leaves the new cluster for a reason, so the move was a real one.
            self._end(move)
        elif move is not None and not move.explained and move.left & cause.right:
            # The old cluster is expected, too: both take turns from now on, and nobody moved.
            self._group |= move.left & cause.right
            self._move = None
            return
        elif move is not None and not move.explained:
            move.explain(cause)
            return
        self._cause = cause

    def observation_gap(self) -> None:
        """Forget what was pending, because nobody probed for long and its times mean nothing."""
        if self._move is not None:
            self._end(self._move)
        self._clear_signs()
        self._before, self._after_gap, self._stable_right = None, True, None

    def moves(self, now: float) -> Iterator[Failover]:
        """Yield the moves that are over at the moment *now*, in their order."""
        move = self._move
        if move is not None and move.back is None and now - move.old_at >= SETTLES:
            self._end(move)
        elif move is not None and move.explained:
            self._emit(move)
        pending, self._pending = self._pending, []
        yield from pending

    def absorb_unchanged(
        self, at: float, answered: str | None, served: str | None, right: frozenset[str]
    ) -> bool:
        """Take in a probe that started at *at* if it changes nothing; return False if it does."""
        if self._stable_right is not right or not served == answered == self.serving:
            return False
        self._before = at
        return True

    def probed(self, seen: ProbeObservation, right: frozenset[str]) -> None:
        """Take in the next plain probe; *right* are the expected clusters."""
        self._stable_right = None
        gap = 0.0 if self._before is None else seen.at - self._before
        self._before = seen.at
        signs = self._signs
        if signs.first_gap is None and (seen.served is None or seen.answered != self.serving):
            signs.first_gap = gap
        if seen.answered is not None and seen.answered != self.serving:
            signs.answered_at.setdefault(seen.answered, seen.answered_at)
        if seen.served is None:
            signs.candidate = None
            self._outage.failed(seen)
        elif seen.served in self._group or self._spreads(seen.served, right):
            self._steady(seen, seen.served, right)
        elif self._move is not None and seen.served in self._move.left:
            self._back(self._move, seen, seen.served, right, gap)
        else:
            self._moving(seen, seen.served, right, gap)

    def _emit(self, move: Move) -> None:
        if not move.emitted:
            self._pending.append(move.failover)
            move.emitted = True

    def _end(self, move: Move) -> None:
        self._emit(move)
        self._move = None

    def _spreads(self, cluster: str, right: frozenset[str]) -> bool:
        # Two clusters that are both expected take turns. That is no move.
        if self.serving not in right or cluster not in right:
            return False
        self._group = (self._group & right) | {cluster}
        return True

    def _served(self, seen: ProbeObservation) -> None:
        self._outage.served(seen)
        self._after_gap = False
        self._signs.clear()

    def _clear_signs(self) -> None:
        self._outage.clear()
        self._signs.clear()

    def _steady(self, seen: ProbeObservation, cluster: str, right: frozenset[str]) -> None:
        self._served(seen)
        self.serving = cluster
        if self._move is not None:
            self._move.new_at, self._move.back = seen.ended, None
        if cluster not in right:
            self._strayed_at = seen.ended
        elif seen.ended - self._strayed_at >= SETTLES:
            self._group = (self._group & right) | {cluster}
            self._stable_right = right if self._move is None else None

    def _back(
        self, move: Move, seen: ProbeObservation, cluster: str, right: frozenset[str], gap: float
    ) -> None:
        move.old_at, self._signs.candidate = seen.ended, move.back
        move.back = self._signs.confirm(seen, cluster, right, gap)
        if seen.ended - move.new_at < SETTLES or move.back.count < self.confirm:
            self._served(seen)
        elif move.emitted:
            self._move = None
            self._moving(seen, cluster, right, gap)
        else:
            self._served(seen)
            self.serving, self._group, self._move = cluster, move.left, None

    def _moving(
        self, seen: ProbeObservation, cluster: str, right: frozenset[str], gap: float
    ) -> None:
        move = self._move
        if move is not None and not move.explained and seen.ended - move.served_at < SETTLES:
            # No change was seen yet that says who should serve. Several may, and take turns.
            self._group |= {cluster}
            self._steady(seen, cluster, right)
            return
        to = self._signs.confirm(seen, cluster, right, gap)
        # The first cluster that ever serves needs no proof, because nothing moved.
        if self.serving is not None and to.count < self.confirm:
            return
        if self._move is not None:
            self._end(self._move)
        if self.serving is not None:
            self._move = self._completed(self.serving, to, seen)
        if self._outage.first_failure is not None:
            self._outage.count(to.served_at)
        self.serving, self._group, self._cause = cluster, to.clusters, None
        self._after_gap = False
        self._clear_signs()

    def _completed(self, from_cluster: str, to: Candidate, seen: ProbeObservation) -> Move:
        cause = cause_of(to, self._cause, after_gap=self._after_gap)
        failover, answered_at = failover_to(
            to,
            service=self.service,
            from_cluster=from_cluster,
            cause=cause,
            signs=self._signs,
            outage=self._outage,
            after_gap=self._after_gap,
        )
        return Move(
            failover,
            answered_at,
            to.served_at,
            explained=cause is not None,
            left=self._group | {from_cluster},
            old_at=to.served_at,
            new_at=seen.ended,
        )
