"""
When a service moved to another cluster for the clients here, why, and how long it took.

One machine a service. It is told of each plain probe and of each change of what is right, in the
order in which they were seen, and says when a move is over. All moments are on one monotonic clock.
"""

from dataclasses import dataclass, field

from exporter.model import Failover, Reason, ServiceName, Stage

CAUSE_HOLDS = 120.0
"""Seconds for which a change may be the cause of a move. A name server that lost its API server
needs up to 79 s to see a change, measured on Lighthouse 0.19."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A change in the inventory that changed which clusters should answer."""

    at: float
    reason: Reason
    right: frozenset[str]
    """Who should answer since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
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
    count: int = 1


@dataclass(slots=True, kw_only=True)
class FailoverJudge:
    """Follow one service from cluster to cluster."""

    service: ServiceName
    confirm: int
    serving: str | None = None
    """The cluster that serves, confirmed; kept through a blackout."""
    outage: float = 0.0
    """Seconds without service in all, up to the newest probe; a failure counts once confirmed."""
    _cause: Cause | None = None
    _group: frozenset[str] = frozenset()
    _candidate: _Candidate | None = None
    _answered_at: dict[str, float] = field(default_factory=dict)
    _first_failure: float | None = None
    _failures: int = 0
    _counted_to: float = 0.0

    def changed(self, cause: Cause) -> None:
        """Take in a change of who should answer."""
        self._cause = cause

    def probed(self, seen: Try, right: frozenset[str]) -> Failover | None:
        """Take in the next plain probe; return the move that it completes, if it does."""
        if seen.answered is not None and seen.answered != self.serving:
            self._answered_at.setdefault(seen.answered, seen.answered_at)
        if seen.served is None:
            self._failed(seen)
            return None
        if seen.served in self._group or self._spreads(seen.served, right):
            self._steady(seen)
            return None
        return self._moving(seen, right)

    def _spreads(self, cluster: str, right: frozenset[str]) -> bool:
        # Two clusters that are both right take turns; that is no move.
        if self.serving not in right or cluster not in right:
            return False
        self._group = (self._group & right) | {cluster}
        return True

    def _failed(self, seen: Try) -> None:
        self._candidate = None
        self._failures += 1
        if self._first_failure is None:
            self._first_failure = self._counted_to = seen.at
        if self._failures >= self.confirm:
            self._count_outage(seen.ended)

    def _count_outage(self, until: float) -> None:
        self.outage += max(0.0, until - self._counted_to)
        self._counted_to = max(self._counted_to, until)

    def _steady(self, seen: Try) -> None:
        if self._failures >= self.confirm:
            self._count_outage(seen.ended)
        self.serving = seen.served
        self._rest()

    def _moving(self, seen: Try, right: frozenset[str]) -> Failover | None:
        to = self._candidate = self._confirmed_by(seen, seen.served or "", right)
        # The first cluster ever seen to serve needs no proof: nothing moved.
        if self.serving is not None and to.count < self.confirm:
            return None
        moved = None if self.serving is None else self._completed(self.serving, to)
        if self._first_failure is not None:
            self._count_outage(to.served_at)
        self.serving, self._group, self._cause = seen.served, to.clusters, None
        self._rest()
        return moved

    def _confirmed_by(self, seen: Try, cluster: str, right: frozenset[str]) -> _Candidate:
        to = self._candidate
        # Clusters that are all right take turns from their first reply on.
        if to is None or (cluster not in to.clusters and not {cluster, to.cluster} <= right):
            return _Candidate(cluster, seen.ended, seen.unix, frozenset({cluster}))
        to.clusters |= {cluster}
        to.count += 1
        return to

    def _rest(self) -> None:
        self._candidate, self._first_failure, self._failures = None, None, 0
        self._answered_at.clear()

    def _completed(self, from_cluster: str, to: _Candidate) -> Failover:
        answered_at = self._answered_at.get(to.cluster, to.served_at)
        cause = self._cause
        if cause is not None and (
            to.cluster not in cause.right or to.served_at - cause.at > CAUSE_HOLDS
        ):
            cause = None
        first_failure = to.served_at if self._first_failure is None else self._first_failure
        # Without cause and failure the first sign of the move is the new answer itself.
        start = cause.at if cause else min(first_failure, answered_at)
        return Failover(
            service=self.service,
            from_cluster=from_cluster,
            to_cluster=to.cluster,
            reason=cause.reason if cause else Reason.UNKNOWN,
            unix=to.unix,
            durations={
                Stage.DNS: max(0.0, answered_at - start),
                Stage.SERVED: max(0.0, to.served_at - start),
                Stage.OUTAGE: max(0.0, to.served_at - first_failure),
            },
        )
