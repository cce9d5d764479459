"""
Many services for half an hour, and one of two replicas of the name server that is stuck.

Each service is probed every 15 seconds; nothing is accelerated. Some services move away and come
back after the replica got stuck, so it goes on answering the wrong cluster. Some move away after
that, so it goes on answering a cluster that is dead. The others never change.
"""

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

from exporter.model.clusterset import ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Answer, Probe, Protocol, Question, Vantage
from tests.fakes.nouns import NGINX, inventory
from tests.fakes.simulated import Timeline
from tests.fakes.simulated_exporter import Exporter
from tests.fakes.simulated_hits import START, SimulatedHits
from tests.fakes.simulated_lookups import ADDRESS, reply
from tests.fakes.simulated_world import INTERVAL

REPLICAS = ("10.96.0.11:53", "10.96.0.12:53")
SETTLE_EVERY, COMPARED_EVERY, HALF_AN_HOUR = 2.0, 60.0, 1800.0
RETURNING, LEAVING = 0.3, 0.1
"""Shares of the services that come back, and that move away, while a replica is stuck."""


class ManyServices:
    """One run; `play` returns it when all has happened."""

    def __init__(self, family, seed):
        self.family, self.chance = family, random.Random(f"{family.name} {seed}")
        chance = self.chance
        self.now, self.clusters, self.moved, self.verdicts = 0.0, "ab", [], 0
        self.skew, self.leaders = 0.0, None
        self.stuck, self.since = chance.randrange(2), 500.0
        self.end = self.since + 200 + HALF_AN_HOUR
        self.promises = SimpleNamespace(told=Counter())
        self.hits = SimulatedHits(self, chance, chance)
        self.names = [ServiceName(f"team-{n}", "nginx") for n in range(family.services)]
        self.changes = {name: self._changes() for name in self.names}
        """When the local cluster ceases to be ready and is ready again, by turns."""
        self._truth = {name: self._timelines(name) for name in self.names}
        self.seen = {name: [] for name in self.names}
        """By each probe: when, the cluster that was answered, and the mode since."""
        self.findings = set()
        self.exporter = Exporter(self)
        self._one = inventory(clusters="ab")

    def moment(self):
        return Moment(at=self.now, unix=START + self.now)

    def accelerate(self, _):
        """Leave the interval as it is."""

    def _changes(self):
        kind, chance = self.chance.random(), self.chance
        after = self.since + chance.uniform(60, 200)
        if kind < RETURNING:
            return (chance.uniform(200, 300), after)
        return (after,) if kind < RETURNING + LEAVING else ()

    def _timelines(self, name):
        """Return whether the inventory, and each replica, say that the local cluster is ready."""
        changes = self.changes[name]
        seen = [[at + self.chance.uniform(0.05, 2.0) for at in changes] for _ in range(3)]
        seen[1 + self.stuck] = [at for at in seen[1 + self.stuck] if at < self.since]
        # It goes down first, and comes up first: an odd number of changes so far means down.
        return [
            Timeline(moments, lambda at, m=moments: sum(x <= at for x in m) % 2 == 0)
            for moments in seen
        ]

    def play(self):
        events = sorted(self._events(), key=lambda event: event[:2])
        self._know(None)
        for at, _, act, what in events:
            self.now = at
            act(what)
        return self

    def _events(self):
        chance = self.chance
        for at in {moment for truth in self._truth.values() for moment in truth[0].moments}:
            yield at, 0, self._know, None
        for name in self.names:
            for number in range(int(self.end / INTERVAL) - 1):
                yield chance.uniform(0, 1) + number * INTERVAL, 1, self._probe, name
            for number in range(int(self.end / COMPARED_EVERY)):
                yield number * COMPARED_EVERY + chance.uniform(0, 50), 2, self._compare, name
        for number in range(int(self.end / SETTLE_EVERY)):
            yield number * SETTLE_EVERY, 3, self._settle, None

    def _know(self, _):
        by_ready = {
            ready: inventory(ready="ab" if ready else "b", clusters="ab").services[NGINX]
            for ready in (True, False)
        }
        services = {
            name: replace(by_ready[truth[0].at(self.now)], name=name)
            for name, truth in self._truth.items()
        }
        self.exporter.use(replace(self._one, services=services))

    def _answer(self, name):
        replica = self.chance.randrange(2)
        return replica, "a" if self._truth[name][1 + replica].at(self.now) else "b"

    def _probe(self, name):
        _, cluster = self._answer(name)
        went = sum(at <= self.now for at in self.changes[name]) % 2
        self._ask(name, cluster, reply(ADDRESS[cluster], cluster == "b" or not went))
        mode = self.exporter.parts.verdicts.mode(name)
        self.seen[name].append((self.now, cluster, mode))

    def _compare(self, name):
        replica, cluster = self._answer(name)
        self._ask(name, cluster, None, vantage=Vantage.LIGHTHOUSE, resolver=REPLICAS[replica])

    def _ask(self, name, cluster, replied, *, resolver="", **more):
        self.verdicts += 1
        answer = Answer(addresses=(ADDRESS[cluster],), ttl=5, took=0.001, resolver=resolver)
        made = Probe(
            question=Question(name),
            at=self.now,
            ended=self.now + 0.003,
            unix=START + self.now,
            answer=answer,
            reply=replied,
            protocol=Protocol.HTTP,
            **more,
        )
        self.exporter.parts.monitor.probed(made)

    def _settle(self, _):
        self.exporter.settle()
        self.findings |= {each["what"] for each in self.exporter.parts.problems.shown(())}

    def wrong(self):
        """Yield what is wrong with what was reported."""
        wanted = {
            (name, move)
            for name, changes in self.changes.items()
            for move in (("a", "b"), ("b", "a"))[: len(changes)]
        }
        moves = [(m.service, (m.from_cluster, m.to_cluster)) for _, m in self.moved]
        if len(moves) != len(wanted) or set(moves) != wanted:
            yield f"{len(moves)} moves, true {len(wanted)}"
        if reasons := {str(each.reason) for _, each in self.moved} - {"readiness"}:
            yield f"reasons {reasons}"
        for name, seen in self.seen.items():
            want = "mixed" if self.changes[name] else "local"
            for n, (at, _, mode) in enumerate(seen):
                late = at > self.since + 200 + 20 * INTERVAL
                if late and mode != want and not self._agree_by_chance(seen[n - 40 : n + 1]):
                    yield f"{name} is {mode} at {at:.0f}, true {want}"
                    break
        if self.findings != {f"stuck_name_server {REPLICAS[self.stuck]}"}:
            yield f"findings {self.findings}"

    @staticmethod
    def _agree_by_chance(seen):
        """Return whether 20 answers in a row agree, or no five of them change twice."""
        clusters = [cluster for _, cluster, _ in seen]
        turns = [a != b for a, b in pairwise(clusters)]
        runs = "".join("x" if turn else "." for turn in turns)
        since = runs.rfind("." * 19)
        return since >= 0 or not any(sum(turns[n : n + 4]) > 1 for n in range(len(turns)))
