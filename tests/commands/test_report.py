"""`report`: the page by samples whose sums are known, and what it says if it cannot be made."""

import asyncio
import json
import os
import re
import socket
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from exporter.cli.main import cli
from exporter.commands.report import gather as gathering
from exporter.commands.report import prometheus as client
from exporter.commands.report import write
from exporter.commands.report.content import ReportTerms, report_page
from exporter.commands.report.figures import share
from exporter.commands.report.gather import gather
from exporter.commands.report.html import as_html
from exporter.commands.report.markdown import as_markdown
from exporter.commands.report.page import MAX_ROWS, PageTable, bounded
from exporter.commands.report.plots import draw
from exporter.commands.report.prometheus import PrometheusError, prometheus
from exporter.commands.report.samples import counted
from exporter.commands.report.write import ReportForm, ReportRequest
from tests.fakes.backfilled import backfilled

GOLDEN = Path(__file__).parent.parent / "data" / "report"
NOT_DRAWN = "Nothing is drawn in this test."
SINCE = 1_794_000_000
LENGTH = 4 * 3600
STEP = 60
EVIL = '<b>"x\\|*_`$1'
SERVICE = {"destination_service_namespace": "shop", "destination_service_name": "cart"}
HOSTILE = {"destination_service_namespace": "shop", "destination_service_name": EVIL}
TERMS = ReportTerms(objective=0.999, price=0.02)


def every_minute(value, *, begin=0, end=LENGTH, away=()):
    """Return samples of value(seconds since the beginning), but none in the span *away*."""
    times = (at for at in range(begin, end + 1, STEP) if not away or not away[0] < at < away[1])
    return [(SINCE + at, value(at)) for at in times]


def story():
    """A process in east began an hour before and is restarted at two hours; one of west is away."""
    east = {"instance": "10.1.0.9:9877", "job": "clusterset-exporter", "source_cluster": "east"}
    west = {"instance": "10.2.0.9:9877", "job": "clusterset-exporter", "source_cluster": "west"}
    by_east = {**west, **SERVICE, "source_cluster": "east", "destination_cluster": "west"}
    at_east = {**east, **SERVICE, "destination_cluster": "east", "locality": "local"}
    targets = [
        ({k: v for k, v in each.items() if k != "source_cluster"}, each) for each in (east, west)
    ]
    (east_target, _), (west_target, _) = targets
    half = LENGTH // 2
    yield (
        "process_start_time_seconds",
        east_target,
        every_minute(lambda at: SINCE - 3600 if at < half else SINCE + half),
    )
    # West began at half an hour, and was first scraped a minute later.
    yield (
        "process_start_time_seconds",
        west_target,
        every_minute(lambda at: SINCE + 1740, begin=1800),
    )
    yield "clusterset_info", east, every_minute(lambda at: 1)
    yield "clusterset_info", west, every_minute(lambda at: 1, begin=1800, away=(7200, 10800))
    # 1,000 before the window; 10 a minute; a restart, after which the log has 7 at once.
    yield (
        "clusterset_requests_total",
        at_east,
        every_minute(lambda at: 1000 + at // 6 if at < half else 7 + (at - half) // 6),
    )
    yield (
        "clusterset_requests_total",
        {**by_east, "locality": "leak"},
        every_minute(lambda at: 5 + (at - 1800) // 600, begin=1800),
    )
    yield (
        "clusterset_requests_total",
        {**by_east, "locality": "failover"},
        every_minute(lambda at: 0, begin=1800),
    )
    yield (
        "clusterset_requests_total",
        {**east, **HOSTILE, "destination_cluster": "east", "locality": "local"},
        every_minute(lambda at: at // 60),
    )
    yield "clusterset_request_failures_total", at_east, every_minute(lambda at: 3 + at // 7200)
    yield (
        "clusterset_response_bytes_total",
        {**by_east, "locality": "leak"},
        every_minute(lambda at: 2_000_000_000 * ((at - 1800) // 60), begin=1800),
    )
    yield "clusterset_response_bytes_total", at_east, every_minute(lambda at: at)
    seen = {**east, **SERVICE}
    yield (
        "clusterset_service_outage_seconds_total",
        seen,
        every_minute(lambda at: 100 + (0 if at < 3600 else 30)),
    )
    yield (
        "clusterset_service_outage_seconds_total",
        {**west, **SERVICE},
        every_minute(lambda at: 0, begin=1800, away=(7200, 10800)),
    )
    # One move before the window, two in it, and two more between two scrapes.
    yield (
        "clusterset_failover_last_timestamp_seconds",
        seen,
        every_minute(
            lambda at: (
                SINCE + (-50 if at < 3600 else 3590 if at < 5400 else 5390 if at < 9000 else 8990)
            )
        ),
    )
    for stage, first, second, last in (
        ("dns", 1.0, 2.0, 5.0),
        ("served", 1.5, 2.5, 5.5),
        ("outage", 30.0, 0.0, 0.0),
    ):
        yield (
            "clusterset_failover_last_duration_seconds",
            {**seen, "stage": stage},
            every_minute(
                lambda at, a=first, b=second, c=last: a if at < 5400 else b if at < 9000 else c,
                begin=3600,
            ),
        )
    there = {**seen, "from_cluster": "east", "to_cluster": "west", "reason": "readiness"}
    back = {**seen, "from_cluster": "west", "to_cluster": "east", "reason": "readiness"}
    yield (
        "clusterset_failovers_total",
        there,
        every_minute(lambda at: 1 if at < 3600 else 2 if at < 9000 else 3),
    )
    # It comes with its first move.
    yield (
        "clusterset_failovers_total",
        back,
        every_minute(lambda at: 1 if at < 9000 else 2, begin=5400),
    )


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]

    async def ask():
        async with (
            backfilled(tmp_path_factory.mktemp("report"), port, story()) as url,
            prometheus(url, None, SINCE + LENGTH) as asked,
        ):
            return await gather(asked, SINCE, SINCE + LENGTH)

    found = asyncio.run(ask())
    found.title = "http://prometheus:9090"
    return found


def values(counts, **labels):
    return [(each.value, each.exact) for each in counts if labels.items() <= each.labels.items()]


pytestmark = pytest.mark.timeout(120)
real = pytest.mark.system


@real
def test_counts_are_differences_over_restarts_and_not_extrapolated(facts):
    # 1,190 to 1,000 before the restart; 7 + 1,200 after it.
    assert values(facts.requests, locality="local", destination_service_name="cart") == [
        (1190 + 7 + 1200 - 0, True)
    ]
    assert facts.resets == 1


@real
def test_a_process_that_began_in_this_time_counts_from_zero(facts):
    assert values(facts.requests, locality="leak") == [(5 + 21, True)]


@real
def test_one_that_began_before_counts_from_its_first_sample(facts):
    assert values(facts.failures) == [(2, True)]
    assert values(facts.outages, source_cluster="east") == [(30, True)]


@real
def test_each_move_has_the_durations_of_its_scrape_and_no_other(facts):
    assert [
        (each.unix - SINCE, each.from_cluster, each.to_cluster, each.durations)
        for each in facts.moves
    ] == [
        (3590, "east", "west", {"dns": 1.0, "served": 1.5, "outage": 30.0}),
        (5390, "west", "east", {"dns": 2.0, "served": 2.5, "outage": 0.0}),
        # Two in one scrape: which one the durations belong to is not known by the counters.
        (8990, None, None, {"dns": 5.0, "served": 5.5, "outage": 0.0}),
    ]
    assert facts.moves_counted == 4


@real
def test_missing_data_are_told(facts):
    west = next(each for each in facts.coverage if each.cluster == "west")
    assert west.first - SINCE == pytest.approx(1800, abs=5)
    ((start, end),) = west.gaps
    assert (start - SINCE, end - SINCE) == pytest.approx((7200, 10800), abs=300)
    assert west.observed == pytest.approx(LENGTH - 1800 - 3600, abs=600)


@real
@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("page.md", lambda page: as_markdown(page, {}, NOT_DRAWN)),
        ("page.html", lambda page: as_html(page, {}, NOT_DRAWN)),
    ],
)
def test_the_page_is_the_golden_one(facts, name, made):
    text = made(report_page(facts, TERMS))
    if os.environ.get("GOLDEN"):
        (GOLDEN / name).write_text(text)
    assert text == (GOLDEN / name).read_text()


@real
def test_in_html_labels_are_text_and_nothing_is_loaded(facts):
    page = as_html(report_page(facts, TERMS), draw(facts), "")
    assert "&lt;b&gt;&quot;x" in page
    assert "<b>" not in page
    assert re.findall(r'(?:src|href)="(?!data:image/svg\+xml;base64,)', page) == []
    assert page.count("<img ") == 3


@real
def test_what_too_many_resets_make_is_marked(tmp_path, monkeypatch, unused_tcp_port):
    monkeypatch.setattr(gathering, "MAX_RAW", 0)

    async def ask():
        async with (
            backfilled(tmp_path, unused_tcp_port, story()) as url,
            prometheus(url, None, SINCE + LENGTH) as asked,
        ):
            return await gather(asked, SINCE, SINCE + LENGTH)

    found = asyncio.run(ask())
    assert [exact for _, exact in values(found.requests, locality="local")].count(False) == 1
    assert "≈ 2," in as_markdown(report_page(found, TERMS), {}, "")


@pytest.fixture
def unused_tcp_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


@pytest.mark.parametrize(
    ("samples", "baseline", "number"),
    [
        ([], None, 0),
        ([5], None, 0),
        ([5], 0.0, 5),
        ([5, 9, 2, 3], None, 4 + 2 + 1),
        ([5, 9, 0, 0], 0.0, 9),
    ],
)
def test_a_counter_over_its_resets(samples, baseline, number):
    assert counted(list(enumerate(samples)), baseline=baseline) == number


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "-"),
        (0, 10, "0.00 %"),
        (10, 10, "100.00 %"),
        (1, 1_000_000, "< 0.01 %"),
        (999_999, 1_000_000, "> 99.99 %"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(part, whole, text):
    assert share(part, whole) == text


@asynccontextmanager
async def answering(handler):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def refusal(handler, token=None):
    async with answering(handler) as url, prometheus(url, token, SINCE + 60) as asked:
        with pytest.raises(PrometheusError) as told:
            await gather(asked, SINCE, SINCE + 60)
    return str(told.value).replace(url, "URL")


def answer(**more):
    async def handler(_):
        return web.Response(**more)

    return handler


def restarted(name, service, cluster):
    """Return the labels of a counter of one of a thousand services."""
    named = {"destination_service_namespace": "shop", "destination_service_name": f"cart-{service}"}
    ends = {"source_cluster": cluster, "destination_cluster": "east", "locality": "leak"}
    if name == "clusterset_service_outage_seconds_total":
        ends = {"source_cluster": cluster}
    return {"instance": f"{cluster}:9877", "job": "clusterset-exporter", **named, **ends}


class Thousand:
    """
    A Prometheus of 1,000 services in 3 clusters whose exporters were restarted once.

    Attributes:
        asked: All queries.
    """

    CLUSTERS = ("east", "west", "north")

    def __init__(self):
        self.asked = []

    async def answer(self, request):
        query = (await request.post())["query"]
        self.asked.append(query)
        result = [*self.result(query)]
        text = json.dumps({"status": "success", "data": {"resultType": "x", "result": result}})
        return web.Response(text=text)

    def result(self, query):
        ranged = re.fullmatch(r"(\w+)\{(.*)\}\[\d+s\]", query)
        if ranged is not None:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', ranged[2]))
            yield {"metric": labels, "values": [[SINCE + at, str(at % 120)] for at in (0, 60, 120)]}
        elif "clusterset_info" in query:
            for each in self.CLUSTERS if "process_start" not in query else ():
                metric = {"source_cluster": each}
                yield {"metric": metric, "values": [[SINCE, str(SINCE)], [SINCE + 60, str(SINCE)]]}
        elif "sum by" not in query:
            name = re.search(r"clusterset_\w+", query)[0]
            for service, cluster in product(range(1000), self.CLUSTERS):
                metric = restarted(name, service, cluster)
                yield {"metric": metric, "value": [SINCE + 60, str(service + SINCE)]}


async def test_a_thousand_services_are_few_questions_and_a_page_that_can_be_read():
    known = Thousand()
    async with answering(known.answer) as url, prometheus(url, None, SINCE + 60) as asked:
        found = await gather(asked, SINCE, SINCE + 60)
    # 200 raw counters, 4 for each of 200 services that moved, and a few for all.
    assert len(known.asked) < 200 + 4 * 200 + 40
    assert len([each for each in known.asked if each.startswith("increase(")]) == 4
    assert len(found.requests) == 3000
    assert {each.value for each in found.requests if not each.exact} >= {SINCE + 999}
    assert found.moves_left_out == 2800
    page = report_page(found, TERMS)
    for section in page.sections:
        for item in section.items:
            assert not isinstance(item, PageTable) or len(item.rows) <= MAX_ROWS
    text = as_markdown(page, {}, NOT_DRAWN)
    assert len(text.encode()) < 200_000
    assert "2,800 more rows are left out" in text
    assert "Moves of 2,800 more, each seen from one cluster, are not counted" in text
    assert "| Failovers and failbacks | at least " in text


def test_a_long_table_keeps_its_heaviest_rows_in_their_order():
    rows = [(float(n % 7), (f"row-{n}",)) for n in range(3 * MAX_ROWS)]
    table, told = bounded(("name",), rows, (), "that are heaviest")
    kept = [row for (row,) in table.rows]
    assert kept == sorted(kept, key=lambda row: int(row[4:]))
    assert {int(row[4:]) % 7 for row in kept} == {6, 5, 4}
    assert told == "Shown are those that are heaviest. 400 more rows are left out."
    assert len([*bounded(("name",), rows[:MAX_ROWS], (), "")]) == 1


NO_SERIES = '{"status": "success", "data": {"resultType": "vector", "result": []}}'


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ({"text": "<html>", "content_type": "text/html"}, "URL: is not a Prometheus"),
        ({"text": "[1]"}, "URL: is not a Prometheus"),
        ({"text": NO_SERIES}, "URL: has no series clusterset_info in that time"),
        ({"status": 401}, "URL: refuses the request (HTTP 401); give user:password@ in"),
        ({"status": 302, "headers": {"Location": "/login"}}, "URL: leads to /login"),
        (
            {"status": 422, "text": '{"status": "error", "errorType": "x", "error": "y"}'},
            "URL: x: y",
        ),
        ({"text": '{"status": "success", "data": {"result": [{}]}}'}, "the answer of Prometheus"),
    ],
)
async def test_an_answer_that_is_no_use(reply, told):
    assert (await refusal(answer(**reply))).startswith(told)


async def test_an_answer_that_is_too_large_or_never_comes(monkeypatch):
    monkeypatch.setattr(client, "MAX_BYTES", 1000)
    assert "is larger than" in await refusal(answer(text=" " * 5000))
    monkeypatch.setattr(client, "WITHIN", 0.2)

    async def hang(_):
        await asyncio.Event().wait()

    assert "no answer within 0.2 s" in await refusal(hang)


async def test_a_token_and_a_password_are_sent_and_not_told():
    seen = []

    async def note(request):
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=401)

    await refusal(note, token="s3cret")
    async with answering(note) as url:
        with_user = url.replace("//", "//me:hidden@")
        async with prometheus(with_user, None, SINCE) as asked:
            with pytest.raises(PrometheusError) as told:
                await gather(asked, SINCE - 60, SINCE)
    assert seen[0] == "Bearer s3cret"
    assert seen[1].startswith("Basic ")
    assert "hidden" not in str(told.value)


def test_a_prometheus_that_is_not_there_is_exit_code_1():
    with socket.create_server(("127.0.0.1", 0)) as held:
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
    done = CliRunner().invoke(cli, ["report", "--prometheus", url])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"{url}: cannot be asked: connection refused\n" in done.stderr


@real
def test_without_matplotlib_the_page_says_so_and_beside_markdown_there_are_files(
    tmp_path, facts, monkeypatch
):
    request = ReportRequest(
        url="",
        token=None,
        length=1,
        terms=TERMS,
        form=ReportForm.MARKDOWN,
        output=tmp_path / "week.md",
    )
    text = write.write_page(facts, request)
    assert "(<week-requests.svg>)" in text
    assert (tmp_path / "week-requests.svg").read_text().startswith("<?xml")

    def absent(_):
        raise ImportError

    monkeypatch.setattr(write, "draw", absent)
    text = write.write_page(facts, request)
    assert text.count("matplotlib is not installed") == 3
