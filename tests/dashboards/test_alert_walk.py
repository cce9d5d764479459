"""Five alerts from firing to mended, as somebody who was woken up, with each link and command."""

import asyncio
import re
import time
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from tests.fakes.boards import BOARDS, RUNBOOKS, panels
from tests.fakes.browser import browser
from tests.fakes.grafana import Prometheus, View, numbers
from tests.fakes.runbooks import FOLDER
from tests.fakes.staged import IDS
from tests.fakes.tools import need
from tests.fakes.walked import until, walked

pytestmark = [pytest.mark.story, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]
HOME, OTHER = IDS
SERVICE = {"destination_service_namespace": "nginx-test", "destination_service_name": "nginx"}
RANGE = 60
"""Seconds that the board shows to the person who follows the link."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with walked(tmp_path_factory.mktemp("walk")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tab(tmp_path_factory):
    async with browser(need("chromium"), tmp_path_factory.mktemp("profile")) as made:
        yield made


def board_shows(alert, url):
    """Return how many numbers are behind the panel that the alert's link leads to."""
    link = urlsplit(alert["annotations"]["dashboard_url"])
    uid, query = link.path.removeprefix("/d/"), parse_qs(link.query, strict_parsing=True)
    board, (number,) = BOARDS[uid], query.pop("viewPanel")
    chosen = {name.removeprefix("var-"): value for name, (value,) in query.items()}
    now = time.time()
    view = View(board, Prometheus(url), start=now - RANGE, end=now, scrape=1, chosen=chosen)
    for name, value in chosen.items():
        assert value in view.options[name]
    (panel,) = [each for each in panels(board) if each["id"] == int(number)]
    return sum(numbers(view.run(panel, target)) for target in panel["targets"])


@asynccontextmanager
async def page_of(tab, site):
    """Show the page of a site, which is calm before and after what happens in between."""

    async def calm():
        headline = await tab.value("document.querySelector('[role=status]').innerText")
        hidden = await tab.value("document.getElementById('lost').hidden")
        problems = await tab.value("document.querySelectorAll('[role=alert]').length")
        return "All well" in headline and hidden and not problems

    await tab.open(site.url)
    await until(calm, f"the page of {site.id} is calm at first")
    yield
    await until(calm, f"the page of {site.id} is calm again")
    assert RUNBOOKS not in await tab.value("document.getElementById('main').innerText")


async def told(world, tab, name, says, **labels):
    """Wait for an alert, follow its links and those of the page, and return it."""
    alert = await world.firing(name, **labels)
    notes = alert["annotations"]
    assert "<no value>" not in " ".join(notes.values())
    await until(
        lambda: asyncio.to_thread(board_shows, alert, world.prometheus), "the panel shows a number"
    )
    page = FOLDER / notes["runbook_url"].removeprefix(f"{RUNBOOKS}/")
    assert page.read_text().startswith(f"# {name}\n")

    async def shown():
        return re.search(says, await tab.text())

    await until(shown, f"the page says {says!r}")
    links = "[...document.querySelectorAll('a')].map((each) => each.href)"
    assert notes["runbook_url"] in await tab.value(links)
    return alert


async def test_blackout(world, tab):
    home, _ = world.sites
    labels = {"source_cluster": HOME, **SERVICE}
    async with page_of(tab, home):
        await world.made.stop_backend(home)
        says = r"nginx-test/nginx: blackout, nobody answers\."
        alert = await told(world, tab, "ClustersetServiceBlackout", says, **labels)
        assert [each["name"] for each in alert["receivers"]] == ["pager"]
        code, output = await world.typed(alert["annotations"]["command"])
        assert code == 1
        assert "connect_refused" in output
        assert f"nginx-test/nginx is served to nobody in {HOME}." in output
        await world.made.start_backend(home)
        await world.over("ClustersetServiceBlackout", **labels)
    code, output = await world.typed(alert["annotations"]["command"])
    assert code == 0


async def test_leakage(world, tab):
    _, other = world.sites
    labels = {"source_cluster": HOME, "destination_cluster": OTHER, **SERVICE}
    async with page_of(tab, other):
        world.held[HOME] = other.service
        says = rf"requests of clients in {HOME} leaked here in the last 5 minutes"
        alert = await told(world, tab, "ClustersetCrossClusterLeakage", says, **labels)
        # The name leads home, so it is the clients that hold an old address.
        code, output = await world.typed(alert["annotations"]["command"])
        assert code == 0
        assert f"nginx-test/nginx is served by {HOME}, as it should be" in output
        there = alert["annotations"]["command"].replace(HOME, OTHER)
        _, output = await world.typed(there)
        assert f"{HOME} is ready itself now" in output
        del world.held[HOME]
        await world.over("ClustersetCrossClusterLeakage", **labels)


async def test_exporter_down(world, tab):
    home, _ = world.sites
    labels = {"instance": home.url.removeprefix("http://").rstrip("/")}
    async with page_of(tab, home):
        await world.exporters[HOME].stop()
        says = r"The exporter does not answer since [\d:]+ UTC"
        alert = await told(world, tab, "ClustersetExporterDown", says, **labels)
        assert labels["instance"] in alert["annotations"]["description"]
        assert " get pods " in alert["annotations"]["command"]
        await world.exporters[HOME].start()
        await world.over("ClustersetExporterDown", **labels)


async def test_attribution_mismatch(world, tab):
    _, other = world.sites
    labels = {"destination_cluster": OTHER, "claimed_cluster": HOME, "attributed_cluster": OTHER}
    async with page_of(tab, other):
        world.swap_addresses(other)
        says = rf"probes from {HOME}: they arrive with addresses of {OTHER}"
        alert = await told(world, tab, "ClustersetAttributionMismatch", says, **labels)
        assert f"--context {OTHER} get clusters.submariner.io" in alert["annotations"]["command"]
        # What would be leaks by these addresses is not reported as such.
        assert await world.alerts("ClustersetCrossClusterLeakage") == []
        world.made.write()
        await world.over("ClustersetAttributionMismatch", **labels)


async def test_error_budget_burn(world, tab):
    home, _ = world.sites
    labels = {"severity": "critical", **SERVICE}
    async with page_of(tab, home):
        world.broken_app(home).touch()
        says = r"\d+ of \d+ requests of clients got 5xx in the last 5 minutes"
        alert = await told(world, tab, "ClustersetErrorBudgetBurn", says, **labels)
        assert "--context" not in alert["annotations"]["command"]
        code, output = await world.typed(alert["annotations"]["command"])
        assert code == 0  # the name leads where it should
        assert re.search(
            rf"warn +\S+access\.log +newest client requests: \d+ from {HOME}, \d+ with 5xx", output
        )
        world.broken_app(home).unlink()
        await world.over("ClustersetErrorBudgetBurn", **labels)
