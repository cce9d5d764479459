"""The memory of probes that were accepted, so that each one is accepted once."""

MAX_REMEMBERED = 65_536
"""Probes of one cluster that are remembered: 200 a second for five minutes."""
MAX_IN_ALL = 262_144
"""Probes of all clusters that are remembered, in equal shares: about 25 MiB."""
KEPT = 600
"""Seconds by which a probe may be older than the newest one and is still remembered."""


class _Source:
    """The probes of one cluster, by the second in which they were made."""

    def __init__(self) -> None:
        self.seconds: dict[int, set[int]] = {}
        self.count = 0
        self.newest = 0
        self.forgotten = -1
        """Up to this second probes were dropped because there were too many."""

    def drop(self, second: int) -> None:
        """Forget the probes of one second."""
        self.count -= len(self.seconds.pop(second))


class Replays:
    """
    The probes that were accepted, each source by itself: a noisy one takes nothing from others.

    If a source has more than its share, its oldest are dropped. Afterwards none of its probes that
    is as old as a dropped one is accepted.
    """

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def is_new(self, source: str, id_: str, made: float, *, sources: int) -> bool:
        """
        Return whether the probe *id_* of *source* comes for the first time, and remember it.

        Args:
            source: The cluster that it comes from, one of the inventory.
            id_: Tells the probes of a source apart.
            made: When it was made, unix seconds.
            sources: How many sources there are.
        """
        held = self._sources.setdefault(source, _Source())
        second, key = int(made), hash(id_)
        if second <= held.forgotten:
            return False
        known = held.seconds.setdefault(second, set())
        if key in known:
            return False
        known.add(key)
        held.count += 1
        if second > held.newest:
            held.newest = second
            for old in [each for each in held.seconds if each < second - KEPT]:
                held.drop(old)
        while held.count > min(MAX_REMEMBERED, MAX_IN_ALL // sources):
            held.forgotten = max(held.forgotten, oldest := min(held.seconds))
            held.drop(oldest)
        return True
