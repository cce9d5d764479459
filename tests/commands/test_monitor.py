import asyncio
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from structlog.testing import capture_logs

from exporter.accesslog.readers.open_file import Poll
from exporter.commands.load import read_settings
from exporter.judge.failover import UNEXPLAINED
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Answer, Failure, Lookup, ServiceAddress, Vantage
from exporter.model.traffic import Client, Hits, LogCounts, ProbeHit
from exporter.model.verdicts import Locality, Mode
from tests.fakes import scenes
from tests.fakes.files import CONFIG, write
from tests.fakes.nouns import NGINX, inventory, probe
from tests.fakes.signed import signed
from tests.fakes.turns import whole

RULE = 'probe: {services: [{match: "*/nginx", leak_grace: 2m}], '


async def text(scene, *, om=False):
    return b"".join([piece async for piece in scene.render(om)]).decode()


async def samples(scene, name):
    found = {}
    for family in plain(await text(scene)):
        for sample in family.samples:
            if sample.name == name and sample.value:
                found[tuple(sample.labels.values())] = sample.value
    return found


async def test_both_formats_parse_and_end_as_they_should():
    scene = scenes.failover()
    assert "process_cpu_seconds_total" in {
        sample.name for family in plain(await text(scene)) for sample in family.samples
    }
    whole = await text(scene, om=True)
    assert whole.endswith("# EOF\n")
    assert whole.count("# EOF") == 1
    assert len(list(openmetrics(whole))) > 20


async def test_others_get_their_turn_while_many_series_are_rendered():
    scene = scenes.Scene()
    scene.inventory()
    for n in range(5_000):
        scene.parts.metrics.forged(f"{n:0100}")
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await text(scene)
    task.cancel()
    assert turns > 10


async def test_a_failover_is_counted_logged_and_hurried():
    with capture_logs() as logs:
        scene = scenes.failover()
    assert await samples(scene, "clusterset_failovers_total") == {
        ("a", "nginx-test", "nginx", "a", "b", "readiness"): 1
    }
    (moved,) = (each for each in logs if each["event"] == "failover completed")
    assert (moved["from_cluster"], moved["to_cluster"]) == ("a", "b")
    assert scene.hurried[:2] == [NGINX, NGINX]


async def test_modes_are_logged_once_each():
    with capture_logs() as logs:
        scenes.blackout()
    modes = [each["mode"] for each in logs if each["event"] == "service mode changed"]
    assert modes == [Mode.LOCAL, Mode.BLACKOUT, Mode.FAILOVER, Mode.BLACKOUT]


async def test_the_status_has_the_share_of_probes_that_were_served():
    with capture_logs():
        scene = scenes.steady()
        before = (await scene.page_data.status())["services"][0]["served_share"]
        scene.probes({})
        after = (await scene.page_data.status())["services"][0]["served_share"]
    assert before == 1
    assert 0 < after < 1


async def test_a_blackout_is_a_warning_with_the_mode_before_and_after():
    with capture_logs() as logs:
        scenes.blackout()
    changes = [
        (each["log_level"], each["previous"], each["mode"])
        for each in logs
        if each["event"] == "service mode changed"
    ]
    assert changes == [
        ("info", Mode.UNKNOWN, Mode.LOCAL),
        ("warning", Mode.LOCAL, Mode.BLACKOUT),
        ("info", Mode.BLACKOUT, Mode.FAILOVER),
        ("warning", Mode.FAILOVER, Mode.BLACKOUT),
    ]


async def test_a_leak_is_a_warning_when_it_begins_and_not_for_each_block():
    scene = scenes.steady()
    scene.inventory(ready="a", exported="ab")
    scene.hits(b=1)
    scene.inventory(ready="ab")
    scene.wait(100)
    with capture_logs() as logs:
        for _ in range(3):
            scene.hits(b=1)
            scene.settle()
    (leaked,) = [each for each in logs if each["event"] == "client requests leaked"]
    assert leaked["log_level"] == "warning"
    assert (leaked["previous"], leaked["locality"]) == ("failover", "leak")


@pytest.mark.parametrize("first", ["monitor", "leaks"])
async def test_whoever_settles_first_after_a_pause_notices_it(first):
    scene = scenes.steady()
    scene.hits(b=1)
    scene.now += 60
    with capture_logs() as logs:
        getattr(scene, first).settle()
        scene.monitor.settle()
        scene.leaks.settle()
    (paused,) = [each for each in logs if each["event"] == "event loop paused"]
    assert paused["seconds"] == 60
    assert await by_locality(scene, "b") == {"unknown": 1}


async def test_lines_read_first_after_a_pause_are_judged_each_at_its_own_second():
    scene = scenes.steady()
    scene.wait(60)
    scene.now += 60
    read_at = scenes.START + scene.now
    old = Client(NGINX, "b", at=read_at - 30)
    new = Client(NGINX, "b", at=read_at - 100)
    counts = LogCounts(
        read=2,
        access=2,
        clients={Client(NGINX, "b"): Hits(requests=2)},
        first=read_at - 100,
        last=read_at - 30,
    )
    by_second = replace(counts, clients={old: Hits(requests=1), new: Hits(requests=1)})
    scene.logs.logged(scenes.LOG, counts, lambda: by_second)
    scene.settle()
    scene.wait(2)
    assert await by_locality(scene, "b") == {"unknown": 1, "leak": 1}


async def test_a_long_request_that_leaked_is_a_leak_though_its_cluster_failed_after_it_came():
    scene = scenes.steady()
    scene.wait(100)
    read_at = scenes.START + scene.now
    counts = LogCounts(
        read=1,
        access=1,
        clients={Client(NGINX, "b"): Hits(requests=1)},
        first=read_at - 40,
        last=read_at,
    )
    came = replace(counts, clients={Client(NGINX, "b", at=read_at - 40): Hits(requests=1)})
    scene.logs.logged(scenes.LOG, counts, lambda: came)
    scene.wait(2)
    scene.inventory(ready="a", exported="ab")
    scene.wait(10)
    assert await by_locality(scene, "b") == {"leak": 1}


async def test_hits_are_judged_at_the_time_they_are_read():
    scene = scenes.failover()
    scene.hits(b=5)
    scene.inventory(ready="ab")
    scene.wait(100)
    # Now b has been ready for long, so its clients have no business here.
    scene.hits(b=3)
    scene.settle()
    assert await samples(scene, "clusterset_requests_total") == {
        ("a", "a", "nginx-test", "nginx", "local"): 1234,
        ("external", "a", "nginx-test", "nginx", "external"): 3,
        ("b", "a", "nginx-test", "nginx", "leak"): 8,
    }


async def test_a_log_of_an_unknown_service_is_a_problem_and_no_series():
    scene = scenes.steady()
    cart = ServiceName("shop", "cart")
    counts = LogCounts(read=1, access=1, clients={Client(cart, "a"): Hits(requests=1)})
    scene.logs.logged("cart.log", counts)
    (problem,) = whole(scene.page_data.status())["problems"]
    assert problem["message"].startswith("shop/cart has an access log here and is not in the")
    assert "shop" not in await text(scene)


async def test_probes_in_the_log_are_checked():
    scene = scenes.Scene()
    scene.configure(b"secret")
    scene.inventory()
    made = int((scenes.START + scene.now) * 1000)

    def agent(cluster, key, nonce):
        return signed(cluster, made, nonce, key=key)

    hits = [
        ProbeHit(NGINX, "b", agent("b", b"secret", "1")),
        ProbeHit(NGINX, "external", agent("b", b"secret", "2")),
        ProbeHit(NGINX, "b", agent("b", None, "3")),
        ProbeHit(NGINX, "b", agent("b", b"guessed", "4")),
        ProbeHit(NGINX, "b", agent("mars", b"secret", "5")),
        ProbeHit(NGINX, "b", agent("b", b"secret", "1")),
    ]
    scene.logs.logged(scenes.LOG, LogCounts(read=6, access=6, probes=hits))
    assert await samples(scene, "clusterset_probe_hits_total") == {
        ("b", "a", "nginx-test", "nginx", "true"): 2
    }
    assert await samples(scene, "clusterset_attribution_checks_total") == {
        ("a", "b", "b"): 1,
        ("a", "b", "external"): 1,
    }
    assert await samples(scene, "clusterset_exporter_probe_forgeries_total") == {
        ("unsigned",): 1,
        ("bad_signature",): 1,
        ("unknown_cluster",): 1,
        ("replayed",): 1,
    }


async def test_a_reload_keeps_counters_and_replays_known():
    scene = scenes.steady()
    before = await samples(scene, "clusterset_requests_total")
    scene.configure()
    assert await samples(scene, "clusterset_requests_total") == before


async def test_troubled_logs_are_a_problem_until_they_are_not():
    scene = scenes.steady()
    scene.logs.polled("x.log", Poll(errors=["x.log: denied"], troubled=["x.log: denied"]))
    scene.logs.polled("x.log", Poll(behind=7, troubled=["x.log: denied"]))
    assert [each["message"] for each in whole(scene.page_data.status())["problems"]] == [
        "x.log: denied"
    ]
    assert await samples(scene, "clusterset_exporter_log_errors_total") == {("x.log",): 1}
    assert await samples(scene, "clusterset_exporter_log_behind_bytes") == {("x.log",): 7}
    scene.logs.polled("x.log", Poll(behind=1, truncated=2))
    assert whole(scene.page_data.status())["problems"] == []
    assert whole(scene.page_data.status())["logs"]["lines"]["truncated"] == 2
    scene.logs.log_gone("x.log")


async def test_a_gone_service_leaves_nothing_behind():
    scene = scenes.failover()
    gone = inventory()
    scene.monitor.inventory_changed(type(gone)(local="a", clusters=gone.clusters))
    assert "nginx" not in await text(scene)
    status = whole(scene.page_data.status())
    assert (status["services"], status["failovers"], status["failed_probes"]) == ([], [], [])


async def test_it_is_not_ready_before_an_inventory():
    data = scenes.Scene().page_data
    assert data.not_ready() == "the inventory has not been read yet"
    assert whole(data.status())["ready"] is False
    assert whole(data.status())["services"] == []


async def test_a_problem_keeps_its_beginning():
    scene = scenes.steady()
    scene.parts.problems.problem("x", "first")
    since = scene.now
    scene.wait(50)
    scene.parts.problems.problem("x", "then")
    (problem,) = whole(scene.page_data.status())["problems"]
    assert problem == {"what": "x", "message": "then", "since": scenes.START + since}


@pytest.mark.parametrize(
    ("host", "fixed", "named"),
    [
        ("", NGINX, (NGINX, False)),
        ("example.com", NGINX, (NGINX, False)),
        ("nginx.nginx-test.svc.clusterset.local", None, (NGINX, False)),
        ("NGINX.nginx-test.svc.clusterset.local:8080", None, (NGINX, False)),
        ("a.nginx.nginx-test.svc.clusterset.local.", None, (NGINX, True)),
        ("b.nginx.nginx-test.svc.clusterset.local", None, (NGINX, False)),
        ("a.nginx.nginx-test.svc.clusterset.local", NGINX, (NGINX, True)),
        ("a.cart.shop.svc.clusterset.local", NGINX, (NGINX, False)),
        ("cart.shop.svc.clusterset.local", None, None),
        ("nginx.nginx-test.svc.cluster.local", None, None),
        ("x.y.z.nginx.nginx-test.svc.clusterset.local", None, None),
        ("", None, None),
    ],
)
def test_what_a_host_names(host, fixed, named):
    assert scenes.steady().logs.service_of(host, fixed) == named


async def test_whoever_asked_for_this_cluster_by_name_is_no_leak():
    scene = scenes.steady()
    for pinned in (True, False):
        clients = {Client(NGINX, "b", pinned): Hits(requests=2)}
        scene.logs.logged(scenes.LOG, LogCounts(read=2, access=2, clients=clients))
    scene.settle()
    found = await samples(scene, "clusterset_requests_total")
    assert found["b", "a", "nginx-test", "nginx", "pinned"] == 2
    assert found["b", "a", "nginx-test", "nginx", "leak"] == 2


async def test_request_times_become_a_histogram():
    scene = scenes.steady()
    durations = [0, 0, 3] + [0] * 10
    hits = Hits(requests=3, seconds=0.012, durations=durations)
    for _ in range(2):
        counts = LogCounts(read=3, access=3, clients={Client(NGINX, "b"): hits})
        scene.logs.logged(scenes.LOG, counts)
    scene.settle()
    name = "clusterset_request_duration_seconds"
    assert await samples(scene, f"{name}_count") == {("b", "a", "nginx-test", "nginx"): 6}
    assert await samples(scene, f"{name}_sum") == {("b", "a", "nginx-test", "nginx"): 0.024}


async def test_seconds_behind_are_those_of_the_newest_line():
    scene = scenes.steady()
    name = "clusterset_exporter_log_behind_seconds"
    counts = LogCounts(read=1, access=1, last=scenes.START + scene.now - 40)
    scene.logs.logged(scenes.LOG, counts)
    scene.logs.polled(scenes.LOG, Poll())
    assert await samples(scene, name) == {(scenes.LOG,): 40}
    scene.logs.polled(scenes.LOG, Poll())
    assert await samples(scene, name) == {}


async def test_a_log_source_that_is_gone_leaves_no_series():
    scene = scenes.steady()
    assert await samples(scene, "clusterset_exporter_log_lines_total")
    scene.logs.log_gone(scenes.LOG)
    assert scenes.LOG not in await text(scene)


def written(scene, source, *ages, number=1):
    """Return counts of hits of a source that were served so many seconds ago, and by second."""
    moments = [scenes.START + scene.now - age for age in ages]
    total = Hits(requests=number * len(ages))
    whole = LogCounts(clients={Client(NGINX, source): total}, first=min(moments), last=max(moments))
    apart = {Client(NGINX, source, at=at): Hits(requests=number) for at in moments}
    return whole, lambda: LogCounts(clients=apart)


async def by_locality(scene, source):
    found = await samples(scene, "clusterset_requests_total")
    return {labels[-1]: value for labels, value in found.items() if labels[0] == source}


async def test_a_leak_is_counted_once_it_would_be_known_to_be_none():
    scene = scenes.steady()
    scene.logs.logged(scenes.LOG, *written(scene, "b", 1))
    assert await by_locality(scene, "b") == {}
    scene.settle()
    assert await by_locality(scene, "b") == {"leak": 1}


async def test_a_change_that_is_known_here_a_little_later_makes_no_leak():
    """The name server of b answered otherwise before this cluster knew of it."""
    scene = scenes.steady()
    scene.logs.logged(scenes.LOG, *written(scene, "b", 1))
    scene.wait(2)
    scene.inventory(ready="a", exported="ab")
    scene.settle()
    assert await by_locality(scene, "b") == {"failover": 1}


async def test_hits_read_late_are_judged_as_of_then():
    scene = scenes.steady()
    scene.inventory(ready="a", exported="ab")
    scene.wait(100)
    scene.inventory(ready="ab")
    scene.wait(100)
    # Read 100 s late: some were served while b was down, some long after it came back.
    scene.logs.logged(scenes.LOG, *written(scene, "b", 150, 140, 50, 40, 30))
    scene.settle()
    assert await by_locality(scene, "b") == {"failover": 2, "leak": 3}


async def test_hits_older_than_what_is_known_are_unknown():
    scene = scenes.steady()
    scene.logs.logged(scenes.LOG, *written(scene, "b", 10_000))
    scene.settle()
    assert await by_locality(scene, "b") == {"unknown": 1}


async def test_hits_of_the_future_are_of_now():
    """The clock of the node that wrote them is ahead."""
    scene = scenes.failover()
    scene.logs.logged(scenes.LOG, *written(scene, "a", -500))
    scene.logs.logged(scenes.LOG, *written(scene, "b", -500))
    scene.settle()
    assert await by_locality(scene, "b") == {"leak": 1}


async def test_doubtful_hits_are_bounded(monkeypatch):
    monkeypatch.setattr("exporter.commands.run.leaks.MAX_WAITING", 3)
    scene = scenes.steady()
    for _ in range(10):
        scene.logs.logged(scenes.LOG, *written(scene, "b", 1))
    assert await by_locality(scene, "b") == {"leak": 7}
    scene.settle()
    assert await by_locality(scene, "b") == {"leak": 10}


async def test_services_that_are_gone_are_not_remembered_for_ever(monkeypatch):
    monkeypatch.setattr("exporter.commands.run.leaks.MAX_GONE", 3)
    scene = scenes.steady()
    scene.logs.logged(scenes.LOG, *written(scene, "b", 1))
    scene.settle()
    for n in range(20):
        scene.leaks._log_change(ServiceName("shop", f"gone-{n}"), "b", Locality.LEAK)
        known = sum(service == NGINX for service, _ in scene.leaks._localities)
        assert len(scene.leaks._localities) <= known + 3
    assert scene.leaks._localities[NGINX, "b"] is Locality.LEAK


async def test_the_grace_of_one_service(tmp_path):
    path = await asyncio.to_thread(lambda: write(tmp_path, config=CONFIG.replace("probe: {", RULE)))
    scene = scenes.Scene(probe=(await asyncio.to_thread(read_settings, path)).probe)
    scene.inventory(ready="a", exported="ab")
    scene.inventory(ready="ab")
    scene.wait(100)
    scene.hits(b=1)
    scene.wait(100)
    scene.hits(b=1)
    scene.settle()
    assert await by_locality(scene, "b") == {"failover": 1, "leak": 1}


async def test_leaks_are_withheld_while_attribution_cannot_be_believed():
    """A network that rewrites addresses makes clients of b look like clients of another cluster."""
    scene = scenes.Scene()
    scene.configure(b"secret")
    scene.inventory()
    scene.wait(100)

    def seen(attributed, number):
        made = (
            signed("b", ms, f"{ms:012x}")
            for ms in range(int((scenes.START + scene.now) * 1000), 10**15)
        )
        hits = [ProbeHit(NGINX, attributed, next(made)) for _ in range(number)]
        scene.logs.logged(scenes.LOG, LogCounts(read=number, access=number, probes=hits))

    seen("d", 5)
    scene.hits(b=7)
    scene.settle()
    assert await by_locality(scene, "b") == {"unknown": 7}
    assert await samples(scene, "clusterset_leaks_withheld_total") == {("b", "a", *NGINX): 7}
    seen("b", 50)
    scene.hits(b=2)
    scene.settle()
    assert await by_locality(scene, "b") == {"unknown": 7, "leak": 2}
    agreement = await samples(scene, "clusterset_attribution_agreement_ratio")
    assert agreement == {("b", "a"): 1.0}


async def test_a_clock_that_is_off_is_shown_and_leaks_near_a_change_are_unknown():
    scene = scenes.Scene()
    scene.configure(b"secret")
    scene.inventory(ready="a", exported="ab")
    scene.wait(100)
    scene.inventory()

    def seen(skew, number=20):
        for each in range(number):
            unix = scenes.START + scene.now
            ms = int((unix + skew) * 1000) + each
            hit = ProbeHit(NGINX, "b", signed("b", ms, "1"), at=unix)
            scene.logs.logged(scenes.LOG, LogCounts(read=1, access=1, probes=[hit]))

    async def skewed():
        return (await samples(scene, "clusterset_exporter_findings")).get(("clock_skew",), 0)

    seen(20.5)
    assert await samples(scene, "clusterset_clock_skew_seconds") == {
        ("b", "a"): pytest.approx(20.0, abs=0.1)
    }
    (problem,) = whole(scene.page_data.status())["problems"]
    told = "the clock of b is 20.0 s ahead of that of the logs here"
    assert (problem["what"], problem["message"]) == ("clock_skew cluster b", told)
    assert await skewed() == 1
    # The grace ended ten seconds ago, which is within the skew.
    scene.wait(40)
    scene.hits(b=3)
    scene.settle()
    assert await by_locality(scene, "b") == {"unknown": 3}
    scene.wait(30)
    scene.hits(b=2)
    scene.settle()
    assert await by_locality(scene, "b") == {"unknown": 3, "leak": 2}
    seen(0.5)
    assert await skewed() == 0
    assert whole(scene.page_data.status())["problems"] == []


async def test_by_our_own_probes_the_clock_of_the_logs_is_off_for_all_clusters():
    scene = scenes.Scene()
    scene.configure(b"secret")
    scene.inventory(ready="a", exported="ab")
    scene.wait(100)
    scene.inventory()
    for each in range(20):
        unix = scenes.START + scene.now
        ms = int((unix + 20) * 1000) + each
        hit = ProbeHit(NGINX, "a", signed("a", ms, "1"), at=unix)
        scene.logs.logged(scenes.LOG, LogCounts(read=1, access=1, probes=[hit]))
    # The grace ended ten seconds ago, which is within the skew.
    scene.wait(40)
    scene.hits(b=3)
    scene.settle()
    assert await by_locality(scene, "b") == {"unknown": 3}


async def test_a_prefix_that_two_clusters_claim_is_a_problem_until_it_is_mended():
    scene = scenes.Scene()
    clusters = inventory().clusters
    shared = clusters | {"b": replace(clusters["b"], pod_cidrs=clusters["c"].pod_cidrs)}
    with capture_logs() as logs:
        for _ in range(2):
            scene.monitor.inventory_changed(replace(inventory(), clusters=shared))
    (problem,) = whole(scene.page_data.status())["problems"]
    told = "10.3.0.0/16 is claimed by b and c, so its addresses belong to none"
    assert (problem["what"], problem["message"]) == ("address ranges", told)
    assert [each["error"] for each in logs if each["event"] == "address range claimed twice"] == [
        told
    ]
    hazards = await samples(scene, "clusterset_service_hazard")
    assert hazards == {("a", *NGINX, "overlapping_cidrs"): 1}
    scene.inventory()
    assert whole(scene.page_data.status())["problems"] == []


async def test_a_move_without_a_cause_is_told_once_none_will_come():
    scene = scenes.steady()
    scene.probes("b", "b")
    assert whole(scene.page_data.status())["failovers"] == []
    scene.probes(*"b" * UNEXPLAINED)
    (moved,) = whole(scene.page_data.status())["failovers"]
    assert (moved["reason"], moved["to_cluster"]) == ("unknown", "b")
    assert moved["accuracy_seconds"]["served"] == pytest.approx(6.15, abs=0.1)


def compared(scene, *, by=None, lookup=Lookup.CLIENT, vantage=Vantage.RESOLVER, **words):
    """Let a look-up end that decides nothing."""
    scene.wait(1)
    made = replace(probe(scene.now, by=by, **words), reply=None, lookup=lookup, vantage=vantage)
    scene.monitor.probed(made)


async def test_look_ups_for_comparison_are_counted_and_decide_nothing():
    scene = scenes.steady()
    before = scene.parts.verdicts.mode(NGINX)
    for _ in range(3):
        compared(scene, answer=Failure.NODATA)
    compared(scene, by="b", lookup=Lookup.A, vantage=Vantage.LIGHTHOUSE)
    assert scene.parts.verdicts.mode(NGINX) is before is Mode.LOCAL
    source = ("a", *NGINX)
    counted = await samples(scene, "clusterset_dns_lookups_total")
    assert counted == {
        (*source, "resolver", "a"): 2,
        (*source, "resolver", "client"): 3,
        (*source, "lighthouse", "a"): 1,
    }
    assert await samples(scene, "clusterset_dns_lookup_failures_total") == {
        (*source, "resolver", "client", "nodata"): 3
    }
    answers = await samples(scene, "clusterset_dns_answers_total")
    assert answers == {("a", "a", *NGINX, "resolver"): 2, ("a", "b", *NGINX, "lighthouse"): 1}
    assert sum((await samples(scene, "clusterset_probes_total")).values()) == 8
    assert whole(scene.page_data.status())["failed_probes"] == []


async def test_an_old_answer_counts_for_the_cluster_that_it_led_to():
    scene = scenes.steady()
    scene.inventory(exported="a", ready="a")
    compared(scene, by="b", lookup=Lookup.A, vantage=Vantage.LIGHTHOUSE)
    answers = await samples(scene, "clusterset_dns_answers_total")
    assert answers[("a", "b", *NGINX, "lighthouse")] == 1
    scene.now += 601
    compared(scene, by="b", lookup=Lookup.A, vantage=Vantage.LIGHTHOUSE)
    answers = await samples(scene, "clusterset_dns_answers_total")
    assert answers[("a", "unknown", *NGINX, "lighthouse")] == 1


async def test_services_that_do_not_fit_are_a_failed_look_up():
    scene = scenes.steady()
    scene.wait(1)
    wrong = ServiceAddress(0, 50, 81, "nginx.nginx-test.svc.clusterset.local")
    made = probe(scene.now)
    scene.monitor.probed(
        replace(made, answer=Answer(services=(wrong,), took=0.1), lookup=Lookup.SRV)
    )
    failures = await samples(scene, "clusterset_dns_lookup_failures_total")
    assert failures == {("a", *NGINX, "resolver", "srv", "srv_mismatch"): 1}


async def test_each_address_of_a_headless_service_counts_for_its_cluster():
    scene = scenes.Scene()
    scene.inventory(headless=True)
    scene.wait(1)
    made = probe(scene.now, by="ab")
    other = replace(made.reply, address=made.answer.addresses[1], failure=Failure.CONNECT_REFUSED)
    scene.monitor.probed(replace(made, more=(other,)))
    http = {
        labels: value
        for labels, value in (await samples(scene, "clusterset_probes_total")).items()
        if "http" in labels
    }
    assert http == {("a", each, *NGINX, "http", "plain"): 1 for each in "ab"}
    assert await samples(scene, "clusterset_probe_failures_total") == {
        ("a", "b", *NGINX, "http", "plain", "connect_refused"): 1
    }


async def test_what_a_probe_saw_while_the_loop_was_held_up_is_in_no_histogram():
    scene = scenes.Scene()
    scene.inventory()
    scene.wait(1)
    made = probe(scene.now, by="a")
    reply = replace(made.reply, rtt=0.001, connect=0.002, tls=0.003, certificate_expires=2e9)
    scene.monitor.probed(replace(made, reply=reply, lagged=True))
    assert await samples(scene, "clusterset_probe_duration_seconds_count") == {}
    assert await samples(scene, "clusterset_probe_rtt_seconds_count") == {}
    assert await samples(scene, "clusterset_exporter_probes_lagged_total") == {(): 1}
    scene.monitor.probed(replace(made, reply=reply))
    assert await samples(scene, "clusterset_probe_duration_seconds_count") == {
        ("a", "a", phase): 1 for phase in ("dns", "connect", "tls", "reply")
    }
    assert await samples(scene, "clusterset_probe_rtt_seconds_count") == {("a", "a"): 1}
    expiry = "clusterset_probe_certificate_expiry_timestamp_seconds"
    assert await samples(scene, expiry) == {("a", "a", *NGINX): 2e9}


async def test_failures_enter_no_histogram():
    scene = scenes.Scene()
    scene.inventory()
    scene.probes({"by": "a", "reply": Failure.REPLY_TIMEOUT}, {"answer": Failure.TIMEOUT})
    assert await samples(scene, "clusterset_probe_duration_seconds_count") == {("a", "a", "dns"): 1}


def test_an_inventory_that_is_right_again_is_logged():
    scene = scenes.steady()
    with capture_logs() as logged:
        scene.inventory()
        scene.monitor.inventory_failed("inventory.yaml: is gone")
        scene.inventory()
    events = [each["event"] for each in logged]
    assert events == ["inventory rejected", "inventory accepted again"]
