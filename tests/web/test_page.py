import gc
import re
from dataclasses import replace
from pathlib import Path
from weakref import ref

import pytest

from dashboards import files
from dashboards.thresholds import Thresholds
from exporter.accesslog.readers.gaps import GAPS
from exporter.commands.run.problems import STALE_INVENTORY
from exporter.model.probes import Failure, Lookup
from exporter.model.traffic import RECENT, Client, Hits, LogCounts
from exporter.model.verdicts import Locality, Mode, Reason
from exporter.web.page import runbooks, words
from exporter.web.page.render import (
    MAX_OPEN,
    MAX_SERVICES,
    board,
    clock,
    date,
    failed_groups,
    headline,
    page,
    seconds,
    size,
    span,
)
from tests.fakes import scenes
from tests.fakes.nouns import NGINX, probe
from tests.fakes.turns import whole


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.000144, "0.144 ms"),
        (0.05, "50 ms"),
        (0.95, "950 ms"),
        (1.5, "1.50 s"),
        (75.0, "1 min 15 s"),
    ],
)
def test_seconds(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3661, "1 h 1 min"), (90000, "1 d 1 h")],
)
def test_span(value, text):
    assert span(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (3e12, "3.0 TB")],
)
def test_size(value, text):
    assert size(value) == text


def test_moments_are_utc_and_have_a_date_if_they_are_of_another_day():
    assert clock(0, 86_399) == "00:00:00"
    assert clock(86_399, 86_400) == "1970-01-01 23:59:59"
    assert date(1.5) == "1970-01-01T00:00:01.500+00:00"


def told(status):
    return headline(status, status["services"])


def test_headline_before_anything_is_known():
    assert told(whole(scenes.Scene().page_data.status())).text == (
        "Not ready: the inventory has not been read yet."
    )
    scene = scenes.Scene()
    scene.inventory()
    assert told(whole(scene.page_data.status())) == (
        "unknown",
        "nginx-test/nginx: starting, 0 of 2 probes.",
    )
    scene.probes("a")
    status = whole(scene.page_data.status())
    assert status["services"][0]["starting"] == {"probes": 1, "needed": 2}
    assert told(status).text == "nginx-test/nginx: starting, 1 of 2 probes."
    assert "<strong>Starting: 1 of 2 probes</strong>" in page(status)
    scene.probes("a")
    assert whole(scene.page_data.status())["services"][0]["starting"] is None


def test_probes_that_are_too_old_are_no_start():
    scene = scenes.steady()
    scene.wait(600)
    status = whole(scene.page_data.status())
    assert told(status).text == (
        "nginx-test/nginx has too few fresh probes, or an address that does not tell."
    )


def test_headline_without_a_standby():
    scene = scenes.Scene()
    scene.inventory()
    scene.probes("a", "a", {"by": "b", "pinned": "b", "reply": Failure.CONNECT_TIMEOUT})
    assert told(whole(scene.page_data.status())) == (
        "mixed",
        "All well: 1 service is served in this cluster, but 1 service has no standby.",
    )


def test_look_ups_as_clients_make_them_have_a_failure_ratio_of_their_own():
    scene = scenes.steady()
    for n in range(50):
        lost = {"answer": Failure.NODATA} if n % 25 == 0 else {"by": "a"}
        made = replace(probe(60.0 + n, **lost), reply=None, lookup=Lookup.CLIENT)
        scene.monitor.probed(made)
    status = whole(scene.page_data.status())
    (service,) = status["services"]
    assert service["lookups"] == [
        {"vantage": "resolver", "lookup": "a", "lookups": 2, "failures": 0},
        {"vantage": "resolver", "lookup": "client", "lookups": 50, "failures": 2},
    ]
    text = page(status)
    assert 'as clients ask <span class="no">2</span> of 50' in text
    assert "for an address 0 of 2" in text
    assert "api/v1/probes?service=nginx-test/nginx" in text


def test_a_page_keeps_nothing_of_its_status():
    class Kept(dict):
        """A status that tells when it is gone."""

    scene = scenes.steady()
    scene.monitor.probed(probe(60.0, by="a"))
    status = Kept(whole(scene.page_data.status()))
    gone = ref(status)
    page(status)
    gc.collect()
    gc.disable()
    try:
        page(status)
        del status
        assert gone() is None
    finally:
        gc.enable()


def test_headline_without_services():
    status = whole(scenes.steady().page_data.status()) | {"services": []}
    assert told(status) == ("unknown", "The inventory has no services.")


def test_the_worst_come_first_and_a_thousand_are_bounded():
    status = whole(scenes.steady().page_data.status())
    (well,) = status["services"]
    (dark,) = whole(scenes.blackout().page_data.status())["services"]
    many = [well | {"name": f"well-{n}"} for n in range(1000)] + [dark | {"name": "dark"}]
    text = page(status | {"services": many})
    assert text.index("nginx-test/dark") < text.index("nginx-test/well-0")
    assert text.count('class="service ') == MAX_SERVICES
    assert f"{1001 - MAX_SERVICES} more services" in text
    assert "nginx-test/dark: blackout, nobody answers." in text
    more = page(status | {"services": [dark, dark | {"name": "other"}]})
    assert "nobody answers; 1 more not served in this cluster." in more


def opened(text):
    return re.findall(r'<details id="([^"]*)" class="service [^>]* open>', text)


def test_of_many_services_only_those_in_trouble_are_open():
    status = whole(scenes.steady().page_data.status())
    (well,) = status["services"]
    (dark,) = whole(scenes.blackout().page_data.status())["services"]
    many = [well | {"name": f"well-{n}"} for n in range(MAX_OPEN)]
    assert len(opened(page(status | {"services": many}))) == MAX_OPEN
    assert opened(page(status | {"services": [*many, dark]})) == ["nginx-test/nginx"]
    trouble = [dark | {"name": f"dark-{n}"} for n in range(50)]
    assert len(opened(page(status | {"services": trouble}))) == MAX_OPEN


def test_failed_probes_with_one_name_and_reason_are_one_row():
    scene = scenes.blackout()
    status = whole(scene.page_data.status())
    groups = [
        (count, each["dns_name"], each["reason"])
        for count, each in failed_groups(status["failed_probes"])
    ]
    name = "nginx.nginx-test.svc.clusterset.local"
    assert groups == [
        (2, name, "nodata"),
        (1, f"a.{name}", "connect_refused"),
        (2, name, "connect_refused"),
    ]
    newest = failed_groups(status["failed_probes"])[0][1]
    assert newest["at"] == max(each["at"] for each in status["failed_probes"])


RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"


def test_what_is_wrong_links_to_its_runbook():
    scene = scenes.failover()
    bare = whole(scene.page_data.status())
    assert "unbook" not in page(bare).split("<script>")[0]
    status = bare | {
        "runbook_url": "https://docs.example/runbooks/",
        "problems": [{"what": "gaps in logs", "message": "x", "since": 0.0}],
    }
    links = re.findall(r'href="https://docs.example/runbooks/(\w+)\.md"', page(status))
    assert links == [
        "ClustersetExporterLogsLost",
        "ClustersetServiceFailover",
        "ClustersetStandbyMissing",
    ]


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("checkpoint of access.log", "ClustersetExporterLogsLost"),
        ("probes from b", "ClustersetAttributionMismatch"),
        ("stuck_name_server 10.0.0.1:53", "ClustersetNameServerStuck"),
        ("resolvers_disagree nginx-test/nginx", "ClustersetResolversDisagree"),
        ("clock_skew cluster b", "ClustersetClockSkew"),
        ("stale_gateway gateway x", "ClustersetTunnelDown"),
    ],
)
def test_a_problem_links_to_the_runbook_of_its_alert(what, name):
    status = {"runbook_url": "https://docs.example"}
    assert runbooks.of_problem(status, what) == f"https://docs.example/{name}.md"
    assert runbooks.of_problem({"runbook_url": None}, what) is None


def crossing(scene):
    """Return the status after clients of b, which is ready, were served in a."""
    scene.hits(b=37)
    scene.settle()
    return whole(scene.page_data.status()) | {"runbook_url": "https://docs.example"}


def test_leaks_are_said_first_while_they_are_new():
    scene = scenes.steady()
    status = crossing(scene)
    said = "37 requests of clients in b leaked here in the last 5 minutes"
    assert told(status) == ("problem", f"nginx-test/nginx is served in this cluster, but {said}.")
    text = page(status)
    assert f"✕ {said}." in text
    assert text.count("https://docs.example/ClustersetCrossClusterLeakage.md") == 1
    (service,) = status["services"]
    leak = next(each for each in service["requests"] if each["locality"] == "leak")
    assert (leak["recent_requests"], leak["recent_failures"]) == (37, 0)
    scene.wait(RECENT)
    scene.probes("a", "a", {"by": "b", "pinned": "b"})
    calm = whole(scene.page_data.status())
    assert told(calm).tone == "local"
    assert "leaked" not in page(calm).split("<h2>Words</h2>")[0]


@pytest.mark.parametrize(("failures", "tone"), [(0, "local"), (9, "local"), (10, "problem")])
def test_client_requests_that_fail_are_said_first_from_one_in_a_hundred(failures, tone):
    scene = scenes.Scene()
    scene.inventory()
    scene.wait(60)
    scene.probes("a", "a", {"by": "a", "pinned": "a"}, {"by": "b", "pinned": "b"})
    clients = {Client(NGINX, "a"): Hits(requests=1000, failures=failures)}
    scene.logs.logged(scenes.LOG, LogCounts(read=1000, access=1000, clients=clients))
    status = whole(scene.page_data.status()) | {"runbook_url": "https://docs.example"}
    assert told(status).tone == tone
    said = "10 of 1,000 requests of clients got 5xx in the last 5 minutes"
    assert (said in page(status)) == (tone == "problem")
    links = "https://docs.example/ClustersetErrorBudgetBurn.md"
    assert (links in page(status)) == (tone == "problem")


def test_services_with_such_trouble_come_first_and_are_counted():
    (well,) = whole(scenes.steady().page_data.status())["services"]
    status = crossing(scenes.steady())
    (bad,) = status["services"]
    many = [well | {"name": "a"}, bad | {"name": "b"}, bad | {"name": "c"}]
    text = page(status | {"services": many})
    assert text.index("nginx-test/b") < text.index("nginx-test/a")
    assert "in the last 5 minutes; 1 service has such trouble, too." in text


def test_the_page_knows_the_runbook_for_the_time_when_the_exporter_is_gone():
    status = whole(scenes.steady().page_data.status())
    assert "data-runbook" not in page(status)
    link = 'data-runbook="https://docs.example/ClustersetExporterDown.md"'
    assert link in page(status | {"runbook_url": "https://docs.example/"})


def test_each_runbook_of_the_page_exists():
    named = {*runbooks.MODES.values(), *(name for _, name in runbooks.PROBLEMS), runbooks.GONE}
    named |= {runbooks.STANDBY, runbooks.HAZARD, runbooks.LEAK, runbooks.FAILING}
    assert not {name for name in named if not (RUNBOOKS / f"{name}.md").is_file()}


def test_the_runbook_of_a_mode_is_that_of_its_alert():
    exprs = {alert.name: alert.expr for alert in files.alerts(Thresholds())}
    asked = {
        mode: {name for name, expr in exprs.items() if f'service_mode{{mode="{mode}"}}' in expr}
        for mode in Mode
    }
    assert {mode: {name} for mode, name in runbooks.MODES.items()} == {
        mode: names for mode, names in asked.items() if names
    }


@pytest.mark.parametrize(
    ("what", "runbook", "words"),
    [
        ("configuration", "ReloadFailed", "broken"),
        ("inventory", "ReloadFailed", "inventory file is broken"),
        (STALE_INVENTORY, "InventoryStale", "has not seen changes"),
        ("watch of services", "WatchFailing", "cannot list or watch"),
        (f"{GAPS} of ingress with app=nginx", "LogsLost", "while nobody followed it"),
        ("lines of /var/log/nginx/access.log", "LogFormatWrong", "were no access lines"),
        ("log /var/log/nginx/access.log", "LogsLost", "a log could not be read"),
    ],
)
def test_the_runbook_of_a_problem_is_about_it(what, runbook, words):
    status = {"runbook_url": "https://docs.example"}
    found = runbooks.of_problem(status, what)
    assert found == f"https://docs.example/ClustersetExporter{runbook}.md"
    assert words in " ".join((RUNBOOKS / found.rpartition("/")[2]).read_text().split())


def test_a_format_without_host_leads_to_the_runbook_that_speaks_of_it():
    found = runbooks.of_problem({"runbook_url": ""}, "log format of access.log")
    assert found == "/ClustersetCrossClusterLeakage.md"
    assert "`$host`" in (RUNBOOKS / found[1:]).read_text()


def test_each_word_has_a_meaning_on_the_page_and_in_the_glossary():
    assert set(words.MODES) == set(Mode)
    assert set(words.LOCALITIES) == set(Locality)
    assert set(words.REASONS) == set(Reason)
    assert set(words.FAILURES) == set(Failure)
    glossary = (RUNBOOKS.parent / "glossary.md").read_text()
    known = {
        word.strip("` ")
        for row in re.findall(r"^\| ([^|]+) \|", glossary, re.MULTILINE)
        for word in row.split(",")
    }
    every = {*words.TERMS, *Mode, *Locality, *Reason, *Failure}
    assert every - known == set()


@pytest.mark.parametrize("url", ["https://g.example/d/clusterset-service", "http://g/d/x?orgId=1"])
def test_services_link_to_the_board_with_the_service_chosen(url):
    scene = scenes.Scene(dashboard_url=url)
    scene.inventory()
    scene.probes("a", "a")
    status = whole(scene.page_data.status())
    chosen = "var-namespace=nginx-test&var-service=nginx&var-source_cluster=a"
    link = board(status, status["services"][0])
    assert link == f"{url}{'&' if '?' in url else '?'}{chosen}"
    assert f'<a href="{link.replace("&", "&amp;")}">Dashboard</a>' in page(status)


def test_without_a_board_there_is_no_link():
    scene = scenes.Scene()
    scene.inventory()
    assert "Dashboard" not in page(whole(scene.page_data.status()))


@pytest.mark.parametrize("mode", Mode)
def test_every_mode_has_a_place_on_the_page(mode):
    status = whole(scenes.steady().page_data.status())
    service = status["services"][0] | {"mode": mode}
    assert f'class="pill {mode}"' in page(status | {"services": [service]})
