"""Measures how far the clocks of other clusters are from the clock that writes the logs here."""

from collections import deque
from statistics import median

WINDOW = 20
"""Verified probes of a cluster that are remembered."""
ENOUGH = 5
"""With fewer probes there is no result."""
NOTICED = 2.0
"""Seconds above which a skew is shown as a finding. A log has whole seconds only."""
HALF_A_SECOND = 0.5
"""Log times have no fraction, so this is what is missing on average."""


class ClockSkew:
    """The clock of each cluster against that of the logs here, by verified probes."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = {}

    def saw(self, cluster: str, made: float, logged: float) -> None:
        """
        Take in a verified probe.

        Args:
            cluster: Which cluster made it.
            made: When, by the clock of that cluster, unix seconds.
            logged: The whole second of its log line, unix seconds.
        """
        held = self._seen.setdefault(cluster, deque(maxlen=WINDOW))
        held.append(made - logged - HALF_A_SECOND)

    def forget(self, cluster: str) -> None:
        """Forget what was seen of *cluster*, because it is gone."""
        self._seen.pop(cluster, None)

    def seconds(self, cluster: str) -> float | None:
        """Return by how much the clock of *cluster* is ahead; None if there are too few probes."""
        held = self._seen.get(cluster, ())
        return median(held) if len(held) >= ENOUGH else None

    def margin(self, cluster: str) -> float:
        """Return for how many seconds around a change a leak of *cluster* is not certain."""
        skew = abs(self.seconds(cluster) or 0.0)
        return skew if skew > NOTICED else 0.0
