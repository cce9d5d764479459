"""A replica keeps its name over restarts, shows zeros as a standby, and is scraped last."""

import asyncio
import json
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.commands.run import replica
from exporter.commands.run.replica import replica_name
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


async def scraped(scene):
    return b"".join([piece async for piece in scene.render(False)]).decode()


async def test_the_last_scrape_is_one_that_began_after_the_last_count():
    scene = led()
    scene.inventory()
    await scraped(scene)
    begun = scene.render(False)
    await anext(begun)
    waiting = asyncio.create_task(scene.scrape.last(40.0))
    await asyncio.sleep(0)
    async for _ in begun:
        pass
    await asyncio.sleep(0)
    assert not waiting.done()
    await scraped(scene)
    await asyncio.wait_for(waiting, 5)


async def test_nobody_waits_for_a_scrape_that_is_not_expected():
    scene = led()
    await asyncio.wait_for(scene.scrape.last(40.0), 5)
    await scraped(scene)
    scene.now += 301
    await asyncio.wait_for(scene.scrape.last(40.0), 5)


async def test_the_wait_for_a_last_scrape_has_a_limit():
    scene = led()
    await scraped(scene)
    await asyncio.wait_for(scene.scrape.last(0.01), 5)


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
