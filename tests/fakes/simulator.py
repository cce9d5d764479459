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
from dataclasses import replace
from heapq import heappop, heappush

from exporter.commands.run.leaks import LEAK_SETTLES
from exporter.model.moment import Moment
from exporter.model.probes import Failure
from tests.fakes.nouns import NGINX, inventory
from tests.fakes.simulated_exporter import Exporter
from tests.fakes.simulated_hits import START, SimulatedHits
from tests.fakes.simulated_leaders import Leaders
from tests.fakes.simulated_lookups import NAMED, Lookups
from tests.fakes.simulated_promises import SimulatedPromises
from tests.fakes.simulated_world import INTERVAL, World

FAST_FOR = 30.0
TICK, QUIET_TICK = 0.5, 4.0
"""Seconds between two looks of what settles. It is rarer while there is nothing to settle."""


class Run(World):
    """One run; `play` returns it when all has happened."""

    asked, interval = NAMED, INTERVAL

    def __init__(self, family, seed):
        super().__init__(family, seed)
        chance = self.chance
        self.now = 0.0
        self.hurried, self.due, self.running = 0.0, chance.uniform(0, INTERVAL), False
        self.leaders = Leaders(self) if family.leaders else None
        if self.leaders is not None:
            self.sleep = self.leaders.away
        self.bias = family.uneven and self.more.random() < 0.5
        self.lookups = Lookups(self)
        self.modes, self.before, self.moved = [], {}, []
        self.answered_at = []
        """When probes started that were not lost."""
        self.queue, self.order, self.next_tick = [], 0, math.inf
        self.events, self.verdicts = 0, 0
        self.make_truth()
        self.hits = SimulatedHits(self, chance, self.more)
        self.promises = SimulatedPromises(self)
        self.exporter = Exporter(self)

    def moment(self):
        """Return the time on both clocks of the exporter."""
        return Moment(at=self.now, unix=START + self.now)

    def do(self, at, act, what=None, *, rank=0):
        """Let *act* happen at *at*, or when the exporter runs again."""
        start, end = self.sleep
        self.order += 1
        at = end if start < at < end else at
        heappush(self.queue, (at, rank, self.order, act, what))

    def do_anyway(self, at, act, what=None, *, rank=0):
        """Let *act* happen at *at*, also while the exporter does not run."""
        self.order += 1
        heappush(self.queue, (at, rank, self.order, act, what))

    def play(self):
        """Let all happen in the order of time."""
        for change in self.changes:
            if change.gone_for:
                self.do(change.known - change.gone_for, self._vanish)
            self.do(change.known, self._know)
        for read, text in self.hits.blocks():
            self.do(read, self._read, text, rank=1)
        for resource, start, end in self.watches:
            noticed = start if self.family.watch else start + self.more.uniform(0, 2)
            self.do(min(noticed, end), self._fail, (resource, start))
            self.do(end + 0.1, self._recover, resource, rank=1)
        for cluster in self.clusters:
            self.do(self.more.uniform(0, INTERVAL), self._start_pinned, cluster, rank=3)
        if self.leaders is not None:
            self.leaders.plan()
        self._know(None)
        self.do(self.due, self.start, self.due, rank=3)
        while self.queue:
            at, _, _, act, what = heappop(self.queue)
            self.now = max(self.now, at)
            self.events += 1
            act(what)
        return self

    @property
    def last(self):
        """When the run is over."""
        return self.end + LEAK_SETTLES + 30

    def accelerate(self, _):
        self.hurried = self.now + FAST_FOR
        if self.due > self.now + self.fast:
            self._plan()

    def _plan(self):
        step = self.fast if self.hurried > self.now else INTERVAL
        if self.now + step < self.last:
            self.due = self.now + step
            self.do(self.due, self.start, self.due, rank=3)

    def start(self, due):
        if due != self.due:
            # It was planned before the service was accelerated.
            return
        if not self.running:
            self.running = True
            probe, answered = self.lookups.plain(self.now)
            self.do(probe.ended, self._ended, (probe, answered))
        self._plan()

    def _start_pinned(self, cluster):
        probe, answered = self.lookups.pinned(self.now, cluster)
        self.do(probe.ended, self._ended_pinned, (probe, answered))
        if self.now + INTERVAL < self.last:
            self.do(self.now + INTERVAL, self._start_pinned, cluster, rank=3)

    def _ended_pinned(self, seen):
        probe, answered = seen
        known = self.exporter.parts.monitor.inventory.services.get(NGINX)
        if known is not None and known.export_of(probe.question.pinned) is not None:
            self.promises.count(probe, answered)
            self._probed(probe)

    def _ended(self, seen):
        probe, answered = seen
        self.running = False
        if probe.failure is not Failure.TIMEOUT:
            self.answered_at.append(probe.at)
        self.promises.count(probe, answered)
        self._probed(probe)
        self.modes.append((self.now, self.exporter.parts.verdicts.mode(NGINX)))

    def _probed(self, probe):
        self.verdicts += 1
        self.exporter.parts.monitor.probed(probe)
        if self.exporter.waits:
            self.hasten()

    def hasten(self):
        """Settle soon, because something may wait."""
        soon = (math.floor(self.now / TICK) + 1) * TICK
        if self.next_tick > soon:
            self.next_tick = soon
            self.do_anyway(soon, self._tick, soon, rank=2)

    def _tick(self, due):
        if due != self.next_tick:
            return
        if not self.is_away:
            self.exporter.settle()
        if self.leaders is not None:
            self.leaders.look()
        if self.now < self.last:
            self.next_tick = self.now + (TICK if self.exporter.waits else QUIET_TICK)
            self.do_anyway(self.next_tick, self._tick, self.next_tick, rank=2)

    @property
    def is_away(self):
        """Return whether no exporter works now."""
        return self.sleep[0] < self.now < self.sleep[1]

    def _fail(self, what):
        self.exporter.parts.staleness.became_stale(*what)

    def _recover(self, resource):
        self.exporter.parts.staleness.recovered(resource)
        self.hasten()

    def counted(self):
        """Return the hits that were counted by locality, also before the service was gone."""
        counted = dict(self.before)
        for source, locality, number in self.exporter.counted():
            assert source in self.clusters[1:]
            counted[locality] = counted.get(locality, 0) + number
        return counted

    def retire(self):
        """Keep what the exporter counted that does not work any more."""
        self.before = self.counted()

    def _vanish(self, _):
        # The series of a service that is gone go, too.
        self.retire()
        self._use(replace(inventory(clusters=self.clusters), services={}))

    def _know(self, _):
        self._use(self.inventory_at(self.now))

    def _use(self, found):
        self.exporter.use(found)
        self.hasten()

    def _read(self, text):
        self.exporter.read(text)
        self.hasten()
