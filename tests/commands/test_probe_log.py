"""Each probe of one service in the log, while the configuration names that service."""

import pytest
import structlog
from msgspec.structs import replace
from structlog.testing import capture_logs

from exporter.commands.run.probe_log import EVENT
from exporter.commands.run.repeats import Repeats
from exporter.config.settings import parse_settings
from exporter.config.yaml_reader import SettingsError
from exporter.model.probes import Failure
from tests.fakes import scenes

FAILED = {"by": "a", "reply": Failure.CONNECT_REFUSED}


def made(logs):
    return [each for each in logs if each["event"] == EVENT]


def test_each_probe_of_the_service_is_logged_and_of_no_other():
    for wanted, number in (("nginx-test/nginx", 4), ("shop/cart", 0), (None, 0)):
        scene = scenes.Scene(log_probes=wanted)
        scene.inventory()
        with capture_logs() as logs:
            scene.probes("a", FAILED, {}, {"by": "b", "pinned": "b"})
        assert len(made(logs)) == number


def test_it_says_what_was_asked_and_what_came():
    scene = scenes.Scene(log_probes="nginx-test/nginx")
    scene.inventory()
    with capture_logs() as logs:
        scene.probes("a", FAILED, {}, {"by": "b", "pinned": "b"})
    well, refused, nothing, pinned = made(logs)
    assert (well["name"], well["vantage"], well["lookup"]) == (
        "nginx.nginx-test.svc.clusterset.local",
        "resolver",
        "a",
    )
    assert (well["destination_cluster"], well["failure"], well["status"]) == ("a", None, 200)
    assert well["address"] in well["addresses"]
    assert (refused["destination_cluster"], refused["failure"]) == ("a", "connect_refused")
    assert (nothing["destination_cluster"], nothing["addresses"]) == (None, "")
    assert "address" not in nothing
    assert pinned["name"].startswith("b.nginx.nginx-test.")
    assert {each["log_level"] for each in made(logs)} == {"info"}


def test_a_reload_begins_and_ends_it():
    scene = scenes.Scene()
    scene.inventory()
    with capture_logs() as logs:
        for wanted in (None, "nginx-test/nginx", None):
            scene.settings = replace(scene.settings, log_probes=wanted)
            scene.configure()
            scene.probes("a")
    assert len(made(logs)) == 1


def test_no_probe_is_left_out_however_many_there_are():
    repeats = Repeats(lambda: 0.0)
    for _ in range(100):
        assert repeats(None, "info", {"event": EVENT, "service": "a/b"})
    repeats(None, "info", {"event": "other", "service": "a/b"})
    with pytest.raises(structlog.DropEvent):
        repeats(None, "info", {"event": "other", "service": "a/b"})


@pytest.mark.parametrize("wrong", ["nginx", "a/b/c", "/b", "*"])
def test_what_is_no_service_is_refused(wrong):
    text = f"inventory: {{kubernetes: {{}}}}\nlog_probes: '{wrong}'\n"
    with pytest.raises(SettingsError, match="should be a service, such as shop/cart"):
        parse_settings(text, source="config.yaml")
