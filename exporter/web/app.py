"""The HTTP server: metrics, JSON, page, health and reload."""

import asyncio
import gzip
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from aiohttp import web

from exporter.metrics import negotiate
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Probe
from exporter.web.entry import OPEN, RELOAD, Entry, methods_of, refusing, text
from exporter.web.limits import Limits
from exporter.web.listen import listening
from exporter.web.probes import as_blackbox
from exporter.web.scrapes import Scrapes, Text
from exporter.web.send import cut, send

if TYPE_CHECKING:
    from exporter.web.connection import Handler

PAGES = ("/", "/api/v1/status", "/api/v1/probes", "/probe", "/-/healthy", "/-/ready", RELOAD)
"""The paths of everything but the metrics."""
MAX_BODY = 16 << 10
"""Bytes of a request's body."""
MAX_AGENT = 64
"""Characters of a User-Agent that tell two scrapers with one address apart."""
KEPT_SECONDS = 1.0
"""The page and the status are made at most once in this time."""
EVERYBODY = Entry()
Made = TypeVar("Made")
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
    "Vary": "Accept-Encoding",
    "Content-Type": "text/html; charset=utf-8",
}
_JSON_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Type": "application/json",
}


async def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Where the answers come from."""

    metrics: Callable[[bool], AsyncGenerator[bytes, None]]
    """Given whether OpenMetrics is wanted, yields the text in pieces."""
    asked: Callable[[str], Callable[[], Awaitable[None]]] = lambda _: _nothing
    """Told who asks for the metrics; returns what is waited for once they were sent."""
    status: Callable[[], Awaitable[Mapping[str, Any]]]
    page: Callable[[Mapping[str, Any]], str]
    not_ready: Callable[[], str | None]
    """Why there is nothing to scrape yet, or None."""
    hung: Callable[[], str | None] = lambda: None
    """Which stage hangs and since when, or None."""
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


def serve(
    pages: Pages,
    listen: Sequence[tuple[str, int]],
    *,
    telemetry_path: str,
    entry: Entry = EVERYBODY,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AbstractAsyncContextManager[list[tuple[str, int]]]:
    """
    Serve *pages*; yield the addresses listened on.

    Args:
        pages: Where the answers come from.
        listen: Hosts and ports; an empty host is all addresses, port 0 any free one.
        telemetry_path: The path of the metrics.
        entry: Which requests are let in, and the TLS they have to use.
        limits: The limits of connections, if other than the usual ones.
        clock: Returns seconds; the page and the status are kept by it.

    Raises:
        OSError: If an address cannot be listened on.
    """
    app = make_app(pages, telemetry_path=telemetry_path, entry=entry, clock=clock)
    auth = entry.auth
    context = (lambda: None) if auth is None else (lambda: auth.context)
    return listening(app, listen, tls=context, limits=limits, health=OPEN)


def make_app(
    pages: Pages, *, telemetry_path: str, entry: Entry, clock: Callable[[], float]
) -> web.Application:
    """Return the application that answers with *pages*."""
    answers = _Answers(pages, clock)
    pages_of = (
        answers.page,
        answers.status,
        answers.probes,
        answers.probe,
        answers.healthy,
        answers.ready,
        answers.reload,
    )
    paths: dict[str, Handler] = {
        telemetry_path: answers.metrics,
        **dict(zip(PAGES, pages_of, strict=True)),
    }
    app = web.Application(middlewares=[refusing(paths, entry)], client_max_size=MAX_BODY)
    app.on_response_prepare.append(partial(_add_headers, entry))
    for path, handler in paths.items():
        for method in methods_of(path):
            app.router.add_route(method, path, handler)
    return app


async def _add_headers(entry: Entry, _: web.BaseRequest, response: web.StreamResponse) -> None:
    """Add the headers of the web configuration, unless the answer has its own, often stricter."""
    for name, value in ({} if entry.auth is None else entry.auth.headers).items():
        response.headers.setdefault(name, value)


class _Kept(Generic[Made]):
    """A value that is made at most once a second."""

    def __init__(self, make: Callable[[], Awaitable[Made]], clock: Callable[[], float]) -> None:
        self._make, self._clock = make, clock
        self._lock = asyncio.Lock()
        self._value: Made | None = None
        self._until = -inf

    async def get(self) -> Made:
        """Return the value, made now if it is older than a second."""
        async with self._lock:
            if self._value is None or self._clock() >= self._until:
                self._value = await self._make()
                self._until = self._clock() + KEPT_SECONDS
            return self._value


class _Answers:
    def __init__(self, pages: Pages, clock: Callable[[], float]) -> None:
        self._pages = pages
        self._scrapes = {wanted: Scrapes(partial(self._text, wanted)) for wanted in (False, True)}
        self._page = _Kept(self._make_page, clock)
        self._status = _Kept(self._make_status, clock)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        openmetrics = negotiate.wants_openmetrics(request.headers.get("Accept", ""))
        headers = {
            "Content-Type": negotiate.OPENMETRICS if openmetrics else negotiate.TEXT,
            "Vary": "Accept, Accept-Encoding",
        }
        packed = negotiate.accepts_gzip(request.headers.get("Accept-Encoding", ""))
        if packed:
            headers["Content-Encoding"] = "gzip"
        if request.method == "HEAD":
            return web.StreamResponse(headers=headers)
        agent = "".join(filter(str.isprintable, request.headers.get("User-Agent", "")[:MAX_AGENT]))
        sent = self._pages.asked(f"{request.remote} {agent}".rstrip())
        made = await self._scrapes[openmetrics].get()
        pieces, size = (made.packed, made.packed_size) if packed else (made.unpacked(), made.size)
        answer = await send(request, pieces, size, headers)
        await sent()
        return answer

    def _text(self, openmetrics: bool) -> AsyncGenerator[bytes, None]:
        return self._pages.metrics(openmetrics)

    async def status(self, request: web.Request) -> web.StreamResponse:
        return await _json(request, await self._status.get())

    async def _make_status(self) -> bytes:
        return await asyncio.to_thread(msgspec.json.encode, await self._pages.status())

    async def probes(self, request: web.Request) -> web.StreamResponse:
        asked = request.query.get("service")
        service = None if asked is None else ServiceName.parse(asked)
        found = self._pages.probes(service) if asked is None or service is not None else None
        if found is None:
            return _unknown(asked or "")
        return await _json(request, msgspec.json.encode(found))

    async def probe(self, request: web.Request) -> web.StreamResponse:
        asked = request.query.get("target", "")
        service = ServiceName.parse(asked)
        try:
            seen = None
            if service is not None and self._pages.probe is not None:
                seen = await self._pages.probe(service)
        except TooOftenError:
            late = "Probes by hand: two a second, five at once. Try again.\n"
            return text(late, 429, Retry_After="1")
        if seen is None:
            return _unknown(asked)
        if request.query.get("debug") == "true" and self._pages.shown is not None:
            return await _json(request, msgspec.json.encode(self._pages.shown(seen)))
        return text(as_blackbox(seen), Cache_Control="no-store")

    async def page(self, request: web.Request) -> web.StreamResponse:
        made = await self._page.get()
        if negotiate.accepts_gzip(request.headers.get("Accept-Encoding", "")):
            headers = _PAGE_HEADERS | {"Content-Encoding": "gzip"}
            return await send(request, made.packed, made.packed_size, headers)
        return await send(request, made.unpacked(), made.size, _PAGE_HEADERS)

    async def _make_page(self) -> Text:
        # In a thread, because a hundred services take tens of milliseconds.
        return await asyncio.to_thread(self._packed_page, await self._pages.status())

    def _packed_page(self, status: Mapping[str, Any]) -> Text:
        # With 250 services the page has 850 kB, and its gzip form 30 kB.
        text = self._pages.page(status).encode()
        return Text(tuple(map(bytes, cut(gzip.compress(text, 1)))), len(text))

    async def healthy(self, _: web.Request) -> web.Response:
        hung = self._pages.hung()
        if hung is not None:
            return text(f"Not healthy: {hung}.\n", 503)
        return text("clusterset-exporter is healthy.\n")

    async def ready(self, _: web.Request) -> web.Response:
        why = self._pages.not_ready()
        if why is not None:
            return text(f"Not ready: {why}.\n", 503)
        return text("clusterset-exporter is ready.\n")

    async def reload(self, _: web.Request) -> web.Response:
        failure = await self._pages.reload()
        if failure is not None:
            return text(f"Not reloaded, the old configuration stays: {failure}\n", 500)
        return text("Reloaded.\n")


async def _json(request: web.Request, body: bytes) -> web.StreamResponse:
    return await send(request, cut(body), len(body), _JSON_HEADERS)


def _unknown(asked: str) -> web.Response:
    return text(f"{asked[:128]!r} is not a service that is probed; write namespace/name.\n", 404)
