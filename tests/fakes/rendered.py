"""A board as Grafana's own packages draw it in Chromium, see tests/render."""

from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.fakes.boards import LINKED
from tests.fakes.browser import browser
from tests.fakes.tools import need

WWW = Path(__file__).parents[1] / "render" / "www"
WIDTH = 1400
LIMIT = aiohttp.ClientTimeout(total=60)


def need_bundle():
    """Skip the test if the page is not built."""
    if not (WWW / "page.js").exists():
        pytest.skip("tests/render/www is not built: make test-dashboards builds it with npm")


@asynccontextmanager
async def page_of(uid, prometheus, folder, *, start, end, scale=1, scrape=1):
    """Yield a tab that shows a board from *start* to *end*, scraped every *scrape* seconds."""
    job = {"board": LINKED[uid], "start": start, "end": end, "scrape": scrape}
    async with (
        _served(job, prometheus) as url,
        browser(need("chromium"), folder / f"profile-{uid}") as tab,
    ):
        await tab.open(url, width=WIDTH, height=900)
        await tab.until("window.settled && window.settled()")
        height = await tab.value(
            "Math.ceil(Math.max(...[...document.querySelectorAll('[data-viz-panel-key]')]"
            ".map((each) => each.getBoundingClientRect().bottom)) + scrollY) + 16"
        )
        # The window grows to the whole board, so that nothing is left undrawn below the fold.
        await tab.resize(WIDTH, height, scale=scale)
        await tab.until("window.settled()")
        # Panels draw what they were given within the next two frames.
        await tab.call(
            "Runtime.evaluate",
            expression="new Promise((done) => requestAnimationFrame(() => setTimeout(done, 500)))",
            awaitPromise=True,
        )
        yield tab


async def text_of(tab, title):
    """Return the lines that a panel shows."""
    text = await tab.value(f"window.panel({title!r}).innerText")
    return [line.strip() for line in text.splitlines() if line.strip()]


async def bars_of(tab, title):
    """Return the bars of a state timeline: name, word, from and to in unix seconds."""
    return await tab.value(
        f"[...window.panel({title!r}).querySelectorAll('.bars span')].map((each) => ["
        "each.parentElement.dataset.name, each.innerText,"
        "each.dataset.from / 1000, each.dataset.to / 1000])"
    )


@asynccontextmanager
async def _served(job, prometheus):
    async with aiohttp.ClientSession(timeout=LIMIT) as session:

        async def asked(request):
            path = request.match_info["path"]
            async with session.get(f"{prometheus}{path}", params=request.query) as reply:
                return web.Response(
                    body=await reply.read(), status=reply.status, content_type="application/json"
                )

        async def told(_):
            return web.json_response(job)

        async def file(request):
            path = WWW / (request.match_info["path"] or "index.html")
            if path.suffix == ".svg":
                blank = '<svg xmlns="http://www.w3.org/2000/svg"/>'
                return web.Response(text=blank, content_type="image/svg+xml")
            return web.FileResponse(path) if path.exists() else web.Response(status=404)

        app = web.Application()
        app.router.add_get("/prometheus/{path:.*}", asked)
        app.router.add_get("/job.json", told)
        app.router.add_get("/{path:.*}", file)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()
