"""Who serves a service whose address belongs to the whole clusterset: only logs know."""

import pytest

from exporter.model.clusterset import Profile
from exporter.model.traffic import LogCounts, ProbeHit
from exporter.model.verdicts import Mode
from tests.fakes import scenes
from tests.fakes.nouns import ADDRESSES, NGINX
from tests.fakes.signed import SECRET, signed

IP = "243.1.0.1"


def scene_with(*keys, **words):
    scene = scenes.Scene()
    scene.configure(*keys)
    scene.inventory(**({"clusterset_ips": (IP,)} | words))
    return scene


def probed(scene, times=2, by=IP):
    scene.probes(*[{"by": by}] * times)
    return scene.parts.verdicts.mode(NGINX)


def came_back(scene, *, cluster="a", key=SECRET, destination="", made=0.0):
    ms = int((scenes.START + scene.now - made) * 1000)
    agent = signed(cluster, ms, "1", key=key, destination=destination)
    hit = ProbeHit(NGINX, "a", agent, at=scenes.START + scene.now)
    scene.logs.logged(scenes.LOG, LogCounts(read=1, access=1, probes=[hit]))


def test_the_mode_is_local_while_own_signed_probes_come_back_in_the_own_logs():
    scene = scene_with(SECRET)
    assert probed(scene, 5) is Mode.UNKNOWN
    came_back(scene)
    assert probed(scene, 1) is Mode.UNKNOWN
    assert probed(scene, 1) is Mode.LOCAL
    for _ in range(5):
        scene.wait(15)
        came_back(scene, made=1.0)
        assert probed(scene) is Mode.LOCAL
    # Later the address leads elsewhere.
    for _ in range(4):
        scene.wait(15)
        found = probed(scene)
    assert found is Mode.UNKNOWN


@pytest.mark.parametrize("profile", [Profile.CILIUM, Profile.GKE])
def test_it_is_the_same_where_every_service_has_such_an_address(profile):
    scene = scene_with(SECRET, profile=profile)
    came_back(scene)
    assert probed(scene) is Mode.LOCAL


@pytest.mark.parametrize(
    "words",
    [
        pytest.param({"cluster": "b"}, id="of another cluster"),
        pytest.param({"key": None}, id="unsigned"),
        pytest.param({"key": b"guessed"}, id="signed by somebody else"),
        pytest.param({"destination": "b"}, id="sent to an own address of another cluster"),
        pytest.param({"made": 60.0}, id="made long ago"),
    ],
)
def test_other_probes_do_not_say_so(words):
    scene = scene_with(SECRET)
    came_back(scene, **words)
    assert probed(scene, 5) is Mode.UNKNOWN


def test_without_a_key_nobody_knows():
    scene = scene_with()
    came_back(scene, key=None)
    assert probed(scene, 5) is Mode.UNKNOWN


def test_own_addresses_are_judged_by_their_owner():
    """That a probe came back says nothing about an answer that names another cluster."""
    scene = scene_with(SECRET, clusterset_ips=(), ready="b")
    came_back(scene, destination="a")
    assert probed(scene, 5, by=ADDRESSES["b"]) is Mode.FAILOVER


def test_no_reply_is_a_blackout_all_the_same():
    scene = scene_with(SECRET)
    came_back(scene)
    assert probed(scene) is Mode.LOCAL
    scene.probes(*[{"by": IP, "reply": scenes.Failure.CONNECT_TIMEOUT}] * 2)
    assert scene.parts.verdicts.mode(NGINX) is Mode.BLACKOUT
