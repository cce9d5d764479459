"""
A small HTTP/1.1 server: what scrapers, kubelets and a browser ask of an exporter, within bounds.

A general one is the largest part of a small process: importing aiohttp takes 12 MB. Requests are
parsed by httptools, which is llhttp.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from ssl import SSLContext
from urllib.parse import parse_qsl, unquote

import httptools

MAX_CONNECTIONS = 256
"""Held at once; one more is closed."""
MAX_REQUEST = 16 << 10
"""Bytes of a request, its body included."""
IDLE_LIMIT = 75.0
"""Seconds for which a connection may ask nothing: longer than the usual scrape interval."""
REQUEST_LIMIT = 10.0
"""Seconds from the first byte of a request to its last."""
SEND_LIMIT = 30.0
"""Seconds for which somebody who reads slowly is waited for."""
LINGER = 5.0
"""Seconds until what was written last has to be gone."""
SHUTDOWN = 0.3
"""Seconds for answers under way when the server stops."""
_READ = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    """Of a name that is given twice the first value."""
    headers: Mapping[str, str]
    """By name in lower case."""
    secure: bool

    @property
    def origin(self) -> str:
        """Return what a page of this server has for an Origin."""
        return f"http{'s' if self.secure else ''}://{self.headers.get('host', '')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    pieces: AsyncGenerator[bytes, None] | None = None
    """The body piece by piece instead."""
    kind: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


def text(body: str, status: int = 200, **headers: str) -> Response:
    """Return a plain text; of names of *headers* `_` is written as `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, body=body.encode(), headers=named)


Answer = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def listening(
    answer: Answer, addresses: Sequence[tuple[str, int]], tls: SSLContext | None = None
) -> AsyncIterator[list[tuple[str, int]]]:
    """
    Let *answer* answer requests; yield the addresses listened on.

    Args:
        answer: Called with each request. An error of its own ends that connection, is told to the
            event loop's handler of errors, and touches nobody else.
        addresses: Hosts and ports; an empty host is all addresses, port 0 any free one.
        tls: How the server proves itself; None for plain HTTP.

    Raises:
        OSError: If an address cannot be listened on.
    """
    held = _Held(answer, secure=tls is not None)
    servers: list[asyncio.Server] = []
    try:
        for host, port in addresses:
            servers.append(await asyncio.start_server(held.came, host or None, port, ssl=tls))
        yield [socket.getsockname()[:2] for server in servers for socket in server.sockets]
    finally:
        for server in servers:
            server.close()
        await held.end()


class _Held:
    """The connections of one server."""

    def __init__(self, answer: Answer, *, secure: bool) -> None:
        self._answer, self._secure = answer, secure
        self._tasks: dict[asyncio.Task[None], _Connection] = {}

    def came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= MAX_CONNECTIONS:
            writer.close()
            return
        connection = _Connection(reader, writer, self._answer, secure=self._secure)
        # Not left to asyncio: in some releases it reports each one that is cancelled at the end.
        task = asyncio.get_running_loop().create_task(self._serve(connection, writer))
        self._tasks[task] = connection
        task.add_done_callback(self._ended)

    async def _serve(self, connection: "_Connection", writer: asyncio.StreamWriter) -> None:
        try:
            await connection.run()
        except (OSError, EOFError, TimeoutError):
            # They hung up, or are too slow.
            pass
        finally:
            writer.close()
            asyncio.get_running_loop().call_later(LINGER, writer.transport.abort)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            told = {"message": "a bug while a request was answered", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)

    async def end(self) -> None:
        """Let answers under way end, for a moment; all else ends at once."""
        idle = [task for task, connection in self._tasks.items() if not connection.busy]
        for task in idle:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=SHUTDOWN)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)


class _RefusedError(Exception):
    """What was sent is not answered by anybody; says with which status."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class _Connection:
    """One connection: a request after the other. Its methods `on_*` are called by the parser."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Answer,
        *,
        secure: bool,
    ) -> None:
        self._reader, self._writer, self._answer = reader, writer, answer
        self._secure = secure
        self._parser = httptools.HttpRequestParser(self)
        self._asked: deque[tuple[Request, bool, bool]] = deque()
        self._size = 0
        self._url, self._headers = b"", dict[str, str]()
        self.busy = False

    async def run(self) -> None:
        """Answer until one side has enough."""
        stays = True
        try:
            while stays:
                request, modern, stays = await self._next()
                self.busy = True
                async with asyncio.timeout(SEND_LIMIT):
                    stays = await self._send(await self._answer(request), request, modern, stays)
                self.busy = False
        except _RefusedError as error:
            said = text(f"{error.status.phrase}.\n", error.status)
            self._writer.write(_head(said, f"Content-Length: {len(said.body)}", stays=False))
            self._writer.write(said.body)

    async def _next(self) -> tuple[Request, bool, bool]:
        """Return what is asked next, whether by HTTP/1.1, and whether more may come after it."""
        if not self._asked:
            async with asyncio.timeout(IDLE_LIMIT):
                await self._read()
            async with asyncio.timeout(REQUEST_LIMIT):
                while not self._asked:
                    await self._read()
        return self._asked.popleft()

    async def _read(self) -> None:
        data = await self._reader.read(_READ)
        if not data:
            raise EOFError
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            # What came whole before it is not answered either: nobody sends such a thing.
            raise _RefusedError(HTTPStatus.BAD_REQUEST) from error
        if self._asked:
            self._size = 0
        elif self._size > MAX_REQUEST:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    async def _send(self, made: Response, request: Request, modern: bool, stays: bool) -> bool:
        """Send the answer; return whether the connection stays."""
        writer, whole = self._writer, request.method != "HEAD"
        if made.pieces is None:
            head = _head(made, f"Content-Length: {len(made.body)}", stays=stays and modern)
            writer.write(head + (made.body if whole else b""))
            await writer.drain()
            return stays and modern
        # Before HTTP/1.1 a body of unknown length ends with the connection.
        stays = stays and modern
        length = "Transfer-Encoding: chunked" if modern else "Cache-Control: no-store"
        writer.write(_head(made, length, stays=stays))
        async with aclosing(made.pieces) as pieces:
            if whole:
                async for piece in pieces:
                    if piece:
                        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if modern else piece)
                        await writer.drain()
                writer.write(b"0\r\n\r\n" if modern else b"")
        await writer.drain()
        return stays

    def on_message_begin(self) -> None:
        self._url, self._headers = b"", {}

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_message_complete(self) -> None:
        url = httptools.parse_url(self._url)
        pairs = parse_qsl((url.query or b"").decode("latin-1"), keep_blank_values=True)
        request = Request(
            method=self._parser.get_method().decode(),
            path=unquote((url.path or b"/").decode("latin-1")),
            query=dict(reversed(pairs)),
            headers=self._headers,
            secure=self._secure,
        )
        modern = self._parser.get_http_version() == "1.1"
        self._asked.append((request, modern, self._parser.should_keep_alive()))


def _head(made: Response, length: str, *, stays: bool) -> bytes:
    now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    rows = [
        f"HTTP/1.1 {made.status} {HTTPStatus(made.status).phrase}",
        f"Date: {now}",
        f"Content-Type: {made.kind}",
        length,
        *(f"{name}: {value}" for name, value in made.headers.items()),
        *(() if stays else ("Connection: close",)),
    ]
    return ("\r\n".join(rows) + "\r\n\r\n").encode("latin-1")
