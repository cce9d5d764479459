"""Fuzz targets: DNS messages, HTTP replies to probes, and HTTP requests to our server."""

import asyncio
from contextlib import AsyncExitStack

import httptools

from exporter.metrics import negotiate
from exporter.probe.dns.message import (
    MismatchError,
    decode_query,
    decode_response,
    encode_query,
    encode_response,
)
from exporter.probe.dns.name import MalformedError
from exporter.probe.dns.records import Type
from exporter.probe.http import Request, _redirected
from exporter.probe.http_reply import MAX_BODY, HttpReply, TooLargeError, read_reply
from exporter.web.app import Pages, serve
from exporter.web.auth import _credentials
from exporter.web.entry import Entry, is_ours
from exporter.web.limits import Limits
from tests.fakes import scenes
from tests.fuzz.harness import Target, halves, loop, text

NAME = "nginx.nginx-test.svc.clusterset.local"
TYPES = (Type.A, Type.AAAA, Type.SRV)
REQUEST = Request(expected=frozenset({200}), redirects=3)


def dns_response(data: bytes) -> None:
    """The first byte chooses the question, the rest answers it, its id always right."""
    type_ = TYPES[(data[0] if data else 0) % 3]
    query = encode_query(NAME, 7, type_)
    response = decode_response(query[:2] + data[1:], query)
    assert 0 <= response.rcode < 1 << 12
    assert response.ttl is None or 0 <= response.ttl < 1 << 31
    # What was cached says the same.
    assert decode_response(query[:2] + data[1:], query) == response


def dns_query(data: bytes) -> None:
    query = decode_query(data)
    decode_query(data[:2] + b"\0\0" + encode_response(query, 0)[4:])


class Parts:
    """A stream that brings parts, then ends."""

    def __init__(self, parts):
        self._parts = [part for part in parts if part]

    async def receive(self, size: int) -> bytes:
        part = self._parts.pop(0) if self._parts else b""
        if len(part) > size:
            self._parts.insert(0, part[size:])
        return part[:size]

    async def turn(self) -> None:
        """Go on at once."""


def http_reply(data: bytes) -> None:
    """A reply that is cut anywhere, then where its redirect leads."""
    seen = HttpReply(head_only=data[:1] == b"h", keep=True)
    try:
        loop().run_until_complete(read_reply(Parts(halves(data)), seen))
    except httptools.HttpParserCallbackError as error:
        msg = "a callback of the parser failed"
        raise AssertionError(msg) from error
    finally:
        del seen.parser
    assert len(seen.kept) <= MAX_BODY
    path = _redirected(seen.location or "", REQUEST, f"{NAME}:8080", "/")
    assert path is None or (path.startswith("/") and path.isascii() and path.isprintable())


class _Server:
    """Our server on a loopback address, in the loop of the fuzz targets."""

    address = None
    bugs: list = []  # noqa: RUF012 - one server

    @classmethod
    async def start(cls):
        scene = scenes.failover()

        async def none(*_):
            return None

        pages = Pages(
            metrics=scene.render,
            status=scene.page_data.status,
            page=lambda _: "<p>",
            not_ready=scene.page_data.not_ready,
            reload=none,
            probes=scene.page_data.probes,
            probe=none,
        )
        asyncio.get_running_loop().set_exception_handler(lambda _, told: cls.bugs.append(told))
        stack = AsyncExitStack()
        served = serve(
            pages,
            [("127.0.0.1", 0)],
            telemetry_path="/metrics",
            entry=Entry(lifecycle=True),
            limits=Limits(head_seconds=0.01, body_seconds=0.01),
        )
        (cls.address,) = await stack.enter_async_context(served)
        cls.open = stack

    @classmethod
    async def ask(cls, parts):
        """Send *parts*, then nothing more; return all that is answered."""
        if cls.address is None:
            await cls.start()
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(*cls.address)
            try:
                for part in parts:
                    writer.write(part)
                    await asyncio.sleep(0)
                writer.write_eof()
                return await reader.read()
            except OSError:
                return b""
            finally:
                writer.close()


def http_request(data: bytes) -> None:
    """A server answers, refuses or closes, and never has a bug to report."""
    found = loop().run_until_complete(_Server.ask(halves(data)))
    told, _Server.bugs[:] = list(_Server.bugs), []
    assert not told, told
    assert not found or found.startswith(b"HTTP/"), found[:100]
    assert b"500 Internal" not in found[:100], found[:200]


def http_headers(data: bytes) -> None:
    header = data.decode("utf-8", "surrogateescape")
    negotiate.wants_openmetrics(header)
    negotiate.accepts_gzip(header)
    _credentials(header)
    is_ours(header, frozenset({"exporter.example.com"}))
    user, _ = _credentials(f"Basic {header}")
    user.encode()
    text(data)


TARGETS = (
    Target(
        name="dns-response",
        check=dns_response,
        errors=(MismatchError, MalformedError),
        words=(encode_query(NAME, 7)[12:], b"\xc0\x0c", b"\0\1\0\1", b"\0\5\0\1", b"\0\x29"),
    ),
    Target(name="dns-query", check=dns_query, errors=(MalformedError,), words=(b"\xc0\x0c",)),
    Target(
        name="http-reply",
        check=http_reply,
        errors=(EOFError, TooLargeError, httptools.HttpParserError),
        words=(
            b"HTTP/1.1 200 OK\r\n",
            b"Content-Length: ",
            b"Transfer-Encoding: chunked\r\n",
            b"Location: http://",
            b"Upgrade: h2c\r\nConnection: upgrade\r\n",
            b"\r\n\r\n",
        ),
    ),
    Target(
        name="http-request",
        check=http_request,
        words=(
            b"GET /metrics HTTP/1.1\r\nHost: a\r\n",
            b"POST /-/reload HTTP/1.1\r\n",
            b"/probe?target=nginx-test/nginx",
            b"/api/v1/probes?service=",
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Length: 3\r\n",
            b"Expect: 100-continue\r\n",
            b"\r\n\r\n",
        ),
    ),
    Target(
        name="http-headers",
        check=http_headers,
        words=(b"application/openmetrics-text;version=1.0.0;q=", b"gzip", b"Basic ", b"[::1]:80"),
    ),
)
