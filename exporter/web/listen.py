"""
Accepts connections within limits, and leaves HTTP to aiohttp.

The accept loop is ours because a connection has to be counted before its TLS handshake, and
because each connection gets the TLS context that is valid at that moment.
"""

import asyncio
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from ssl import SSLContext
from time import monotonic

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from exporter.model.frames import clear_all_frames
from exporter.web.connection import Connection, Handler, tell_bug
from exporter.web.limits import Limits, Place, Places, WaitsFor
from exporter.web.memory import give_back_memory
from exporter.web.sockets import accepted, bound, first_byte, has_byte

ACCEPTED_A_TURN = 7
"""
Further connections accepted between two turns of the event loop. A health check needs a few turns,
and must not lose its place to those that came after it in one turn.
"""
CROWD = 64
"""Connections that are a crowd. When it has left, its memory goes back to the system."""
LOG_EVERY = 10.0
"""Seconds between two log events about connections that were not accepted."""
# asyncio gives each TLS connection a buffer of 256 KiB. Ours carry small requests.
SSLProtocol.max_size = 4 << 10
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
            sockets += await bound(host, port, limits.kernel_unread)
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
        self._crowded = False

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
            for each, (address, *_) in [(sock, peer), *accepted(listener, ACCEPTED_A_TURN)]:
                self._admit(each, address)
            # Without this, connections that come fast would leave no turn to anybody else.
            await asyncio.sleep(0)

    def _admit(self, sock: socket.socket, address: str) -> None:
        """Serve a connection in a task of its own, if there is a place for it."""
        guest, loop = _Guest(sock, address, self._limits.fresh_seconds), asyncio.get_running_loop()
        try:
            has_place = self._places.enter(guest)
        except Exception as bug:  # noqa: BLE001 - it must not end the accept loop unseen
            tell_bug("a connection was refused because of a bug", bug)
            has_place = False
        if not has_place:
            sock.close()
            return
        task = guest.task = loop.create_task(self._serve(guest))
        self._tasks.add(task)
        # Also if it is cancelled before it begins.
        task.add_done_callback(partial(self._end, guest))
        self._crowded |= len(self._tasks) > CROWD

    def _end(self, guest: "_Guest", task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        guest.forget()
        if self._crowded and len(self._tasks) < CROWD // 4:
            self._crowded = False
            give_back_memory()

    async def _serve(self, guest: "_Guest") -> None:
        limits = self._limits
        try:
            # A connection gets its place, and the memory of TLS, when it begins to talk.
            first_seconds = limits.head_seconds if self._tls() is None else limits.handshake_seconds
            async with asyncio.timeout(first_seconds):
                await first_byte(guest.sock)
            taken = self._places.take(guest)
            if taken is not None:
                guest.place = taken
                await self._converse(guest)
        except (OSError, asyncio.CancelledError) as error:
            # Nothing came in time, the handshake failed, the client is gone, or it made room. The
            # frames of asyncio refer in a circle to the connection and all its buffers.
            clear_all_frames(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._places.release(guest, guest.place)

    async def _converse(self, guest: "_Guest") -> None:
        """Answer the requests of *guest* until one side closes the connection."""
        server = self._runner.server
        if server is None:
            return
        connection = guest.connection = Connection(server, self._limits, guest.place)
        connection.promote = partial(self._promote, guest)
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
        finally:
            connection.end()

    def _promote(self, guest: "_Guest") -> bool:
        if guest.connection is not None and self._places.promote(guest):
            guest.place = guest.connection.place = Place.ANY
        return guest.place is Place.ANY


class _Guest:
    """A connection that was accepted."""

    def __init__(self, sock: socket.socket, address: str, fresh_seconds: float) -> None:
        self.sock, self.address = sock, address
        self.came, self.fresh_seconds = monotonic(), fresh_seconds
        self.place = Place.SILENT
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None

    def waits(self) -> WaitsFor | None:
        waits = WaitsFor.NO_REQUEST if self.connection is None else self.connection.waits()
        if waits is not WaitsFor.NO_REQUEST:
            return waits
        if has_byte(self.sock):
            # A busy event loop has not read it yet.
            return None if self.connection is None else WaitsFor.LOOP
        is_fresh = self.connection is not None and monotonic() < self.came + self.fresh_seconds
        return WaitsFor.FIRST_REQUEST if is_fresh else waits

    def leave(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def forget(self) -> None:
        """Let go of everything: a cancelled task would keep its guest, and with it all buffers."""
        if self.connection is None:
            self.sock.close()
        self.connection = self.task = None


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
        if connection.place is Place.ANY or (request.path not in health and connection.promote()):
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


async def _cancelled(tasks: set[asyncio.Task[None]] | list[asyncio.Task[None]]) -> None:
    """Cancel *tasks* and wait for their end."""
    # Each starts first, so that it closes what it was given.
    await asyncio.sleep(0)
    for task in (own := list(tasks)):
        task.cancel()
    if own:
        await asyncio.wait(own)
