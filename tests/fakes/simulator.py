"""
A clusterset in virtual time that knows the truth: what the exporter in cluster a should report.

Some clusters export a service; they fail, are drained and return. Readiness, the exporter's
inventory and each replica of a's name server follow, each with a delay of its own; caches keep old
answers, single packets get lost, the exporter may be stopped for a while. Clients of the others are
served by a while their own cluster is down, and a little longer; some leak. Log lines are read
late, written by a clock that is off. What else happens depends on the family. Seeded: the same seed
of the same family is the same run.
"""

import math
import random
from dataclasses import replace
from heapq import heappop, heappush
from ipaddress import ip_address

from exporter.commands.run.leaks import LEAK_SETTLES
from exporter.commands.run.monitor_settings import monitor_settings
from exporter.commands.run.parts import Parts
from exporter.config.settings import InventorySettings, Settings
from exporter.model.moment import Moment
from exporter.model.probes import Answer, Failure, Probe, Protocol, Question, Reply
from exporter.model.traffic import Client, Hits, LogCounts
from exporter.model.verdicts import Policy
from tests.fakes.nouns import ADDRESSES, NGINX, inventory
from tests.fakes.simulated import REPLICAS, Changes, Move, Truth

START = 1_794_000_000.0
INTERVAL, FAST, FAST_FOR, TIMEOUT = 15.0, 0.2, 30.0, 2.0
LEAK_GRACE = 30.0
TICK = 0.5
VIP = "100.200.0.1"
NEVER = (math.inf, math.inf)


class Run:
    """One run; `play` returns the parts of the exporter, and `truth` what they should say."""

    def __init__(self, family, seed):
        self.family, self.chance = family, random.Random(f"{family.name} {seed}")
        chance = self.chance
        self.loss, self.lost = chance.uniform(0, family.loss), False
        self.clusters = "abcdef"[: chance.randint(*family.clusters)]
        self.ttl = chance.choice((0.0, family.cache, chance.uniform(0, family.cache)))
        self.skew = chance.uniform(-0.4, 0.4)
        self.now = 0.0
        self.truth = Truth()
        made = Changes(family, self.clusters, chance)
        self.changes, self.stuck = list(made.make()), made.stuck
        self.end = max(change.last for change in self.changes) + 120
        self.sleep = self._around() if chance.random() < family.sleeps else NEVER
        self.unseen = self._unwatched() if family.watch else NEVER
        self.hurried, self.due, self.running = 0.0, chance.uniform(0, INTERVAL), False
        self.caches = [((), -1.0)] * REPLICAS
        self.turn = [0] * REPLICAS
        self.modes, self.before = [], {}
        self.answered_at = []
        """When probes started that were not lost."""
        self.queue, self.order = [], 0
        settings = Settings(inventory=InventorySettings(static="none"), export_grace=7200.0)
        policy = Policy.SPREAD if family.spread else Policy.LOCAL
        self.parts = Parts(
            replace(monitor_settings(settings), policy_of=lambda _: policy),
            local="a",
            moment=lambda: Moment(at=self.now, unix=START + self.now),
            accelerate=self._accelerate,
        )
        self.monitor = self.parts.monitor

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
        return start, end

    @property
    def dark(self):
        """From when until when the exporter does not know what changes."""
        return self.sleep if self.sleep != NEVER else self.unseen

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
        return up if self.prefers_nobody else up & {"a"} or up

    def answer(self):
        """Return the clusters that a replica answers, through its cache."""
        replica = self.chance.randrange(REPLICAS)
        held, until = self.caches[replica]
        if self.now < until:
            return held
        found = sorted(self.right(self.now, lambda change: change.answered[replica]))
        self.turn[replica] += 1
        if self.family.headless:
            names = tuple(found)
        else:
            names = (found[self.turn[replica] % len(found)],) if found else ()
        self.caches[replica] = (names, self.now + self.ttl)
        return names

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
            asked, took = self.chance.choice(answered), 0.003
            names = [VIP] if self.family.vip else [ADDRESSES[each] for each in answered]
            answer = Answer(addresses=tuple(map(ip_address, names)), ttl=5, took=0.001)
            address = ip_address(VIP if self.family.vip else ADDRESSES[asked])
            reply = self._reply(address, self.is_so(asked, lambda c: c.serves, self.now))
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

    def _do(self, at, act, what=None, *, rank=0):
        """Let *act* happen at *at*, or when the exporter runs again."""
        start, end = self.sleep
        self.order += 1
        at = end if start < at < end else at
        heappush(self.queue, (at, rank, self.order, act, what))

    def play(self):
        """Let all happen in the order of time; return the parts of the exporter."""
        for change in self.changes:
            if change.gone_for:
                self._do(change.known - change.gone_for, self._vanish)
            self._do(change.known, self._know)
        for read, hits in self._blocks():
            self._do(read, self._read, hits, rank=1)
        for tick in range(self.ticks):
            self._do(tick * TICK, self._tick, rank=2)
        if self.unseen != NEVER:
            self._do(self.unseen[0], self._fail)
            self._do(self.unseen[1] + 0.1, self._recover, rank=1)
        self._know(None)
        self._do(self.due, self._start, self.due, rank=3)
        while self.queue:
            at, _, _, act, what = heappop(self.queue)
            self.now = max(self.now, at)
            act(what)
        return self.parts

    @property
    def reported(self):
        """Return the moves that were reported, in their order."""
        return list(reversed(self.parts.history.failovers))

    @property
    def ticks(self):
        return int((self.end + LEAK_SETTLES + 30) / TICK)

    def _accelerate(self, _):
        self.hurried = self.now + FAST_FOR
        if self.due > self.now + FAST:
            self._plan()

    def _plan(self):
        step = FAST if self.hurried > self.now else INTERVAL
        if self.now + step < self.end + LEAK_SETTLES + 30:
            self.due = self.now + step
            self._do(self.due, self._start, self.due, rank=3)

    def _start(self, due):
        if due != self.due:
            # It was planned before the service was accelerated.
            return
        if not self.running:
            self.running = True
            probe = self.probe()
            self._do(probe.ended, self._ended, probe)
        self._plan()

    def _ended(self, probe):
        self.running = False
        if probe.failure is not Failure.TIMEOUT:
            self.answered_at.append(probe.at)
        self.monitor.probed(probe)
        self.modes.append((self.now, self.parts.verdicts.mode(NGINX)))

    def _tick(self, _):
        self.monitor.settle()
        self.parts.leaks.settle()

    def _fail(self, _):
        self.parts.verdicts.unseen.failed("endpointslices", self.now)

    def _recover(self, _):
        self.parts.verdicts.unseen.recovered("endpointslices", self.now)

    def counted(self):
        """Return the hits that were counted by locality, also before the service was gone."""
        counted = dict(self.before)
        for rows in self.parts.metrics.requests().values():
            for source, locality, each in rows:
                assert source in self.clusters[1:]
                counted[str(locality)] = counted.get(str(locality), 0) + each.requests
        return counted

    def _vanish(self, _):
        # The series of a service that is gone go, too.
        self.before = self.counted()
        self.monitor.inventory_changed(replace(inventory(clusters=self.clusters), services={}))

    def _know(self, _):
        at, ready, exported = self.now, "", ""
        for cluster in self.clusters:
            known = [c for c in self.changes if c.cluster == cluster and self._known(c) <= at]
            newest = known[-1] if known else None
            ready += cluster if newest is None or newest.up else ""
            exported += "" if newest is not None and newest.reason == "unexport" else cluster
        self.monitor.inventory_changed(
            inventory(
                ready=ready,
                exported=exported,
                clusters=self.clusters,
                headless=self.family.headless,
                clusterset_ips=(VIP,) if self.family.vip else (),
            )
        )

    def _known(self, change):
        start, end = self.sleep
        return end if start < change.known < end else change.known

    def _hits(self):
        """Yield when hits of others' clients on a are read, and when they were made."""
        for cluster in self.clusters[1:]:
            mine = [change for change in self.changes if change.cluster == cluster]
            for down, up in zip(mine[::2], mine[1::2], strict=True):
                # From when its own name server knows, until connections kept alive are closed.
                last = up.ready + LEAK_GRACE - 3
                for _ in range(5):
                    at = self.chance.uniform(down.ready + 0.05, last)
                    # A crossing that is by design is counted at once, by what is known then.
                    early = self.prefers_nobody and at < self._known(down) + 1
                    if not early and not self._is_border(at):
                        yield self._hit(cluster, at, "failover", down)
            for _ in range(5):
                at = self.chance.uniform(100, self.end - 40)
                near = [
                    c
                    for c in mine
                    if c.ready - 20 < at < max(c.ready, self._known(c)) + LEAK_GRACE + 20
                ]
                if (
                    not near
                    and not self._is_border(at)
                    and self.is_so(cluster, lambda change: change.ready, at)
                ):
                    yield self._hit(cluster, at, "spread" if self.prefers_nobody else "leak")

    def _is_border(self, at):
        """Return whether what happens then may count as before, or as after, the dark."""
        start, end = self.dark
        if start - 9 < at <= start or end - 9 < at < end + 3:
            return True
        gone = [self._known(change) for change in self.changes if change.gone_for]
        return any(known - 30 < at < known + LEAK_GRACE + 9 for known in gone)

    def _hit(self, cluster, at, locality, down=None):
        # What happened while nobody looked is not known for sure, so it is no leak.
        start, end = self.dark
        if start < at < end and (down is None or end <= self._known(down) < end + 1):
            locality = "spread" if self.prefers_nobody else "unknown"
        self.truth.hits[locality] = self.truth.hits.get(locality, 0) + 1
        return at + self.chance.choice((0.2, 0.3, 1.0, 20.0)), (cluster, at)

    def _blocks(self):
        """Yield when each block of lines is read, and its lines, in the order they were written."""
        hits = list(self._hits())
        if not self.family.buffered:
            yield from ((read, [hit]) for read, hit in hits)
            return
        # Each of two workers writes when its buffer is full: 20 to 60 s of lines in one block.
        self.chance.shuffle(hits)
        for worker in range(2):
            mine = sorted(hit for _, hit in hits[worker::2])
            at = 0.0
            while at < self.end + 30:
                begin, at = at, at + self.chance.uniform(20, 60)
                block = [hit for hit in sorted(mine, key=lambda h: h[1]) if begin <= hit[1] < at]
                if block:
                    yield at + 0.2, block

    def _read(self, hits):
        stamps = [START + math.floor(at + self.skew) for _, at in hits]
        sums, seconds = {}, {}
        for (cluster, _), stamp in zip(hits, stamps, strict=True):
            sums.setdefault(Client(NGINX, cluster), Hits()).add(Hits(requests=1))
            by = Client(NGINX, cluster, at=stamp)
            seconds.setdefault(by, Hits()).add(Hits(requests=1))
        counts = LogCounts(
            read=len(hits), access=len(hits), clients=sums, first=min(stamps), last=max(stamps)
        )
        self.parts.logs.logged("access.log", counts, lambda: replace(counts, clients=seconds))

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
            unseen = self.unseen[0] <= change.ready and change.known < self.unseen[1] + 1
            stuck = self.stuck is not None and self.stuck[1] < change.last
            yield Move(
                right,
                change.known,
                frozenset({change.reason, "unknown"} if unseen else {change.reason}),
                # A replica that is stuck may have answered one of them all the time.
                (0.0 if stuck else min(change.answered), max(change.answered) + self.ttl),
                broke,
                start < change.last and change.first < end,
            )
            group = right

    def mode_is(self, at):
        """Return the true modes, or None while a change is under way or nobody looks."""
        if self.stuck is not None and self.stuck[1] <= at <= self.stuck[2] + 30 * INTERVAL:
            return None
        if any(change.first <= at <= change.last + self.ttl for change in self.changes):
            return None
        start, end = self.dark
        if start <= at <= end + INTERVAL:
            return None
        right = self.right(at, lambda change: change.ready)
        if self.family.vip:
            return "unknown"
        if self.family.headless:
            return "mixed" if len(right) > 1 and "a" in right else _single(right)
        return _single(right)


def _single(right):
    return "local" if "a" in right else "failover" if right else "blackout"
