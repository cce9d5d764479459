"""The HTTP server: metrics, JSON, page, health and reload."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from exporter.metrics import negotiate
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Probe
from exporter.web import listen as web
from exporter.web.auth import WebAuth
from exporter.web.listen import Request, Response, text
from exporter.web.probes import as_blackbox

MAX_SCRAPES = 8
"""Scrapes served at once; one more is asked to come back."""
_RELOAD = "/-/reload"
_OPEN = frozenset({"/-/healthy", "/-/ready"})
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

    metrics: Callable[[bool], AsyncGenerator[bytes, None]]
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


def serve(
    pages: Pages,
    listen: Sequence[tuple[str, int]],
    *,
    telemetry_path: str,
    auth: WebAuth | None = None,
) -> AbstractAsyncContextManager[list[tuple[str, int]]]:
    """
    Serve *pages*; yield the addresses listened on.

    Args:
        pages: Where the answers come from.
        listen: Hosts and ports; an empty host is all addresses, port 0 any free one.
        telemetry_path: Where the metrics are.
        auth: Who may come in; None for everybody, without TLS.

    Raises:
        OSError: If an address cannot be listened on.
    """
    answers = _Answers(pages, telemetry_path, auth)
    return web.listening(answers.answer, listen, None if auth is None else auth.context)


class _Answers:
    def __init__(self, pages: Pages, telemetry_path: str, auth: WebAuth | None) -> None:
        self._pages, self._guard = pages, auth
        self._scrapes = 0
        self._paths: Mapping[str, web.Answer] = {
            telemetry_path: self.metrics,
            "/": self.page,
            "/api/v1/status": self.status,
            "/api/v1/probes": self.probes,
            "/probe": self.probe,
            "/-/healthy": self.healthy,
            "/-/ready": self.ready,
            _RELOAD: self.reload,
        }

    async def answer(self, request: Request) -> Response:
        # A kubelet that asks whether all is well has no password.
        if self._guard is not None and request.path not in _OPEN:
            header = request.headers.get("authorization", "")
            if not await self._guard.allows(header):
                return text("Unauthorized\n", 401, WWW_Authenticate="Basic")
        if request.path not in self._paths:
            return text(f"Not found. There are: {', '.join(self._paths)}\n", 404)
        methods = ("POST", "PUT") if request.path == _RELOAD else ("GET", "HEAD")
        if request.method not in methods:
            told = f"Method not allowed, only {' and '.join(methods)}.\n"
            return text(told, 405, Allow=", ".join(methods))
        return await self._paths[request.path](request)

    async def metrics(self, request: Request) -> Response:
        if self._scrapes >= MAX_SCRAPES:
            return text("Too many scrapes at once.\n", 503, Retry_After="1")
        openmetrics = negotiate.wants_openmetrics(request.headers.get("accept", ""))
        packed = negotiate.accepts_gzip(request.headers.get("accept-encoding", ""))
        headers = {"Vary": "Accept, Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(
            kind=negotiate.OPENMETRICS if openmetrics else negotiate.TEXT,
            headers=headers,
            pieces=self._scrape(openmetrics, packed=packed),
        )

    async def _scrape(self, openmetrics: bool, *, packed: bool) -> AsyncGenerator[bytes, None]:
        # Level 1 saves nearly as much as 6 for a third of the time.
        packer = zlib.compressobj(1, wbits=_GZIP) if packed else None
        self._scrapes += 1
        try:
            async with aclosing(self._pages.metrics(openmetrics)) as pieces:
                async for piece in pieces:
                    yield piece if packer is None else packer.compress(piece)
            yield b"" if packer is None else packer.flush()
        finally:
            self._scrapes -= 1

    async def status(self, _: Request) -> Response:
        return _json(self._pages.status())

    async def probes(self, request: Request) -> Response:
        asked = request.query.get("service")
        service = None if asked is None else ServiceName.parse(asked)
        found = self._pages.probes(service) if asked is None or service is not None else None
        if found is None:
            return _unknown(asked or "")
        return _json(found)

    async def probe(self, request: Request) -> Response:
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
            return _json(self._pages.shown(seen))
        return text(as_blackbox(seen), Cache_Control="no-store")

    async def page(self, _: Request) -> Response:
        # Beside the loop: a hundred services take tens of milliseconds.
        made = await asyncio.to_thread(self._pages.page, self._pages.status())
        kind = "text/html; charset=utf-8"
        return Response(body=made.encode(), kind=kind, headers=_PAGE_HEADERS)

    async def healthy(self, _: Request) -> Response:
        return text("clusterset-exporter is healthy.\n")

    async def ready(self, _: Request) -> Response:
        why = self._pages.not_ready()
        if why is not None:
            return text(f"Not ready: {why}.\n", 503)
        return text("clusterset-exporter is ready.\n")

    async def reload(self, request: Request) -> Response:
        # A page of some other site must not make a browser do this.
        origin = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site", "none")
        if site not in {"none", "same-origin"} or origin not in {None, request.origin}:
            return text("Reload is not for other sites.\n", 403)
        failure = await self._pages.reload()
        if failure is not None:
            return text(f"Not reloaded, the old configuration stays: {failure}\n", 500)
        return text("Reloaded.\n")


def _json(value: object) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    body = msgspec.json.encode(value)
    return Response(body=body, kind="application/json", headers=headers)


def _unknown(asked: str) -> Response:
    return text(f"{asked[:128]!r} is no service that is probed; write namespace/name.\n", 404)
