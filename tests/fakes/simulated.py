"""What happens in a simulated run: changes, and what should be reported of them."""

from bisect import bisect_right
from dataclasses import dataclass

REPLICAS = 2
BY_EXPORT = frozenset({"export", "unexport"})


@dataclass
class Change:
    """A cluster goes down or comes up: moments."""

    cluster: str
    up: bool
    serves: float
    """From then on its backend serves, or does not."""
    ready: float
    """Its readiness says so, or its export."""
    known: float
    """The exporter's inventory says so."""
    answered: tuple[float, ...]
    """Each replica of the name server says so."""
    reason: str = "readiness"
    gone_for: float = 0.0
    """Seconds before *known* for which the service is not in the inventory at all."""

    @property
    def resource(self):
        """The watched resource that says so."""
        return "serviceimports" if self.reason in BY_EXPORT else "endpointslices"

    @property
    def first(self):
        return min(self.serves, self.ready)

    @property
    def last(self):
        return max(self.serves, self.known, *self.answered)


@dataclass
class Move:
    """A move of the clients of a that should be reported."""

    right: frozenset
    known: float
    """When the cause was in the inventory."""
    reasons: frozenset
    answered: tuple[float, float]
    """When the first replica answered one of *right*, and the last ceased to answer otherwise."""
    broke: float | None
    """When the old one stopped serving, if that was before."""
    asleep: bool
    """Nobody looked."""
    gone_for: float = 0.0
    """Seconds before *known* for which the service was not in the inventory at all."""


class Timeline:
    """
    A value over time.

    Args:
        moments: When it may change.
        value: Returns it at a moment.
    """

    def __init__(self, moments, value):
        self.moments = sorted({*moments})
        self._values = [value(-1.0), *map(value, self.moments)]

    def at(self, moment):
        return self._values[bisect_right(self.moments, moment)]

    def during(self, start, end):
        """Return all values from *start* to *end*."""
        first, last = bisect_right(self.moments, start), bisect_right(self.moments, end)
        return self._values[first : last + 1]


class Changes:
    """
    Makes the changes of a run: clusters go down and up, sometimes two are down.

    Args:
        family: What may happen.
        clusters: Their letters.
        chance: Random numbers.
    """

    def __init__(self, family, clusters, chance):
        self.family, self.clusters, self.chance = family, clusters, chance
        self.stuck = self._stuck() if family.stuck else None
        self.evicted = set()

    def _stuck(self):
        start = self.chance.uniform(20, 400)
        return self.chance.randrange(REPLICAS), start, start + self.chance.uniform(300, 1800)

    def make(self):
        """Yield changes, each well apart."""
        at, down, number = 60.0, [], self.family.changes
        while number or down:
            at += self.chance.uniform(*self.family.apart)
            up = bool(down) and (not number or self.chance.random() < 0.7)
            here = down if up else [c for c in self.clusters if c not in down]
            # a fails more often, since its clients are the ones that move.
            first = "a" in here and self.chance.random() < 0.5
            cluster = "a" if first else self.chance.choice(here)
            if up:
                down.remove(cluster)
            elif len(here) > 1:
                down.append(cluster)
                number -= 1
            else:
                continue
            yield self._change(cluster, at, up=up)

    def _change(self, cluster, at, *, up):
        chance, reason, gone_for = self.chance, "readiness", 0.0
        if up and cluster in self.evicted:
            self.evicted.discard(cluster)
            serves, ready, reason = at, at + chance.uniform(0.5, 8), "export"
        elif not up and self.family.evicted and chance.random() < 0.6:
            # The export goes first; what it exported serves on for a while.
            self.evicted.add(cluster)
            serves, ready, reason = at + chance.uniform(1, 20), at, "unexport"
            gone_for = chance.choice((0.0, chance.uniform(0.1, 3)))
        elif up or chance.random() < 0.5:
            # It serves, then it is ready; or it breaks, and readiness finds out.
            serves, ready = at, at + chance.uniform(0.5, 8)
        else:
            # Drained: it is not ready first, and serves on for a while.
            serves, ready = at + chance.uniform(8, 20), at
        known = ready + chance.uniform(0.0, 2.0)
        answered = tuple(self._answered(ready, replica) for replica in range(REPLICAS))
        gone_for = min(gone_for, known - ready)
        return Change(cluster, up, serves, ready, known, answered, reason, gone_for)

    def _answered(self, ready, replica):
        at = ready + self.chance.uniform(0.05, 2.0)
        if self.family.lagging and replica == 0:
            return ready + self.chance.uniform(2.0, 60.0)
        if self.stuck and replica == self.stuck[0] and self.stuck[1] <= at < self.stuck[2]:
            return self.stuck[2] + self.chance.uniform(0.0, 1.0)
        return at
