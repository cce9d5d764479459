"""One stuck replica of the name server and 200 services: the real schedule and monitor."""

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace
from ipaddress import ip_address
from random import Random

import pytest
from structlog.testing import capture_logs

from exporter.commands.load import probe_plan
from exporter.commands.run.monitor_settings import monitor_settings
from exporter.commands.run.parts import Parts
from exporter.config.settings import InventorySettings, Settings
from exporter.metrics.families import FAILOVERS
from exporter.model.clusterset import ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Answer, Reply
from exporter.model.verdicts import Mode, Reason
from exporter.probe.drivers.runner import Runner
from exporter.probe.schedule import Schedule
from exporter.probe.targets import targets
from tests.fakes.nouns import NGINX, inventory
from tests.probe.test_schedule import VirtualDriver

SERVICES = 200
INTERVAL = 15.0
SETTLE_EVERY = 2.5
CLUSTER_DNS = "10.96.0.10:53"
"""It asks one of the replicas, at random."""
STUCK, WELL = "10.0.0.1:53", "10.0.0.2:53"
DRAINED, BACK, END = 120.0, 240.0, 240.0 + 1800.0
"""Seconds: all services of a are drained, and come back, of which one replica never hears."""
MIXED_WITHIN = 20 * INTERVAL
"""Seconds: the grace after the change, then answers that go to and fro often enough."""
SETTINGS = Settings(inventory=InventorySettings(static="none"))
NAMES = [ServiceName("shop", f"service-{n}") for n in range(SERVICES)]

ADDRESSES = {
    cluster: [(ip_address(f"100.{number}.0.{n + 1}"),) for n in range(SERVICES)]
    for number, cluster in enumerate("ab", 1)
}
NUMBERS = {name: n for n, name in enumerate(NAMES)}


def clusterset(ready):
    """Return an inventory in which both clusters export all services; those *ready* are ready."""
    made = inventory(ready=ready, exported="ab", clusters="ab")
    one = made.services[NGINX]

    def service(n, name):
        exports = tuple(replace(e, addresses=ADDRESSES[e.cluster][n]) for e in one.exports)
        return replace(one, name=name, exports=exports)

    servers = tuple((ip_address(each.partition(":")[0]), 53) for each in (STUCK, WELL))
    services = {name: service(n, name) for n, name in enumerate(NAMES)}
    return replace(made, services=services, lighthouse=servers)


class Clusterset:
    """Virtual time, in which the real schedule asks and the real monitor judges."""

    def __init__(self, plan, seed):
        self.clock, self.chance = VirtualDriver(END), Random(seed)
        self.plan, self.right = plan, "a"
        self.parts = Parts(
            monitor_settings(SETTINGS, None),
            local="a",
            moment=lambda: Moment(at=self.clock.now, unix=self.clock.unix()),
            accelerate=lambda service: self.schedule.accelerate(service),  # noqa: PLW0108 - made below
        )
        self.runner = Runner(self.clock)
        self.schedule = Schedule(
            self.runner,
            self.plan.pace,
            resolve=self.resolve,
            get=self.get,
            emit=self.parts.monitor.probed,
            skipped=lambda _: None,
            delayed=lambda _: None,
            chance=Random(seed),
        )
        self.becomes("ab", "a")
        self.clock.do(DRAINED, lambda: self.becomes("b", "b"))
        self.clock.do(BACK, lambda: self.becomes("ab", "a"))
        self.settle()

    def becomes(self, ready, right):
        found, self.right = clusterset(ready), right
        self.schedule.set_targets(targets(found, self.plan))
        self.parts.monitor.inventory_changed(found)

    def settle(self):
        self.parts.monitor.settle()
        self.clock.do(self.clock.now - 1000.0 + SETTLE_EVERY, self.settle)

    async def resolve(self, target, *, within):  # noqa: ARG002
        replica = target.server or self.chance.choice((STUCK, WELL))
        n = NUMBERS[target.question.service]
        stuck = str(replica) == STUCK and self.clock.now > 1000.0 + DRAINED
        named = target.question.pinned or ("b" if stuck else self.right)
        asked = str(target.server or CLUSTER_DNS)
        return Answer(addresses=ADDRESSES[named][n], took=0.001, resolver=asked)

    async def get(self, address, port, request, *, target, within):  # noqa: ARG002
        return Reply(address=address, port=port, status=200, connect=0.0, took=0.0)

    async def play(self):
        with self.runner:
            self.schedule.begin()
            self.clock.play()
            self.runner.stop()
            await self.runner.ended()
            self.schedule.end()
        return self


@pytest.mark.slow
async def test_one_stuck_replica_and_200_services_for_half_an_hour():
    """Both moves of each service are right, and no other is told."""
    plan = await asyncio.to_thread(probe_plan, SETTINGS, "test")
    with capture_logs() as logs:
        # What decides nothing here only takes time.
        world = await Clusterset(replace(plan, pinned=False, lookups=()), 1).play()
    moves = Counter()
    for (_, _, _, *move), times in world.parts.store.series[FAILOVERS].items():
        moves[tuple(move)] += times
    assert moves == {("a", "b", Reason.READINESS): SERVICES, ("b", "a", Reason.READINESS): SERVICES}
    modes = defaultdict(list)
    for each in logs:
        if each["event"] == "service mode changed":
            modes[each["service"]].append(each["mode"])
    assert len(modes) == SERVICES
    # Once a mode is `mixed` it stays so.
    assert {len(each) - each.index(Mode.MIXED) for each in modes.values()} == {1}
    began = [each.since - 1000.0 for each in world.parts.verdicts.views(world.clock.now)]
    assert BACK < min(began) < max(began) < BACK + MIXED_WITHIN
    shown = {each["what"]: each["message"] for each in world.parts.problems.shown(())}
    assert list(shown) == [f"stuck_name_server {STUCK}"]
    assert f"and {SERVICES - 1} more services" in shown[f"stuck_name_server {STUCK}"]
