"""
Accepts connections within limits, and leaves HTTP to aiohttp.

The accept loop is ours because a connection has to be counted before its TLS handshake, and
because each connection gets the TLS context that is valid at that moment.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from errno import EADDRNOTAVAIL, EAFNOSUPPORT
from ssl import SSLContext

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from exporter.web.connection import Connection, Handler
from exporter.web.limits import Limits, Place, Places, WaitsFor

BACKLOG = 256
"""Connections that wait in the kernel to be accepted."""
LOG_EVERY = 10.0
"""Seconds between two log events about connections that were not accepted."""
log = structlog.get_logger()


@asynccontextmanager
async def listening(
    app: web.Application,
    addresses: Sequence[tuple[str, int]],
    *,
    tls: Callable[[], SSLContext | None] = lambda: None,
    limits: Limits | None = None,
    health: frozenset[str] = frozenset(),
) -> AsyncIterator[list[tuple[str, int]]]:
    """
    Let *app* answer requests; yield the addresses listened on.

    Args:
        app: What answers. An error of its own ends that connection, is reported to the event
            loop's exception handler, and affects no other connection.
        addresses: Hosts and ports; an empty host is all addresses, port 0 any free one.
        tls: Returns the TLS context for the next connection; None for plain HTTP.
        limits: The limits, if other than the usual ones.
        health: The paths that a connection beyond the limits may ask for.

    Raises:
        OSError: If an address cannot be listened on.
    """
    app.middlewares.insert(0, _within_limits(health))
    app.on_response_prepare.append(_tidy)
    limits = limits or Limits()
    runner = web.AppRunner(app, shutdown_timeout=limits.shutdown_seconds)
    await runner.setup()
    sockets: list[socket.socket] = []
    try:
        for host, port in addresses:
            sockets += await _bound(host, port)
        async with _Acceptor(runner, tls, limits).accepting(sockets):
            yield [sock.getsockname()[:2] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()
        await runner.cleanup()


class _Acceptor:
    """Accepts connections and owns them."""

    def __init__(
        self, runner: web.AppRunner, tls: Callable[[], SSLContext | None], limits: Limits
    ) -> None:
        self._runner, self._tls, self._limits = runner, tls, limits
        self._places = Places(limits)
        self._tasks: set[asyncio.Task[None]] = set()
        self._logged = -LOG_EVERY

    @asynccontextmanager
    async def accepting(self, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
        """Accept connections; at the end let answers under way finish, for a moment."""
        loops = [asyncio.create_task(self._accept(sock)) for sock in sockets]
        try:
            yield
        finally:
            await _cancelled(loops)
            for sock in sockets:
                sock.close()
            await self._runner.cleanup()
            await _cancelled(self._tasks)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, peer = await loop.sock_accept(listener)
            except OSError as error:
                # Usually there is no file descriptor left: the kernel keeps those that wait.
                if loop.time() - self._logged >= LOG_EVERY:
                    self._logged = loop.time()
                    log.error("connections not accepted", error=str(error))  # noqa: TRY400
                await asyncio.sleep(self._limits.backoff_seconds)
                continue
            try:
                self._admit(sock, peer[0])
            except Exception as bug:  # noqa: BLE001 - a bug must not end this loop unseen
                sock.close()
                told = {"message": "a connection was refused because of a bug", "exception": bug}
                loop.call_exception_handler(told)
            # Without this, connections that come fast would leave no turn to anybody else.
            await asyncio.sleep(0)

    def _admit(self, sock: socket.socket, address: str) -> None:
        """Serve a connection in a task of its own, if there is a place for it."""
        guest = _Guest(sock, address)
        place = self._places.take(guest)
        if place is None:
            sock.close()
            return
        task = guest.task = asyncio.get_running_loop().create_task(self._serve(guest, place))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, guest: "_Guest", place: Place) -> None:
        server = self._runner.server
        try:
            if server is None:
                guest.sock.close()
                return
            connection = guest.connection = Connection(server, self._limits, place)
            tls = self._tls()
            times = {}
            if tls is not None:
                times["ssl_handshake_timeout"] = self._limits.handshake_seconds
                times["ssl_shutdown_timeout"] = self._limits.linger_seconds
            try:
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: connection, guest.sock, ssl=tls, **times
                )
                await connection.lost.wait()
            except OSError:
                # The handshake failed or took too long.
                pass
            finally:
                connection.abort()
        finally:
            self._places.release(guest, place)


class _Guest:
    """A connection that was accepted."""

    def __init__(self, sock: socket.socket, address: str) -> None:
        self.sock, self.address = sock, address
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None

    def waits(self) -> WaitsFor | None:
        return WaitsFor.NO_REQUEST if self.connection is None else self.connection.waits()

    def leave(self) -> None:
        if self.connection is None:
            # It was accepted in this turn of the event loop: its task has not begun.
            self.sock.close()
        if self.task is not None:
            self.task.cancel()


def _within_limits(health: frozenset[str]) -> Middleware:
    @web.middleware
    async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, Connection):
            return await handler(request)
        if request.method == "CONNECT" or _upgrades(request):
            response: web.StreamResponse = web.Response(status=400, text="Bad Request.\n")
            response.force_close()
            return response
        if connection.place is Place.ANY:
            return await connection.answer(request, handler)
        if request.path not in health:
            response = web.Response(status=503, text="Too many connections.\n")
        else:
            response = await connection.answer(request, handler)
        response.force_close()
        return response

    return limited


def _upgrades(request: web.BaseRequest) -> bool:
    return (
        "Upgrade" in request.headers and "upgrade" in request.headers.get("Connection", "").lower()
    )


async def _tidy(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Say nothing of the server's version; close connections of HTTP/1.0 after one answer."""
    response.headers.pop("Server", None)
    if request.version < (1, 1):
        response.force_close()
        response.headers["Connection"] = "close"


async def _bound(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets for all addresses of *host*."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in sorted(set(found)):
            try:
                sock = socket.create_server(address, family=family, backlog=BACKLOG)
            except OSError as error:
                # Without a host, a machine without IPv6 listens on IPv4 alone.
                if not host and error.errno in {EAFNOSUPPORT, EADDRNOTAVAIL} and sockets:
                    continue
                why = (error.strerror or "").partition(" (while")[0].lower()
                msg = f"error while attempting to bind on address {address!r}: {why}"
                raise OSError(error.errno, msg) from error
            sock.setblocking(False)
            sockets.append(sock)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


async def _cancelled(tasks: set[asyncio.Task[None]] | list[asyncio.Task[None]]) -> None:
    """Cancel *tasks* and wait for their end."""
    # Each starts first, so that it closes what it was given.
    await asyncio.sleep(0)
    for task in (own := list(tasks)):
        task.cancel()
    if own:
        await asyncio.wait(own)
