"""The demo's story on a real Prometheus and a real Alertmanager: all is told as it was staged."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from exporter.demo.story import SLACK
from tests.fakes.boards import BOARDS
from tests.fakes.grafana import Prometheus, View
from tests.fakes.staged import IDS, staged

pytestmark = [pytest.mark.story, pytest.mark.timeout(180)]

BEFORE = 10
"""Seconds of the quiet part that the boards show."""
# Panels that the story has no data for.
EMPTY = {
    "Conditions of the exports": "no Kubernetes in the demo",
    "Endpoints": "no Kubernetes in the demo",
    "Firing alerts about exporters": "no exporter fails in the story",
    "Hazards": "no Kubernetes in the demo",
    "Request time": "the demo's nginx logs no request time",
    "Request time, at home against crossing": "the demo's nginx logs no request time",
    "Round trip through the tunnels": "no Kubernetes in the demo",
    "Silence of the watches": "no Kubernetes in the demo",
    "Watches": "no Kubernetes in the demo",
}
# What the story stages, and what should be reported of it: the alert's labels that tell it.
HOME, OTHER = IDS
STAGED = {
    ("ClustersetServiceBlackout", HOME, None),  # its nginx fails; later its links drop too
    ("ClustersetServiceFailover", HOME, None),
    ("ClustersetStandbyMissing", OTHER, None),  # while the home cluster is not ready
    ("ClustersetServiceNotRedundant", None, None),
    ("ClustersetCrossClusterLeakage", HOME, OTHER),
    ("ClustersetTunnelDown", HOME, OTHER),
    ("ClustersetTunnelDown", OTHER, HOME),
}


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        made = runner.run(stack.enter_async_context(staged(tmp_path_factory.mktemp("story"))))
        try:
            yield made
        finally:
            runner.run(stack.aclose())


@pytest.fixture(params=BOARDS)
def view(request, story):
    return look(story, request.param)


def look(story, uid, **chosen):
    return View(
        BOARDS[uid],
        Prometheus(story.url),
        start=story.begun - BEFORE,
        end=story.ended,
        scrape=1,
        chosen=chosen,
    )


def test_exactly_what_was_staged_is_reported(story):
    told = {
        (
            alert["labels"]["alertname"],
            alert["labels"].get("source_cluster"),
            alert["labels"].get("destination_cluster"),
        )
        for alert in story.told
    }
    assert told == STAGED


def test_nothing_is_reported_while_all_is_well(story):
    assert min(alert["at"] for alert in story.told) > story.begun


def test_what_is_over_is_reported_as_over(story):
    newest = {}
    for alert in story.told:
        newest[alert["fingerprint"]] = alert
    still = {a["labels"]["alertname"] for a in newest.values() if a["status"] == "firing"}
    # These two were still true, or inhibited, when the clusterset was taken down.
    assert still <= {"ClustersetServiceFailover", "ClustersetStandbyMissing"}


def test_critical_alerts_page_and_the_others_do_not(story):
    receivers = {(a["labels"]["severity"], a["receiver"]) for a in story.told}
    assert receivers == {("critical", "pager"), ("warning", "chat")}


def test_what_a_person_reads_names_the_service_and_the_clusters(story):
    said = {a["annotations"]["description"] for a in story.told}
    assert f"Nobody serves nginx-test/nginx to clients in {HOME}." in said
    for alert in story.told:
        links = alert["annotations"]
        assert "<no value>" not in " ".join(links.values())
        if alert["labels"].get("destination_service_name"):
            assert links["dashboard_url"].endswith("var-namespace=nginx-test&var-service=nginx")


def test_every_query_answers_and_no_panel_is_empty_but_those_listed(view):
    empty = {panel["title"] for panel, filled in view.shown() if not filled}
    titles = {panel["title"] for panel, _ in view.shown()}
    assert empty == EMPTY.keys() & titles


def test_every_variable_has_values(view):
    assert all(view.options.values())


def test_the_moves_are_marked_when_they_happened(story):
    ((_, marks),) = look(story, "clusterset-service").annotations()
    times = sorted({float(value) / 1000 for each in marks for _, value in each["values"]})
    assert len(times) == len(story.moves)
    for seen, move in zip(times, story.moves, strict=True):
        assert seen == pytest.approx(move.served, abs=SLACK)


def shown(story, uid, title, **chosen):
    view = look(story, uid, **chosen)
    panel = next(panel for panel, _ in view.shown() if panel["title"] == title)
    return [view.run(panel, target) for target in panel["targets"]]


def test_the_matrix_has_the_requests_of_the_story(story):
    (cells,) = shown(story, "clusterset-service", "Requests")
    counted = {
        (each["metric"]["source_cluster"], each["metric"]["destination_cluster"]): float(
            each["value"][1]
        )
        for each in cells
    }
    wanted = {}
    for (source, destination, _), number in story.requests.items():
        wanted[source, destination] = wanted.get((source, destination), 0) + number
    assert counted.keys() == wanted.keys()
    for pair, number in wanted.items():
        assert counted[pair] == pytest.approx(number, rel=0.15)  # increase() extrapolates


def test_the_timeline_shows_home_in_failover_and_in_blackout(story):
    (bars,) = shown(story, "clusterset-overview", "Failovers")
    (bar,) = bars
    assert bar["metric"]["source_cluster"] == HOME
    assert {value for _, value in bar["values"]} >= {"1", "3", "5"}


def test_the_newest_move_has_its_durations(story):
    at, dns, served, outage = shown(story, "clusterset-overview", "Newest move of each service")
    (moved,) = at
    assert float(moved["value"][1]) / 1000 == pytest.approx(story.moves[-1].served, abs=SLACK)
    for each in (dns, served, outage):
        assert len(each) == 1
    assert float(served[0]["value"][1]) == pytest.approx(1, abs=SLACK)
