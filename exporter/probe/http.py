"""One HTTP request to one address, each phase timed."""

import asyncio
import socket
from dataclasses import dataclass

import httptools

from exporter.model import Address, Failure, Reply
from exporter.probe.resolve import OUR_ERRORS, bind

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 10
"""Bytes of the body that are waited for; a longer one is good as far as it was read."""
MAX_SERVER = 64
_NO_BODY = frozenset({204, 304})
_INFORMAL, _SWITCHING = 200, 101


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, and which status codes are well. Redirects are never followed."""

    method: str = "GET"
    path: str = "/"
    expected: frozenset[int]
    host: str | None = None
    """The Host header; None for the name asked, with the port unless it is 80."""


class _Reply:
    """What httptools finds in a reply; it calls these methods."""

    def __init__(self, *, head_only: bool) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.head_only = head_only
        self.status: int | None = None
        self.server = ""
        self.body = 0
        self.headed = False
        self.framed = False
        self.done = False

    def is_over(self) -> bool:
        """Return whether there is nothing left to wait for."""
        return self.done

    def on_message_begin(self) -> None:
        self.framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done:  # what comes after the reply is none of it
            return
        name = name.lower()
        self.framed |= name in {b"content-length", b"transfer-encoding"}
        if name == b"server":
            self.server = value[:MAX_SERVER].decode("latin-1")

    def on_headers_complete(self) -> None:
        if self.done:
            return
        status = self.parser.get_status_code()
        # 1xx are followed by the reply proper.
        self.headed = status >= _INFORMAL or status == _SWITCHING
        self.status = status if self.headed else None
        if self.headed and (self.head_only or status in _NO_BODY):
            self.done = True

    def on_body(self, body: bytes) -> None:
        self.body += len(body)
        if self.body >= MAX_BODY:
            self.done = True

    def on_message_complete(self) -> None:
        self.done = self.done or self.headed


class _Phase:
    """Where a request is, and what failing there is called."""

    __slots__ = ("broken", "silent")

    def __init__(self) -> None:
        self.silent, self.broken = Failure.CONNECT_TIMEOUT, Failure.CONNECT_UNREACHABLE

    def reply(self) -> None:
        self.silent, self.broken = Failure.REPLY_TIMEOUT, Failure.REPLY_CLOSED


class _TooLargeError(Exception):
    """The head of a reply passed the limit."""


async def get(
    address: Address,
    port: int,
    *,
    request: Request,
    name: str,
    user_agent: str,
    within: float,
    source: Address | None = None,
) -> Reply:
    """
    Ask *address* for *request* as a client of *name* would, over a connection of its own.

    Takes at most *within* seconds, and never raises because of what the other side does.
    """
    loop = asyncio.get_running_loop()
    began, phase, connect, failure = loop.time(), _Phase(), None, None
    seen = _Reply(head_only=request.method == "HEAD")
    took = None
    try:
        async with asyncio.timeout(within):
            with _socket(address, source) as sock:
                await loop.sock_connect(sock, (str(address), port))
                connect = loop.time() - began
                phase.reply()
                sent = loop.time()
                await loop.sock_sendall(sock, _head(request, name, port, user_agent))
                await _read(sock, seen)
                took = loop.time() - sent
    except TimeoutError:
        # The kernel's own ETIMEDOUT, too: it says the same as our limit.
        failure = phase.silent
    except ConnectionRefusedError:
        failure = Failure.CONNECT_REFUSED
    except httptools.HttpParserError:
        failure = Failure.REPLY_MALFORMED
    except _TooLargeError:
        failure = Failure.REPLY_TOO_LARGE
    except EOFError:
        failure = Failure.REPLY_CLOSED
    except OSError as error:
        failure = Failure.RESOURCE if error.errno in OUR_ERRORS else phase.broken
    if failure is None and seen.status not in request.expected:
        failure = Failure.REPLY_STATUS
    return Reply(
        address=address,
        port=port,
        status=seen.status,
        server=seen.server,
        connect=connect,
        took=took,
        failure=failure,
    )


async def _read(sock: socket.socket, seen: _Reply) -> None:
    loop, head = asyncio.get_running_loop(), 0
    while not seen.is_over():
        part = await loop.sock_recv(sock, MAX_BODY)
        if not part:
            # Without a length the end of the connection is the end of the body.
            if seen.headed and not seen.framed:
                return
            raise EOFError
        try:
            seen.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError:
            if not seen.is_over():
                raise
            return
        head += 0 if seen.headed else len(part)
        if head > MAX_HEAD:
            raise _TooLargeError


def _head(request: Request, name: str, port: int, user_agent: str) -> bytes:
    host = request.host or (name if port == 80 else f"{name}:{port}")  # noqa: PLR2004 - as curl
    return (
        f"{request.method} {request.path} HTTP/1.1\r\nHost: {host}\r\n"
        f"User-Agent: {user_agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ).encode("latin-1")


def _socket(address: Address, source: Address | None) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bind(sock, source)
    except OSError:
        sock.close()
        raise
    return sock
