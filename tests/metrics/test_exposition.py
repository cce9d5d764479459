"""Our text beside that of `prometheus_client`, from the same collector."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from exporter.metrics.exposition import Exposition, pieces
from exporter.metrics.families import FAMILIES, PROBE_RTT, REQUESTS
from exporter.metrics.family import Kind
from exporter.metrics.store import SeriesStore
from tests.fakes.exposed import shapes

DATA = Path(__file__).parent.parent / "data"
DEMO = (DATA / "demo-metrics.txt").read_text()
"""What an exporter of the demo exposed at the end of the story, without the process series."""


def loaded(text):
    """Return a store with the samples of an exposition."""
    store = SeriesStore(100_000)
    read = {each.name: each for each in text_string_to_metric_families(text)}
    for family in FAMILIES:
        held = read.get(family.base_name)
        counts = {}
        for sample in held.samples if held else ():
            labels = tuple(sample.labels.get(name, "") for name in family.labels)
            if family.kind is not Kind.HISTOGRAM:
                store.series[family].set(labels, sample.value)
            elif sample.name.endswith("_bucket"):
                counts.setdefault(labels, []).append(int(sample.value))
            elif sample.name.endswith("_sum"):
                cumulative = counts[labels]
                pairs = zip([0, *cumulative], cumulative, strict=False)
                inside = [more - less for less, more in pairs]
                store.histograms[family].merge(labels, inside, sample.value)
    return store


def ours(store, *, openmetrics):
    return "".join(pieces(store, openmetrics=openmetrics)) + ("# EOF\n" if openmetrics else "")


def theirs(store, *, openmetrics):
    registry = CollectorRegistry()
    registry.register(store)
    make = openmetrics_exposition.generate_latest if openmetrics else generate_latest
    return make(registry).decode()


def heads(text):
    return [line for line in text.splitlines() if line.startswith("#")]


def assert_equal(store):
    """Assert that heads are equal by the byte, and all else as the library's own parser reads."""
    for openmetrics, parser in (
        (False, text_string_to_metric_families),
        (True, openmetrics_parser.text_string_to_metric_families),
    ):
        one, other = ours(store, openmetrics=openmetrics), theirs(store, openmetrics=openmetrics)
        assert heads(one) == heads(other)
        # A family equals another one with the same name, type, help and samples in order.
        assert list(parser(one)) == list(parser(other))


def test_the_text_of_the_demo_equals_that_of_prometheus_client():
    store = loaded(DEMO)
    assert_equal(store)
    assert shapes(ours(store, openmetrics=False)) == shapes(DEMO)


def test_the_recorded_demo_has_the_series_that_are_listed():
    listed = (DATA / "series-of-the-demo.txt").read_text().splitlines()
    listed = [line for line in listed if not line.startswith("process_")]
    assert set(shapes(DEMO)) <= set(listed)
    newer = {
        "clusterset_clock_skew_seconds",
        "clusterset_exporter_api_authentication_errors_total",
        "clusterset_dns_lookups_failed_total",
        "clusterset_exporter_findings",
        "clusterset_exporter_probe_forgeries_total",
        "clusterset_exporter_probes_forged_total",
        "clusterset_exporter_probes_not_made_total",
        "clusterset_exporter_stage_restarts_total",
        "clusterset_probes_failed_total",
        "clusterset_service_moves_total",
    }
    recorded = {line.split()[0] for line in shapes(DEMO)}
    assert {line.split()[0] for line in listed} - recorded == newer


@given(st.lists(st.tuples(*[st.text(max_size=8)] * 5), max_size=4), st.floats())
def test_hostile_label_values_and_all_numbers_read_alike(children, value):
    store = SeriesStore(1000)
    for labels in children:
        store.series[REQUESTS].set(labels, abs(value))
        store.histograms[PROBE_RTT].observe(labels[:2], 0.001)
    for openmetrics in (False, True):
        one, other = ours(store, openmetrics=openmetrics), theirs(store, openmetrics=openmetrics)
        assert sorted(map(canonical, one.split("\n"))) == sorted(map(canonical, other.split("\n")))


def canonical(line):
    """Return a line as a reader sees it: in no order of labels, and its value as a number."""
    if not line or line.startswith("#"):
        return line, (), ""
    head, _, value = line.rpartition(" ")
    name, _, text = head.removesuffix("}").partition("{")
    return name, tuple(sorted(split(text))), repr(float(value))


def split(text):
    """Return the pairs of a label text; a backslash escapes the character after it."""
    pairs, pair, quoted, escaped = [], "", False, False
    for char in text:
        if char == "," and not quoted:
            pairs.append(pair)
            pair = ""
            continue
        pair += char
        quoted ^= char == '"' and not escaped
        escaped = char == "\\" and not escaped
    return [*pairs, pair] if pair else pairs


async def test_one_registry_has_all_that_is_exposed():
    store = loaded(DEMO)
    exposition = Exposition(store)
    labels = {
        "source_cluster": "k8s-node4",
        "destination_cluster": "k8s-node4",
        "destination_service_namespace": "nginx-test",
        "destination_service_name": "nginx",
        "locality": "local",
    }
    value = store.series[REQUESTS].get(tuple(labels.values()))
    read = exposition.registry.get_sample_value
    assert await asyncio.to_thread(read, REQUESTS.name, labels) == value > 0
    shown = "".join([piece.decode() async for piece in exposition.stream(openmetrics=False)])
    whole = (await asyncio.to_thread(generate_latest, exposition.registry)).decode()
    assert shapes(shown) == shapes(whole)
    assert any(line.startswith("process_resident_memory_bytes") for line in shapes(shown))


async def test_openmetrics_ends_once():
    pieces = Exposition(loaded(DEMO)).stream(openmetrics=True)
    shown = b"".join([piece async for piece in pieces])
    assert shown.count(b"# EOF") == 1
    assert shown.endswith(b"# EOF\n")


def test_two_stores_cannot_be_registered_together():
    registry = CollectorRegistry()
    registry.register(SeriesStore(1))
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        registry.register(SeriesStore(1))
