"""The schedule in virtual time: no test here waits."""

import asyncio
import socket
from collections import Counter, defaultdict
from dataclasses import replace
from heapq import heappop, heappush
from ipaddress import ip_address
from itertools import count, pairwise
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.model.clusterset import ServiceName
from exporter.model.probes import Answer, Failure, Lookup, Protocol, Question, Reply, Skip, Vantage
from exporter.probe.drivers.runner import Runner
from exporter.probe.drivers.waits import Socket
from exporter.probe.http import Request
from exporter.probe.probe import MAX_ADDRESSES, Target, chosen
from exporter.probe.resolve import Server
from exporter.probe.schedule import MAX_ACCELERATED, Pace, Schedule
from tests.fakes.depth import examples

A = ip_address("100.1.0.10")
GET = Request(expected=frozenset({200}))
PACE = Pace(timeout=2.0, fast_interval=0.2, fast_for=5.0)


class Pause(Socket):
    """Waits so many seconds of virtual time."""

    def __init__(self, seconds):
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM, seconds)


class VirtualAlarm:
    def __init__(self, act, alarms):
        self.act, self.alarms, self.when = act, alarms, inf
        alarms.append(self)

    def set(self, when):
        self.when = when

    def close(self):
        self.alarms.remove(self)


class VirtualDriver:
    """Time passes when there is nothing left to do now."""

    def __init__(self, end):
        self.loop = asyncio.get_running_loop()
        self.now, self.ends, self.stalled_at = 1000.0, 1000.0 + end, -inf
        self.acts, self.order, self.alarms = [], count(), []

    def time(self):
        return self.now

    def unix(self):
        return self.now + 1_794_000_000

    def do(self, after, act):
        heappush(self.acts, (1000.0 + after, next(self.order), act))

    def wait(self, pause, resume):
        self.do(self.now - 1000.0 + pause.deadline, lambda: resume(None))

    def forget(self, pause):
        pass

    def alarm(self, act):
        return VirtualAlarm(act, self.alarms)

    def play(self):
        (alarm,) = self.alarms
        while True:
            act = self.acts[0][0] if self.acts else inf
            self.now = max(self.now, min(act, alarm.when))
            if self.now >= self.ends:
                break
            if act <= alarm.when:
                heappop(self.acts)[2]()
            else:
                alarm.when = inf
                alarm.act()


def target(n, cluster=None, *, port=8080, request=GET, interval=10.0, **words):
    question = Question(ServiceName("shop", f"service-{n}"), cluster)
    name = f"{n}.{cluster}"
    return Target(
        question=question, name=name, port=port, request=request, interval=interval, **words
    )


class World:
    """A schedule, and what it did."""

    def __init__(self, end, *, pace=PACE, takes=0.0, targets=(), addresses=(A,)):
        self.clock = VirtualDriver(end)
        self.takes = takes
        self.addresses, self.asked = addresses, []
        self.probes, self.delays, self.starts = [], [], defaultdict(list)
        self.skipped = Counter()
        self.running = self.most = 0
        self.runner = Runner(self.clock)
        self.schedule = Schedule(
            self.runner,
            pace,
            resolve=self.resolve,
            get=self.get,
            emit=self.probes.append,
            skipped=self.skip,
            delayed=self.delays.append,
            chance=Random(7),
        )
        self.schedule.set_targets(targets)

    def skip(self, reason):
        self.skipped[reason] += 1

    async def resolve(self, target, *, within):
        assert within == self.schedule._pace.timeout
        key = target.name if target.lookup is Lookup.A else target.lookup
        self.starts[key].append(self.clock.now - 1000.0)
        self.running += 1
        self.most = max(self.most, self.running)
        if self.takes:
            with Pause(self.takes) as pause:
                await pause
        self.running -= 1
        return Answer(addresses=self.addresses, took=self.takes)

    async def get(self, address, port, request, *, target, within):
        assert (request, target.question.service.namespace) == (GET, "shop")
        self.asked.append(address)
        assert within <= self.schedule._pace.timeout
        return Reply(address=address, port=port, status=200, connect=0.0, took=0.0)

    async def run(self):
        with self.runner:
            self.schedule.begin()
            self.clock.play()
            self.runner.stop()
            await self.runner.ended()
            self.schedule.end()
        return self


@settings(max_examples=examples(30))
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
    assert world.skipped == {Skip.OVERRUN: 6}
    assert world.most == 1


async def test_probes_in_flight_are_bounded():
    targets = [target(n) for n in range(600)]
    pace = replace(PACE, in_flight=512)
    world = await World(10.0, pace=pace, takes=30.0, targets=targets).run()
    assert world.most == 512
    assert world.skipped == {Skip.IN_FLIGHT: 88}


async def test_starts_a_second_are_bounded_and_nobody_waits_for_ever():
    targets = [target(n) for n in range(100)]
    world = await World(100.0, pace=replace(PACE, per_second=5), targets=targets).run()
    starts = sorted(start for each in world.starts.values() for start in each)
    assert 490 <= len(starts) <= 501
    assert max(b - a for a, b in zip(starts, starts[50:], strict=False)) >= 9.9
    # Twice as many are wanted as may start: each name gets every second turn.
    assert {len(each) for each in world.starts.values()} <= {4, 5, 6}
    assert sum(world.skipped.values()) == world.skipped[Skip.LATE] > 300


async def test_jitter_puts_off_and_does_not_drift():
    pace = replace(PACE, jitter=2.0)
    world = await World(1000.0, pace=pace, targets=[target(0)]).run()
    starts = world.starts["0.None"]
    assert len(starts) in {99, 100}
    offsets = [start % 10.0 - starts[0] % 10.0 for start in starts]
    assert -2.0 <= min(offsets) < max(offsets) <= 2.0
    assert max(offsets) - min(offsets) > 1.0


async def test_each_service_has_its_interval_and_a_changed_one_counts_at_once():
    world = World(100.0, targets=[target(0), target(1, interval=2.0), target(2, interval=50.0)])
    changed = [target(0), target(1, interval=25.0), target(2, interval=50.0)]
    world.clock.do(50.0, lambda: world.schedule.set_targets(changed))
    await world.run()
    counts = {name: len(starts) for name, starts in world.starts.items()}
    assert counts["0.None"] == 10
    assert counts["1.None"] in {26, 27, 28}
    assert counts["2.None"] == 2


async def test_another_configuration_moves_nothing():
    world = World(100.0, targets=[target(n) for n in range(3)])

    def configure():
        world.schedule.configure(replace(PACE, timeout=1.0), resolve=world.resolve, get=world.get)
        world.schedule.set_targets([target(n, port=9) for n in range(3)])

    world.clock.do(50.0, configure)
    await world.run()
    for starts in world.starts.values():
        assert {round(b - a, 6) for a, b in pairwise(starts)} == {10.0}
    assert {probe.reply.port for probe in world.probes} == {8080, 9}


async def test_a_probe_that_ran_while_the_loop_was_held_up_is_marked():
    world = World(20.0, targets=[target(0)])
    world.clock.do(10.0, lambda: setattr(world.clock, "stalled_at", 1030.0))
    await world.run()
    assert [probe.lagged for probe in world.probes] == [False, True]


MANY = tuple(ip_address(f"10.1.0.{n}") for n in range(1, 41))


async def test_every_address_of_a_headless_service_gets_its_turn():
    targets = [target(0, every_address=True)]
    world = await World(30.0, targets=targets, addresses=MANY).run()
    assert len(world.probes) == 3
    for probe in world.probes:
        assert probe.reply.address in MANY
        assert len(probe.more) == MAX_ADDRESSES - 1
    assert set(world.asked) == set(MANY)


async def test_an_address_asked_counts_as_a_connection():
    targets = [target(n, every_address=True) for n in range(20)]
    pace = replace(PACE, in_flight=64)
    world = World(40.0, pace=pace, targets=targets, addresses=MANY)
    world.clock.do(15.0, lambda: setattr(world, "takes", 9.0))
    await world.run()
    # Four times sixteen at once, from when it is known how many addresses there are.
    assert max(world.most, 4) == 4
    assert world.skipped[Skip.IN_FLIGHT] > 0


async def test_only_the_first_address_of_any_other_service_is_asked():
    world = await World(10.0, targets=[target(0)], addresses=MANY).run()
    assert world.asked == [MANY[0]]


@given(st.lists(st.ip_addresses(), min_size=1, max_size=60, unique=True))
def test_all_addresses_come_within_a_few_turns(addresses):
    turns = [chosen(tuple(addresses), turn, Random(turn)) for turn in range(len(addresses))]
    assert all(len(set(turn)) == min(len(addresses), MAX_ADDRESSES) for turn in turns)
    assert set().union(*turns) == set(addresses)


async def test_each_address_of_a_headless_service_is_asked_first_as_clients_choose():
    targets = [target(0, every_address=True)]
    world = await World(4000.0, targets=targets, addresses=MANY[:4]).run()
    first = Counter(probe.reply.address for probe in world.probes)
    assert set(first) == set(MANY[:4])
    assert min(first.values()) > 70


@pytest.mark.parametrize("others", range(6))
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_name_server_that_alternates_shows_plain_probes_each_cluster(number, others):
    """Others: names that come before the comparisons and so move their places."""
    lookups = (Lookup.CLIENT, Lookup.SRV, Lookup.A)[:number]
    there = {"vantage": Vantage.LIGHTHOUSE, "server": Server("10.0.0.1", 53)}
    compared = [
        target(0, request=None, lookup=each, **(there if each is Lookup.A else {}))
        for each in lookups
    ]
    clusters, turns = (A, ip_address("100.2.0.10")), count()
    targets = [target(0), *(target(0, f"c{n}") for n in range(others)), *compared]
    world = World(600.0, targets=targets)

    async def alternates(target, *, within):
        await world.resolve(target, within=within)
        turn = 0 if target.question.pinned else next(turns)
        return Answer(addresses=(clusters[turn % 2],), took=0.0)

    world.schedule.configure(PACE, resolve=alternates, get=world.get)
    for at in range(400, 600, 5):
        world.clock.do(at, lambda: world.schedule.accelerate(ServiceName("shop", "service-0")))
    await world.run()
    plain = [p for p in world.probes if p.decides and p.question.pinned is None]
    for some in (plain[:40], plain[41:]):
        seen = Counter(probe.reply.address for probe in some)
        assert min(seen[each] for each in clusters) >= len(some) / 4
    assert len(plain) > 900
    assert sum(not probe.decides for probe in world.probes) in {60 * number, 60 * number - 1}


async def test_look_ups_for_comparison_ask_nobody_and_are_not_hurried():
    targets = [target(0), target(0, request=None, lookup=Lookup.CLIENT)]
    world = World(60.0, targets=targets)
    world.clock.do(20.0, lambda: world.schedule.accelerate(ServiceName("shop", "service-0")))
    await world.run()
    assert len(world.starts[Lookup.CLIENT]) == 6
    assert len(world.starts["0.None"]) > 25
    compared = [probe for probe in world.probes if not probe.decides]
    assert {probe.reply for probe in compared} == {None}


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
    world.clock.do(20.0, lambda: world.schedule.accelerate(ServiceName("shop", "service-0")))
    await world.run()
    for name in ("0.None", "0.east"):
        fast = [start for start in world.starts[name] if 20.0 <= start <= 25.0]
        assert 24 <= len(fast) <= 26
        assert fast[0] <= 20.2
        # Six on the slow grid, and at most one that was due when the accelerate ended.
        assert len(world.starts[name]) - len(fast) in {6, 7}
    assert len(world.starts["1.None"]) == 6


async def test_hurrying_is_bounded():
    targets = [target(n) for n in range(MAX_ACCELERATED + 20)]
    world = World(10.0, targets=targets)

    def all_at_once():
        for each in targets:
            world.schedule.accelerate(each.question.service)

    world.clock.do(1.0, all_at_once)
    await world.run()
    assert sum(len(starts) > 3 for starts in world.starts.values()) == MAX_ACCELERATED


async def test_a_service_without_a_port_is_told():
    world = await World(10.0, targets=[target(0, port=None)]).run()
    assert world.probes[0].failure is Failure.NO_PORT


async def test_dns_only():
    world = await World(10.0, targets=[target(0, request=None)]).run()
    (probe,) = world.probes
    assert (probe.reply, probe.protocol, probe.failure) == (None, Protocol.DNS, None)


async def test_a_failed_look_up_asks_nobody():
    world = World(10.0, targets=[target(0)])

    async def fails(_target, *, within):
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
