"""A container's log, each line once, whatever the kubelet and the network do."""

import asyncio
import itertools
import random
from contextlib import aclosing, asynccontextmanager

import pytest
from structlog.testing import capture_logs

from exporter.apiserver.client import ApiClient
from exporter.apiserver.container import ContainerRef
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.log_place import BEGINNING, LogPlace, since
from exporter.apiserver.new_lines import NewLines
from exporter.apiserver.pod_log import FAILED_LONGEST, MAX_LINE, PodLog
from exporter.model.lines import LineSplitter
from tests.fakes import apifaults as faults
from tests.fakes.apiaccess import Fixed
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.virtual import until

WEB = ContainerRef(namespace="shop", pod="web", container="app")
BEGIN = 1_700_000_000


class Reader:
    """A follower and the lines that it brought."""

    def __init__(self, server, followed):
        self.server, self.followed, self.lines = server, followed, []
        self.done = False

    async def run(self):
        async with aclosing(self.followed.blocks()) as blocks:
            async for block in blocks:
                assert block.endswith(b"\n")
                self.lines += block[:-1].split(b"\n")
        self.done = True

    async def until_lines(self, *lines, within=60.0):
        try:
            await until(lambda: self.lines == list(lines), within=within)
        except TimeoutError:
            assert self.lines == list(lines)

    def asked(self):
        return [asked for asked in self.server.asked if asked.query.get("follow")]


@pytest.fixture
async def server():
    async with running(ApiServer()) as made:
        made.log("shop", "web")
        yield made


@asynccontextmanager
async def reading(server, **more):
    async with ApiClient(Fixed(server.url)) as client, asyncio.TaskGroup() as group:
        reader = Reader(server, PodLog(client, WEB, **more))
        task = group.create_task(reader.run())
        yield reader
        task.cancel()


def now():
    return BEGIN + asyncio.get_running_loop().time()


async def test_lines_come_as_they_are_written(server):
    log = server.log("shop", "web")
    log.write(b"one", BEGIN)
    async with reading(server) as reader:
        await reader.until_lines(b"one")
        log.write(b"\xff\x00 two", BEGIN + 1)
        log.write(b"", BEGIN + 2)
        log.write(b'{"type":"ERROR","object":{"code":410}}', BEGIN + 3)
        log.write(b"null", BEGIN + 4)
        wanted = [b"one", b"\xff\x00 two", b"", b'{"type":"ERROR","object":{"code":410}}', b"null"]
        await reader.until_lines(*wanted, within=0.2)
        assert reader.followed.counts.requests == 1
        (asked,) = reader.asked()
        assert asked.query["timestamps"] == "true"
        assert "sinceTime" not in asked.query


async def test_from_now_on_is_after_the_last_line_there(server):
    log = server.log("shop", "web")
    for number in range(3):
        log.write(b"old %d" % number, BEGIN + 0.1 * number)
    async with reading(server, place=None) as reader:
        await until(reader.asked)
        log.write(b"new", BEGIN + 0.3)
        await reader.until_lines(b"new")


async def test_from_now_on_of_an_empty_log_is_all_of_it(server):
    log = server.log("shop", "web")
    async with reading(server, place=None, silence=20) as reader:
        await asyncio.sleep(19)
        log.stalled = True
        log.write(b"one", BEGIN)
        await asyncio.sleep(5)
        log.stalled = False
        await reader.until_lines(b"one")


@pytest.mark.parametrize("same", [True, False])
async def test_after_a_break_each_line_is_there_once(server, same):
    """Also lines of one time stamp, of which some were had, and equal ones among them."""
    log = server.log("shop", "web")
    stamps = [BEGIN + (0 if same else number * 0.001) for number in range(8)]
    async with reading(server) as reader:
        for number in range(4):
            log.write(b"line %d" % (number // 2), stamps[number])
        await until(lambda: len(reader.lines) == 4)
        reader.server.asked[-1].request.transport.abort()
        for number in range(4, 8):
            log.write(b"line %d" % (number // 2), stamps[number])
        await reader.until_lines(*(b"line %d" % (number // 2) for number in range(8)))
        assert reader.followed.counts.repeated == 4
        assert reader.asked()[1].query["sinceTime"].startswith("2023-11-14T22:13:20")


async def test_a_restart_goes_on_at_its_place(server):
    log = server.log("shop", "web")
    log.write(b"one", BEGIN)
    log.write(b"two", BEGIN)
    async with reading(server) as reader:
        await reader.until_lines(b"one", b"two")
        place = reader.followed.place
    assert place.stamp == b"2023-11-14T22:13:20.000000000Z"
    log.write(b"three", BEGIN)
    async with reading(server, place=place) as reader:
        await reader.until_lines(b"three")


async def test_a_log_that_a_rotation_silenced_is_asked_for_anew(server):
    log = server.log("shop", "web")
    async with reading(server, silence=60) as reader:
        log.write(b"one", BEGIN)
        await reader.until_lines(b"one")
        log.stalled = True
        log.write(b"two", BEGIN + 1)
        await asyncio.sleep(50)
        log.stalled = False
        await reader.until_lines(b"one", b"two", within=12)


async def test_a_busy_log_is_asked_for_anew_after_ten_minutes(server):
    log = server.log("shop", "web")
    async with reading(server) as reader:
        for number in range(700):
            log.write(b"%d" % number, now())
            await asyncio.sleep(1)
        await until(lambda: len(reader.lines) == 700)
        assert reader.lines == [b"%d" % number for number in range(700)]
        first, again = reader.asked()
        assert 600 <= again.at - first.at <= 601
        assert reader.followed.problem == ""


async def test_a_silent_log_is_asked_for_rarely(server):
    async with reading(server, silence=120):
        await asyncio.sleep(3600)
        assert len(server.asked) <= 31


async def test_a_container_that_waits_is_waited_for(server):
    log = server.log("shop", "web")
    log.waiting = True
    async with reading(server, place=None) as reader:
        await asyncio.sleep(300)
        assert "waiting to start: ContainerCreating" in reader.followed.problem
        assert 10 <= len(server.asked) <= 25
        log.waiting = False
        await until(reader.asked, within=31)
        log.write(b"one", BEGIN)
        await reader.until_lines(b"one")
        assert reader.followed.problem == ""


async def test_a_container_that_ended_and_is_started_again(server):
    log = server.log("shop", "web")
    log.write(b"one", BEGIN)
    log.end()
    async with reading(server) as reader:
        await asyncio.sleep(300)
        assert reader.lines == [b"one"]
        assert len(server.asked) <= 40
        fresh = server.logs["shop", "web", "app"] = type(log)()
        fresh.write(b"two", BEGIN + 100)
        await reader.until_lines(b"one", b"two")


def restarted(server, log, *, count=1):
    """Start the container anew: its log is another one; return that."""
    status = {"containerStatuses": [{"name": "app", "restartCount": count}]}
    pod = {"metadata": {"name": "web"}, "status": status}
    if count == 1:
        server.store.create("", "pods", "shop", pod)
    else:
        server.store.update("", "pods", "shop", "web", pod)
    fresh = server.logs["shop", "web", "app"] = log.renewed()
    return fresh


async def test_the_tail_of_a_container_that_was_started_anew_is_read_first(server):
    """It wrote on while we were cut off, and ended before we were back."""
    log = server.log("shop", "web")
    log.write(b"one", BEGIN)
    async with reading(server) as reader:
        await reader.until_lines(b"one")
        log.stalled = True
        log.write(b"two", BEGIN + 1)
        log.write(b"three", BEGIN + 2)
        fresh = restarted(server, log)
        fresh.write(b"four", BEGIN + 3)
        reader.asked()[-1].request.transport.abort()
        await reader.until_lines(b"one", b"two", b"three", b"four")
        await asyncio.sleep(700)
        # Once is enough, also where more connections end.
        fresh.write(b"five", BEGIN + 4)
        reader.asked()[-1].request.transport.abort()
        await reader.until_lines(b"one", b"two", b"three", b"four", b"five")
        assert len([each for each in server.asked if "previous" in each.query]) == 1
        last = restarted(server, fresh, count=2)
        last.write(b"six", BEGIN + 5)
        await reader.until_lines(b"one", b"two", b"three", b"four", b"five", b"six")


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        pytest.param(LogPlace(), [b"one", b"two", b"three"], id="from the beginning"),
        pytest.param(since(BEGIN + 0.5), [b"two", b"three"], id="from a place"),
        pytest.param(None, [b"three"], id="from the end"),
    ],
)
async def test_a_container_that_was_started_anew_before_we_came(server, place, lines):
    log = server.log("shop", "web")
    log.write(b"one", BEGIN)
    log.write(b"two", BEGIN + 1)
    fresh = restarted(server, log)
    async with reading(server, place=place, restarts=1) as reader:
        await until(reader.asked)
        fresh.write(b"three", BEGIN + 2)
        await reader.until_lines(*lines)


async def test_a_life_whose_log_is_removed_already_is_passed_over(server):
    log = server.log("shop", "web")
    fresh = restarted(server, log)
    fresh.previous = None
    async with reading(server, restarts=1) as reader:
        fresh.write(b"one", BEGIN)
        await reader.until_lines(b"one")


async def test_of_too_many_lines_of_one_moment_none_is_counted_twice(server):
    log = server.log("shop", "web")
    for number in range(1500):
        log.write(b"%d" % number, BEGIN)
    async with reading(server) as reader:
        await until(lambda: len(reader.lines) == 1500)
        reader.server.asked[-1].request.transport.abort()
        log.write(b"last", BEGIN + 1)
        await until(lambda: b"last" in reader.lines)
        assert len(reader.lines) == 1501


async def test_a_pod_that_is_gone_ends_it(server):
    log = server.log("shop", "web")
    log.write(b"one", BEGIN)
    async with reading(server) as reader:
        await reader.until_lines(b"one")
        server.logs.clear()
        log.end()
        await until(lambda: reader.done)


@pytest.mark.parametrize(
    ("created", "gone"),
    [
        pytest.param("2023-11-14T22:00:00Z", False, id="a kubelet that was started a moment ago"),
        pytest.param("2023-11-14T23:00:00Z", True, id="another pod of this name"),
    ],
)
async def test_a_log_that_is_not_found_is_at_its_end_if_its_pod_is_gone(server, created, gone):
    """A kubelet knows no pod at first. What was read before must not be read again."""
    server.store.create("", "pods", "shop", {"metadata": {"name": "web"}})
    server.store.get("", "pods", "shop", "web")["metadata"]["creationTimestamp"] = created
    log = server.log("shop", "web")
    log.write(b"one", BEGIN)
    async with reading(server) as reader:
        await reader.until_lines(b"one")
        server.faults = [Fault(not_found_log, verb="get", plural="pods")]
        reader.server.asked[-1].request.transport.abort()
        await until(lambda: reader.done or "404" in reader.followed.problem)
        assert reader.done == gone
        server.faults.clear()
        log.write(b"two", BEGIN + 1)
        await reader.until_lines(*((b"one",) if gone else (b"one", b"two")))


async def no_kubelet(server, asked):
    return await faults.status(500)(server, asked) if asked.sub == "log" else None


async def test_a_kubelet_that_is_away_is_told_by_its_pods_until_their_logs_are_read_again(server):
    """All other requests succeed meanwhile, so it is no trouble of the API server."""
    server.store.create("", "pods", "shop", {"metadata": {"name": "web"}})
    log = server.log("shop", "web")
    log.write(b"one", BEGIN)
    with capture_logs() as told:
        async with reading(server) as reader:
            await reader.until_lines(b"one")
            server.faults = [Fault(no_kubelet, verb="get", plural="pods")]
            reader.server.asked[-1].request.transport.abort()
            await asyncio.sleep(60)
            assert "500" in reader.followed.problem
            server.faults.clear()
            log.write(b"two", BEGIN + 60)
            await reader.until_lines(b"one", b"two")
            assert reader.followed.problem == ""
    told = [each for each in told if each["log_level"] != "debug"]
    assert [(each["event"], each["pod"], each["log"]) for each in told] == [
        ("pod log cannot be read", "shop/web", "app"),
        ("pod log is read again", "shop/web", "app"),
    ]
    assert told[1]["seconds"] >= 50


class NoKubelet:
    """A client whose requests fail at once, so that only the waits between them take time."""

    def __init__(self):
        self.asked = []

    async def read(self, *_, **__):
        self.asked.append(asyncio.get_running_loop().time())
        raise ApiError(ErrorKind.SERVER, "500 Internal Server Error", status=500)

    @asynccontextmanager
    async def stream(self, *_, **__):
        yield await self.read()


@pytest.mark.parametrize(
    ("uniform", "longest"), [(min, FAILED_LONGEST / 2), (max, FAILED_LONGEST)], ids=["min", "max"]
)
async def test_a_kubelet_that_is_away_is_asked_again_within_seconds(uniform, longest):
    """When it comes back it may rotate the log away."""
    client = NoKubelet()
    log = PodLog(client, WEB, place=since(BEGIN), uniform=uniform)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(300), aclosing(log.blocks()) as blocks:
            await anext(blocks)
    waits = [round(b - a, 3) for a, b in itertools.pairwise(client.asked)]
    assert max(waits) == longest
    assert waits == sorted(waits)
    assert waits[-20:] == [longest] * 20


async def not_found_log(server, asked):
    return await faults.status(404, reason="NotFound")(server, asked) if asked.sub else None


async def test_a_container_that_the_pod_lacks_is_an_error(server):
    server.log("shop", "web", "other")
    del server.logs["shop", "web", "app"]
    async with ApiClient(Fixed(server.url)) as client:
        with pytest.raises(ApiError, match="container app is not valid"):
            await anext(PodLog(client, WEB).blocks())


async def test_what_we_may_not_read_is_tried_rarely_and_says_so(server):
    server.rules["admin"] = set()
    async with reading(server) as reader:
        await asyncio.sleep(3600)
        assert reader.followed.problem.endswith("; grant get on pods/log")
        waits = [b.at - a.at for a, b in itertools.pairwise(server.asked)]
        assert 30 <= min(waits) <= max(waits) <= 300


async def test_a_line_that_is_too_long_is_left_out(server):
    log = server.log("shop", "web")
    async with reading(server) as reader:
        log.write(b"one", BEGIN)
        log.write(b"x" * (5 * MAX_LINE), BEGIN + 1)
        log.write(b"two", BEGIN + 2)
        await reader.until_lines(b"one", b"two")
        assert reader.followed.counts.truncated == 1


async def test_a_kubelets_own_words_are_no_lines(server):
    own = b"failed to try resolving symlinks in path: no such file or directory\n"
    server.faults = [Fault(faults.ok(own, content_type="text/plain"), times=1)]
    server.log("shop", "web").write(b"one", BEGIN)
    async with reading(server) as reader:
        await reader.until_lines(b"one")
        assert reader.followed.counts.unstamped == 1


async def test_a_node_whose_time_zone_changes(server):
    log = server.log("shop", "web")
    async with reading(server) as reader:
        log.write(b"one", "2026-10-25T02:59:59.000000000+02:00")
        await reader.until_lines(b"one")
        server.asked[-1].request.transport.abort()
        log.write(b"two", "2026-10-25T02:00:01.000000000+01:00")
        await until(lambda: len(reader.asked()) == 2)
        server.asked[-1].request.transport.abort()
        log.write(b"three", "2026-10-25T03:00:02.5+01:00")
        await reader.until_lines(b"one", b"two", b"three")


async def test_a_clock_that_goes_back_loses_lines_and_counts_none_twice(server):
    log = server.log("shop", "web")
    async with reading(server) as reader:
        log.write(b"one", BEGIN + 1000)
        log.write(b"two", BEGIN)
        await reader.until_lines(b"one", b"two")
        server.asked[-1].request.transport.abort()
        log.write(b"three", BEGIN + 1001)
        await reader.until_lines(b"one", b"two", b"three")


@pytest.mark.parametrize("seed", range(4))
async def test_over_all_faults_at_once_each_line_comes_once(server, seed):
    chance = random.Random(seed)
    log = server.log("shop", "web")
    kinds = [
        faults.status(500),
        faults.status(503, html=True),
        faults.reset,
        faults.hang,
        faults.late(3),
        faults.status(401),
        faults.ok(b"", content_type="text/plain"),
    ]
    stamp, written = BEGIN, []
    async with reading(server, place=LogPlace(), silence=30) as reader:
        for number in range(400):
            stamp += chance.choice([0, 0, 0.000001, 0.4, 2])
            written.append(b"line %d" % (number // 3))
            log.write(written[-1], stamp)
            if chance.random() < 0.1:
                server.faults = [Fault(chance.choice(kinds), times=chance.randrange(1, 4))]
            if chance.random() < 0.1:
                for asked in server.asked[-2:]:
                    if asked.request.transport is not None:
                        asked.request.transport.abort()
            log.stalled = chance.random() < 0.05 or (log.stalled and chance.random() < 0.9)
            await asyncio.sleep(chance.uniform(0, 2))
        log.stalled = False
        await reader.until_lines(*written, within=400)
        assert reader.followed.counts.repeated > 0


def test_the_place_of_a_log_takes_little_memory():
    new = NewLines(BEGINNING)
    lines = b"".join(b"2026-01-02T03:04:05.000000000Z %d\n" % number for number in range(50_000))
    new.take(LineSplitter(MAX_LINE), lines)
    assert len(new.place.lines) == 1000
