"""Finds what a client in the local cluster gets from a service now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from exporter.model.clusterset import UNKNOWN
from exporter.model.verdicts import Mode

UNMIXED = 20
"""Probes in a row that must agree before answers count as mixed no longer. One stuck replica of two
gives every second answer: by chance alone that many agree once in a million probes."""


@dataclass(slots=True)
class Serving:
    """The result of one plain probe."""

    at: float
    cluster: str | None
    """The cluster that served, or None."""
    answered: str | None = None
    """The cluster that the answer named; as *cluster* unless nobody replied."""
    alive: bool = False
    """It failed, and another cluster that is right is known to serve."""
    also: frozenset[str] = frozenset()
    """Of a headless service: all clusters in the answer, of which a client chooses one."""
    returned: bool = False
    """Probes of the local cluster came back lately: its own logs contain them."""

    @property
    def named(self) -> str | None:
        """Return the cluster that the answer led to."""
        return self.cluster if self.answered is None else self.answered


@dataclass(slots=True, kw_only=True)
class ModeJudge:
    """
    Follows the mode of one service.

    The mode changes when *confirm* probes in a row agree. The change counts from the first of them.
    Two modes need more than the newest probes:

    - `Mode.MIXED`: answers alternate between the local cluster and others, and not all of them are
      right; or a headless name leads to all of them at once. It ends after `UNMIXED` probes that
      agree.
    - `Mode.DEGRADED`: several clusters are right, one of them failed *confirm* times after it last
      served, and another one serves. It ends when the failing one serves or is no longer right.
    """

    local: str
    confirm: int
    mode: Mode = Mode.UNKNOWN
    since: float | None = None
    seen: tuple[Serving, ...] = ()
    """The newest probes, the newest last."""
    failing: dict[str, int] = field(default_factory=dict)
    """For each answered cluster, its failures in a row, counted over its own answers."""
    _before: tuple[Mode, float | None] = (Mode.UNKNOWN, None)
    """The mode before this one, and since when it held."""
    _stable_right: bool = False
    """All of the newest probes were served by the local cluster."""

    def absorb_unchanged(self, cluster: str | None) -> bool:
        """Return whether one more probe that *cluster* served would change nothing."""
        return self._stable_right and cluster == self.local

    @property
    def share(self) -> float | None:
        """Return the share of the newest probes that were served; None before the first."""
        served = sum(each.cluster is not None for each in self.seen)
        return served / len(self.seen) if self.seen else None

    @property
    def starting(self) -> tuple[int, int] | None:
        """Return the probes so far and those that are needed; None once there are enough."""
        return (len(self.seen), self.confirm) if len(self.seen) < self.confirm else None

    def serves(self, cluster: str) -> bool:
        """Return whether *cluster* was seen to serve, and has not failed since."""
        return cluster not in self.failing and any(each.cluster == cluster for each in self.seen)

    def probed(
        self, serving: Serving, *, right: frozenset[str], exported: bool, changing: bool = False
    ) -> None:
        """
        Take in the next plain probe.

        Args:
            serving: The result of the probe.
            right: The clusters that should answer.
            exported: Whether the local cluster exports the service, or did until lately.
            changing: Whether caches may still be right to answer the old way.
        """
        self.seen = (*self.seen, serving)[-UNMIXED:]
        self._count_failures(serving, right)
        newest = self.seen[-self.confirm :]
        kinds = {self._kind(each, right, exported) for each in newest}
        if self._is_degraded(right):
            self._change(Mode.DEGRADED, newest[0].at)
        elif not changing and self._alternates(right):
            self._change(Mode.MIXED, serving.at)
        elif self.mode is Mode.MIXED and not self._agrees(right, exported):
            pass
        elif len(newest) == self.confirm and len(kinds) == 1:
            self._change(kinds.pop(), self._began(right, exported))
        self._stable_right = (
            self.mode is Mode.LOCAL
            and len(self.seen) > 2 * self.confirm
            and all(each.cluster == self.local and not each.also for each in self.seen)
        )

    def explained(self, since: float) -> None:
        """
        Take in that other clusters should answer, as a name server may have known *since* then.

        Answers that alternate since then are this change on its way to each replica.
        """
        if self.mode is Mode.MIXED and self.since is not None and self.since >= since:
            self.mode, self.since = self._before

    def observation_gap(self) -> None:
        """Forget what was seen before nobody looked for long."""
        self.seen, self._stable_right = (), False
        self.failing.clear()
        self.mode, self.since = Mode.UNKNOWN, None

    def reclassify(self, *, exported: bool, now: float) -> None:
        """Choose between failover and remote again, after the local export came or went."""
        if self.mode in {Mode.REMOTE, Mode.FAILOVER}:
            self._change(Mode.FAILOVER if exported else Mode.REMOTE, now)

    def _change(self, mode: Mode, at: float) -> None:
        if mode is not self.mode:
            self._before = self.mode, self.since
            self.mode, self.since = mode, at

    def _count_failures(self, serving: Serving, right: frozenset[str]) -> None:
        if serving.cluster is not None:
            self.failing.pop(serving.cluster, None)
        elif serving.answered is not None:
            self.failing[serving.answered] = self.failing.get(serving.answered, 0) + 1
        for gone in self.failing.keys() - right:
            del self.failing[gone]

    def _is_degraded(self, right: frozenset[str]) -> bool:
        broken = {cluster for cluster, times in self.failing.items() if times >= self.confirm}
        others = right - broken
        if not broken or not others:
            return False
        served = any(each.cluster in others for each in self.seen)
        return served or self.seen[-1].alive

    def _kind(self, serving: Serving, right: frozenset[str], exported: bool) -> Mode:
        cluster = serving.cluster
        if cluster is None:
            # Another cluster serves, so it is not dark; what it is depends on the next probes.
            return self.mode if serving.alive else Mode.BLACKOUT
        # An address of the whole clusterset does not tell who served. Only logs do.
        if cluster == UNKNOWN and cluster in right:
            return Mode.LOCAL if serving.returned else Mode.UNKNOWN
        if self.local in serving.also and len(serving.also) > 1:
            return Mode.MIXED
        # Where the local cluster is one of several that are right, spreading is no failover.
        if cluster == self.local or {cluster, self.local} <= right:
            return Mode.LOCAL
        return Mode.FAILOVER if exported else Mode.REMOTE

    def _agrees(self, right: frozenset[str], exported: bool) -> bool:
        # A probe without an answer, such as a lost packet, does not tell who is answered.
        named = [each for each in self.seen if each.named is not None]
        kinds = {self._kind(each, right, exported) for each in named or self.seen}
        return len(self.seen) == UNMIXED and len(kinds) == 1

    def _began(self, right: frozenset[str], exported: bool) -> float:
        """Return when the newest probes that agree began."""
        newest = self.seen[-1]
        kind, began = self._kind(newest, right, exported), newest.at
        for each in reversed(self.seen):
            if self._kind(each, right, exported) is not kind:
                break
            began = each.at
        return began

    def _alternates(self, right: frozenset[str]) -> bool:
        newest = self.seen[-(2 * self.confirm + 1) :]
        named = [each.named for each in newest if each.named is not None]
        places = [cluster == self.local for cluster in named]
        switches = sum(a is not b for a, b in pairwise(places))
        return switches > 1 and not set(named) <= right


STATES: Mapping[Mode, str] = {
    Mode.LOCAL: "the local cluster serves",
    Mode.REMOTE: "another cluster serves, and the local one does not export the service",
    Mode.FAILOVER: "another cluster serves, and the local one exports the service",
    Mode.MIXED: "local and other clusters are answered in turn, and not all of them should be",
    Mode.DEGRADED: "several clusters are right, and one of those that are answered does not reply",
    Mode.BLACKOUT: "nobody replies",
    Mode.UNKNOWN: "there are not enough probes yet",
}
"""What each mode means, for people."""
