"""Lines that a kubelet rotated away while nobody followed: told, and only if that can be."""

import asyncio
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

import pytest

from exporter.apiserver.client import ApiClient
from exporter.apiserver.container import ContainerRef
from exporter.apiserver.log_place import LogPlace, since
from exporter.apiserver.pod_log import PodLog
from tests.fakes import apifaults as faults
from tests.fakes.apiaccess import Fixed
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.virtual import until

WEB = ContainerRef(namespace="shop", pod="web", container="app")
BEGIN = 1_700_000_000


def now():
    return BEGIN + asyncio.get_running_loop().time()


class World:
    """A pod that serves, and what a reader of its log brought and told."""

    def __init__(self, server, client):
        self.server, self.client = server, client
        self.log = server.log("shop", "web")
        self.lines, self.gaps, self.written = [], [], 0
        self.task = self.place = self.followed = None

    def write(self, ago=0.0):
        self.written += 1
        self.log.write(b"%d" % self.written, now() - ago)

    async def rate(self, seconds):
        """Write ten lines a second."""
        for _ in range(round(seconds * 10)):
            self.write()
            await asyncio.sleep(0.1)

    def begin(self, **more):
        self.followed = PodLog(self.client, WEB, unix=now, tell=self.gaps.append, **more)
        self.task = asyncio.create_task(self.run())

    async def run(self):
        async with aclosing(self.followed.blocks()) as blocks:
            async for block in blocks:
                self.lines += block[:-1].split(b"\n")

    async def stop(self):
        self.task.cancel()
        await asyncio.wait([self.task])
        self.place = self.followed.place

    async def until_last(self):
        await until(lambda: self.lines and self.lines[-1] == b"%d" % self.written)
        # A gap is told after its lines.
        await asyncio.sleep(2)

    def cut(self):
        """Break what is open, and refuse what is asked until `heal`."""
        self.server.faults = [Fault(faults.status(503), times=1000)]
        for asked in self.server.asked[-3:]:
            if asked.request.transport is not None:
                asked.request.transport.abort()

    def heal(self):
        self.server.faults = []

    def pod(self, *, restarts=0, started=0.0):
        at = f"{datetime.fromtimestamp(int(started or BEGIN), UTC):%Y-%m-%dT%H:%M:%SZ}"
        state = {"running": {"startedAt": at}}
        status = [{"name": "app", "restartCount": restarts, "state": state}]
        pod = {"metadata": {"name": "web"}, "status": {"containerStatuses": status}}
        if ("shop", "web") in self.server.store.objects["", "pods"]:
            self.server.store.update("", "pods", "shop", "web", pod)
        else:
            self.server.store.create("", "pods", "shop", pod)

    def restart(self, count=1):
        self.log = self.server.logs["shop", "web", "app"] = self.log.renewed()
        self.pod(restarts=count, started=now())

    def told(self):
        """Return the gaps in seconds."""
        return [round(gap.end - gap.start, 1) for gap in self.gaps]

    def heads(self):
        return [each for each in self.server.asked if each.query.get("limitBytes") == "300"]


@asynccontextmanager
async def a_world():
    async with running(ApiServer()) as server, ApiClient(Fixed(server.url)) as client:
        world = World(server, client)
        world.pod()
        yield world
        if world.task is not None:
            await world.stop()


@pytest.fixture
async def world():
    async with a_world() as made:
        yield made


@pytest.mark.parametrize(
    ("rotations", "gaps"), [pytest.param((), [], id="none"), ((3, 3), [6.0]), ((1,), [1.1])]
)
async def test_a_connection_that_was_killed(world, rotations, gaps):
    """The gap is from the last line that was read to the first of the newest file."""
    world.begin()
    await world.rate(5)
    last = now()
    world.cut()
    for seconds in rotations:
        await world.rate(seconds)
        world.log.rotate()
    await world.rate(3)
    world.heal()
    await world.until_last()
    assert world.told() == pytest.approx(gaps, abs=0.2)
    assert [gap.start for gap in world.gaps] == pytest.approx([last] * len(gaps), abs=0.2)
    missing = world.written - len(world.lines)
    assert missing == sum(rotations) * 10
    # Another break without a rotation tells nothing more.
    world.cut()
    await world.rate(3)
    world.heal()
    await world.until_last()
    assert len(world.gaps) == len(gaps)
    assert len(world.lines) == world.written - missing
    # Lines that come again tell enough.
    assert len(world.heads()) == len(gaps)


async def test_a_rotation_that_somebody_follows_is_no_gap(world):
    world.begin()
    for _ in range(5):
        await world.rate(2)
        world.log.rotate()
    await world.until_last()
    assert world.gaps == world.heads() == []


@pytest.mark.parametrize("quiet", [130, 3700])
async def test_a_quiet_log_whose_connection_was_replaced_is_whole(world, quiet):
    """Whatever was written was followed, so that nothing was missed but for a moment."""
    world.begin()
    await world.rate(2)
    world.log.rotate()
    await asyncio.sleep(quiet)
    world.write()
    await world.until_last()
    assert world.gaps == []


async def test_a_stalled_connection_with_two_rotations_is_a_gap(world):
    """The kubelet sends nothing more, and what it wrote before the newest file is lost."""
    world.begin()
    world.write()
    await world.until_last()
    world.log.stalled = True
    await world.rate(30)
    world.log.rotate()
    await world.rate(3)
    await asyncio.sleep(90)
    world.log.stalled = False
    await world.until_last()
    assert world.told() == pytest.approx([32.0], abs=0.3)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("later", [60, 2000])
async def test_a_quiet_log_that_was_rotated_while_we_were_cut_off(world, early, later):
    """What is said to be missing is never longer than we were away, but for one connection."""
    world.begin()
    await world.rate(2)
    if early:
        world.log.rotate()
    await asyncio.sleep(3600)
    world.cut()
    await world.rate(10)
    world.log.rotate()
    await asyncio.sleep(20)
    world.heal()
    await asyncio.sleep(later)
    world.write()
    await world.until_last()
    (gap,) = world.told()
    assert 10 <= gap <= 300


async def test_a_dead_connection_that_was_replaced_in_vain(world):
    """That it ended without an error does not show that it was alive."""
    world.begin()
    world.write()
    await world.until_last()
    last = now()
    world.log.stalled = True
    await world.rate(110)
    world.server.faults = [Fault(faults.status(503), times=1000)]
    await world.rate(40)
    world.log.rotate()
    world.log.stalled = False
    await world.rate(1)
    world.heal()
    await world.until_last()
    (gap,) = world.gaps
    assert gap.start <= last


@pytest.mark.parametrize(("restarts", "gaps"), [(1, 0), (2, 1)])
async def test_a_container_that_was_restarted_while_we_were_cut_off(world, restarts, gaps):
    """A kubelet keeps the log of one life before, so of two restarts a life is missing."""
    world.begin()
    await world.rate(2)
    world.cut()
    for count in range(1, restarts + 1):
        await world.rate(3)
        world.restart(count)
    await world.rate(3)
    world.heal()
    await world.until_last()
    assert len(world.gaps) == gaps
    assert world.written - len(world.lines) == gaps * 30


async def test_the_life_before_was_rotated(world):
    world.begin()
    await world.rate(2)
    world.cut()
    await world.rate(4)
    world.log.rotate()
    await world.rate(3)
    world.restart()
    await world.rate(3)
    world.heal()
    await world.until_last()
    assert world.told() == pytest.approx([4.1], abs=0.2)
    assert world.written - len(world.lines) == 40


async def test_a_container_that_restarts_in_sight_is_no_gap(world):
    world.begin()
    for count in range(1, 4):
        await world.rate(2)
        world.restart(count)
        # Its first line comes late.
        await asyncio.sleep(40)
    world.write()
    await world.until_last()
    assert world.gaps == []
    assert len(world.lines) == world.written


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(("rotated", "gaps"), [(True, [5.0]), (False, [])])
async def test_another_process_goes_on(world, own, rotated, gaps):
    """By a place of its own, or by the time at which another replica stopped."""
    world.begin()
    await world.rate(5)
    await world.stop()
    place = world.place if own else since(now())
    await world.rate(5)
    if rotated:
        world.log.rotate()
    await world.rate(2)
    world.begin(place=place)
    await world.rate(2)
    await world.until_last()
    assert world.told() == pytest.approx(gaps, abs=0.2)


@pytest.mark.parametrize("later", [60, 200])
async def test_a_pod_that_never_logged_before_another_replica_took_over(world, later):
    """Its file is empty when we come, which is no sign of a rotation."""
    place = since(now())
    await asyncio.sleep(10)
    world.begin(place=place)
    await asyncio.sleep(later)
    world.write()
    await world.until_last()
    assert world.gaps == []


async def test_a_slow_log_whose_file_is_older_than_a_change_of_leader(world):
    """No line is of the second in which the other replica stopped, so the head of it tells."""
    world.write()
    await asyncio.sleep(5)
    place = since(now())
    await asyncio.sleep(4)
    world.write()
    await asyncio.sleep(2)
    world.begin(place=place)
    await world.until_last()
    assert world.gaps == []
    assert len(world.heads()) == 1


async def test_a_pod_that_came_while_nobody_led_is_whole(world):
    place = since(now())
    await asyncio.sleep(5)
    world.pod(started=now())
    await asyncio.sleep(3)
    await world.rate(2)
    world.begin(place=place)
    await world.until_last()
    assert world.gaps == []


@pytest.mark.parametrize("ahead", [-3, 3, 300])
async def test_a_nodes_clock_may_be_wrong(world, ahead):
    world.begin()
    world.write(-ahead)
    await world.until_last()
    world.log.rotate()
    await asyncio.sleep(150)
    world.write(-ahead)
    await world.until_last()
    assert world.gaps == []


async def test_a_place_at_the_end_of_a_log(world):
    world.write()
    world.begin(place=None)
    await asyncio.sleep(5)
    world.cut()
    await world.rate(10)
    world.log.rotate()
    await world.rate(1)
    world.heal()
    await world.until_last()
    assert len(world.gaps) == 1


async def test_the_head_of_a_file_is_read_once(world):
    world.write()
    world.log.rotate()
    await world.rate(3)
    world.begin(place=LogPlace(stamp=since(now() - 60).stamp, lines=(1,)))
    await world.until_last()
    assert len(world.gaps) == len(world.heads()) == 1
