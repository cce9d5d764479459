"""What a request that claims to be a probe counts as."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.judge.calibrate import ENOUGH, WINDOW
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import LogCounts, ProbeHit
from tests.commands.test_monitor import samples
from tests.fakes import scenes
from tests.fakes.nouns import NGINX, inventory
from tests.fakes.signed import SECRET, signed

FORGERIES = "clusterset_exporter_probe_forgeries_total"
HITS = "clusterset_probe_hits_total"
REQUESTS = "clusterset_requests_total"


def scene_with(*keys, **words):
    scene = scenes.Scene()
    scene.configure(*keys)
    scene.inventory(**words)
    return scene


def seen(scene, *agents, source="b", **more):
    hits = [ProbeHit(NGINX, source, agent, **more) for agent in agents]
    scene.logs.logged(scenes.LOG, LogCounts(read=len(hits), access=len(hits), probes=hits))


def ms(scene):
    return int((scenes.START + scene.now) * 1000)


IMITATIONS = {
    "unsigned": lambda ms: signed("b", ms, "1", key=None),
    "bad_signature": lambda ms: signed("b", ms, "1", key=b"guessed"),
    "destination": lambda ms: signed("b", ms, "1", destination="c"),
    "unknown_cluster": lambda ms: signed("mars", ms, "1"),
    "too_old": lambda ms: signed("b", ms - 3_600_000, "1"),
    "from_future": lambda ms: signed("b", ms + 3_600_000, "1"),
    "malformed": lambda _: "clusterset-exporter/1.0",
}


@pytest.mark.parametrize("reason", IMITATIONS)
async def test_with_a_key_nobody_leaves_the_requests_by_a_user_agent(reason):
    scene = scene_with(SECRET)
    seen(scene, IMITATIONS[reason](ms(scene)), source="d", failed=True, bytes=7, seconds=0.2)
    assert await samples(scene, FORGERIES) == {(reason,): 1}
    assert await samples(scene, REQUESTS) == {("d", "a", *NGINX, "remote"): 1}
    assert await samples(scene, "clusterset_request_failures_total") == {
        ("d", "a", *NGINX, "remote"): 1
    }
    assert await samples(scene, "clusterset_response_bytes_total") == {
        ("d", "a", *NGINX, "remote"): 7
    }
    buckets = await samples(scene, "clusterset_request_duration_seconds_bucket")
    assert {labels[-1] for labels in buckets} == {"0.25", "0.5", "1.0", "2.5", "5.0", "+Inf"}
    assert await samples(scene, HITS) == {}
    assert await samples(scene, "clusterset_attribution_checks_total") == {}


async def test_a_repeated_probe_is_a_client_too():
    scene = scene_with(SECRET)
    agent = signed("b", ms(scene), "1")
    seen(scene, agent)
    seen(scene, agent, source="external")
    assert await samples(scene, FORGERIES) == {("replayed",): 1}
    assert await samples(scene, HITS) == {("b", "a", *NGINX, "true"): 1}
    assert await samples(scene, REQUESTS) == {("external", "a", *NGINX, "external"): 1}


async def test_an_imitation_is_judged_at_its_own_second():
    scene = scene_with(SECRET, ready="a", exported="ab")
    scene.wait(100)
    scene.inventory()
    scene.wait(100)
    unsigned = signed("b", ms(scene), "1", key=None)
    # b came back 100 s ago, and the log is read late.
    seen(scene, unsigned, at=scenes.START + scene.now - 90)
    scene.settle()
    assert await samples(scene, REQUESTS) == {("b", "a", *NGINX, "failover"): 1}
    seen(scene, unsigned, at=scenes.START + scene.now)
    seen(scene, unsigned, at=scenes.START + scene.now, pinned=True)
    scene.settle()
    assert await samples(scene, REQUESTS) == {
        ("b", "a", *NGINX, "failover"): 1,
        ("b", "a", *NGINX, "leak"): 1,
        ("b", "a", *NGINX, "pinned"): 1,
    }


async def test_without_a_key_a_claim_that_is_not_believed_is_nobodys_request():
    scene = scene_with()
    seen(scene, "clusterset-exporter/1.0", signed("b", ms(scene), "1", key=None))
    assert await samples(scene, FORGERIES) == {("malformed",): 1}
    assert await samples(scene, HITS) == {("b", "a", *NGINX, "false"): 1}
    assert await samples(scene, REQUESTS) == {}


async def test_imitations_spoil_neither_attribution_nor_clocks():
    scene = scene_with(SECRET)
    late = scenes.START + scene.now + 60
    for n in range(50):
        seen(scene, signed("b", ms(scene), f"{n}", key=b"x"), source="d", at=late)
    assert await samples(scene, "clusterset_attribution_agreement_ratio") == {}
    assert await samples(scene, "clusterset_clock_skew_seconds") == {}


async def test_keys_are_changed_without_a_forgery():
    """Each exporter first gets the new key behind the old one, then before it, then alone."""
    scene, old, new = scene_with(SECRET), SECRET, b"the next one"
    steps = [
        ([old], [old]),
        ([old, new], [old]),
        ([old, new], [old, new]),
        ([new, old], [old, new]),
        ([old, new], [new, old]),
        ([new, old], [new, old]),
        ([new], [new, old]),
        ([new], [new]),
    ]
    for n, (ours, theirs) in enumerate(steps):
        scene.configure(*ours)
        seen(scene, signed("b", ms(scene), str(n), key=theirs[0]))
    assert await samples(scene, FORGERIES) == {}
    assert await samples(scene, HITS) == {("b", "a", *NGINX, "true"): len(steps)}


async def test_lines_become_requests_with_all_that_they_tell():
    """From the text of a log to the series: nothing of an imitation is lost on the way."""
    scene = scene_with(SECRET)
    scene.wait(100)
    form = (
        '$remote_addr - [$time_iso8601] "$request" $status $body_bytes_sent '
        '"$http_user_agent" $request_time "$host"'
    )
    counter = Counter(
        compile_log(form, host=True),
        scene.logs.source_of,
        lambda host: scene.logs.service_of(host, None),
        by_arrival=True,
    )
    host, agent = "nginx.nginx-test.svc.clusterset.local", signed("b", ms(scene), "1", key=None)
    line = (
        f'10.2.0.9 - [2026-11-06T21:21:40+00:00] "GET / HTTP/1.1" 502 31 "{agent}" 0.300 "{host}"'
    )
    counts = counter.count(f"{line}\n".encode())
    (hit,) = counts.probes
    assert (hit.failed, hit.bytes, hit.seconds, hit.pinned) == (True, 31, 0.3, False)
    assert hit.at == pytest.approx(scenes.START + 100 - 0.3)
    scene.logs.logged(scenes.LOG, counts)
    scene.settle()
    assert await samples(scene, "clusterset_request_failures_total") == {
        ("b", "a", *NGINX, "leak"): 1
    }
    assert await samples(scene, "clusterset_request_duration_seconds_sum") == {
        ("b", "a", *NGINX): 0.3
    }


async def test_a_log_of_another_service_counts_nothing():
    scene = scene_with(SECRET)
    hit = ProbeHit(ServiceName("shop", "cart"), "b", "clusterset-exporter/1.0")
    scene.logs.logged(scenes.LOG, LogCounts(read=1, access=1, probes=[hit]))
    assert await samples(scene, FORGERIES) == await samples(scene, REQUESTS) == {}


async def test_a_probe_to_an_address_that_was_just_given_up_is_signed_for_its_last_owner():
    """A name server may go on with an old answer, and what it leads to still believes the probe."""
    scene = scene_with(SECRET)
    before = inventory().services[NGINX]
    old, new = before.exports[1].addresses[0], ip_address("100.2.0.99")
    exports = (before.exports[0], replace(before.exports[1], addresses=(new,)))
    changed = {NGINX: replace(before, exports=exports)}
    scene.monitor.inventory_changed(replace(inventory(), services=changed))
    owners = [scene.parts.owner_of(NGINX, each) for each in (old, new, ip_address("192.0.2.1"))]
    assert owners == ["b", "b", None]
    assert scene.parts.owner_of(ServiceName("no", "such"), old) is None


async def test_a_cluster_that_joins_is_believed_from_then_on():
    scene = scene_with(SECRET)
    scene.monitor.inventory_changed(
        replace(inventory(), clusters=inventory(clusters="abcde").clusters)
    )
    seen(scene, signed("e", ms(scene), "1"))
    assert await samples(scene, HITS) == {("e", "a", *NGINX, "true"): 1}


def problems(scene):
    return {each["what"]: each["message"] for each in scene.parts.problems.shown(())}


async def test_probes_with_addresses_of_another_cluster_are_a_problem_until_they_agree():
    scene = scene_with(SECRET)

    def arrive(number, source, begin):
        agents = [signed("b", ms(scene), f"{begin}{each}") for each in range(number)]
        seen(scene, *agents, source=source)

    arrive(ENOUGH - 1, "external", "x")
    assert problems(scene) == {}
    arrive(1, "external", "y")
    assert problems(scene) == {
        "probes from b": "they arrive with addresses of external, so CIDRs are wrong, or something "
        "rewrites addresses; leaks of both are not counted"
    }
    arrive(WINDOW // 2, "b", "z")
    assert problems(scene)
    arrive(WINDOW, "b", "q")
    assert problems(scene) == {}


async def test_one_probe_with_a_wrong_address_is_no_problem():
    scene = scene_with(SECRET)
    seen(scene, *(signed("b", ms(scene), str(each)) for each in range(WINDOW)))
    seen(scene, signed("b", ms(scene), "other"), source="external")
    assert problems(scene) == {}


async def test_probes_of_a_cluster_that_is_gone_are_no_problem():
    scene = scene_with(SECRET)
    seen(scene, *(signed("b", ms(scene), str(each)) for each in range(ENOUGH)), source="external")
    assert problems(scene)
    scene.inventory(clusters="a", exported="a", ready="a")
    assert problems(scene) == {}
