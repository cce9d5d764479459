"""Files of a node, read as the API server says of the pods that wrote them."""

import asyncio
import json
import os
import time

import pytest
from structlog.testing import capture_logs

from exporter.accesslog.readers.reader import OUTDATED
from exporter.apiserver.lease_note import ANNOTATION
from exporter.apiserver.lease_spec import micro_time
from exporter.metrics import families as series
from tests.fakes import apifaults as faults
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.nodelogs import Node
from tests.fakes.podscene import LINE, make_pod, pod_scene
from tests.fakes.virtual import until

WHERE = "nginx-test"
JSON = '{"remote_addr":"10.2.0.9","status":"200"}'


@pytest.fixture
async def server():
    async with running(ApiServer()) as made:
        yield made


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


@pytest.fixture
def config(tmp_path, node):
    path = tmp_path / "config.yaml"
    source = f"{{files: [{node.glob}], wrapper: cri, service: {{pod: true}}}}"
    path.write_text(f"inventory: {{kubernetes: {{}}}}\nstate_directory: state\nlogs: [{source}]\n")
    return path


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr("exporter.accesslog.readers.files.PATHS_EVERY", 0.1)
    monkeypatch.setattr("exporter.accesslog.readers.nodes.CHOOSE_EVERY", 0.05)
    monkeypatch.setattr("exporter.accesslog.readers.reader.LOG_CHECK", 0.02)


async def looked(scene):
    await until(lambda: scene.page_data.not_ready() is None)


async def test_each_pod_in_its_own_format_and_only_those_wanted(server, config, node):
    make_pod(server, "one", "app", "mesh")
    make_pod(server, "two", notes=[("log-format", "json")])
    one, mesh = node.log(WHERE, "one"), node.log(WHERE, "one", "mesh")
    two, other = node.log(WHERE, "two"), node.log("kube-system", "dns")
    async with pod_scene(server, config) as scene:
        scene.want("one", "two", "elsewhere")
        scene.begin()
        await looked(scene)
        for log in (one, mesh, other):
            log.write(LINE)
        two.write(JSON, JSON)
        await scene.until_counted(3)
        assert scene.counted("other") == 0
        assert scene.problems == {}
        # Pods of other nodes are none of this one's business.
        asked = {each.name for each in server.asked}
        assert asked == {"one", "two"}


async def test_pods_that_come_and_go(server, config, node):
    async with pod_scene(server, config) as scene:
        scene.begin()
        await looked(scene)
        make_pod(server, "one")
        log = node.log(WHERE, "one")
        scene.want("one")
        log.write(LINE, LINE)
        await scene.until_counted(2)
        log.write(LINE)
        log.rotate()
        log.write(LINE)
        log.start()
        log.write(LINE)
        await scene.until_counted(5)
        log.write(LINE)
        log.remove()
        scene.want()
        await scene.until_counted(6)
        assert scene.problems == {}


async def test_a_pod_that_serves_before_we_are_told_of_it_loses_nothing(server, config, node):
    for name in ("one", "two"):
        make_pod(server, name)
    one = node.log(WHERE, "one")
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await looked(scene)
        two = node.log(WHERE, "two")
        two.write(LINE, LINE)
        # The new file is found by a look at all of them.
        one.rotate()
        one.write(LINE)
        await scene.until_counted(1)
        scene.want("one", "two")
        two.write(LINE)
        await scene.until_counted(4)


async def test_a_restart_goes_on_in_the_middle_of_a_line(server, config, node):
    make_pod(server, "one")
    log = node.log(WHERE, "one")
    for end, begin in ((LINE[:20], None), (None, LINE[20:])):
        async with pod_scene(server, config) as scene:
            scene.want("one")
            scene.begin()
            await looked(scene)
            if end:
                log.write(LINE)
                await scene.until_counted(1)
                log.write(end, whole=False)
                await until(lambda: parts(scene))
            else:
                log.write(begin, LINE)
                await scene.until_counted(2)
                assert scene.counted("other") == 0


@pytest.mark.parametrize("away", [OUTDATED - 60, OUTDATED + 60])
async def test_another_pod_goes_on_where_the_one_before_it_stopped_not_long_ago(
    server, config, node, away
):
    """The directory is the node's. Since then another configuration may have read the lines."""
    make_pod(server, "one")
    log = node.log(WHERE, "one")
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await looked(scene)
        log.write(LINE)
        await scene.until_counted(1)
    (kept,) = await asyncio.to_thread(list, (config.parent / "state").iterdir())
    ended = kept.stat().st_mtime - away
    os.utime(kept, (ended, ended))
    log.write(LINE, LINE)
    with capture_logs() as told:
        async with pod_scene(server, config) as scene:
            scene.want("one")
            scene.begin()
            await looked(scene)
            log.write(LINE)
            await scene.until_counted(3 if away < OUTDATED else 1)
    outdated = [each for each in told if each["event"].startswith("checkpoint is outdated")]
    assert len(outdated) == (away > OUTDATED)


def say_who_reads(server, **word):
    """Let the Lease say until when a leader read the same lines."""
    store, key = server.store, ("coordination.k8s.io", "leases", "mon")
    meta = {"name": "switched", "annotations": {ANNOTATION: json.dumps(word)}}
    body = {"metadata": meta, "spec": {"holderIdentity": "one", "renewTime": micro_time()}}
    if store.objects[key[:2]]:
        store.update(*key, "switched", body)
    else:
        store.create(*key, body)


def until_now(server):
    now = time.time()
    word = {"at": now, "sure": now}
    say_who_reads(server, service_pods=False, service_pods_until=word)


@pytest.fixture
def after(config):
    """Write a configuration that goes by a Lease."""
    text = config.read_text().replace("{pod: true}", "{pod: true}, after_lease: mon/switched")
    config.write_text(text)
    return config


async def test_files_are_read_from_where_a_leader_stopped(server, after, node):
    make_pod(server, "one")
    log = node.log(WHERE, "one")
    say_who_reads(server, service_pods=True)
    log.write(LINE)
    async with pod_scene(server, after) as scene:
        scene.want("one")
        scene.begin()
        await until(lambda: scene.problems)
        # An upgrade waits for it to be ready, and it waits for the upgrade.
        assert scene.page_data.not_ready() is None
        log.write(LINE, LINE)
        until_now(server)
        log.write(LINE, LINE, LINE)
        await scene.until_counted(3)
        assert scene.problems == {}
        assert not any(gaps for _, gaps in scene.store.series[series.LOG_GAPS].items())


@pytest.mark.parametrize("read_on", [True, False])
async def test_a_checkpoint_is_not_used_if_a_leader_has_read_on_since(server, after, node, read_on):
    make_pod(server, "one")
    log = node.log(WHERE, "one")
    until_now(server)
    async with pod_scene(server, after) as scene:
        scene.want("one")
        scene.begin()
        await looked(scene)
        log.write(LINE)
        await scene.until_counted(1)
    (kept,) = await asyncio.to_thread(list, (after.parent / "state").iterdir())
    ended = kept.stat().st_mtime - 60
    os.utime(kept, (ended, ended))
    log.write(LINE, LINE)
    if read_on:
        until_now(server)
    else:
        say_who_reads(server, service_pods=False)
    log.write(LINE, LINE, LINE)
    async with pod_scene(server, after) as scene:
        scene.want("one")
        scene.begin()
        await scene.until_counted(3 if read_on else 5)


async def test_what_a_leader_that_died_had_counted_is_told(server, after, node):
    make_pod(server, "one")
    log = node.log(WHERE, "one")
    now = time.time()
    word = {"at": now - 5, "sure": now - 30}
    say_who_reads(server, service_pods=False, service_pods_until=word)
    log.write(LINE)
    with capture_logs() as logs:
        async with pod_scene(server, after) as scene:
            scene.want("one")
            scene.begin()
            await scene.until_counted(1)
            await until(lambda: "gaps in logs of files" in scene.problems)
    (gap,) = [each for each in logs if each["event"] == "log lines may be missing"]
    assert (gap["pod"], gap["seconds"]) == (f"{WHERE}/one", 25.0)


def parts(scene):
    return any(each.all_parts() for each in scene.pods._reader._lines)


async def test_an_api_server_that_is_away_at_the_start_loses_no_line(server, config, node):
    make_pod(server, "one")
    log = node.log(WHERE, "one")
    log.write(LINE)
    server.rules["admin"] = set()
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await looked(scene)
        log.write(LINE)
        await until(lambda: "pods behind exported services" in scene.problems)
        server.rules["admin"] = None
        await scene.until_counted(1)
        assert scene.problems == {}


async def test_an_api_server_that_is_slow_holds_nothing_up(server, config, node):
    make_pod(server, "one")
    log = node.log(WHERE, "one")
    log.write(LINE)
    server.faults = [Fault(faults.late(1), plural="pods")]
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await looked(scene)
        log.write(LINE, LINE)
        await until(lambda: server.asked)
        assert scene.counted() == 0
        await scene.until_counted(2)


async def test_what_is_wrong_is_told_while_it_holds(server, config, node):
    make_pod(server, "one", notes=[("log-format", "$status $status_code")])
    make_pod(server, "two", notes=[("log-container", "nginx")])
    one, two = node.log(WHERE, "one"), node.log(WHERE, "two")
    async with pod_scene(server, config) as scene:
        scene.want("one", "two")
        scene.begin()
        await looked(scene)
        await until(lambda: scene.problems)
        told = scene.problems[f"pods in {node.glob}"]
        assert "nginx-test/one: its log format: " in told
        assert "nginx-test/two: has no container nginx; it has app" in told
        one.write(LINE)
        two.write(LINE)
        await scene.until_counted(1)
        scene.want("two")
        await until(lambda: "one" not in scene.problems[f"pods in {node.glob}"])
        scene.want()
        await until(lambda: scene.problems == {})


async def test_a_service_whose_format_changes(server, config, node):
    make_pod(server, "one")
    log = node.log(WHERE, "one")
    async with pod_scene(server, config) as scene:
        scene.want("one")
        scene.begin()
        await looked(scene)
        log.write(LINE, LINE)
        await scene.until_counted(2)
        scene.want("one", log_format="json")
        await asyncio.sleep(0)
        await until(lambda: counters(scene) == 1 and format_of(scene) == "json")
        log.write(JSON)
        await scene.until_counted(3)
        assert scene.counted("other") == 0


def counters(scene):
    return len(scene.pods._reader._lines)


def format_of(scene):
    (lines,) = scene.pods._reader._lines
    return "json" if lines._counter.log_format.rows is not None else "main"
