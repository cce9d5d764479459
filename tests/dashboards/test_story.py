"""The demo's story on a real Prometheus and a real Alertmanager: all is told as it was staged."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.demo.compare import SLACK
from tests.fakes.boards import BOARDS, RUNBOOKS
from tests.fakes.grafana import Prometheus, View
from tests.fakes.rendered import bars_of, need_bundle, page_of, text_of
from tests.fakes.staged import IDS, staged

pytestmark = [pytest.mark.story, pytest.mark.timeout(180)]

BLURRED = 4
"""Seconds by which what is drawn may be off: probes, a scrape, and a rule's evaluation."""
BEFORE = 10
"""Seconds of the quiet part that the boards show."""
# Panels that the story has no data for.
EMPTY = {
    "Certificates expire in": "the demo speaks plain HTTP",
    "Conditions of the exports": "no Kubernetes in the demo",
    "Endpoints": "no Kubernetes in the demo",
    "Failing upstreams": "the demo has no gateway",
    "Findings": "nothing is found in the demo",
    "Firing alerts about exporters": "no exporter fails in the story",
    "Hazards": "the story has none",
    "Request time": "the demo's nginx logs no request time",
    "Request time, local and crossing": "the demo's nginx logs no request time",
    "Round trip through the tunnels": "no Kubernetes in the demo",
    "Sent by gateways": "the demo has no gateway",
    "Silence of the watches": "no Kubernetes in the demo",
    "Watches": "no Kubernetes in the demo",
}
# What the story stages, and what should be reported of it: the alert's labels that tell it.
HOME, OTHER = IDS
CONFIG = "/etc/clusterset-exporter/config.yaml"
STAGED = {
    ("ClustersetServiceBlackout", HOME, None),  # its nginx fails; later its links drop too
    ("ClustersetServiceFailover", HOME, None),
    ("ClustersetServiceNotRedundant", None, None),
    ("ClustersetCrossClusterLeakage", HOME, OTHER),
    ("ClustersetLocalityBudgetBurn", None, None),  # the leaks are more than the objective allows
    ("ClustersetTunnelDown", HOME, OTHER),
    ("ClustersetTunnelDown", OTHER, HOME),
}
# True in the story too, but mostly said by an alert above it that inhibits it.
ALSO_TRUE = {("ClustersetStandbyMissing", each, None) for each in IDS}


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
    assert told >= STAGED
    assert told - STAGED <= ALSO_TRUE


def test_nothing_is_reported_while_all_is_well(story):
    assert min(alert["at"] for alert in story.told) > story.begun


def test_what_is_over_is_reported_as_over(story):
    newest = {}
    for alert in story.told:
        newest[alert["fingerprint"]] = alert
    still = {a["labels"]["alertname"] for a in newest.values() if a["status"] == "firing"}
    # A budget is burnt for an hour. The others may end while an alert above them says it all; then
    # Alertmanager says no more of them.
    assert still <= {
        "ClustersetLocalityBudgetBurn",
        "ClustersetServiceFailover",
        "ClustersetServiceNotRedundant",
        "ClustersetStandbyMissing",
    }


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
            assert "var-namespace=nginx-test&var-service=nginx&" in links["dashboard_url"]
            assert (
                f"clusterset-exporter check --config.file={CONFIG} nginx-test/nginx"
                in (links["command"])
            )


def test_every_query_answers_and_no_panel_is_empty_but_those_listed(view):
    empty = {panel["title"] for panel, filled in view.shown() if not filled}
    titles = {panel["title"] for panel, _ in view.shown()}
    assert empty == EMPTY.keys() & titles


def test_every_variable_has_values(view):
    # Those that hold the names of clusters for their colours are as many as ten clusters need.
    shown = {name: each for name, each in view.options.items() if not name.startswith("colour_")}
    assert all(shown.values())


def test_the_variables_of_colours_hold_each_name_once(view):
    held = [value for name, value in view.values.items() if name.startswith("colour_")]
    assert held[: len(IDS)] == view.options["colour_0"]
    assert len(set(held)) == len(IDS) + 1
    assert set(held[len(IDS) :]) == {""}


def test_the_moves_are_marked_when_they_happened(story):
    for uid in ("clusterset-service", "clusterset-overview"):
        (_, marks), (_, alerts) = look(story, uid).annotations()
        seen = {}
        for each in marks:
            how = tuple(each["metric"][name] for name in ("from_cluster", "to_cluster", "reason"))
            seen |= {float(value) / 1000: how for _, value in each["values"]}
        assert len(seen) == len(story.moves)
        for number, (at, move) in enumerate(zip(sorted(seen), story.moves, strict=True)):
            assert at == pytest.approx(move.served, abs=SLACK)
            assert seen[at][:2] == ((HOME, OTHER), (OTHER, HOME))[number % 2]
        fired = {each["metric"]["alertname"] for each in alerts}
        assert {"ClustersetServiceBlackout", "ClustersetServiceFailover"} <= fired


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


def test_the_timeline_shows_home_in_failover_mixed_and_in_blackout(story):
    (bars,) = shown(story, "clusterset-overview", "Failovers")
    (bar,) = bars
    assert bar["metric"]["source_cluster"] == HOME
    assert {value for _, value in bar["values"]} == {"3", "4", "5"}


@pytest.fixture
def drawn(story, tmp_path):
    """Return a function that draws a board and returns what *read* reads of it."""
    need_bundle()

    def draw(uid, read, end=story.ended):
        async def run():
            span = {"start": story.begun - BEFORE, "end": end}
            async with page_of(uid, story.url, tmp_path, **span) as tab:
                return await read(tab)

        return asyncio.run(run())

    return draw


def test_the_failover_is_seen_in_the_timeline_as_staged(story, drawn):
    bars = drawn("clusterset-overview", lambda tab: bars_of(tab, "Failovers"))
    assert {name for name, *_ in bars} == {f"nginx-test/nginx in {HOME}"}
    words = [word for _, word, *_ in bars]
    # The first answers of a stuck replica may agree by chance: then a failover comes before mixed.
    stuck = words.index("mixed")
    assert words[0] == "blackout"
    assert set(words[1:stuck]) == {"failover"}
    assert words[stuck + 1 :] == ["blackout", "failover", "blackout"]
    # Into failover and home, and again into failover and, over a blackout, home.
    seen = [bars[1][2], bars[1][3], bars[-2][2], bars[-1][3]]
    for at, move in zip(seen, story.moves, strict=True):
        assert at == pytest.approx(move.served, abs=BLURRED)


@pytest.mark.parametrize("uid", ["clusterset-service", "clusterset-overview"])
def test_the_moves_are_listed_with_clusters_times_and_durations(story, drawn, uid):
    text = drawn(uid, lambda tab: text_of(tab, "Moves"))
    columns = text[1 : text.index(HOME)]
    newest = dict(zip(columns, text[text.index(HOME) :], strict=False))
    where = (newest["clients in"], newest["from"], newest["to"], newest["reason"])
    assert where == (HOME, OTHER, HOME, "readiness")
    at = datetime.strptime(newest["moved at"], "%m/%d/%Y, %I:%M:%S %p").replace(tzinfo=UTC)
    assert at.timestamp() == pytest.approx(story.moves[-1].served, abs=BLURRED)
    for column in ("new answer after", "served after"):
        assert seconds(newest[column]) == pytest.approx(1, abs=SLACK)
    wanted = story.moves[-1].served - story.moves[-1].broke
    assert seconds(newest["outage"]) == pytest.approx(wanted, abs=1 + SLACK)


def seconds(text):
    number, unit = text.split()
    return float(number) * {"s": 1, "ms": 0.001}[unit]


@pytest.mark.parametrize("uid", BOARDS)
def test_every_panel_is_drawn_or_says_why_it_is_empty(uid, drawn):
    titles = {each["title"] for each in BOARDS[uid]["panels"] if each["type"] != "row"}

    async def read(tab):
        thrown = [each for each in tab.errors if "exceptionDetails" in each]
        texts = {title: await text_of(tab, title) for title in titles}
        marks = "canvas, svg, table, [role=grid], .bars"
        counted = {
            title: await tab.value(f"window.panel({title!r}).querySelectorAll({marks!r}).length")
            for title in titles
        }
        return await tab.value("window.failures()"), thrown, texts, counted

    failures, thrown, texts, counted = drawn(uid, read)
    assert (failures, thrown) == ([], [])
    for panel in BOARDS[uid]["panels"]:
        if panel["type"] == "row":
            continue
        title, shown = panel["title"], " ".join(texts[panel["title"]])
        empty = panel["fieldConfig"]["defaults"]["noValue"] in shown
        assert empty == (title in EMPTY), title
        assert "NaN" not in shown, title
        assert empty or counted[title] or panel["type"] == "stat", title


def test_one_click_leads_from_an_alert_to_its_runbook(story, drawn):
    _, (_, alerts) = look(story, "clusterset-overview").annotations()
    marked = {each["metric"]["alertname"]: each["values"] for each in alerts}
    (at, _), *_ = marked["ClustersetServiceBlackout"]
    links = "[...window.panel('Firing alerts').querySelectorAll('a')].map((each) => each.href)"
    shown = drawn("clusterset-overview", lambda tab: tab.value(links), end=at)
    assert f"{RUNBOOKS}/ClustersetServiceBlackout.md" in shown


def test_one_click_leads_from_a_service_to_its_board(drawn):
    async def read(tab):
        return [
            await tab.value(
                f"[...window.panel({title!r}).querySelectorAll('a')].map((each) => each.href)"
            )
            for title in ("Services", "Moves")
        ]

    for links in drawn("clusterset-overview", read):
        assert links
        for link in links:
            url, query = urlsplit(link), parse_qs(urlsplit(link).query)
            assert url.path == "/d/clusterset-service"
            chosen = (query["var-namespace"], query["var-service"], query["var-datasource"])
            assert chosen == (["nginx-test"], ["nginx"], ["prometheus"])
            assert {"from", "to"} <= query.keys()
