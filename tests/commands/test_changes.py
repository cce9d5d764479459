"""What is told of a service when it moves, goes dark or leaks, and when that ends."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from exporter.commands.run.changes import LEAK_ENDS
from exporter.judge import announce
from exporter.model.clusterset import Inventory
from exporter.model.probes import Failure
from exporter.model.service_events import EventReason
from exporter.model.verdicts import Failover, FailoverStage, Reason
from tests.fakes import scenes
from tests.fakes.nouns import NGINX, inventory

REFUSED = {"by": "a", "reply": Failure.CONNECT_REFUSED}


def listened(scene):
    """Return the events that *scene* announces from now on."""
    told = []
    scene.parts.changes.announce = told.append
    return told


def texts(told):
    return [(each.key.reason, each.text) for each in told]


def test_a_failover_and_the_way_back_are_told_with_cause_and_duration():
    scene = scenes.steady()
    told = listened(scene)
    scene.probes(REFUSED, REFUSED)
    scene.inventory(ready="b", exported="ab")
    scene.probes("b", "b")
    scene.inventory(ready="ab", exported="ab")
    scene.probes("a", "a")
    assert texts(told) == [
        (
            EventReason.BLACKOUT_BEGAN,
            (
                "Clients in cluster a get no service from nginx-test/nginx: a should serve, and "
                "the address that is answered refuses connections (connect_refused)"
            ),
        ),
        (
            EventReason.BLACKOUT_ENDED,
            "Clients in cluster a are served again by b; nobody served them for 2.0 s",
        ),
        (
            EventReason.FAILED_OVER,
            (
                "Clients in cluster a are now served by b instead of a: the endpoints in a are not "
                "ready (it took 1.0 s, without service for 2.1 s)"
            ),
        ),
        (
            EventReason.FAILED_BACK,
            (
                "Clients in cluster a are now served by a again instead of b: the endpoints in a "
                "became ready (it took 1.0 s)"
            ),
        ),
    ]
    assert told[1].unix - told[0].unix == pytest.approx(2.0, abs=0.01)


def test_a_blackout_says_that_nobody_could_serve():
    scene = scenes.failover()
    told = listened(scene)
    scene.inventory(ready="b", exported="ab", connected="a")
    scene.probes({}, {}, {})
    ((reason, text),) = texts(told)
    assert reason is EventReason.BLACKOUT_BEGAN
    assert text == (
        "Clients in cluster a get no service from nginx-test/nginx: no cluster that exports it is "
        "ready and connected, and the name server has no address for the name (nodata)"
    )


def test_a_leak_begins_once_and_ends_when_none_came_for_long():
    scene = scenes.steady()
    scene.wait(100)
    told = listened(scene)
    for _ in range(3):
        scene.hits(b=2)
        scene.settle()
    ((reason, text),) = texts(told)
    assert (reason, told[0].key.other) == (EventReason.LEAK_BEGAN, "b")
    assert text == (
        "Clients in cluster b are served by a although b exports the service and is ready; they "
        "should stay in b (leak)"
    )
    with capture_logs() as logs:
        scene.wait(LEAK_ENDS - 1)
        assert len(told) == 1
        scene.wait(1)
    assert texts(told)[1:] == [
        (
            EventReason.LEAK_ENDED,
            (
                "No client in cluster b was wrongly served by a for 5 minutes; before that, 6 "
                "requests leaked"
            ),
        )
    ]
    assert [each["requests"] for each in logs if each["event"] == "leak of client requests ended"]
    scene.hits(b=1)
    scene.settle()
    assert [each.key.reason for each in told[2:]] == [EventReason.LEAK_BEGAN]


def test_a_leak_is_not_certain_if_the_log_does_not_show_what_was_asked_for():
    scene = scenes.steady()
    scene.wait(100)
    scene.parts.verdicts.hostless = frozenset({NGINX})
    told = listened(scene)
    scene.hits(b=1)
    scene.settle()
    ((_, text),) = texts(told)
    assert text.endswith(
        "they should stay in b (leak, unless they ask for a by its pinned name: the log has no "
        "$host)"
    )


def test_a_blackout_is_told_with_its_beginning_if_the_service_was_gone_for_a_moment():
    scene = scenes.blackout()
    told = listened(scene)
    gone = inventory()
    scene.monitor.inventory_changed(Inventory(local="a", clusters=gone.clusters))
    scene.inventory(ready="b", exported="ab", connected="a")
    scene.probes({}, {})
    scene.inventory()
    scene.probes("a", "a")
    began, ended = told[:2]
    assert (began.key.reason, ended.key.reason) == (
        EventReason.BLACKOUT_BEGAN,
        EventReason.BLACKOUT_ENDED,
    )
    assert ended.text.endswith(f"nobody served them for {ended.unix - began.unix:.1f} s")


def test_debug_says_why_a_mode_is_what_it_is():
    with capture_logs() as logs:
        scenes.failover()
    reasons = [each for each in logs if each["event"] == "service mode was decided"]
    assert {each["log_level"] for each in reasons} == {"debug"}
    assert [(each["mode"], each["expected"], each["newest_probes"]) for each in reasons] == [
        ("local", "exported here and ready, so clients should stay in this cluster", "a a"),
        (
            "blackout",
            "exported here and ready, so clients should stay in this cluster",
            "a a a(failed) a(failed)",
        ),
        ("failover", "not ready here, so b should answer", "a a(failed) a(failed) b b"),
    ]


def test_debug_says_why_requests_of_a_cluster_are_what_they_are():
    scene = scenes.steady()
    with capture_logs() as logs:
        scene.inventory(ready="a", exported="ab")
        scene.hits(b=1)
        scene.inventory(ready="ab")
        scene.wait(100)
        scene.hits(b=1)
        scene.settle()
    reasons = [each for each in logs if each["event"] == "locality was decided"]
    told = [(each["locality"], each["ready"], each["for_seconds"]) for each in reasons]
    assert told == [("failover", False, 0.0), ("leak", True, 105.0)]
    assert {each["log_level"] for each in reasons} == {"debug"}


MOVED = Failover(
    service=NGINX,
    from_cluster="a",
    to_cluster="b",
    reason=Reason.READINESS,
    unix=0.0,
    durations={},
    accuracy={},
)


@pytest.mark.parametrize(
    ("reason", "words", "cause"),
    [
        (Reason.READINESS, {"ready": "b"}, "the endpoints in a are not ready"),
        (Reason.READINESS, {"ready": "ab"}, "the endpoints in b became ready"),
        (Reason.CONNECTION, {"connected": "ab"}, "the tunnel to b is up"),
        (Reason.EXPORT, {}, "b exports the service now"),
        (Reason.UNEXPORT, {"exported": "b"}, "a does not export the service any more"),
        (Reason.UNKNOWN, {}, "no change that Kubernetes shows explains it"),
    ],
)
def test_each_reason_of_a_move_in_words(reason, words, cause):
    text = announce.moved(replace(MOVED, reason=reason), inventory(**words))
    assert text == (
        f"Clients in cluster a are now served by b instead of a: {cause} "
        "(how long it took is not known)"
    )


def test_the_tunnel_that_is_down_is_that_of_the_cluster_that_served():
    moved = replace(
        MOVED,
        from_cluster="b",
        to_cluster="c",
        reason=Reason.CONNECTION,
        durations={FailoverStage.SERVED: 3.21},
    )
    text = announce.moved(moved, inventory(connected="a"))
    assert text.endswith("instead of b: the tunnel to b is down (it took 3.2 s)")
