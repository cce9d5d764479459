"""What looks like a broken promise waits, and counts only if no change explains it."""

from prometheus_client.parser import text_string_to_metric_families as plain

from exporter.commands.run import promises
from exporter.judge.failover import SETTLES
from exporter.model.probes import Failure
from tests.fakes import scenes


async def violated(scene):
    text = b"".join([piece async for piece in scene.render(False)]).decode()
    return {
        sample.labels["rule"]: sample.value
        for family in plain(text)
        for sample in family.samples
        if sample.name == "clusterset_rule_violations_total" and sample.value
    }


def settled():
    scene = scenes.steady()
    scene.wait(60)
    return scene


async def test_a_wrong_answer_is_a_broken_promise_after_five_seconds():
    scene = settled()
    scene.probe(by="b")
    scene.wait(SETTLES - 1)
    assert await violated(scene) == {}
    scene.wait(2)
    assert await violated(scene) == {"local_first": 1}


async def test_an_answer_that_a_change_explains_moments_later_breaks_no_promise():
    scene = settled()
    scene.probe(by="b")
    scene.wait(2)
    scene.inventory(ready="b", exported="ab")
    scene.wait(120)
    assert await violated(scene) == {}


async def test_a_pinned_name_that_is_gone_moments_before_its_export_breaks_no_promise():
    scene = settled()
    scene.probe(pinned="b", answer=Failure.NXDOMAIN)
    scene.wait(2)
    scene.inventory(ready="a", exported="a")
    scene.wait(2)
    scene.inventory()
    # Name servers hear of the new export later than this exporter.
    scene.probe(pinned="b", answer=Failure.NXDOMAIN)
    scene.wait(120)
    assert await violated(scene) == {}
    scene.probe(pinned="b", answer=Failure.NXDOMAIN)
    scene.settle()
    scene.wait(2)
    assert await violated(scene) == {"resolves": 1}


async def test_an_answer_while_a_watch_had_failed_already_breaks_no_promise():
    scene = settled()
    scene.probe(by="b")
    began = scene.now + 1
    scene.wait(3)
    scene.parts.staleness.became_stale("endpointslices", began)
    scene.wait(60)
    scene.parts.staleness.recovered("endpointslices")
    scene.wait(60)
    assert await violated(scene) == {}


async def test_a_cluster_that_does_not_reply_is_a_broken_promise_at_once():
    scene = settled()
    scene.probe(by="a", reply=Failure.CONNECT_REFUSED)
    assert await violated(scene) == {"reachable": 1}


async def test_what_waits_is_bounded(monkeypatch):
    monkeypatch.setattr(promises, "MAX_WAITING", 3)
    scene = settled()
    for _ in range(3 * 2):
        scene.monitor.probed(scenes.probe(scene.now, by="b"))
    scene.wait(SETTLES + 1)
    assert await violated(scene) == {"local_first": 3}
