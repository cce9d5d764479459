"""A replica keeps its name over restarts, shows zeros as a standby, and is scraped last."""

import asyncio
import json
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from exporter.accesslog.readers.reader import Reader
from exporter.commands.load import load
from exporter.commands.run import replica
from exporter.commands.run.replica import replica_name
from exporter.commands.run.scrapers import MOST, Scrapers
from exporter.commands.run.standing import Alone
from tests.fakes.nouns import inventory
from tests.fakes.scenes import Scene


def test_a_container_that_is_started_again_in_its_pod_is_the_same_replica(tmp_path):
    first = replica_name("exporter-1", "uid-1", tmp_path)
    assert first.startswith("exporter-1_")
    assert replica_name("exporter-1", "uid-1", tmp_path) == first


@pytest.mark.parametrize("uid", ["uid-2", ""], ids=["of another pod", "unknown"])
def test_a_pod_of_another_uid_is_another_replica(tmp_path, uid):
    first = replica_name("exporter-1", "uid-1", tmp_path)
    assert replica_name("exporter-1", uid, tmp_path) != first


@pytest.mark.parametrize("text", ["", "[", "{}", '{"uid": "u", "token": ""}', "[" * 3000, "\0"])
def test_a_broken_mark_makes_a_new_replica_that_is_kept(tmp_path, text):
    (tmp_path / replica.FILE).write_text(text)
    made = replica_name("exporter-1", "u", tmp_path)
    assert replica_name("exporter-1", "u", tmp_path) == made
    assert json.loads((tmp_path / replica.FILE).read_text())["uid"] == "u"


def test_a_directory_that_cannot_be_written_ends_nothing(tmp_path):
    (tmp_path / "file").touch()
    assert replica_name("exporter-1", "u", tmp_path / "file").startswith("exporter-1_")


class Led(Alone):
    """A leader that gave its Lease back."""

    worked = True


def led():
    scene = Scene()
    scene.scrape = scene.parts.scrape(Led())
    scene.render = scene.scrape.render
    return scene


PROMETHEUS, SECOND, CURL = "10.0.0.1 Prometheus/3.0", "10.0.0.2 Prometheus/3.0", "10.0.0.9 curl"


async def scraped(scene, who=PROMETHEUS):
    sent = scene.scrape.asked(who)
    text = b"".join([piece async for piece in scene.render(False)]).decode()
    await sent()
    return text


async def ending(scene, within=40.0):
    """Return the task of the last wait, once it waits."""
    task = asyncio.create_task(scene.scrape.last(within))
    await asyncio.sleep(0)
    return task


async def waits(task):
    """Return whether *task* waits on."""
    for _ in range(5):
        await asyncio.sleep(0)
    return not task.done()


async def test_the_last_scrape_is_one_that_was_asked_for_after_the_last_count():
    scene = led()
    scene.inventory()
    await scraped(scene)
    sent_late = scene.scrape.asked(PROMETHEUS)
    task = await ending(scene)
    await sent_late()
    assert await waits(task)
    await scraped(scene)
    await asyncio.wait_for(task, 5)


async def test_a_scrape_counts_once_it_was_sent():
    scene = led()
    await scraped(scene)
    task = await ending(scene)
    sent = scene.scrape.asked(PROMETHEUS)
    assert await waits(task)
    await sent()
    await asyncio.wait_for(task, 5)


async def test_each_of_two_prometheus_has_the_last_counts():
    scene = led()
    for _ in range(2):
        for who in (PROMETHEUS, SECOND):
            scene.now += 15
            await scraped(scene, who)
    task = await ending(scene)
    for _ in range(3):
        await scraped(scene, PROMETHEUS)
    assert await waits(task)
    await scraped(scene, SECOND)
    await asyncio.wait_for(task, 5)


async def test_nobody_waits_for_a_person_beside_a_prometheus():
    scene = led()
    for who in (PROMETHEUS, CURL, PROMETHEUS):
        scene.now += 15
        await scraped(scene, who)
    task = await ending(scene)
    await scraped(scene, PROMETHEUS)
    await asyncio.wait_for(task, 5)


async def test_who_is_not_known_counts_for_nobody():
    scene = led()
    await scraped(scene)
    task = await ending(scene)
    await scraped(scene, CURL)
    assert await waits(task)
    await scraped(scene)
    await asyncio.wait_for(task, 5)


async def test_nobody_waits_for_a_scrape_that_is_not_expected():
    scene = led()
    await asyncio.wait_for(scene.scrape.last(40.0), 5)
    await scraped(scene)
    scene.now += 301
    await asyncio.wait_for(scene.scrape.last(40.0), 5)


async def test_the_wait_for_a_last_scrape_has_a_limit_and_names_who_did_not_come():
    scene = led()
    await scraped(scene)
    with capture_logs() as logs:
        await asyncio.wait_for(scene.scrape.last(0.01), 5)
    (missed,) = logs
    assert missed["event"] == "last scrape was missed"
    assert (missed["scrapers"], missed["missing"]) == (PROMETHEUS, 1)


def test_many_scrapers_are_forgotten_in_turn():
    scrapers = Scrapers(lambda: 0.0)
    for n in range(2 * MOST):
        scrapers.came(f"{n}")
        scrapers.came("prometheus")
    assert scrapers.expected() == {"prometheus"}
    assert len(scrapers._seen) == MOST


def subjects(text):
    """Return the samples of services and clusters: of counters, and of gauges."""
    counters, gauges = {}, {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "source_cluster" in sample.labels or "destination_cluster" in sample.labels:
                kept = gauges if family.type == "gauge" else counters
                kept[sample.name, *sorted(sample.labels.items())] = sample.value
    return counters, gauges


async def test_a_standby_shows_its_services_counters_at_0_and_no_gauge():
    scene = Scene()
    scene.monitor.stand_by(inventory())
    counters, gauges = subjects(await scraped(scene))
    assert gauges == {}
    assert set(counters.values()) == {0}
    leader = Scene()
    leader.inventory()
    assert counters.keys() == subjects(await scraped(leader))[0].keys()


async def test_a_standby_shows_gaps_of_logs_at_0_before_it_reads_any(tmp_path):
    scene = Scene()
    path = tmp_path / "config.yaml"
    path.write_text(
        "inventory: {kubernetes: {}}\nlogs: [{pods: {}}, {files: [/x], service: a/b}]\n"
    )
    loaded = await asyncio.to_thread(load, path, None)
    Reader(scene.logs).configure(loaded.logs)
    text = await scraped(scene)
    for what in ("gaps", "gap_seconds"):
        assert f'clusterset_exporter_log_{what}_total{{log="pods"}} 0\n' in text
        assert text.count(f"\nclusterset_exporter_log_{what}_total{{") == 1


async def test_a_standby_that_begins_to_work_shows_gauges_and_goes_on_from_0():
    scene = Scene()
    scene.monitor.stand_by(inventory())
    scene.inventory()
    counters, gauges = subjects(await scraped(scene))
    assert gauges
    assert set(counters.values()) == {0}


async def test_what_is_gone_while_standing_by_leaves_no_series():
    scene = Scene()
    scene.monitor.stand_by(inventory())
    scene.monitor.stand_by(replace(inventory(), services={}))
    counters, _ = subjects(await scraped(scene))
    assert not any("nginx" in str(labels) for labels in counters)


async def test_a_leader_that_ends_keeps_its_counters_and_drops_its_gauges():
    scene = led()
    scene.inventory()
    scene.probes("a")
    before, _ = subjects(await scraped(scene))
    assert any(before.values())
    waiting = asyncio.create_task(scene.scrape.last(40.0))
    await asyncio.sleep(0)
    assert subjects(await scraped(scene)) == (before, {})
    await asyncio.wait_for(waiting, 5)


async def test_one_of_several_that_never_led_ends_at_once():
    scene = Scene()
    await scraped(scene)
    await asyncio.wait_for(scene.scrape.last(40.0), 5)
