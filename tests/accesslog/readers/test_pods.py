"""Pods' logs by the API server: each line once, over restarts, leaders, pods that come and go."""

import asyncio
import json
import time
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from exporter.accesslog.checkpoint import Checkpoint
from exporter.accesslog.readers.gaps import Gaps
from exporter.metrics import families
from exporter.model.moment import iso
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.podscene import CONFIG, LINE, make_pod, pod_scene
from tests.fakes.virtual import until

WHERE = "nginx-test"


@pytest.fixture
async def server():
    async with running(ApiServer()) as made:
        yield made


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"{CONFIG}state_directory: state\n")
    return path


def pod(server, name, **more):
    make_pod(server, name, **more)
    return server.log(WHERE, name)


def write(log, count=1, *, ago=0.0):
    for _ in range(count):
        log.write(LINE.encode(), time.time() - ago)


def follows(server):
    return [each for each in server.asked if each.query.get("follow")]


async def test_from_the_end_and_later_pods_from_their_beginning(server, config):
    log = pod(server, "one")
    write(log, 3)
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server))
        write(log, 2)
        await scene.until_counted(2)
        # Its node's clock may be behind.
        write(pod(server, "two"), 4, ago=7)
        scene.want("one", "two")
        await scene.until_counted(6)


async def test_requests_and_lines_left_out_are_counted(server, config):
    log = pod(server, "one")
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server))
        write(log, 2)
        await scene.until_counted(2)
        follows(server)[-1].request.transport.abort()
        write(log)
        await scene.until_counted(3)
        series, title = scene.store.series, scene.source.title
        await until(lambda: series[families.POD_LOG_REQUESTS].get((title,)) == 2)
        assert series[families.POD_LOG_SKIPPED].get((title, "repeated")) == 2
        assert series[families.POD_LOG_SKIPPED].get((title, "unstamped")) == 0


async def test_what_was_before_the_export_is_not_counted(server, config):
    log = pod(server, "one")
    write(log, 3, ago=30)
    async with pod_scene(server, config) as scene:
        scene.begin()
        await until(lambda: scene.page_data.not_ready() is None)
        scene.want("one")
        await until(lambda: follows(server))
        write(log)
        await scene.until_counted(1)


async def test_a_pod_that_cannot_be_read_at_first_is_read_from_then_on(server, config):
    log = pod(server, "one")
    write(log, 3, ago=30)
    server.rules["admin"] = {("get", "pods/log")}
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: "pods behind exported services" in scene.problems)
        assert scene.problems["pods behind exported services"].endswith("; grant get on pods")
        write(log, 2)
        server.rules["admin"] = None
        await scene.until_counted(2)
        await until(lambda: scene.problems == {})


async def test_of_pods_that_cannot_be_read_one_request_tells(server, config):
    server.rules["admin"] = set()
    names = [f"pod-{number}" for number in range(100)]
    async with pod_scene(server, config) as scene:
        scene.want(*names)
        scene.begin()
        await until(lambda: scene.problems)
        # However often endpoints change.
        for count in range(99, 90, -1):
            scene.want(*names[:count])
            await asyncio.sleep(0.02)
        assert len(server.asked) == 8
        await until(lambda: len(server.asked) == 9)
        server.rules["admin"] = None
        for name in names[:5]:
            pod(server, name)
        scene.want(*names[:5])
        await until(lambda: scene.problems == {}, within=10)
        await until(lambda: len(follows(server)) == 5)


async def test_a_restart_goes_on_and_counts_no_line_twice(server, config):
    log = pod(server, "one")
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server))
        write(log, 3)
        await scene.until_counted(3)
    write(log, 2)
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await scene.until_counted(2)
        assert "sinceTime" in follows(server)[-1].query


async def test_a_container_that_was_started_anew_while_nobody_read(server, config):
    log = pod(server, "one")
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server))
        write(log, 3)
        await scene.until_counted(3)
    write(log, 2)
    log.end()
    make_pod(server, "one", restarts=1)
    fresh = server.logs[WHERE, "one", "app"] = type(log)()
    fresh.previous = log
    write(fresh)
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await scene.until_counted(3)


@pytest.mark.parametrize("raw", ["", "{}", '{"version":1,"source":"pods","kept":{"a":3}}'])
async def test_a_checkpoint_of_no_use_is_told(server, config, raw):
    log = pod(server, "one")
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server))
        write(log)
        await scene.until_counted(1)
    (path,) = await asyncio.to_thread(list, (config.parent / "state").iterdir())
    path.write_text(raw)
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server)[1:])
        assert "set aside" in scene.problems["checkpoint of pods"]
        write(log)
        await scene.until_counted(1)


async def test_a_place_that_is_none_is_passed_over(server, config):
    log = pod(server, "one")
    (config.parent / "state").mkdir()
    async with pod_scene(server, config) as scene:
        place = {"stamp": "bm9uZQ==", "lines": []}
        kept = {"one": place, f"{WHERE}/one/app": place}
        keeper = Checkpoint(config.parent / "state", "pods", dict)
        await asyncio.to_thread(keeper.save, kept)
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server))
        write(log)
        await scene.until_counted(1)
        assert scene.problems == {}


async def test_a_pod_that_is_away_for_a_moment_is_read_on(server, config):
    log = pod(server, "one")
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server))
        write(log, 2)
        await scene.until_counted(2)
        for away in (0, 0, 0.05):
            for names in (("two",), ("two", "three"), ("one", "two")):
                scene.want(*names)
                await asyncio.sleep(away)
        write(log)
        await scene.until_counted(3)


async def test_places_are_kept_of_pods_that_may_come_back_but_not_of_all(
    server, config, monkeypatch
):
    monkeypatch.setattr("exporter.accesslog.readers.pods.MAX_PLACES", 2)
    names = ("one", "two", "three")
    async with pod_scene(server, config) as scene:
        for name in names:
            pod(server, name)
        scene.want(*names)
        scene.begin()
        await until(lambda: len(follows(server)) == 3)
        for count, name in enumerate(names, 1):
            write(server.log(WHERE, name))
            await scene.until_counted(count)
        for count, name in enumerate(names, 1):
            scene.want(*names[count:])
            await until(lambda name=name: (WHERE, name, "app") in scene.pods._places)
    (path,) = await asyncio.to_thread(list, (config.parent / "state").iterdir())
    kept = list(json.loads(path.read_text())["kept"])
    assert kept == [f"{WHERE}/two/app", f"{WHERE}/three/app"]


@pytest.mark.parametrize(
    ("taken_over", "kept", "lines", "told"),
    [
        pytest.param(5.0, False, 2, None, id="from where the leader before gave it back"),
        pytest.param(5.0, True, 2, "to", id="not from an older place of our own"),
        pytest.param(3600.0, False, 0, "from", id="not what piled up while nobody led"),
        pytest.param(None, True, 3, None, id="from our own place, if nobody else led"),
    ],
)
async def test_another_leader_goes_on(server, config, taken_over, kept, lines, told):
    log = pod(server, "one")
    write(log, ago=20)
    if kept:
        async with pod_scene(server, config) as scene:
            scene.want("one")
            scene.begin()
            await until(lambda: follows(server))
            scene.pods._places.clear()
            await until(lambda: scene.pods._followed)
            (followed,) = scene.pods._followed.values()
            await until(lambda: followed.place is not None)
    write(log, ago=10)
    write(log, 2, ago=1)
    since = taken_over and time.time() - taken_over
    # The leader before died, and what it had counted before that was not scraped.
    unread = since and since - 30 if kept else None
    with capture_logs() as logs:
        async with pod_scene(server, config, taken_over=since, unread=unread) as scene:
            scene.want("one")
            scene.begin()
            await until(lambda: len(follows(server)) == 1 + kept)
            write(log)
            await scene.until_counted(lines + 1)
    gaps = [each for each in logs if each["event"] == "log lines may be missing"]
    assert [each[told] for each in gaps] == ([] if told is None else [iso(since)])
    assert all(each["seconds"] < 3700 for each in gaps)


async def test_what_a_leader_takes_over_is_told_once(server, config):
    now = time.time()
    write(pod(server, "one"), 2, ago=20)
    async with pod_scene(server, config, taken_over=now - 5, unread=now - 40) as scene:
        scene.want("one")
        with capture_logs() as logs:
            for _ in range(2):
                # It is not certain to be the only leader for a while.
                scene.begin()
                await until(lambda: "gaps in logs" in scene.problems)
                await scene.stop()
                scene.pods._places.clear()
        assert len([each for each in logs if each["event"] == "log lines may be missing"]) == 1


async def test_what_is_wrong_with_a_pod_is_told_until_it_is_gone(server, config):
    pod(server, "one", notes=[("log-container", "nginx")])
    pod(server, "two", notes=[("log-format", "$status $status_code")])
    pod(server, "three")
    del server.logs[WHERE, "three", "app"]
    server.log(WHERE, "three", "other")
    async with pod_scene(server, config) as scene:
        scene.want("one", "two", "three")
        scene.begin()
        await until(lambda: "two" in scene.problems.get("pod logs", ""))
        await until(lambda: "three" in scene.problems["pod logs"])
        told = scene.problems["pod logs"]
        assert "nginx-test/one: has no container nginx; it has app" in told
        assert "nginx-test/two: its log format: " in told
        assert "container app is not valid" in told
        scene.want("one")
        await until(lambda: "two" not in scene.problems["pod logs"])
        assert "three" not in scene.problems["pod logs"]
        scene.want()
        await until(lambda: scene.problems == {})


async def test_many_problems_are_shown_as_some_and_a_number(server, config):
    names = [f"pod-{number}" for number in range(5)]
    for name in names:
        pod(server, name, notes=[("log-container", "nginx")])
    async with pod_scene(server, config) as scene:
        scene.want(*names)
        scene.begin()
        await until(lambda: scene.problems.get("pod logs", "").endswith("; and 2 more"))
        assert scene.problems["pod logs"].count("has no container nginx") == 3


async def test_what_we_may_not_read_is_told_and_solved(server, config, monkeypatch):
    monkeypatch.setattr("exporter.accesslog.readers.pods.LOOK_EVERY", 0.1)
    monkeypatch.setattr("exporter.apiserver.pod_log.REFUSED_FIRST", 0.2)
    pod(server, "one")
    server.rules["admin"] = {("get", "pods")}
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: "grant get on pods/log" in scene.problems.get("pod logs", ""))
        server.rules["admin"] = None
        await until(lambda: follows(server))
        write(server.log(WHERE, "one"))
        await until(lambda: scene.problems == {})


async def test_more_pods_than_the_limit(server, config):
    names = [f"pod-{number}" for number in range(7)]
    for name in names:
        pod(server, name)
    async with pod_scene(server, config) as scene:
        scene.want(*names)
        scene.begin()
        await until(lambda: "pods" in scene.problems)
        assert scene.problems["pods"] == "7 pods, of which 5 are followed; see logs.pods.limit"
        scene.want(*names[:5])
        await until(lambda: scene.problems == {})


async def test_lines_that_were_rotated_away_are_told(server, config, monkeypatch):
    log = pod(server, "one")
    clock = [time.time()]
    monkeypatch.setattr("exporter.accesslog.readers.pods.LOOK_EVERY", 0.1)
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server))
        labels = (scene.source.title,)
        gaps = scene.store.series[families.LOG_GAPS]
        seconds = scene.store.series[families.LOG_GAP_SECONDS]
        assert dict(gaps.items()) == dict(seconds.items()) == {labels: 0}
        for _ in range(3):
            log.write(LINE.encode(), clock[0] - 30)
        await scene.until_counted(3)
    log.write(LINE.encode(), clock[0] - 20)
    log.rotate()
    log.write(LINE.encode(), clock[0] - 10)
    async with pod_scene(server, config, unix=lambda: clock[0]) as scene:
        scene.reader.configure(scene.loaded.logs)
        scene.want("one")
        with capture_logs() as logs:
            scene.begin()
            await until(lambda: "gaps in logs" in scene.problems)
        assert scene.counted() == 1
        (event,) = [each for each in logs if each["event"] == "log lines may be missing"]
        assert (event["pod"], event["log"]) == (f"{WHERE}/one", scene.source.title)
        message = f"{WHERE}/one: lines from {event['from']} to {event['to']} may be missing"
        assert scene.problems == {"gaps in logs": message}
        assert scene.store.series[families.LOG_GAPS].get(labels) == 1
        found = scene.store.series[families.LOG_GAP_SECONDS].get(labels)
        assert found == pytest.approx(20, abs=0.001)
        assert event["seconds"] == pytest.approx(found, abs=0.001)
        # A leader that is not certain reads no logs of pods for a while.
        await scene.stop()
        assert scene.problems == {}
        assert scene.store.series[families.LOG_GAPS].get(labels) == 1
        scene.begin()
        await until(lambda: scene.problems == {"gaps in logs": message})
        clock[0] += 3590
        await asyncio.sleep(0.3)
        assert scene.problems
        clock[0] += 20
        await until(lambda: scene.problems == {})


async def test_a_line_that_is_on_its_way_when_reading_ends_is_counted(server, config):
    """The next leader reads what is written after that moment, and not this line."""
    log = pod(server, "one")
    write(log, 3, ago=20)
    async with pod_scene(server, config) as scene:
        scene.reader.configure(scene.loaded.logs)
        scene.want("one")
        scene.begin()
        await until(lambda: follows(server))
        write(log, 2, ago=10)
        await scene.until_counted(2)
        stopping = asyncio.create_task(scene.stop())
        await asyncio.sleep(0)
        write(log, 2, ago=5)
        write(log, 4, ago=-600)
        await stopping
        assert scene.counted() == 4


async def test_two_leaders_share_the_lines_of_a_change_without_one_twice_or_none(server, config):
    """The one counts what is older than the moment of the change, the other one the rest."""
    log = pod(server, "one")
    write(log, ago=20)
    change, counted = float(int(time.time() - 5)), []
    async with pod_scene(server, config, ends=lambda: change) as one:
        one.reader.configure(one.loaded.logs)
        one.want("one")
        one.begin()
        await until(lambda: follows(server))
        stopping = asyncio.create_task(one.stop())
        await asyncio.sleep(0)
        for offset in (-2, -1, 0, 1, 2):
            log.write(LINE.encode(), change + offset / 1e6)
        await stopping
        counted.append(one.counted())
    async with pod_scene(server, config, taken_over=change) as two:
        two.want("one")
        two.begin()
        await two.until_counted(3)
    assert counted == [2]


async def test_what_the_leader_before_did_not_read_is_told(server, config):
    """An upgrade has this replica read what nobody read until it became the leader."""
    now = time.time()
    log = pod(server, "one")
    write(log, 2, ago=20)
    async with pod_scene(server, config, taken_over=now - 5, unread=now - 40) as scene:
        scene.want("one")
        with capture_logs() as logs:
            scene.begin()
            await until(lambda: "gaps in logs" in scene.problems)
            write(log, 3)
            await scene.until_counted(3)
            # A pod that came later has been read from its beginning.
            write(pod(server, "two"), 2)
            scene.want("one", "two")
            await scene.until_counted(5)
        (event,) = [each for each in logs if each["event"] == "log lines may be missing"]
        assert (event["pod"], event["seconds"]) == (f"{WHERE}/one", 35.0)


def test_many_gaps_are_shown_as_the_newest_and_a_number():
    shown = {}
    sink = SimpleNamespace(log_gap=lambda *_: None, problem=shown.__setitem__)
    gaps = Gaps(sink, lambda: 0.0)
    for number in range(5):
        gaps.add("pods", f"shop/{number}", 10.0 * number, 1e99)
    assert shown["gaps in logs"] == (
        "shop/4: lines from 1970-01-01T00:00:40.000Z to 9999-12-31T23:59:59.000Z may be missing; "
        "shop/3: lines from 1970-01-01T00:00:30.000Z to 9999-12-31T23:59:59.000Z may be missing; "
        "shop/2: lines from 1970-01-01T00:00:20.000Z to 9999-12-31T23:59:59.000Z may be missing; "
        "and 2 more"
    )
