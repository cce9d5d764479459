"""The clusterset of a simulated run: what happens in it, and what is true at each moment."""

import math
import random
from dataclasses import replace

from tests.fakes.nouns import inventory
from tests.fakes.simulated import BY_EXPORT, REPLICAS, Changes, Move, Timeline

INTERVAL, FAST = 15.0, 0.2
ONLY_FAST = 50
"""Seeds below this one have the default of the fast interval; for others it is drawn, too."""
VIP = "100.200.0.1"
NEVER = (math.inf, math.inf)


class World:
    """
    A clusterset.

    Args:
        family: What may happen.
        seed: Chooses what happens.
    """

    leaders = None

    def __init__(self, family, seed):
        self.family, self.chance = family, random.Random(f"{family.name} {seed}")
        self.fast, chance = FAST, self.chance
        self.more = random.Random(f"more {family.name} {seed}")
        """For what not every family has, so that the others' runs stay as they are."""
        if seed >= ONLY_FAST:
            self.fast = self.more.choice((FAST, 0.5, 1.0))
        self.loss = chance.uniform(0, family.loss)
        self.clusters = "abcdef"[: chance.randint(*family.clusters)]
        self.ttl = chance.choice((0.0, family.cache, chance.uniform(0, family.cache)))
        self.skew = chance.uniform(-0.4, 0.4)
        made = Changes(family, self.clusters, chance)
        self.changes, self.stuck = list(made.make()), made.stuck
        self.end = max(change.last for change in self.changes) + 120
        self.sleep = self._around() if chance.random() < family.sleeps else NEVER
        self.watches = self._unwatched() if family.watch else []
        if family.watches:
            self.watches = list(self._each_unwatched())

    def make_truth(self):
        """Compute what is true over time. All changes, and who looks when, must be known."""
        ready = [change.ready for change in self.changes]
        self.right_now = Timeline(ready, lambda at: self.right(at, lambda c: c.ready))
        serves = [change.serves for change in self.changes]
        self.serves = {
            c: Timeline(serves, lambda at, c=c: self.is_so(c, lambda x: x.serves, at))
            for c in self.clusters
        }
        self.named, self.pinned = [], []
        for replica in range(REPLICAS):
            moment = lambda change, r=replica: change.answered[r]  # noqa: E731
            moments = [moment(change) for change in self.changes]
            self.named.append(Timeline(moments, lambda at, m=moment: sorted(self.right(at, m))))
            self.pinned.append(
                {
                    c: Timeline(moments, lambda at, c=c, m=moment: self._is_named(c, m, at))
                    for c in self.clusters
                }
            )
        moments = [m for c in self.changes for m in (c.first, c.ready, c.last, c.last + self.ttl)]
        moments += [m + s for c in self.changes for m in (c.last + self.ttl,) for s in (1e-6,)]
        moments += [m for a, b in self._unlooked for m in (a, b + INTERVAL, b + INTERVAL + 1e-6)]
        if self.stuck is not None:
            moments += [self.stuck[1], self.stuck[2] + 30 * INTERVAL + 1e-6]
        self.true_mode = Timeline([m for m in moments if m < math.inf], self._mode_is)

    @property
    def prefers_nobody(self):
        return self.family.spread or self.family.headless or self.family.vip

    def _around(self):
        """Return from when until when something does not work: over one change."""
        change = self.chance.choice(self.changes)
        return change.first - self.chance.uniform(5, 20), change.last + self.chance.uniform(50, 60)

    def _unwatched(self):
        start, end = self._around()
        for change in self.changes:
            if start <= change.known < end:
                change.known, change.gone_for = end + 0.1, 0.0
        return [("endpointslices", start, end)]

    def _each_unwatched(self):
        """Yield spans in which the watch of one resource fails; no two of the same resource."""
        for resource in ("endpointslices", "serviceimports", "gateways", "pods"):
            if self.more.random() < 0.3:
                continue
            change = self.more.choice(self.changes)
            start = change.first - self.more.uniform(-2, 20)
            end = start + self.more.uniform(2, 80)
            for each in self.changes:
                if each.resource == resource and start <= each.known < end:
                    each.known = end + 0.1
            yield resource, start, end
        for each in self.changes:
            each.gone_for = 0.0

    @property
    def darks(self):
        """From when until when the exporter may not know what changes."""
        asleep = [] if self.sleep == NEVER else [self.sleep]
        return asleep + [(start, end) for _, start, end in self.watches]

    @property
    def blind(self):
        """From when until when nobody saw what changed: a standby sees it, too."""
        return self.darks if self.leaders is None or self.leaders.kind == "restarted" else []

    @property
    def _unlooked(self):
        """From when until when the modes are not compared."""
        return self.darks if self.family.watch else [] if self.sleep == NEVER else [self.sleep]

    @property
    def watched(self):
        """From when until when no promise may be checked."""
        return [(start + 2, end) for _, start, end in self.watches]

    def is_so(self, cluster, moment, at):
        """Return whether *cluster* is up at *at*, by the moment that *moment* takes of a change."""
        up = True
        for change in self.changes:
            if change.cluster == cluster and moment(change) <= at:
                up = change.up
        return up

    def _is_named(self, cluster, moment, at):
        """Return whether a pinned name is answered."""
        if self.family.headless:
            return self.is_so(cluster, moment, at)
        named = True
        for change in self.changes:
            if change.cluster == cluster and moment(change) <= at:
                named = change.up or change.reason not in BY_EXPORT
        return named

    def right(self, at, moment):
        """Return who may answer clients of a."""
        up = frozenset(c for c in self.clusters if self.is_so(c, moment, at))
        return up if self.prefers_nobody else up & {"a"} or up

    def inventory_at(self, at, *, anyway=False):
        """Return the inventory as it is seen at *at*; *anyway* also while no exporter works."""
        ready, exported = "", ""
        known_at = (lambda c: c.known) if anyway else self.known
        if anyway and any(c.known - c.gone_for <= at < c.known for c in self.changes if c.gone_for):
            return replace(inventory(clusters=self.clusters), services={})
        for cluster in self.clusters:
            known = [c for c in self.changes if c.cluster == cluster and known_at(c) <= at]
            newest = known[-1] if known else None
            ready += cluster if newest is None or newest.up else ""
            exported += "" if newest is not None and newest.reason == "unexport" else cluster
        return inventory(
            ready=ready,
            exported=exported,
            clusters=self.clusters,
            headless=self.family.headless,
            clusterset_ips=(VIP,) if self.family.vip else (),
        )

    def known(self, change):
        """Return when *change* is in the inventory of an exporter that works."""
        start, end = self.sleep
        return end if start < change.known < end else change.known

    def wanted(self):
        """Yield the moves that should be reported: the name leads elsewhere, and it is served."""
        group = self.right(0.0, lambda change: change.ready)
        for change in () if self.family.vip else self.changes:
            right = self.right(change.ready, lambda each: each.ready)
            if not right or group & right:
                group = right or group
                continue
            broke = (
                change.serves if not change.up and change.serves < min(change.answered) else None
            )
            start, end = self.sleep
            stuck = self.stuck is not None and self.stuck[1] < change.last
            yield Move(
                right,
                self._cause_seen(change),
                frozenset({change.reason, "unknown"} if self._unseen(change) else {change.reason}),
                # A replica that is stuck may have answered one of them all the time.
                (0.0 if stuck else min(change.answered), max(change.answered) + self.ttl),
                broke,
                self.leaders is None and start < change.last and change.first < end,
                change.gone_for,
            )
            group = right

    def _cause_seen(self, change):
        """Return when *change* is in an inventory that the exporter, or its standby, has."""
        follows = self.leaders is not None and self.leaders.kind != "restarted"
        return change.known if follows else self.known(change)

    def _unseen(self, change):
        """Return whether its cause was not seen for so long that clients moved without it."""
        # Fewer seconds are no proof of a move that nobody explains.
        return change.known - min(change.answered) > 5 and any(
            resource == change.resource and start <= change.ready + 2 and change.known < end + 1
            for resource, start, end in self.watches
        )

    def _mode_is(self, at):
        """Return the true mode, or None while a change is under way or nobody looks."""
        if self.stuck is not None and self.stuck[1] <= at <= self.stuck[2] + 30 * INTERVAL:
            return None
        if any(change.first <= at <= change.last + self.ttl for change in self.changes):
            return None
        if any(start <= at <= end + INTERVAL for start, end in self._unlooked):
            return None
        right = self.right(at, lambda change: change.ready)
        if self.family.vip:
            return "unknown"
        if self.family.headless:
            return "mixed" if len(right) > 1 and "a" in right else _single(right)
        return _single(right)


def _single(right):
    return "local" if "a" in right else "failover" if right else "blackout"
