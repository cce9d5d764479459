"""The parts of a failover: its cause, what probes show of it, and the move that they confirm."""

from dataclasses import dataclass, field, replace

from exporter.model.clusterset import ServiceName
from exporter.model.verdicts import Failover, FailoverStage, Reason

CAUSE_HOLDS = 120.0
"""Seconds for which a change may be the cause of a move. A name server that lost its API server
needs up to 79 s to see a change, measured on Lighthouse 0.19."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A change in the inventory that changed which clusters should answer."""

    at: float
    reason: Reason
    right: frozenset[str]
    """The clusters that should answer from then on."""


@dataclass(slots=True, kw_only=True)
class ProbeObservation:
    """One plain probe, as `FailoverJudge` reads it."""

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
class Candidate:
    """A cluster that has begun to serve and is not confirmed yet."""

    cluster: str
    served_at: float
    unix: float
    clusters: frozenset[str]
    """All clusters that have served since."""
    gap: float
    """Seconds from the start of the previous probe to the first good reply."""
    count: int = 1


@dataclass(slots=True)
class Signs:
    """The signs of a move that is not confirmed yet."""

    candidate: Candidate | None = None
    first_gap: float | None = None
    """Seconds from the previous probe to the first sign."""
    answered_at: dict[str, float] = field(default_factory=dict)
    """When each new cluster was first answered."""

    def confirm(
        self, seen: ProbeObservation, cluster: str, right: frozenset[str], gap: float
    ) -> Candidate:
        """Return the candidate after one more good reply, this one from *cluster*."""
        to = self.candidate
        # Clusters that are all expected take turns from their first reply on.
        if to is None or (cluster not in to.clusters and not {cluster, to.cluster} <= right):
            took = seen.ended - seen.at
            to = Candidate(cluster, seen.ended, seen.unix, frozenset({cluster}), gap + took)
        else:
            to.clusters |= {cluster}
            to.count += 1
        self.candidate = to
        return to

    def clear(self) -> None:
        """Forget all of them."""
        self.candidate, self.first_gap = None, None
        self.answered_at.clear()


@dataclass(slots=True)
class Outage:
    """
    Counts the seconds without service.

    A failure counts only after *confirm* failures in a row, but then from the first of them on.
    """

    confirm: int
    total: float = 0.0
    first_failure: float | None = None
    """When the failures began that have not ended."""
    _failures: int = 0
    _counted_to: float = 0.0

    def failed(self, seen: ProbeObservation) -> None:
        """Take in a probe that nobody served."""
        self._failures += 1
        if self.first_failure is None:
            self.first_failure = self._counted_to = seen.at
        if self._failures >= self.confirm:
            self.count(seen.ended)

    def served(self, seen: ProbeObservation) -> None:
        """Take in a probe that was served, and end the outage."""
        if self._failures >= self.confirm:
            self.count(seen.ended)
        self.clear()

    def count(self, until: float) -> None:
        """Count the time up to *until* as time without service."""
        self.total += max(0.0, until - self._counted_to)
        self._counted_to = max(self._counted_to, until)

    def clear(self) -> None:
        """Forget the failures that have not ended."""
        self.first_failure, self._failures = None, 0


@dataclass(slots=True)
class Move:
    """A move that is confirmed and has not settled yet."""

    failover: Failover
    answered_at: float
    served_at: float
    explained: bool
    """Its cause is known, so it can be emitted."""
    left: frozenset[str]
    """The clusters that served before."""
    old_at: float
    """When one of those last served; the new cluster last served at *new_at*."""
    new_at: float
    back: Candidate | None = None
    """One of the old clusters, if the newest reply came from it."""
    emitted: bool = False

    def explain(self, cause: Cause) -> None:
        """Take in a cause that was seen after its effect. Only the time after the cause counts."""
        start = min(cause.at, self.answered_at)
        late = {
            FailoverStage.DNS: self.answered_at - start,
            FailoverStage.SERVED: self.served_at - start,
        }
        durations = self.failover.durations and {**self.failover.durations, **late}
        self.failover = replace(self.failover, reason=cause.reason, durations=durations)
        self.explained = True


def cause_of(to: Candidate, cause: Cause | None, *, after_gap: bool) -> Cause | None:
    """Return *cause* if it can be the reason for the move to *to*, else None."""
    if cause is None or to.cluster not in cause.right:
        return None
    # After a gap a change may be as old as the gap and still be the cause.
    too_old = to.served_at - cause.at > CAUSE_HOLDS and not after_gap
    return None if too_old else cause


def failover_to(
    to: Candidate,
    *,
    service: ServiceName,
    from_cluster: str,
    cause: Cause | None,
    signs: Signs,
    outage: Outage,
    after_gap: bool,
) -> tuple[Failover, float]:
    """
    Return the failover to *to*, and when the new cluster was first answered.

    Args:
        to: The new cluster, confirmed.
        service: The service that moved.
        from_cluster: The cluster that served before.
        cause: The change that made the new cluster right; None if none was seen.
        signs: Those of this move.
        outage: The failures before it.
        after_gap: Nobody probed while it happened, so its durations are unknown.
    """
    answered_at = min(signs.answered_at.get(to.cluster, to.served_at), to.served_at)
    first_failure = to.served_at if outage.first_failure is None else outage.first_failure
    # Without a cause and a failure, the first sign is the new answer itself.
    start = cause.at if cause else min(first_failure, answered_at)
    ends = (answered_at, start), (to.served_at, start), (to.served_at, first_failure)
    spans = [max(0.0, end - begin) for end, begin in ends]
    failover = Failover(
        service=service,
        from_cluster=from_cluster,
        to_cluster=to.cluster,
        reason=cause.reason if cause else Reason.UNKNOWN,
        unix=to.unix,
        durations={} if after_gap else dict(zip(FailoverStage, spans, strict=True)),
        # Start and end may each be earlier than seen by one gap, so the gaps do not add up.
        accuracy=max(to.gap, signs.first_gap or 0.0),
    )
    return failover, answered_at
