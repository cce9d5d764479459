"""Whether attribution can be believed: what probes claim beside what their addresses say."""

from collections import deque

WINDOW = 50
"""Verified probes of a cluster that are remembered."""
ENOUGH = 5
"""Fewer prove nothing."""
TRUSTED_FROM = 0.9
"""The share of them that must agree: an address rewritten on the way spoils nearly all."""


class Calibration:
    """
    How well attribution by address agrees with the signed word of the probes, by cluster.

    A probe of one cluster that is attributed to another one speaks against both: hits of the first
    are missed, and hits of the second are not its own.
    """

    def __init__(self) -> None:
        self._seen: dict[str, deque[bool]] = {}

    def saw(self, claimed: str, attributed: str) -> None:
        """Take in a verified probe: the cluster it claims, and the one its address belongs to."""
        for cluster in {claimed, attributed}:
            held = self._seen.setdefault(cluster, deque(maxlen=WINDOW))
            held.append(claimed == attributed)

    def agreement(self, cluster: str) -> float | None:
        """Return the share of the newest probes that agree; None while there are too few."""
        held = self._seen.get(cluster, ())
        return sum(held) / len(held) if len(held) >= ENOUGH else None

    def trusts(self, cluster: str) -> bool:
        """Return whether a leak of *cluster* may be told as one."""
        agreement = self.agreement(cluster)
        return agreement is None or agreement >= TRUSTED_FROM
