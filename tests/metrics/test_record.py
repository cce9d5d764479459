import subprocess
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from exporter.metrics import families
from exporter.metrics.exposition import PIECE, lines, pieces
from exporter.metrics.record import Metrics
from exporter.metrics.store import SeriesStore
from exporter.model.probes import Failure
from exporter.model.traffic import Hits, LogCounts
from exporter.model.verdicts import (
    Failover,
    FailoverStage,
    Hazard,
    Locality,
    Mode,
    Policy,
    ProbeVerdict,
    Reason,
    Rule,
    ServiceView,
)
from exporter.model.watches import Watch, WatchState
from tests.fakes.nouns import NGINX, inventory, probe
from tests.fakes.tools import need


def begun(limit=50_000, **words) -> tuple[SeriesStore, Metrics]:
    store = SeriesStore(limit)
    metrics = Metrics(store, "a")
    metrics.configure(pinned=True)
    where = inventory(**words)
    metrics.set_inventory(where, where.services.keys())
    return store, metrics


def text(store: SeriesStore, *, openmetrics: bool = False) -> str:
    return "".join(pieces(store, openmetrics=openmetrics))


def samples(store: SeriesStore, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a series that are not 0, by their label values."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text(store))
        for sample in family.samples
        if sample.name == name and sample.value
    }


def everything() -> SeriesStore:
    store, metrics = begun(ready="ab")
    metrics.show(
        ServiceView(
            service=inventory().services[NGINX],
            policy=Policy.LOCAL,
            mode=Mode.FAILOVER,
            since=1.0,
            serving="b",
            expected=frozenset("b"),
            standbys=frozenset(),
            hazards=frozenset({Hazard.STALE_GATEWAY}),
            pinned={},
            plain=None,
        )
    )
    moved = Failover(
        service=NGINX,
        from_cluster="a",
        to_cluster="b",
        reason=Reason.READINESS,
        unix=1_790_000_000.5,
        durations={FailoverStage.DNS: 0.2, FailoverStage.SERVED: 0.25, FailoverStage.OUTAGE: 0.5},
        accuracy={FailoverStage.DNS: 0.1, FailoverStage.SERVED: 0.3, FailoverStage.OUTAGE: 0.3},
    )
    checks = ((Rule.RESOLVES, True), (Rule.REACHABLE, False))
    metrics.probed(probe(1.0, by="b"), ProbeVerdict(destination="b", checks=checks, outage=0.5))
    metrics.moved(moved)
    metrics.withheld(NGINX, "b", 4)
    metrics.agreed("b", 0.75)
    metrics.probed(probe(2.0), ProbeVerdict(destination=None))
    metrics.probed(
        probe(3.0, by="b", pinned="b", reply=Failure.CONNECT_REFUSED), ProbeVerdict(destination="b")
    )
    metrics.hit(NGINX, "b", Locality.LEAK, Hits(requests=3, failures=1, bytes=1845))
    metrics.probe_hit(NGINX, claimed="b", attributed="b", verified=True)
    metrics.forged("replayed")
    metrics.logged("x.log", LogCounts(read=9, access=5, other=3, ignored=1, truncated=1))
    metrics.observe(families.LOOP_LAG, 0.002)
    return store


def test_a_probe_is_counted_with_what_it_showed():
    store = everything()
    b = ("a", "b", *NGINX)
    assert samples(store, "clusterset_probes_total") == {
        (*b, "dns", "plain"): 1,
        (*b, "http", "plain"): 1,
        ("a", *NGINX, "dns", "plain"): 1,
        (*b, "dns", "pinned"): 1,
        (*b, "http", "pinned"): 1,
    }
    assert samples(store, "clusterset_probe_failures_total") == {
        ("a", *NGINX, "dns", "plain", "nodata"): 1,
        (*b, "http", "pinned", "connect_refused"): 1,
    }
    assert samples(store, "clusterset_probes_failed_total") == {
        ("a", *NGINX, "dns", "plain"): 1,
        ("a", *NGINX, "http", "pinned"): 1,
    }
    assert samples(store, "clusterset_dns_lookup_failures_total") == {
        ("a", *NGINX, "resolver", "a", "nodata"): 1
    }
    assert samples(store, "clusterset_dns_lookups_failed_total") == {
        ("a", *NGINX, "resolver", "a"): 1
    }
    assert samples(store, "clusterset_service_moves_total") == {("a", *NGINX): 1}
    assert samples(store, "clusterset_exporter_probes_forged_total") == {(): 1}
    assert samples(store, "clusterset_rule_violations_total") == {("a", *NGINX, "reachable"): 1}
    assert samples(store, "clusterset_failovers_total") == {("a", *NGINX, "a", "b", "readiness"): 1}
    assert samples(store, "clusterset_failover_last_duration_seconds") == {
        ("a", *NGINX, "dns"): 0.2,
        ("a", *NGINX, "served"): 0.25,
        ("a", *NGINX, "outage"): 0.5,
    }
    assert samples(store, "clusterset_failover_last_accuracy_seconds") == {
        ("a", *NGINX, "dns"): 0.1,
        ("a", *NGINX, "served"): 0.3,
        ("a", *NGINX, "outage"): 0.3,
    }
    assert samples(store, "clusterset_service_outage_seconds_total") == {("a", *NGINX): 0.5}
    assert samples(store, "clusterset_service_hazard") == {("a", *NGINX, "stale_gateway"): 1}
    assert samples(store, "clusterset_service_mode") == {("a", *NGINX, "failover"): 1}


def test_hits_are_counted_as_the_destination_sees_them():
    store = everything()
    leak = ("b", "a", *NGINX, "leak")
    assert samples(store, "clusterset_requests_total") == {leak: 3}
    assert samples(store, "clusterset_request_failures_total") == {leak: 1}
    assert samples(store, "clusterset_response_bytes_total") == {leak: 1845}
    assert samples(store, "clusterset_leaks_withheld_total") == {leak[:-1]: 4}
    assert samples(store, "clusterset_attribution_agreement_ratio") == {("b", "a"): 0.75}
    assert samples(store, "clusterset_exporter_log_lines_total") == {
        ("x.log", "access"): 4,
        ("x.log", "ignored"): 1,
        ("x.log", "other"): 3,
        ("x.log", "truncated"): 1,
    }


def test_children_begin_at_zero():
    store, _ = begun()
    begins = store.series[families.REQUESTS].items()
    assert {labels[0::4]: value for labels, value in begins} == {
        ("a", "local"): 0,
        ("b", "failover"): 0,
        ("b", "leak"): 0,
        ("c", "remote"): 0,
        ("d", "remote"): 0,
        ("external", "external"): 0,
        ("unknown", "unknown"): 0,
    }
    assert set(dict(store.series[families.PROBES_FAILED].items()).values()) == {0}
    # A child of a reason comes with its first event.
    for family in families.FAMILIES:
        assert "reason" not in family.labels or not len(store.children(family)), family.name


def test_what_is_gone_leaves_no_series_behind():
    store = everything()
    metrics = Metrics(store, "a")
    metrics.configure(pinned=True)
    gone = inventory()
    metrics.set_inventory(replace(gone, services={}), ())
    left = [line for line in text(store).splitlines() if "nginx" in line]
    assert left == []
    metrics.set_inventory(replace(gone, services={}, clusters={"a": gone.clusters["a"]}), ())
    assert 'destination_cluster="b"' not in text(store)
    assert store.budget.used == sum(len(store.children(family)) for family in families.FAMILIES)


def test_an_export_that_is_gone_is_not_shown_as_not_ready():
    store, metrics = begun()
    service = inventory().services[NGINX]
    shown = ServiceView(
        service=service,
        policy=Policy.LOCAL,
        mode=Mode.LOCAL,
        since=None,
        serving="a",
        expected=frozenset("a"),
        standbys=frozenset(),
        hazards=frozenset(),
        pinned={},
        plain=None,
    )
    metrics.show(shown)
    assert len(store.series[families.READY]) == 2
    less = inventory(ready="a", exported="a")
    metrics.set_inventory(less, less.services.keys())
    metrics.show(replace(shown, service=less.services[NGINX]))
    assert samples(store, "clusterset_service_ready") == {("a", "a", *NGINX): 1}
    assert len(store.series[families.READY]) == 1


def test_no_more_series_than_the_limit_and_events_come_before_zeros():
    store, metrics = begun(limit=40)
    assert store.budget.used == 20
    for n in range(40):
        metrics.forged(str(n))
    assert (store.budget.used, store.budget.dropped) == (40, 20)


@pytest.mark.parametrize("openmetrics_wanted", [False, True])
def test_the_text_is_what_prometheus_client_reads(openmetrics_wanted):
    store = everything()
    shown = text(store, openmetrics=openmetrics_wanted)
    parse = text_string_to_metric_families
    if openmetrics_wanted:
        shown, parse = shown + "# EOF\n", openmetrics.text_string_to_metric_families
    read = {
        (sample.name, *sample.labels.items()): sample.value
        for family in parse(shown)
        for sample in family.samples
    }
    assert len(read) == sum(len(store.children(family)) for family in families.FAMILIES)
    duration = "clusterset_failover_duration_seconds_bucket"
    where = ("source_cluster", "a"), *zip(families.OUTAGE.labels[1:], NGINX, strict=True)
    assert read[(duration, *where, ("stage", "served"), ("le", "0.1"))] == 0
    assert read[(duration, *where, ("stage", "served"), ("le", "0.25"))] == 1
    assert read[(duration, *where, ("stage", "served"), ("le", "+Inf"))] == 1


def test_promtool_finds_nothing_to_say():
    shown = text(everything())
    ran = subprocess.run(
        [need("promtool"), "check", "metrics"],
        input=shown,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_a_unit_stands_last_and_times_are_time_stamps():
    units = {"seconds", "bytes", "ratio"}
    for family in families.FAMILIES:
        words = family.name.removesuffix("_total").split("_")
        assert not units.intersection(words[:-1]), family.name
        assert "age" not in words, family.name


@given(st.text(max_size=30))
def test_label_values_survive(value):
    store = SeriesStore(100)
    store.series[families.LOG_LINES].inc((value, "access"))
    store.histograms[families.PROBE_RTT].observe((value, "b"), 1.0)
    # The text format ends a line at a line feed only; everything else may stand in a value.
    rtt, counted = text_string_to_metric_families(text(store))
    told = {"log": value} if value else {}
    assert counted.samples[0].labels == {**told, "outcome": "access"}
    told = {"source_cluster": value} if value else {}
    assert [sample.labels for sample in rtt.samples[-2:]] == [
        {**told, "destination_cluster": "b"}
    ] * 2


def test_a_scrape_leaves_nothing_behind():
    """What each of 50,000 series would keep for the next one adds up to more than all else."""
    store, metrics = begun()
    for n in range(2_000):
        metrics.forged(str(n))
    tracemalloc.start()
    try:
        text(store)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 20_000


def test_text_comes_in_pieces_of_bounded_size():
    store, metrics = begun(limit=100_000)
    for n in range(20_000):
        metrics.forged(str(n))
    shown = list(pieces(store, openmetrics=False))
    assert len(shown) > 10
    assert max(map(len, shown)) < PIECE + 5_000


def test_what_goes_while_it_is_rendered_is_left_out():
    store = everything()
    left = lines(store, openmetrics=False)
    next(left)
    for family in families.FAMILIES:
        store.children(family).keep(lambda _: False)
    assert not any(line[0] != "#" for line in left)


def names() -> Iterator[str]:
    return (family.name for family in families.FAMILIES)


def test_names_are_ours_and_unique():
    assert len(set(names())) == len(families.FAMILIES)
    assert all(name.startswith("clusterset_") for name in names())


def test_no_label_clashes_with_what_prometheus_adds():
    taken = {"cluster", "namespace", "service", "pod", "instance", "job", "endpoint", "container"}
    assert [f.name for f in families.FAMILIES if taken & set(f.labels)] == []


def test_a_move_that_nobody_measured_has_no_durations():
    store, metrics = begun()
    moved = Failover(
        service=NGINX,
        from_cluster="a",
        to_cluster="b",
        reason=Reason.READINESS,
        unix=1.0,
        durations={FailoverStage.DNS: 0.2, FailoverStage.SERVED: 0.25, FailoverStage.OUTAGE: 0.5},
        accuracy={FailoverStage.DNS: 0.1, FailoverStage.SERVED: 0.3, FailoverStage.OUTAGE: 0.3},
    )
    metrics.moved(moved)
    metrics.moved(replace(moved, durations={}))
    assert samples(store, "clusterset_failover_last_duration_seconds") == {}
    assert samples(store, "clusterset_failover_last_accuracy_seconds") == {}
    name = "clusterset_failover_duration_seconds_count"
    assert set(samples(store, name).values()) == {1}
    assert set(samples(store, "clusterset_failovers_total").values()) == {2}


def test_what_watches_and_pod_logs_left_out_is_counted():
    store, metrics = begun()
    watch = Watch(
        resource="pods",
        state=WatchState.SYNCED,
        age=1.0,
        requests=3,
        relists=0,
        failures=1,
        events={"ADDED": 2, "unknown": 1},
        bad_lines=4,
        bad_objects=5,
        broken=1,
        problem="",
    )
    metrics.watched([watch], 100.5)
    metrics.pod_log_read("pods", requests=2, repeated=6, unstamped=0)
    metrics.pod_log_read("pods", requests=0, repeated=1, unstamped=1)
    metrics.log_gap("idle", None)
    for seconds in (None, 2.5, 1.5):
        metrics.log_gap("pods", seconds)
    assert samples(store, "clusterset_exporter_watch_events_total") == {
        ("pods", "ADDED"): 2,
        ("pods", "unknown"): 1,
    }
    received = "clusterset_exporter_watch_last_received_timestamp_seconds"
    assert samples(store, received) == {("pods",): 99.5}
    assert samples(store, "clusterset_exporter_watch_bad_lines_total") == {("pods",): 4}
    assert samples(store, "clusterset_exporter_watch_bad_objects_total") == {("pods",): 5}
    assert samples(store, "clusterset_exporter_pod_log_requests_total") == {("pods",): 2}
    assert dict(store.series[families.LOG_GAPS].items()) == {("idle",): 0, ("pods",): 2}
    seconds = store.series[families.LOG_GAP_SECONDS]
    assert dict(seconds.items()) == {("idle",): 0, ("pods",): 4}
    assert samples(store, "clusterset_exporter_pod_log_lines_skipped_total") == {
        ("pods", "repeated"): 7,
        ("pods", "unstamped"): 1,
    }
