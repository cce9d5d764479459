"""One HTTP request to one address, each phase timed."""

import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urljoin, urlsplit

import httptools

from exporter.model.clusterset import Address
from exporter.model.probes import Failure, Phase, Reply
from exporter.probe.drivers.waits import IN, Socket
from exporter.probe.tcp import OUR_ERRORS, Connection, connect, connect_failure, tcp_socket
from exporter.probe.tls import Tls, TlsStream, blind_context, tls_failure

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 10
"""Bytes of the body that are waited for; a longer one is good as far as it was read."""
MAX_RECEIVED = 1 << 20
"""Bytes of a whole reply: chunks and what stands between them may be larger than the body."""
MAX_SERVER = 64
_NO_BODY = frozenset({204, 304})
_MOVED = frozenset({301, 302, 303, 307, 308})
_INFORMAL, _SWITCHING = 200, 101
_VERSIONS = frozenset({"1.0", "1.1"})
_PATH = re.compile("/[!-~]*")
_SILENT = {
    Phase.CONNECT: Failure.CONNECT_TIMEOUT,
    Phase.TLS: Failure.TLS_TIMEOUT,
    Phase.REPLY: Failure.REPLY_TIMEOUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for, and what is well."""

    method: str = "GET"
    path: str = "/"
    expected: frozenset[int]
    """Status codes that are well."""
    body: re.Pattern[bytes] | None = None
    """What is to be found in the first MAX_BODY bytes of the body."""
    host: str | None = None
    """The Host header; None for the name asked, with the port unless it is the usual one."""
    headers: tuple[str, ...] = ()
    """Further lines of the head."""
    redirects: int = 0
    """How many are followed: to the same scheme, host and port only, at the same address."""
    tls: Tls | None = None
    """None: plain HTTP."""

    @property
    def usual_port(self) -> int:
        """Return the port that goes without saying."""
        return 80 if self.tls is None else 443


class _Reply:
    """What httptools finds in a reply; it calls these methods."""

    def __init__(self, *, head_only: bool, keep: bool) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.head_only = head_only
        self.version = ""
        self.status: int | None = None
        self.server = ""
        self.location: str | None = None
        self.received = 0
        self.head = 0
        """Bytes of header fields."""
        self.body = 0
        self.kept = bytearray() if keep else None
        self.headed = False
        self.framed = False
        self.done = False
        """There is nothing left to wait for."""

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done:  # what comes after the reply is none of it
            return
        name = name.lower()
        self.head += len(name) + len(value)
        self.framed |= name in {b"content-length", b"transfer-encoding"}
        if name == b"server":
            self.server = value[:MAX_SERVER].decode("latin-1")
        elif name == b"location":
            self.location = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self.done:
            return
        status, self.version = self.parser.get_status_code(), self.parser.get_http_version()
        # 1xx are followed by the reply proper.
        self.headed = status >= _INFORMAL or status == _SWITCHING
        if not self.headed:
            self.framed = False
            return
        self.status = status
        if self.head_only or status in _NO_BODY:
            self.done = True

    def on_body(self, body: bytes) -> None:
        if self.kept is not None:
            self.kept += body[: MAX_BODY - self.body]
        self.body += len(body)
        if self.body >= MAX_BODY:
            self.done = True

    @property
    def ended(self) -> Failure:
        """What it is called if nothing more comes."""
        if self.headed:
            return Failure.REPLY_CUT
        return Failure.REPLY_CLOSED if self.received else Failure.REPLY_EMPTY

    def on_message_complete(self) -> None:
        self.done = self.done or self.headed


class _TooLargeError(Exception):
    """The head of a reply passed the limit."""


class _Exchange:
    """One request and what became of it."""

    def __init__(self, address: Address, port: int, request: Request, host: str) -> None:
        self._address, self._port = address, port
        self._request, self._host = request, host
        self._phase = Phase.CONNECT
        self.seen = _Reply(head_only=request.method == "HEAD", keep=request.body is not None)
        self.opened: Connection | None = None
        self.tls: float | None = None
        self.expires: float | None = None
        self.took: float | None = None
        self.failure: Failure | None = None

    async def run(self, path: str, user_agent: str, until: float, source: Address | None) -> None:
        """Ask, and give up at *until* on the monotonic clock."""
        try:
            try:
                await self._run(path, user_agent, until, source)
            except ssl.SSLCertVerificationError as error:
                self.failure = tls_failure(error)
                await self._look(until, source)
        except TimeoutError:
            # The kernel's own ETIMEDOUT, too: it says the same as our limit.
            self.failure = self.failure or _SILENT[self._phase]
        except ssl.SSLError as error:
            self.failure = tls_failure(error)
        except httptools.HttpParserError:
            self.failure = Failure.REPLY_MALFORMED
        except _TooLargeError:
            self.failure = Failure.REPLY_TOO_LARGE
        except EOFError:
            self.failure = self.seen.ended
        except OSError as error:
            self.failure = self._broken(error)
        else:
            self.failure = self.failure or self._judge()
        # It holds the parser and the parser holds it: thousands of those would wait for the
        # garbage collector.
        del self.seen.parser

    def _broken(self, error: OSError) -> Failure:
        if error.errno in OUR_ERRORS:
            return Failure.RESOURCE
        if self._phase is Phase.CONNECT:
            return connect_failure(error)
        return Failure.TLS_FAILED if self._phase is Phase.TLS else self.seen.ended

    async def _run(self, path: str, user_agent: str, until: float, source: Address | None) -> None:
        with tcp_socket(self._address, source, until) as sock:
            self.opened = await connect(sock, self._address, self._port)
            wanted = self._request.tls
            stream = sock if wanted is None else await self._tls(wanted, sock)
            self._phase, began = Phase.REPLY, monotonic()
            await stream.send_all(self._head(path, user_agent))
            if stream is sock:
                # Nothing can be there yet.
                sock.wants = IN
                await sock
            await _read(stream, self.seen)
            self.took = monotonic() - began

    async def _tls(self, wanted: Tls, sock: Socket) -> TlsStream:
        self._phase, began = Phase.TLS, monotonic()
        name = wanted.server_name or urlsplit(f"//{self._host}").hostname or self._host
        stream = TlsStream(sock, wanted.context, name)
        self.expires = await stream.handshake()
        self.tls = monotonic() - began
        return stream

    async def _look(self, until: float, source: Address | None) -> None:
        """Look at the certificate that was refused, over a connection that asks for nothing."""
        with suppress(OSError), tcp_socket(self._address, source, until) as sock:
            await connect(sock, self._address, self._port)
            host = urlsplit(f"//{self._host}").hostname or self._host
            name = (self._request.tls and self._request.tls.server_name) or host
            self.expires = await TlsStream(sock, blind_context(), name).handshake()

    def _judge(self) -> Failure | None:
        request, seen = self._request, self.seen
        if seen.version not in _VERSIONS:
            return Failure.REPLY_MALFORMED
        if seen.status not in request.expected:
            return Failure.REPLY_STATUS
        if request.body is None or seen.kept is None or request.body.search(seen.kept):
            return None
        return Failure.REPLY_BODY

    def _head(self, path: str, user_agent: str) -> bytes:
        headers = self._request.headers
        more = "".join(f"{line}\r\n" for line in headers) if headers else ""
        return (
            f"{self._request.method} {path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"User-Agent: {user_agent}\r\nAccept: */*\r\n{more}Connection: close\r\n\r\n"
        ).encode("latin-1")

    def reply(self, redirects: int, failure: Failure | None) -> Reply:
        """Return what was seen."""
        opened = self.opened
        return Reply(
            address=self._address,
            port=self._port,
            status=self.seen.status,
            server=self.seen.server,
            connect=None if opened is None else opened.took,
            rtt=None if opened is None else opened.rtt,
            tls=self.tls,
            certificate_expires=self.expires,
            redirects=redirects,
            took=self.took,
            failure=failure,
        )


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
    until, path = monotonic() + within, request.path
    host = request.host or (name if port == request.usual_port else f"{name}:{port}")
    redirects = 0
    while True:
        exchange = _Exchange(address, port, request, host)
        await exchange.run(path, user_agent, until, source)
        seen = exchange.seen
        moved = request.redirects and exchange.took is not None and seen.status in _MOVED
        if not moved:
            return exchange.reply(redirects, exchange.failure)
        to = _redirected(seen.location or "", request, host, path)
        if to is None or redirects >= request.redirects:
            return exchange.reply(redirects, Failure.REPLY_REDIRECT)
        path, redirects = to, redirects + 1


def _redirected(location: str, request: Request, host: str, path: str) -> str | None:
    """Return the path that *location* names on the same host, or None."""
    scheme = "http" if request.tls is None else "https"
    try:
        to = urlsplit(urljoin(f"{scheme}://{host}{path}", location))
    except ValueError:
        return None
    target = (to.path or "/") + (f"?{to.query}" if to.query else "")
    same = (to.scheme, to.netloc.lower()) == (scheme, host.lower())
    return target if same and _PATH.fullmatch(target) else None


async def _read(stream: Socket | TlsStream, seen: _Reply) -> None:
    head = 0
    while True:
        part = await stream.receive(MAX_BODY)
        if not part:
            # Without a length the end of the connection is the end of the body.
            if seen.headed and not seen.framed:
                return
            raise EOFError
        seen.received += len(part)
        try:
            seen.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError:
            if not seen.done:
                raise
            return
        head += 0 if seen.headed else len(part)
        if max(head, seen.head) > MAX_HEAD or seen.received > MAX_RECEIVED:
            raise _TooLargeError
        if seen.done:
            return
        # What is there already would be read without waiting.
        await stream.turn()
