"""What a client in this cluster gets now from a service."""

from dataclasses import dataclass
from itertools import pairwise

from exporter.model.clusterset import UNKNOWN
from exporter.model.verdicts import Mode


@dataclass(slots=True)
class Serving:
    """What one plain probe says of a service: who served it, if anybody."""

    at: float
    cluster: str | None


@dataclass(slots=True, kw_only=True)
class ModeJudge:
    """
    Follow one service's mode.

    *confirm* probes in a row must agree before the mode changes; the moment of the change is
    that of the first of them. Answers that go to and fro between the local cluster and another
    one while only one of them is right are `Mode.MIXED`.
    """

    local: str
    confirm: int
    mode: Mode = Mode.UNKNOWN
    since: float | None = None
    seen: tuple[Serving, ...] = ()
    """As many probes as it takes to see an answer go and come back twice, the newest last."""
    _stable_right: bool = False
    """All of those were served by the local cluster, whose own moments matter no more."""

    def absorb_unchanged(self, cluster: str | None) -> bool:
        """Return whether one more probe that *cluster* served would change nothing."""
        return self._stable_right and cluster == self.local

    def probed(self, serving: Serving, *, right: frozenset[str], exported: bool) -> None:
        """
        Take in the next plain probe.

        Args:
            serving: What the probe says.
            right: Clusters that may answer by the oracle.
            exported: Whether the local cluster exports the service, or did until lately.
        """
        self.seen = (*self.seen, serving)[-(2 * self.confirm + 1) :]
        newest = self.seen[-self.confirm :]
        clusters = {each.cluster for each in newest}
        kinds = {self._kind(cluster, right, exported) for cluster in clusters}
        if len(newest) == self.confirm and len(kinds) == 1:
            self._change(kinds.pop(), newest[0].at)
        elif self._alternates(right):
            self._change(Mode.MIXED, serving.at)
        served = {each.cluster for each in self.seen}
        full = len(self.seen) > 2 * self.confirm
        self._stable_right = self.mode is Mode.LOCAL and served == {self.local} and full

    def observation_gap(self) -> None:
        """Forget all probes, because nobody probed for long."""
        self.seen, self._stable_right = (), False
        self.mode, self.since = Mode.UNKNOWN, None

    def reclassify(self, *, exported: bool, now: float) -> None:
        """Tell failover from remote anew, after the local export came or went."""
        if self.mode in {Mode.REMOTE, Mode.FAILOVER}:
            self._change(Mode.FAILOVER if exported else Mode.REMOTE, now)

    def _change(self, mode: Mode, at: float) -> None:
        if mode is not self.mode:
            self.mode, self.since = mode, at

    def _kind(self, cluster: str | None, right: frozenset[str], exported: bool) -> Mode:
        if cluster is None:
            return Mode.BLACKOUT
        # An address of the whole clusterset does not tell who served.
        if cluster == UNKNOWN and cluster in right:
            return Mode.UNKNOWN
        # Where the local cluster is one of several that are right, spreading is no failover.
        if cluster == self.local or {cluster, self.local} <= right:
            return Mode.LOCAL
        return Mode.FAILOVER if exported else Mode.REMOTE

    def _alternates(self, right: frozenset[str]) -> bool:
        served = [each.cluster for each in self.seen if each.cluster is not None]
        places = [cluster == self.local for cluster in served]
        switches = sum(a is not b for a, b in pairwise(places))
        return switches > 1 and not set(served) <= right
