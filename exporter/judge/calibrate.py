"""Compares the cluster that signed probes claim with the cluster of their client address."""

from collections import deque

WINDOW = 50
"""Verified probes of a cluster that are remembered."""
ENOUGH = 5
"""With fewer probes there is no result."""
TRUSTED_FROM = 0.9
"""The share that must agree. An address that is rewritten on the way spoils nearly all."""


class Calibration:
    """
    Measures by cluster how well attribution by address agrees with signed probes.

    A probe of one cluster that is attributed to another counts against both: hits of the first are
    missed, and hits of the second are not its own.
    """

    def __init__(self) -> None:
        self._seen: dict[str, deque[bool]] = {}

    def saw(self, claimed: str, attributed: str) -> None:
        """Take in a verified probe: the cluster that it claims and the one of its address."""
        for cluster in {claimed, attributed}:
            held = self._seen.setdefault(cluster, deque(maxlen=WINDOW))
            held.append(claimed == attributed)

    def agreement(self, cluster: str) -> float | None:
        """Return the share of the newest probes that agree; None if there are too few."""
        held = self._seen.get(cluster, ())
        return sum(held) / len(held) if len(held) >= ENOUGH else None

    def trusts(self, cluster: str) -> bool:
        """Return whether a leak of *cluster* may be counted as one."""
        agreement = self.agreement(cluster)
        return agreement is None or agreement >= TRUSTED_FROM
