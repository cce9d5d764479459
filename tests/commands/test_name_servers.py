"""What the daemon says of a replica of the name server that is stuck, and of two that disagree."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from exporter.metrics.families import FINDINGS
from exporter.model.probes import Failure, Vantage
from tests.fakes import scenes
from tests.fakes.nouns import inventory, probe

STUCK, WELL = "10.0.0.1:53", "10.0.0.2:53"
GRACE = 31


class NameServerScene(scenes.Scene):
    """A scene whose name servers are asked one by one."""

    def ask(self, server, by, vantage=Vantage.LIGHTHOUSE, failure=None):
        self.wait(1)
        made = probe(self.now - 0.1, by=by, answer=failure)
        answer = replace(made.answer, resolver=server)
        self.monitor.probed(replace(made, answer=answer, reply=None, vantage=vantage))
        self.monitor.settle()

    @property
    def shown(self):
        return {each["what"]: each["message"] for each in self.parts.problems.shown(())}


@pytest.fixture
def scene():
    made = NameServerScene()
    made.inventory()
    made.wait(GRACE)
    return made


def lines(logs):
    events = ("name server is stuck", "name server is no longer stuck")
    return [(each["event"], each["replica"]) for each in logs if each["event"] in events]


def gauges(scene):
    return dict(scene.parts.store.series[FINDINGS].items())


def test_a_stuck_replica_is_named_on_the_page_in_the_log_and_in_a_series(scene):
    with capture_logs() as logs:
        scene.ask(STUCK, "b")
        assert scene.shown == {}
        for _ in range(3):
            scene.ask(STUCK, "b")
            scene.ask(WELL, "a")
        (what,) = scene.shown
        assert what == f"stuck_name_server {STUCK}"
        assert "answers b for nginx-test/nginx where a is right" in scene.shown[what]
        assert gauges(scene) == {("stuck_name_server",): 1}
        began = next(iter(scene.parts.problems.shown(())))["since"]
        assert began < scenes.START + scene.now - 4
        scene.ask(STUCK, "a")
    assert scene.shown == {}
    assert gauges(scene) == {("stuck_name_server",): 0}
    assert lines(logs) == [
        ("name server is stuck", STUCK),
        ("name server is no longer stuck", STUCK),
    ]


def test_no_answer_is_wrong_and_a_lost_packet_says_nothing(scene):
    for _ in range(2):
        scene.ask(STUCK, None, failure=Failure.NXDOMAIN)
        scene.ask(WELL, None, failure=Failure.TIMEOUT)
    assert list(scene.shown) == [f"stuck_name_server {STUCK}"]


def test_nobody_is_stuck_while_something_changes():
    scene = NameServerScene()
    scene.inventory()
    for _ in range(20):
        scene.ask(STUCK, "b")
    assert scene.shown == {}


def test_wrong_answers_before_and_after_a_change_are_not_in_a_row(scene):
    scene.ask(STUCK, "c")
    scene.inventory(ready="b", exported="ab")
    scene.ask(STUCK, "c")
    scene.wait(GRACE)
    scene.ask(STUCK, "c")
    assert scene.shown == {}


def test_replicas_and_services_that_are_gone_are_forgotten(scene):
    for _ in range(2):
        scene.ask(STUCK, "b")
    assert scene.shown
    scene.wait(scene.parts.monitor._current.settings.stale_after + 1)
    assert scene.shown == {}
    for _ in range(2):
        scene.ask(STUCK, "b")
    assert scene.shown
    scene.monitor.inventory_changed(replace(inventory(), services={}))
    scene.monitor.settle()
    assert scene.shown == {}


def test_two_resolvers_that_name_different_clusters_disagree(scene):
    for _ in range(2):
        scene.ask("10.96.0.10:53", "a", Vantage.RESOLVER)
        assert scene.shown == {}
        scene.ask("169.254.25.10:53", "b", Vantage.RESOLVER_2)
    assert scene.shown == {
        "resolvers_disagree nginx-test/nginx": (
            "10.96.0.10:53 answers a and 169.254.25.10:53 answers b"
        )
    }
    assert gauges(scene) == {("resolvers_disagree",): 1}
    scene.ask("169.254.25.10:53", "a", Vantage.RESOLVER_2)
    assert scene.shown == {}


def test_no_label_holds_the_address_of_a_name_server(scene):
    scene.ask("169.254.25.10:53", "b", Vantage.RESOLVER_2)
    values = {
        value
        for series in scene.parts.store.series.values()
        for labels, _ in series.items()
        for value in labels
    }
    assert "resolver_2" in values
    assert not any("169.254" in value for value in values)
