"""
A clusterset in virtual time that knows the truth: what the exporter in cluster a should report.

Two or three clusters export a service; they fail, are drained and return. Readiness, the exporter's
inventory and each replica of a's name server follow, each with a delay of its own; caches keep old
answers, single packets get lost, the exporter may be stopped for a while. Clients of the others are
served by a while their own cluster is down, and a little longer; some leak. Log lines are read
late, written by a clock that is off. Seeded: the same seed is the same run.
"""

import math
import random
from dataclasses import dataclass, field
from ipaddress import ip_address

from exporter.commands.run.leaks import LEAK_SETTLES
from exporter.commands.run.monitor_settings import monitor_settings
from exporter.commands.run.parts import Parts
from exporter.config.settings import InventorySettings, Settings
from exporter.model.moment import Moment
from exporter.model.probes import Answer, Failure, Probe, Protocol, Question, Reply
from exporter.model.traffic import Client, Hits, LogCounts
from tests.fakes.nouns import ADDRESSES, NGINX, inventory

START = 1_794_000_000.0
INTERVAL, FAST, FAST_FOR, TIMEOUT = 15.0, 0.2, 30.0, 2.0
LEAK_GRACE = 30.0
TICK = 0.5
REPLICAS = 2


@dataclass
class Change:
    """A cluster goes down or comes up: moments."""

    cluster: str
    up: bool
    serves: float
    """From then on its backend serves, or does not."""
    ready: float
    """Its readiness says so."""
    known: float
    """The exporter's inventory says so."""
    answered: tuple[float, ...]
    """Each replica of the name server says so."""

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
    answered: tuple[float, float]
    """When the first replica answered one of *right*, and the last ceased to answer otherwise."""
    broke: float | None
    """When the old one stopped serving, if that was before."""
    asleep: bool
    """Nobody looked."""


@dataclass
class Truth:
    """What should be reported."""

    moves: list[Move] = field(default_factory=list)
    hits: dict[str, int] = field(default_factory=dict)
    """Of the others' clients on a, by locality."""


class Run:
    """One run; `play` returns the parts of the exporter, and `truth` what they should say."""

    def __init__(self, seed, *, changes=3, loss=0.003):
        self.chance = random.Random(seed)
        self.loss, self.lost = loss, False
        self.clusters = self.chance.choice(("ab", "abc"))
        self.ttl = self.chance.choice((0.0, 5.0))
        self.skew = self.chance.uniform(-0.4, 0.4)
        self.now = 0.0
        self.truth = Truth()
        self.changes = list(self._changes(changes))
        self.end = self.changes[-1].last + 120
        self.sleep = self._sleep() if self.chance.random() < 0.2 else (math.inf, math.inf)
        self.hurried = 0.0
        self.caches = [("", -1.0)] * REPLICAS
        self.turn = [0] * REPLICAS
        self.modes = []
        self.parts = Parts(
            monitor_settings(Settings(inventory=InventorySettings(static="none")), None),
            local="a",
            moment=lambda: Moment(at=self.now, unix=START + self.now),
            accelerate=self._accelerate,
        )
        self.monitor = self.parts.monitor

    def _accelerate(self, _):
        self.hurried = self.now + FAST_FOR

    def _changes(self, number):
        """Yield changes, each well apart: the clusters go down and up, sometimes two are down."""
        at, down = 60.0, []
        while number or down:
            at += self.chance.uniform(90, 160)
            up = bool(down) and (not number or self.chance.random() < 0.7)
            here = down if up else [c for c in self.clusters if c not in down]
            if not here:
                continue
            # a fails more often, since its clients are the ones that move.
            cluster = (
                "a" if "a" in here and self.chance.random() < 0.5 else self.chance.choice(here)
            )
            if up:
                down.remove(cluster)
            elif len(here) > 1:
                down.append(cluster)
                number -= 1
            else:
                continue
            yield self._change(cluster, at, up=up)

    def _change(self, cluster, at, *, up):
        chance = self.chance
        if up or chance.random() < 0.5:
            # It serves, then it is ready; or it breaks, and readiness finds out.
            serves, ready = at, at + chance.uniform(0.5, 8)
        else:
            # Drained: it is not ready first, and serves on for a while.
            serves, ready = at + chance.uniform(8, 20), at
        known = ready + chance.uniform(0.0, 2.0)
        answered = tuple(ready + chance.uniform(0.05, 2.0) for _ in range(REPLICAS))
        return Change(cluster, up, serves, ready, known, answered)

    def _sleep(self):
        """Return from when until when the exporter is stopped: over one change, or over none."""
        change = self.chance.choice(self.changes)
        return change.first - self.chance.uniform(5, 20), change.last + self.chance.uniform(50, 60)

    def is_so(self, cluster, moment, at):
        """Return whether *cluster* is up at *at*, by the moment that *moment* takes of a change."""
        up = True
        for change in self.changes:
            if change.cluster == cluster and moment(change) <= at:
                up = change.up
        return up

    def right(self, at, moment):
        """Return who may answer clients of a."""
        up = frozenset(c for c in self.clusters if self.is_so(c, moment, at))
        return up & {"a"} or up

    def answer(self):
        """Return the cluster that a replica answers, through its cache."""
        replica = self.chance.randrange(REPLICAS)
        held, until = self.caches[replica]
        if self.now < until:
            return held
        found = sorted(self.right(self.now, lambda change: change.answered[replica]))
        self.turn[replica] += 1
        name = found[self.turn[replica] % len(found)] if found else ""
        self.caches[replica] = (name, self.now + self.ttl)
        return name

    def probe(self):
        """Return the probe that starts now."""
        answered, question = self.answer(), Question(NGINX)
        # Two in a row would be an outage in truth.
        self.lost = not self.lost and self.chance.random() < self.loss
        if self.lost or not answered:
            took = TIMEOUT if self.lost else 0.002
            failure = Failure.TIMEOUT if self.lost else Failure.NODATA
            answer, reply = Answer(took=took, failure=failure), None
        else:
            address = ip_address(ADDRESSES[answered])
            answer, took = Answer(addresses=(address,), ttl=5, took=0.001), 0.003
            reply = self._reply(address, self.is_so(answered, lambda c: c.serves, self.now))
        return Probe(
            question=question,
            at=self.now,
            ended=self.now + took,
            unix=START + self.now,
            answer=answer,
            reply=reply,
            protocol=Protocol.HTTP,
        )

    def _reply(self, address, serves):
        if not serves:
            return Reply(address=address, port=8080, failure=Failure.CONNECT_REFUSED)
        return Reply(address=address, port=8080, status=200, connect=0.001, took=0.001)

    def play(self):
        """Let all happen in the order of time; return the parts of the exporter."""
        events = [(self._awake(change.known), 0, self._know, None) for change in self.changes]
        events += [(self._awake(read), 1, self._read, hit) for read, hit in self._hits()]
        events += [(self._awake(tick * TICK), 2, self._tick, None) for tick in range(self.ticks)]
        events.sort(key=lambda event: event[:2])
        self._know(None)
        due = self.chance.uniform(0, INTERVAL)
        for at, _, act, what in events:
            while self._awake(due) < at:
                self.now = max(self.now, self._awake(due))
                self._probe()
                due = self.now + (FAST if self.hurried > self.now else INTERVAL)
            self.now = max(self.now, at)
            act(what)
            if self.hurried > self.now:
                due = min(due, self.now + FAST)
        return self.parts

    @property
    def reported(self):
        """Return the moves that were reported, in their order."""
        return list(reversed(self.parts.history.failovers))

    @property
    def ticks(self):
        return int((self.end + LEAK_SETTLES + 30) / TICK)

    def _awake(self, at):
        start, end = self.sleep
        return end if start < at < end else at

    def _tick(self, _):
        self.monitor.settle()
        self.parts.leaks.settle()

    def _probe(self):
        self.monitor.probed(self.probe())
        self.modes.append((self.now, self.parts.verdicts.mode(NGINX)))

    def _know(self, _):
        at = self.now
        ready = "".join(
            c for c in self.clusters if self.is_so(c, lambda change: self._awake(change.known), at)
        )
        self.monitor.inventory_changed(inventory(ready=ready, exported=self.clusters))

    def _hits(self):
        """Yield when hits of others' clients on a are read, and when they were made."""
        for cluster in self.clusters[1:]:
            downs = [change for change in self.changes if change.cluster == cluster]
            for down, up in zip(downs[::2], downs[1::2], strict=True):
                # From when its own name server knows, until connections kept alive are closed.
                last = up.ready + LEAK_GRACE - 3
                for _ in range(5):
                    at = self.chance.uniform(down.ready + 0.05, last)
                    if not self._is_border(at):
                        yield self._hit(cluster, at, "failover", down)
            for _ in range(5):
                at = self.chance.uniform(100, self.end - 40)
                near = [
                    c
                    for c in downs
                    if c.ready - 20 < at < max(c.ready, self._awake(c.known)) + LEAK_GRACE + 20
                ]
                if (
                    not near
                    and not self._is_border(at)
                    and self.is_so(cluster, lambda change: change.ready, at)
                ):
                    yield self._hit(cluster, at, "leak")

    def _is_border(self, at):
        """Return whether what happens then may count as before, or as after, falling asleep."""
        start, end = self.sleep
        return start - 9 < at <= start or end - 9 < at < end + 3

    def _hit(self, cluster, at, locality, down=None):
        # What happened while nobody looked is not known for sure, so it is no leak.
        start, end = self.sleep
        if start < at < end and (down is None or self._awake(down.known) == end):
            locality = "unknown"
        self.truth.hits[locality] = self.truth.hits.get(locality, 0) + 1
        return at + self.chance.choice((0.2, 0.3, 1.0, 20.0)), (cluster, at)

    def _read(self, hit):
        cluster, at = hit
        stamp = START + math.floor(at + self.skew)
        hits = {Client(NGINX, cluster): Hits(requests=1)}
        counts = LogCounts(read=1, access=1, clients=hits, first=stamp, last=stamp)
        self.parts.logs.logged("access.log", counts)

    def wanted(self):
        """Yield the moves that should be reported: the name leads elsewhere, and it is served."""
        group = self.right(0.0, lambda change: change.ready)
        for change in self.changes:
            right = self.right(change.ready, lambda each: each.ready)
            if not right or group & right:
                group = right or group
                continue
            broke = (
                change.serves if not change.up and change.serves < min(change.answered) else None
            )
            start, end = self.sleep
            yield Move(
                right,
                change.known,
                (min(change.answered), max(change.answered) + self.ttl),
                broke,
                start < change.last and change.first < end,
            )
            group = right

    def mode_is(self, at):
        """Return the true mode, or None while a change is under way or nobody looks."""
        if any(change.first <= at <= change.last + self.ttl for change in self.changes):
            return None
        if self.sleep[0] <= at <= self.sleep[1] + INTERVAL:
            return None
        right = self.right(at, lambda change: change.ready)
        return "local" if "a" in right else "failover" if right else "blackout"
