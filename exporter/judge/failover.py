"""
When a service moved to another cluster for the clients here, why, and how long it took.

One machine a service. It is told of each plain probe and of each change of what is right, in the
order in which they were seen, and says when a move is over. All moments are on one monotonic clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from exporter.model.clusterset import ServiceName
from exporter.model.verdicts import Failover, Reason, Stage

CAUSE_HOLDS = 120.0
"""Seconds for which a change may be the cause of a move. A name server that lost its API server
needs up to 79 s to see a change, measured on Lighthouse 0.19."""
SETTLES = 5.0
"""Seconds without the old cluster after which a move has settled. Replicas and caches of the name
server change one after the other, so the old cluster may be answered again for as long as their
TTL; and the name server may hear of a change before this exporter does."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A change in the inventory that changed which clusters should answer."""

    at: float
    reason: Reason
    right: frozenset[str]
    """Who should answer since."""


@dataclass(slots=True, kw_only=True)
class ProbeObservation:
    """One plain probe as the machine sees it."""

    at: float
    """When it started."""
    answered_at: float
    """When the DNS answer came."""
    ended: float
    unix: float
    """When it ended, on the wall clock."""
    answered: str | None
    """The cluster that the name pointed to, or None."""
    served: str | None
    """The cluster that gave a good reply, or None."""


@dataclass(slots=True)
class _Candidate:
    """A cluster that has begun to serve, not yet confirmed."""

    cluster: str
    served_at: float
    unix: float
    clusters: frozenset[str]
    """All that have served since."""
    gap: float
    """From the probe before to the first good reply."""
    count: int = 1


@dataclass(slots=True)
class _Move:
    """A move that was confirmed and has not settled yet."""

    failover: Failover
    answered_at: float
    served_at: float
    explained: bool
    """Its cause is known, so it is told."""
    left: frozenset[str]
    """Who served before."""
    old_at: float
    """When one of those served last, the new one at *new_at*."""
    new_at: float
    back: _Candidate | None = None
    """One of those, if it served last."""
    told: bool = False

    def explain(self, cause: Cause) -> None:
        """Take in a cause that was seen after its effect: only what came after it took time."""
        start = min(cause.at, self.answered_at)
        late = {Stage.DNS: self.answered_at - start, Stage.SERVED: self.served_at - start}
        durations = self.failover.durations and {**self.failover.durations, **late}
        self.failover = replace(self.failover, reason=cause.reason, durations=durations)
        self.explained = True


@dataclass(slots=True, kw_only=True)
class FailoverJudge:
    """
    Follow one service from cluster to cluster.

    A move needs *confirm* good replies of the new cluster in a row. It is told once its cause is
    known, else once the old cluster has not served for `SETTLES`; if the new one has not, there was
    none. What the old cluster serves until the move has settled is an old answer, no move back.
    """

    service: ServiceName
    confirm: int
    serving: str | None = None
    """The cluster that serves, confirmed; kept through a blackout."""
    outage: float = 0.0
    """Seconds without service in all, up to the newest probe; a failure counts once confirmed."""
    _cause: Cause | None = None
    _group: frozenset[str] = frozenset()
    """Clusters that take turns."""
    _strayed_at: float = 0.0
    """When one of them served last that was not right, or what is right changed."""
    _candidate: _Candidate | None = None
    _answered_at: dict[str, float] = field(default_factory=dict)
    _first_failure: float | None = None
    _failures: int = 0
    _counted_to: float = 0.0
    _before: float | None = None
    """When the probe before started."""
    _first_gap: float | None = None
    """From the probe before the first sign of a move to that sign."""
    _blind: bool = False
    _move: _Move | None = None
    _stable_right: frozenset[str] | None = None
    """What is right, while one more reply of who serves would change nothing."""
    _told: list[Failover] = field(default_factory=list)

    def changed(self, cause: Cause) -> None:
        """Take in a change of who should answer."""
        self._strayed_at, self._stable_right = cause.at, None
        move = self._move
        if move is not None and move.failover.to_cluster not in cause.right:
            # It is left again, and for a reason: it was a move of its own.
            self._end(move)
        elif move is not None and not move.explained and move.left & cause.right:
            # The old cluster is right, too: they take turns from now on, and nobody moved.
            self._group |= move.left & cause.right
            self._move = None
            return
        elif move is not None and not move.explained:
            move.explain(cause)
            return
        self._cause = cause

    def slept(self) -> None:
        """Forget what was under way: nobody looked for so long that its times mean nothing."""
        if self._move is not None:
            self._end(self._move)
        self._rest()
        self._before, self._blind, self._stable_right = None, True, None

    def moves(self, now: float) -> Iterator[Failover]:
        """Yield the moves that can be told, in their order."""
        move = self._move
        if move is not None and move.back is None and now - move.old_at >= SETTLES:
            self._end(move)
        elif move is not None and move.explained:
            self._tell(move)
        told, self._told = self._told, []
        yield from told

    def absorb_unchanged(
        self, at: float, answered: str | None, served: str | None, right: frozenset[str]
    ) -> bool:
        """Take in a probe that started at *at*, if it changes nothing; say whether it does not."""
        if self._stable_right is not right or not served == answered == self.serving:
            return False
        self._before = at
        return True

    def probed(self, seen: ProbeObservation, right: frozenset[str]) -> None:
        """Take in the next plain probe."""
        self._stable_right = None
        gap = 0.0 if self._before is None else seen.at - self._before
        self._before = seen.at
        if self._first_gap is None and (seen.served is None or seen.answered != self.serving):
            self._first_gap = gap
        if seen.answered is not None and seen.answered != self.serving:
            self._answered_at.setdefault(seen.answered, seen.answered_at)
        if seen.served is None:
            self._failed(seen)
        elif seen.served in self._group or self._spreads(seen.served, right):
            self._steady(seen, seen.served, right)
        elif self._move is not None and seen.served in self._move.left:
            self._back(self._move, seen, seen.served, right, gap)
        else:
            self._moving(seen, seen.served, right, gap)

    def _tell(self, move: _Move) -> None:
        if not move.told:
            self._told.append(move.failover)
            move.told = True

    def _end(self, move: _Move) -> None:
        self._tell(move)
        self._move = None

    def _spreads(self, cluster: str, right: frozenset[str]) -> bool:
        # Two clusters that are both right take turns; that is no move.
        if self.serving not in right or cluster not in right:
            return False
        self._group = (self._group & right) | {cluster}
        return True

    def _failed(self, seen: ProbeObservation) -> None:
        self._candidate = None
        self._failures += 1
        if self._first_failure is None:
            self._first_failure = self._counted_to = seen.at
        if self._failures >= self.confirm:
            self._count_outage(seen.ended)

    def _count_outage(self, until: float) -> None:
        self.outage += max(0.0, until - self._counted_to)
        self._counted_to = max(self._counted_to, until)

    def _served(self, seen: ProbeObservation) -> None:
        if self._failures >= self.confirm:
            self._count_outage(seen.ended)
        self._blind = False
        self._rest()

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
        self, move: _Move, seen: ProbeObservation, cluster: str, right: frozenset[str], gap: float
    ) -> None:
        move.old_at, self._candidate = seen.ended, move.back
        move.back = self._confirmed_by(seen, cluster, right, gap)
        if seen.ended - move.new_at < SETTLES or move.back.count < self.confirm:
            self._served(seen)
        elif move.told:
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
            # Nobody said yet who should serve now. It may be several, and they take turns.
            self._group |= {cluster}
            self._steady(seen, cluster, right)
            return
        to = self._candidate = self._confirmed_by(seen, cluster, right, gap)
        # The first cluster ever seen to serve needs no proof: nothing moved.
        if self.serving is not None and to.count < self.confirm:
            return
        if self._move is not None:
            self._end(self._move)
        if self.serving is not None:
            self._move = self._completed(self.serving, to, seen)
        if self._first_failure is not None:
            self._count_outage(to.served_at)
        self.serving, self._group, self._cause = cluster, to.clusters, None
        self._blind = False
        self._rest()

    def _confirmed_by(
        self, seen: ProbeObservation, cluster: str, right: frozenset[str], gap: float
    ) -> _Candidate:
        to = self._candidate
        # Clusters that are all right take turns from their first reply on.
        if to is None or (cluster not in to.clusters and not {cluster, to.cluster} <= right):
            took = seen.ended - seen.at
            return _Candidate(cluster, seen.ended, seen.unix, frozenset({cluster}), gap + took)
        to.clusters |= {cluster}
        to.count += 1
        return to

    def _rest(self) -> None:
        self._candidate, self._first_failure, self._failures = None, None, 0
        self._first_gap = None
        self._answered_at.clear()

    def _completed(self, from_cluster: str, to: _Candidate, seen: ProbeObservation) -> _Move:
        answered_at = min(self._answered_at.get(to.cluster, to.served_at), to.served_at)
        cause = self._cause
        if cause is not None:
            # After a sleep a change may be as old as that, and still be what moved it.
            too_old = to.served_at - cause.at > CAUSE_HOLDS and not self._blind
            cause = None if too_old or to.cluster not in cause.right else cause
        first_failure = to.served_at if self._first_failure is None else self._first_failure
        # Without cause and failure the first sign of the move is the new answer itself.
        start = cause.at if cause else min(first_failure, answered_at)
        durations = {
            Stage.DNS: max(0.0, answered_at - start),
            Stage.SERVED: max(0.0, to.served_at - start),
            Stage.OUTAGE: max(0.0, to.served_at - first_failure),
        }
        failover = Failover(
            service=self.service,
            from_cluster=from_cluster,
            to_cluster=to.cluster,
            reason=cause.reason if cause else Reason.UNKNOWN,
            unix=to.unix,
            durations={} if self._blind else durations,
            # Start and end may each be earlier than seen, by one gap; so the two do not add up.
            accuracy=max(to.gap, self._first_gap or 0.0),
        )
        return _Move(
            failover,
            answered_at,
            to.served_at,
            explained=cause is not None,
            left=self._group | {from_cluster},
            old_at=to.served_at,
            new_at=seen.ended,
        )
