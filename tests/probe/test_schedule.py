"""The schedule in virtual time: no test here waits."""

import asyncio
from collections import Counter, defaultdict
from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.model import Answer, Failure, Protocol, Question, Reply, ServiceName
from exporter.probe import schedule
from exporter.probe.http import Request
from exporter.probe.schedule import MAX_HURRIED, MAX_IN_FLIGHT, Pace, Schedule, Target

A = ip_address("100.1.0.10")
GET = Request(expected=frozenset({200}))
PACE = Pace(interval=10.0, timeout=2.0, fast_interval=0.2, fast_for=5.0)


class Clock:
    """Time passes when the schedule waits for it."""

    def __init__(self, end):
        self.now = 1000.0
        self.end = 1000.0 + end
        self.at = {}

    def time(self):
        return self.now

    def unix(self):
        return self.now + 1_794_000_000

    async def sleep(self, seconds, early):
        # Let everything that is to happen now happen first.
        for _ in range(5):
            await asyncio.sleep(0)
        if early.is_set():
            return
        due = min([self.now + seconds, *(each for each in self.at if each > self.now)])
        if due >= self.end:
            raise asyncio.CancelledError
        self.now = due
        for act in self.at.pop(due, ()):
            act()

    def do(self, after, act):
        self.at.setdefault(1000.0 + after, []).append(act)


def target(n, cluster=None, *, port=8080, request=GET):
    question = Question(ServiceName("shop", f"service-{n}"), cluster)
    return Target(question=question, name=f"{n}.{cluster}", port=port, request=request)


class World:
    """A schedule, and what it did."""

    def __init__(self, end, *, pace=PACE, takes=0.0, targets=()):
        self.clock = Clock(end)
        self.takes = takes
        self.probes, self.delays, self.starts = [], [], defaultdict(list)
        self.skipped = self.running = self.most = 0
        self.schedule = Schedule(
            pace,
            resolve=self.resolve,
            get=self.get,
            emit=self.probes.append,
            skipped=self.skip,
            delayed=self.delays.append,
            clock=self.clock,
        )
        self.schedule.set_targets(targets)

    def skip(self):
        self.skipped += 1

    async def resolve(self, name, *, within):
        assert within == self.schedule._pace.timeout
        self.starts[name].append(self.clock.now - 1000.0)
        self.running += 1
        self.most = max(self.most, self.running)
        if self.takes:
            done = asyncio.Event()
            self.clock.do(self.clock.now - 1000.0 + self.takes, done.set)
            await done.wait()
        self.running -= 1
        return Answer(addresses=(A,), took=self.takes)

    async def get(self, address, port, *, request, within, question, **_):
        assert (request, question.service.namespace) == (GET, "shop")
        assert within <= self.schedule._pace.timeout
        return Reply(address=address, port=port, status=200, connect=0.0, took=0.0)

    async def run(self):
        with pytest.raises(asyncio.CancelledError):
            await self.schedule.run()
        return self


@settings(max_examples=30)
@given(st.integers(1, 60))
def test_every_name_starts_once_an_interval_and_spread(number):
    async def play():
        return await World(100.0, targets=[target(n) for n in range(number)]).run()

    world = asyncio.run(play())
    assert set(map(len, world.starts.values())) == {10}
    places = sorted(starts[0] % 10.0 for starts in world.starts.values())
    gaps = [b - a for a, b in pairwise([*places, places[0] + 10.0])]
    # The golden ratio leaves no gap wider than thrice the even one, and bunches nothing.
    assert max(gaps) <= 3 * 10.0 / number
    assert min(gaps) >= 0.3 * 10.0 / number or number == 1
    assert max(world.delays) < 1e-6


async def test_starts_stay_on_their_grid():
    world = await World(1000.0, targets=[target(0)]).run()
    starts = world.starts["0.None"]
    assert {round(b - a, 6) for a, b in pairwise(starts)} == {10.0}


async def test_a_probe_that_would_overlap_itself_is_skipped_and_counted():
    world = await World(100.0, takes=25.0, targets=[target(0)]).run()
    assert len(world.starts["0.None"]) == 4
    assert world.skipped == 6
    assert world.most == 1


async def test_probes_in_flight_are_bounded():
    targets = [target(n) for n in range(MAX_IN_FLIGHT + 88)]
    world = await World(10.0, takes=30.0, targets=targets).run()
    assert world.most == MAX_IN_FLIGHT
    assert world.skipped == 88


async def test_what_comes_and_goes_moves_nothing_else():
    world = World(60.0, targets=[target(n) for n in range(5)])
    world.clock.do(21.0, lambda: world.schedule.set_targets([target(n) for n in (0, 3, 9)]))
    await world.run()
    counts = Counter({name: len(starts) for name, starts in world.starts.items()})
    assert counts["0.None"] == counts["3.None"] == 6
    assert counts["1.None"] == counts["2.None"] == 2
    assert counts["9.None"] in {3, 4}
    for name in ("0.None", "3.None"):
        assert len({round(start % 10.0, 6) for start in world.starts[name]}) == 1


async def test_a_probe_whose_name_is_gone_says_nothing():
    world = World(10.0, takes=1.0, targets=[target(0)])
    world.clock.do(9.0, lambda: world.schedule.set_targets([]))
    world.takes = 8.9
    await world.run()
    assert world.starts["0.None"]
    assert world.probes == []


async def test_hurry_is_fast_for_a_while_and_for_that_service_only():
    targets = [target(0), target(0, "east"), target(1)]
    world = World(60.0, targets=targets)
    world.clock.do(20.0, lambda: world.schedule.hurry(ServiceName("shop", "service-0")))
    await world.run()
    for name in ("0.None", "0.east"):
        fast = [start for start in world.starts[name] if 20.0 <= start <= 25.0]
        assert 24 <= len(fast) <= 26
        assert fast[0] <= 20.2
        # Six on the slow grid, and at most one that was due when the hurry ended.
        assert len(world.starts[name]) - len(fast) in {6, 7}
    assert len(world.starts["1.None"]) == 6


async def test_hurrying_is_bounded():
    targets = [target(n) for n in range(MAX_HURRIED + 20)]
    world = World(10.0, targets=targets)

    def all_at_once():
        for each in targets:
            world.schedule.hurry(each.question.service)

    world.clock.do(1.0, all_at_once)
    await world.run()
    assert sum(len(starts) > 3 for starts in world.starts.values()) == MAX_HURRIED


async def test_a_service_without_a_port_is_told():
    world = await World(10.0, targets=[target(0, port=None)]).run()
    assert world.probes[0].failure is Failure.NO_PORT


async def test_dns_only():
    world = await World(10.0, targets=[target(0, request=None)]).run()
    (probe,) = world.probes
    assert (probe.reply, probe.protocol, probe.failure) == (None, Protocol.DNS, None)


async def test_a_failed_look_up_asks_nobody():
    world = World(10.0, targets=[target(0)])

    async def fails(_, *, within):
        return Answer(took=within, failure=Failure.TIMEOUT)

    world.schedule._resolve = fails
    await world.run()
    (probe,) = world.probes
    assert (probe.reply, probe.failure) == (None, Failure.TIMEOUT)


async def test_times_are_those_of_the_clock():
    world = await World(10.0, takes=0.5, targets=[target(0)]).run()
    (probe,) = world.probes
    assert probe.ended - probe.at == pytest.approx(0.5)
    assert probe.unix - probe.at == pytest.approx(1_794_000_000)


async def test_the_loops_own_clock_wakes_early():
    clock, early = schedule.LoopClock(), asyncio.Event()
    early.set()
    before = clock.time()
    await clock.sleep(60, early)
    assert clock.time() - before < 10
    await clock.sleep(0.001, asyncio.Event())
