"""The status page in a real browser: what it says, how it looks, how it changes."""

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.web.app import Pages, serve
from exporter.web.page.render import page
from tests.fakes import scenes
from tests.fakes.browser import browser
from tests.fakes.nouns import NGINX
from tests.fakes.tools import need

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


@asynccontextmanager
async def served(scene):

    async def nothing():
        return None

    pages = Pages(
        metrics=scene.render,
        status=scene.page_data.status,
        page=page,
        not_ready=scene.page_data.not_ready,
        reload=nothing,
    )
    async with serve(pages, [("127.0.0.1", 0)], telemetry_path="/metrics") as addresses:
        yield "http://{}:{}/".format(*addresses[0])


def keep(picture, name):
    """Keep a picture where SCREENSHOTS says, for a person to look at."""
    if folder := os.environ.get("SCREENSHOTS"):
        (Path(folder) / f"{name}.png").write_bytes(picture)
    return picture


SAYS = {
    "steady": [
        "All well: 1 service is served in this cluster, and another would take over.",
        "Served by a since",
        "✓ local",
        "✓ standby",
        "1,234",
        "None since the exporter started.",
    ],
    "failover": [
        "nginx-test/nginx: failover, served by b.",
        "→ failover",
        "Served by b since",
        "should be b",
        "✕ No standby: nobody would take over.",
        "✕ not ready",
        "a → b",
        "readiness",
        "connect_refused",
    ],
    "blackout": [
        "nginx-test/nginx: blackout, nobody answers.",
        "Nobody answers since",
        "no ready cluster can be reached",
        "✕ not connected",
        "nodata",
    ],
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", SAYS)
async def test_it_says_how_things_are(tmp_path, name, dark):
    scene = getattr(scenes, name)()
    async with served(scene) as url, browser(need("chromium"), tmp_path) as tab:
        await tab.open(url, dark=dark)
        text = await tab.text()
        for words in SAYS[name]:
            assert words in text
        background = await tab.value("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
        picture = keep(await tab.picture(), f"{name}-{'dark' if dark else 'light'}")
        assert len(picture) < 150_000
        await tab.resize(360, 800)
        assert await tab.value("document.documentElement.scrollWidth") <= 360
        keep(await tab.picture(), f"{name}-{'dark' if dark else 'light'}-phone")
        assert tab.errors == []


async def test_it_refreshes_itself_and_what_is_open_stays_open(tmp_path):
    scene = scenes.failover()
    async with served(scene) as url, browser(need("chromium"), tmp_path) as tab:
        await tab.open(url)
        await tab.value("window.here = document.querySelector('.service'); 1")
        await tab.value("document.querySelector('section details').open = true; 1")
        opened = await tab.value("document.querySelector('section details').id")
        scene.inventory()
        scene.probes("a", "a")
        await tab.until("document.querySelector('h2 .pill').innerText === '✓ local'")
        # The same element still: it was changed, not replaced.
        assert await tab.value("window.here === document.querySelector('.service')")
        assert await tab.value(f"document.getElementById({opened!r}).open")
        assert (await tab.text()).count("b → a") == 1
        assert "✓" in await tab.value("document.title")
        assert tab.errors == []


class Many:
    """A page with 200 services, some of which are dark."""

    def __init__(self, well, dark):
        self.well, self.dark_one, self.dark = well.page_data, dark, {7, 8}
        self.not_ready = lambda: None

    async def status(self):
        status = await self.well.status()
        (well,), (dark,) = status["services"], self.dark_one["services"]
        named = [{"namespace": f"team-{n % 20}", "name": f"checkout-{n}"} for n in range(200)]
        services = [(dark if n in self.dark else well) | names for n, names in enumerate(named)]
        return status | {"services": services}


async def test_two_hundred_services_are_usable_on_a_phone(tmp_path):
    scene = scenes.steady()
    many = Many(scene, await scenes.blackout().page_data.status())
    scene.page_data = many
    shown = "[...document.querySelectorAll('.service')].filter((each) => each.offsetHeight)"
    opened = "[...document.querySelectorAll('.service[open]')].map((each) => each.id).join()"
    async with served(scene) as url, browser(need("chromium"), tmp_path) as tab:
        await tab.open(url, width=390, height=844)
        keep(await tab.picture(), "many-phone")
        assert await tab.value("document.documentElement.scrollWidth") <= 390
        assert await tab.value(opened) == "team-7/checkout-7,team-8/checkout-8"
        # A line of those that are well is as high as a finger needs, and not much higher.
        closed = "document.querySelector('.service:not([open])').offsetHeight"
        assert 32 <= await tab.value(closed) <= 80
        await tab.value(
            "const box = document.querySelector('#find input'); box.value = 'team-3 LOCAL';"
            "box.dispatchEvent(new Event('input', {bubbles: true})); 1"
        )
        assert await tab.value(f"{shown}.length") == 10
        assert "10 of 200 services" in await tab.text()
        keep(await tab.picture(), "many-phone-filtered")
        # Later copies of the page keep the filter, what is open, and open what went dark.
        await tab.value("document.getElementById('team-7/checkout-7').open = false; 1")
        many.dark = {3, 7, 8}
        await tab.until(f"{shown}.length === 9")
        assert await tab.value(opened) == "team-3/checkout-3,team-8/checkout-8"
        assert tab.errors == []


async def test_it_says_that_the_exporter_is_gone(tmp_path):
    async with browser(need("chromium"), tmp_path) as tab:
        async with served(scenes.steady(runbook_url="https://docs.example")) as url:
            await tab.open(url)
            assert await tab.value("document.getElementById('lost').hidden")
        await tab.until("!document.getElementById('lost').hidden")
        assert "The exporter does not answer since" in await tab.text()
        link = await tab.value("document.querySelector('#lost a').href")
        assert link == "https://docs.example/ClustersetExporterDown.md"


async def test_what_a_name_server_or_backend_says_cannot_make_html(tmp_path):
    scene = scenes.steady()
    scene.parts.problems.problem("configuration", "<script>window.hacked = 1</script>")
    async with served(scene) as url, browser(need("chromium"), tmp_path) as tab:
        await tab.open(url)
        assert "<script>window.hacked" in await tab.text()
        assert await tab.value("window.hacked") is None


async def test_without_script_it_refreshes_too():
    status = await scenes.steady().page_data.status()
    text = await asyncio.to_thread(page, status)
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in text
    assert str(NGINX) in text
