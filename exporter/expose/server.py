"""The HTTP server: metrics, JSON, page, health and reload."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from exporter.expose import negotiate
from exporter.expose.probes import as_blackbox
from exporter.expose.webconfig import Guard
from exporter.model import Probe, ServiceName

MAX_SCRAPES = 8
"""Scrapes served at once; one more is asked to come back."""
SHUTDOWN = 0.3
"""Seconds for answers under way when the exporter stops."""
SEND_LIMIT = 30.0
"""Seconds for which a slow scraper is waited for."""
_OPEN = frozenset({"/-/healthy", "/-/ready"})
_ASK = {"WWW-Authenticate": "Basic"}
_GZIP = 16 + zlib.MAX_WBITS
_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:"
)
_PAGE_HEADERS = {
    "Content-Security-Policy": f"{_CSP}; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Where the answers come from."""

    metrics: Callable[[bool], AsyncIterator[bytes]]
    """Given whether OpenMetrics is wanted, yields the text in pieces."""
    status: Callable[[], Mapping[str, Any]]
    page: Callable[[Mapping[str, Any]], str]
    not_ready: Callable[[], str | None]
    """Why there is nothing to scrape yet, or None."""
    reload: Callable[[], Awaitable[str | None]]
    """Returns what is wrong with the new configuration, or None."""
    probes: Callable[[ServiceName | None], Mapping[str, Any] | None] = lambda _: None
    """The newest probes of a service, or of all; None if the service is unknown."""
    probe: Callable[[ServiceName], Awaitable[Probe | None]] | None = None
    """Probes a service now; None if it is unknown. Raises TooOftenError."""
    shown: Callable[[Probe], dict[str, Any]] | None = None
    """Such a probe with every step."""


class TooOftenError(Exception):
    """Something was asked for more often than is good."""


@asynccontextmanager
async def serve(
    pages: Pages,
    listen: Sequence[tuple[str, int]],
    *,
    telemetry_path: str,
    guard: Guard | None = None,
) -> AsyncIterator[list[tuple[str, int]]]:
    """
    Serve *pages*; yield the addresses listened on.

    Args:
        pages: Where the answers come from.
        listen: Hosts and ports; an empty host is all addresses, port 0 any free one.
        telemetry_path: Where the metrics are.
        guard: Who may come in; None for everybody, without TLS.

    Raises:
        OSError: If an address cannot be listened on.
    """
    runner = web.AppRunner(
        _application(pages, telemetry_path, guard),
        access_log=None,
        shutdown_timeout=SHUTDOWN,
        handle_signals=False,
    )
    await runner.setup()
    try:
        for host, port in listen:
            tls = None if guard is None else guard.context
            await web.TCPSite(runner, host or None, port, ssl_context=tls).start()
        yield [address[:2] for address in runner.addresses]
    finally:
        await runner.cleanup()


def _application(pages: Pages, telemetry_path: str, guard: Guard | None) -> web.Application:
    paths = (
        *(telemetry_path, "/", "/api/v1/status", "/api/v1/probes", "/probe"),
        *("/-/healthy", "/-/ready", "/-/reload"),
    )

    @web.middleware
    async def helpful(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPNotFound:
            text = f"Not found. There are: {', '.join(paths)}\n"
            return web.Response(status=404, text=text)

    @web.middleware
    async def guarded(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        # A kubelet that asks whether all is well has no password.
        if guard is not None and request.path not in _OPEN:
            header = request.headers.get("Authorization", "")
            if not await guard.allows(header):
                return web.Response(status=401, text="Unauthorized\n", headers=_ASK)
        return await handler(request)

    answers = _Answers(pages)
    application = web.Application(middlewares=[helpful, guarded], client_max_size=1024)
    application.router.add_get(telemetry_path, answers.metrics)
    application.router.add_get("/", answers.page)
    application.router.add_get("/api/v1/status", answers.status)
    application.router.add_get("/api/v1/probes", answers.probes)
    application.router.add_get("/probe", answers.probe)
    application.router.add_get("/-/healthy", answers.healthy)
    application.router.add_get("/-/ready", answers.ready)
    for method in ("POST", "PUT"):
        application.router.add_route(method, "/-/reload", answers.reload)
    return application


class _Answers:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._scrapes = 0

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        if self._scrapes >= MAX_SCRAPES:
            busy = {"Retry-After": "1"}
            return web.Response(status=503, text="Too many scrapes at once.\n", headers=busy)
        self._scrapes += 1
        try:
            return await self._scrape(request)
        finally:
            self._scrapes -= 1

    async def _scrape(self, request: web.Request) -> web.StreamResponse:
        openmetrics = negotiate.wants_openmetrics(request.headers.get("Accept", ""))
        response = web.StreamResponse(
            headers={
                "Content-Type": negotiate.OPENMETRICS if openmetrics else negotiate.TEXT,
                "Vary": "Accept, Accept-Encoding",
            }
        )
        packer = None
        if negotiate.accepts_gzip(request.headers.get("Accept-Encoding", "")):
            # Level 1 saves nearly as much as 6 for a third of the time.
            packer = zlib.compressobj(1, wbits=_GZIP)
            response.headers["Content-Encoding"] = "gzip"
        async with asyncio.timeout(SEND_LIMIT):
            await response.prepare(request)
            async for piece in self._pages.metrics(openmetrics):
                await response.write(piece if packer is None else packer.compress(piece))
            await response.write_eof(b"" if packer is None else packer.flush())
        return response

    async def status(self, _: web.Request) -> web.Response:
        return _json(self._pages.status())

    async def probes(self, request: web.Request) -> web.Response:
        text = request.query.get("service")
        service = None if text is None else _service_name(text)
        found = self._pages.probes(service) if text is None or service is not None else None
        if found is None:
            return _unknown(text or "")
        return _json(found)

    async def probe(self, request: web.Request) -> web.Response:
        text = request.query.get("target", "")
        service = _service_name(text)
        try:
            seen = None
            if service is not None and self._pages.probe is not None:
                seen = await self._pages.probe(service)
        except TooOftenError:
            late = {"Retry-After": "1"}
            text = "Probes by hand: two a second, five at once. Try again.\n"
            return web.Response(status=429, text=text, headers=late)
        if seen is None:
            return _unknown(text)
        if request.query.get("debug") == "true" and self._pages.shown is not None:
            return _json(self._pages.shown(seen))
        return web.Response(text=as_blackbox(seen), headers={"Cache-Control": "no-store"})

    async def page(self, _: web.Request) -> web.Response:
        # Beside the loop: a hundred services take tens of milliseconds.
        text = await asyncio.to_thread(self._pages.page, self._pages.status())
        return web.Response(text=text, content_type="text/html", headers=_PAGE_HEADERS)

    async def healthy(self, _: web.Request) -> web.Response:
        return web.Response(text="clusterset-exporter is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        why = self._pages.not_ready()
        if why is not None:
            return web.Response(status=503, text=f"Not ready: {why}.\n")
        return web.Response(text="clusterset-exporter is ready.\n")

    async def reload(self, request: web.Request) -> web.Response:
        # A page of some other site must not make a browser do this.
        origin = request.headers.get("Origin")
        site = request.headers.get("Sec-Fetch-Site", "none")
        if site not in {"none", "same-origin"} or origin not in {None, str(request.url.origin())}:
            return web.Response(status=403, text="Reload is not for other sites.\n")
        failure = await self._pages.reload()
        if failure is not None:
            text = f"Not reloaded, the old configuration stays: {failure}\n"
            return web.Response(status=500, text=text)
        return web.Response(text="Reloaded.\n")


def _json(value: object) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    body = msgspec.json.encode(value)
    return web.Response(body=body, content_type="application/json", headers=headers)


def _service_name(text: str) -> ServiceName | None:
    namespace, _, name = text.partition("/")
    return ServiceName(namespace, name) if namespace and name else None


def _unknown(text: str) -> web.Response:
    told = f"{text[:128]!r} is no service that is probed; write namespace/name.\n"
    return web.Response(status=404, text=told)
