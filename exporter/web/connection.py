"""One connection: aiohttp's protocol, with a time limit for each step and short refusals."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NoReturn

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from exporter.model.frames import clear_all_frames
from exporter.web.backlog import Backlog
from exporter.web.limits import Limits, Place, WaitsFor
from exporter.web.sockets import limit_unread
from exporter.web.tls import ServerContext

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Connection(web.RequestHandler):
    """
    One connection.

    aiohttp limits the time between two requests. This class limits the other steps: the head and
    the body of a request, the answer, and the close.

    Args:
        server: aiohttp's server, which makes and answers requests.
        limits: The limits.
        place: What this connection may ask for.
    """

    def __init__(self, server: web.Server, limits: Limits, place: Place) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.idle_seconds,
            access_log=None,  # type: ignore[arg-type]
            auto_decompress=False,
            lingering_time=0,
        )
        self.limits, self.place = limits, place
        self.promote: Callable[[], bool] = lambda: False
        self.lost = asyncio.Event()
        """Set when the connection is closed."""
        self._wire: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.backlog = Backlog(limits.stalled_seconds)
        self._received, self._done_at = 0, asyncio.get_running_loop().time()
        self._reads_body = self._busy = self._ended = self._answered = self._encrypted = False
        self._error: ConnectionResetError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start: the first request has to follow soon."""
        if self.lost.is_set():
            # It made room for another one before it began.
            transport.close()
            return
        if isinstance(transport, asyncio.Transport):
            self._wire = transport
            limit_unread(transport, self.limits.unread)
        super().connection_made(transport)
        context = transport.get_extra_info("sslcontext")
        self._encrypted = context is not None
        if isinstance(context, ServerContext) and not context.admits(
            transport.get_extra_info("ssl_object").getpeercert()
        ):
            self.abort()
        limits, is_health = self.limits, self.place is Place.HEALTH
        self._abort_in(limits.health_head_seconds if is_health else limits.head_seconds)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End."""
        self._abort_in(None)
        self.backlog.drain()
        self._wire = None
        super().connection_lost(exc)
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        """Parse *data*, unless it makes a request too large."""
        # The size of a body is checked where it is read.
        if data and not self._reads_body:
            self._received += len(data)
            if self._received > self.limits.request:
                self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                return
            if not self._busy and self._timer is None:
                self._abort_in(self.limits.head_seconds)
        super().data_received(data)

    def pause_writing(self) -> None:
        """Wait until the client has read some of its answer, but not for long."""
        super().pause_writing()
        self.backlog.fill(self.abort)

    def resume_writing(self) -> None:
        """Go on with the answer."""
        self.backlog.drain()
        super().resume_writing()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what was asked before the client closed its side, then close."""
        self._ended = True
        self._close_if_done()
        # A TLS connection always closes. aiohttp forgets the transport of a refused one.
        return not self._encrypted

    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Read the body of *request*, then let *handler* answer, both within their limits."""
        if self.transport is None:
            # Refused while the request waited for its turn.
            raise ConnectionResetError
        self._busy, self._received = True, 0
        self._reads_body = request.can_read_body
        self._abort_in(self.limits.body_seconds)
        try:
            await request.read()
        finally:
            self._reads_body = False
        self._abort_in(self.limits.answer_seconds)
        try:
            async with asyncio.timeout(self.limits.answer_seconds):
                return await handler(request)
        except TimeoutError:
            self.abort()
            raise ConnectionResetError from None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send what is left of the answer; the time limit of the answer holds meanwhile."""
        if isinstance(resp, web.HTTPException):
            # aiohttp answers with the error itself, from a frame that its traceback refers to.
            resp.with_traceback(None)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._busy, self._answered = False, True
            self._done_at = asyncio.get_running_loop().time()
            self._abort_in(None)
            self._close_if_done()

    async def start(self) -> None:
        """Answer requests until one side closes the connection."""
        try:
            await super().start()
        except asyncio.CancelledError as error:
            clear_all_frames(error)
            raise
        finally:
            clear_all_frames(self._error)
            self._error = None
            # A client that reads nothing would keep a closing connection open for ever.
            if self._wire is not None:
                # A TLS transport that is closed twice forgets its connection, and cannot abort it.
                if not self._wire.is_closing():
                    self._wire.close()
                self._abort_in(self.limits.linger_seconds)

    def handle_error(  # the signature is aiohttp's
        self,
        request: web.BaseRequest,
        status: int = 500,  # noqa: ARG002
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Refuse what is not HTTP. A bug ends its own connection, and the event loop reports it."""
        if _is_no_http(request, exc):
            self._refuse(HTTPStatus.BAD_REQUEST)
        elif exc is not None and not isinstance(exc, ConnectionError):
            tell_bug("a request was not answered because of a bug", exc)
        self._error = ConnectionResetError()
        raise self._error from exc

    def waits(self) -> WaitsFor | None:
        """Return what the connection waits for; None while a request is or will be answered."""
        wire, since = self._wire, self.backlog.since
        if self._busy or self._messages or self._current_request is not None:
            pass
        # A closed TLS transport cannot say how many bytes are on their way.
        elif wire is not None and (wire.is_closing() or wire.get_write_buffer_size()):
            since = self._done_at if since is None else since
        else:
            return WaitsFor.NEXT_REQUEST if self._answered else WaitsFor.NO_REQUEST
        if since is None:
            return None
        waited = asyncio.get_running_loop().time() - since
        return WaitsFor.READER if waited >= self.limits.slow_seconds else None

    def abort(self) -> None:
        """Close the connection at once."""
        if self._wire is not None:
            self._wire.abort()

    def end(self) -> None:
        """Close the connection at once, also one that never began."""
        if self._wire is None and not self.lost.is_set():
            # After a failed handshake asyncio tells nothing, and the parser refers to this.
            self.connection_lost(None)
        self.abort()

    def _close_if_done(self) -> None:
        if self._ended and not self._busy and not self._messages:
            self.close()

    def _abort_in(self, seconds: float | None) -> None:
        """Give the next step *seconds*; None is no limit."""
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if seconds is None else loop.call_later(seconds, self.abort)

    def _refuse(self, status: HTTPStatus) -> None:
        """Close the connection; answer with *status* unless another answer is under way."""
        self._done_at = asyncio.get_running_loop().time()
        if self.transport is not None and not self._busy:
            self.transport.write(_refusal(status))
        self.force_close()


def tell_bug(message: str, bug: BaseException) -> None:
    """Have the event loop report a bug of ours that ended one connection."""
    told = {"message": message, "exception": bug}
    asyncio.get_running_loop().call_exception_handler(told)


def _is_no_http(request: web.BaseRequest, exc: BaseException | None) -> bool:
    # aiohttp cannot say what it does not expect if that is no text.
    odd = isinstance(exc, UnicodeEncodeError) and "Expect" in request.headers
    return odd or isinstance(exc, HttpProcessingError)


def _refusal(status: HTTPStatus) -> bytes:
    body = f"{status.phrase}.\n"
    return (
        f"HTTP/1.1 {status} {status.phrase}\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode()
