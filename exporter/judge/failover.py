"""
When a service moved to another cluster for the clients here, why, and how long it took.

One machine a service. It takes each plain probe and each change of what is right, in the order in
which they were seen. `TRANSITIONS` is the whole machine; `docs/failover.md` shows it as a table.
All moments are on one monotonic clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.judge.causes import Cause, Causes
from exporter.judge.failover_states import TRANSITIONS, Event, State
from exporter.judge.outage import Began, OutageClock
from exporter.model.clusterset import ServiceName
from exporter.model.verdicts import Failover, FailoverStage, Reason

SETTLES = 5.0
"""Seconds by which the name server may hear of a change before this exporter does."""
UNEXPLAINED = 30
"""Replies in a row that prove a move to a cluster that is not right. One stuck replica of two
gives every second answer: by chance alone that many come in a row once in 10^9 probes."""


SeenAt = tuple[float, float]
"""When something was seen, and seconds before that in which it may have been so already."""


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
    lost: bool = False
    """Nothing came back, so it does not show who serves: a lost packet looks the same."""
    partial: bool = False
    """It failed, and another cluster that is right is known to serve."""


@dataclass(slots=True)
class _Replies:
    """Replies in a row of one cluster that does not serve yet."""

    served_at: float
    unix: float
    gap: float
    """Seconds before *served_at* in which it may have begun to serve."""
    count: int = 1


@dataclass(slots=True, kw_only=True)
class FailoverJudge:
    """
    Follow one service from cluster to cluster.

    A move to a cluster that is right takes *confirm* good replies of it in a row. Another move, of
    which nobody knows why, takes `UNEXPLAINED` of them over at least `SETTLES` seconds. A lost
    packet does not begin the count anew; a reply of the cluster that serves does.
    """

    service: ServiceName
    confirm: int
    serving: str | None = None
    """The cluster that serves, confirmed; kept through a blackout."""
    state: State = State.UNSEEN
    causes: Causes = field(default_factory=Causes)
    group: frozenset[str] = frozenset()
    """Clusters that take turns."""
    clock: OutageClock = field(init=False)
    _others: dict[str, _Replies] = field(default_factory=dict)
    """Who has replied since the cluster that serves did, in this order."""
    _answered_at: dict[str, tuple[float, float]] = field(default_factory=dict)
    """When each was answered first, and seconds before that in which it may have been."""
    looked_at: float | None = None
    """When the newest probe started that showed who serves, or that nobody does."""
    _unmeasured: bool = False
    _ready: list[Failover] = field(default_factory=list)
    _stable_right: frozenset[str] | None = None
    """The expected clusters while the state is stable; None while something is pending."""

    def __post_init__(self) -> None:
        """Make the clock of outages."""
        self.clock = OutageClock(self.confirm)

    @property
    def outage(self) -> float:
        """Return the seconds without service in all, up to the newest probe."""
        return self.clock.total

    def changed(self, cause: Cause, *, mixed: bool = False) -> None:
        """Take in a change of who should answer; *mixed* if replicas have disagreed for long."""
        self._stable_right = None
        due = cause.right - (self.causes.right or frozenset())
        early, least = cause.at - cause.late - SETTLES, UNEXPLAINED if mixed else self.confirm
        self._others = kept = _without_strays(self._others, due, early, least)
        self.causes.changed(cause)
        self.group &= cause.right
        self._answered_at = {
            c: at for c, at in self._answered_at.items() if at[0] >= early or c in kept
        }
        if self.state is State.MOVING and kept:
            if self.serving in cause.right and cause.right & self._others.keys():
                self._do(Event.TURNS, None)
            elif self._is_enough(cause.at):
                self._do(Event.ENOUGH, None)

    def observation_gap(self) -> None:
        """Forget what was under way: nobody looked for so long that its times mean nothing."""
        self._do(Event.GAP, None)

    def moves(self) -> Iterator[Failover]:
        """Yield the moves that were completed since the last call, in their order."""
        ready, self._ready = self._ready, []
        yield from ready

    def absorb_unchanged(
        self, at: float, answered: str | None, served: str | None, right: frozenset[str]
    ) -> bool:
        """Take in a probe that started at *at* if it changes nothing; return whether it does."""
        if self._stable_right is not right or not served == answered == self.serving:
            return False
        self.looked_at = at
        self.clock.served_as_before(at)
        return True

    def probed(self, seen: ProbeObservation, right: frozenset[str]) -> None:
        """Take in the next plain probe; *right* are the clusters that should answer now."""
        self._stable_right = None
        if self.causes.right is None:
            self.causes.right = right
        gap = 0.0 if self.looked_at is None else seen.at - self.looked_at
        if seen.answered is not None and seen.answered != self.serving:
            self._answered_at.setdefault(
                seen.answered, (seen.answered_at, gap + seen.answered_at - seen.at)
            )
        if not seen.partial:
            self._do(self._event(seen, gap), seen)
        if not seen.lost:
            self.looked_at = seen.at
        quiet = self.state is State.STEADY and not self.clock.failing
        self._stable_right = right if quiet and self.serving in right else None

    def _event(self, seen: ProbeObservation, gap: float) -> Event:
        served, right = seen.served, self.causes.right or frozenset()
        if served is None:
            return Event.LOST if seen.lost or seen.answered in self._others else Event.FAILED
        if self.serving is not None:
            if served == self.serving or served in self.group:
                return Event.SAME
            if {served, self.serving} <= right:
                return Event.SAME
        if (replies := self._others.get(served)) is not None:
            replies.count += 1
        else:
            took = seen.ended - seen.at
            self._others[served] = _Replies(seen.ended, seen.unix, gap + took)
        return Event.ENOUGH if self._is_enough(seen.ended) else Event.OTHER

    def _is_enough(self, now: float) -> bool:
        right = self.causes.right or frozenset()
        if sum(each.count for c, each in self._others.items() if c in right) >= self.confirm:
            return True
        first = min(each.served_at for each in self._others.values())
        many = sum(each.count for each in self._others.values()) >= UNEXPLAINED
        return many and now - first >= SETTLES

    def _do(self, event: Event, seen: ProbeObservation | None) -> None:
        action, state = TRANSITIONS[self.state, event]
        getattr(self, f"_{action}")(seen)
        self.state = state

    def _keep(self, seen: ProbeObservation) -> None:
        """Go on with who serves: the same cluster, or one that takes turns with it."""
        right, cluster = self.causes.right or frozenset(), seen.served
        if cluster is None:
            return
        if cluster != self.serving:
            self.group = (self.group & right) | {cluster} | ({self.serving or cluster} & right)
        self.serving = cluster
        self.clock.served(seen.ended)
        self.clock.served_as_before(seen.at)
        self._others.clear()
        self._unmeasured = False
        # What the name server said of a cluster that should serve stays, also if an old answer
        # follows: caches and replicas change one after the other.
        due = right if cluster not in right else frozenset[str]()
        self._answered_at = {c: at for c, at in self._answered_at.items() if c in due}

    def _adopt(self, seen: ProbeObservation) -> None:
        """Take the first cluster that is seen to serve: nothing moved, so it needs no proof."""
        self.serving = seen.served
        self.group = frozenset({seen.served or ""})
        self.clock.served(seen.ended)
        self._rest()

    def _count(self, seen: ProbeObservation) -> None:
        self.clock.served_by_another(seen.ended)

    def _fail(self, seen: ProbeObservation) -> None:
        self.clock.failed(seen.at, seen.ended, lost=seen.lost)

    def _fail_anew(self, seen: ProbeObservation) -> None:
        self._others.clear()
        self._fail(seen)

    def _join(self, _: None) -> None:
        """Let them take turns from now on: nobody moved."""
        self.group |= (self.causes.right or frozenset()) & {*self._others, self.serving or ""}
        self._rest()

    def _forget(self, _: None) -> None:
        self.clock.forget()
        self._rest()
        self.looked_at, self._unmeasured, self._stable_right = None, True, None

    def _move(self, seen: ProbeObservation | None) -> None:
        right = self.causes.right or frozenset()
        found = [c for c in self._others if c in right] or list(self._others)
        to, others = found[0], self._others
        if self.serving is not None:
            self._ready.append(self._failover(self.serving, to, others[to]))
        self.clock.served(others[to].served_at if seen is None else seen.ended)
        self.serving, self.group = to, frozenset(found)
        self._unmeasured = False
        self._rest()

    def _rest(self) -> None:
        self._others.clear()
        self._answered_at.clear()
        self.clock.moved()

    def _failover(self, from_cluster: str, to: str, replies: _Replies) -> Failover:
        served_at = replies.served_at
        answered_at, answered_gap = self._answered_at.get(to, (served_at, replies.gap))
        cause = self.causes.of(from_cluster, to)
        if cause is not None and cause.at - cause.late - served_at > SETTLES:
            # It came too late to be the cause of what was seen before it.
            cause = None
        outage = self.clock.of_move(served_at)
        measured = not self._unmeasured
        answered = (answered_at, answered_gap)
        durations, accuracy = _durations(cause, outage, answered, (served_at, replies.gap))
        return Failover(
            service=self.service,
            from_cluster=from_cluster,
            to_cluster=to,
            reason=cause.reason if cause else Reason.UNKNOWN,
            unix=replies.unix,
            durations=durations if measured else {},
            accuracy=accuracy if measured else {},
        )


def _without_strays(
    replies: dict[str, _Replies], due: frozenset[str], early: float, least: int
) -> dict[str, _Replies]:
    """
    Leave out what is not the beginning of a move to one of *due*, which have become right.

    Fewer than *least* replies from before *early* are strays, such as those of a stuck replica.
    """
    return {
        cluster: each
        for cluster, each in replies.items()
        if cluster not in due or each.served_at >= early or each.count >= least
    }


def _durations(
    cause: Cause | None, outage: Began, answered: SeenAt, served: SeenAt
) -> tuple[dict[FailoverStage, float], dict[FailoverStage, float]]:
    """Return how long each stage took, and by how much each may be off."""
    answered_at, answered_gap = answered
    served_at, served_gap = served
    # Without cause and failure the first sign of the move is the new answer itself.
    start = min(cause.at, answered_at) if cause else min(outage.began, answered_at)
    late = cause.late if cause else outage.late if outage.began <= answered_at else answered_gap
    durations = {
        FailoverStage.DNS: max(0.0, answered_at - start),
        FailoverStage.SERVED: max(0.0, served_at - start),
        FailoverStage.OUTAGE: max(0.0, served_at - outage.began),
    }
    accuracy = {
        FailoverStage.DNS: late + answered_gap,
        FailoverStage.SERVED: late + served_gap,
        FailoverStage.OUTAGE: outage.late + served_gap,
    }
    return durations, accuracy
