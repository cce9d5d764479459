"""Which change of the inventory made a cluster the one that should serve."""

from dataclasses import dataclass, field

from exporter.model.verdicts import Reason


@dataclass(frozen=True, slots=True)
class Cause:
    """A change in the inventory that changed which clusters should answer."""

    at: float
    reason: Reason
    right: frozenset[str]
    """Who should answer since."""
    late: float = 0.0
    """Seconds by which this exporter may have seen it late."""


@dataclass(slots=True)
class Causes:
    """
    The newest change that made each cluster right, and that ceased to make it right.

    A cause holds until its target serves or is not right any more, however long that takes. A later
    change that does not make the target right is not the cause.
    """

    right: frozenset[str] | None = None
    """Who should answer; None before the first is known."""
    joined: dict[str, Cause] = field(default_factory=dict)
    left: dict[str, Cause] = field(default_factory=dict)

    def changed(self, cause: Cause) -> None:
        """Take in who should answer from now on, and why."""
        before = self.right
        for cluster in cause.right - (before or frozenset()):
            self.left.pop(cluster, None)
            # Before the first is known nothing says since when it is right.
            if before is not None:
                self.joined[cluster] = cause
        for cluster in (before or frozenset()) - cause.right:
            self.joined.pop(cluster, None)
            self.left[cluster] = cause
        self.right = cause.right

    def of(self, from_cluster: str, to_cluster: str) -> Cause | None:
        """Return what made *to_cluster* the one that should serve instead of *from_cluster*."""
        right = self.right or frozenset()
        if to_cluster not in right or from_cluster in right:
            return None
        found = (self.joined.get(to_cluster), self.left.get(from_cluster))
        known = [each for each in found if each is not None]
        return max(known, key=lambda each: each.at, default=None)
