"""One HTTP request to one address, with the time of each phase."""

import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urljoin, urlsplit

import httptools

from exporter.model.clusterset import Address
from exporter.model.probes import Failure, Phase, Reply
from exporter.probe.drivers.waits import READ, Socket
from exporter.probe.http_reply import HttpReply, TooLargeError, read_reply
from exporter.probe.tcp import OUR_ERRORS, OpenedConnection, connect, connect_failure, tcp_socket
from exporter.probe.tls import Tls, TlsStream, tls_failure
from exporter.probe.tls_context import blind_context

_MOVED = frozenset({301, 302, 303, 307, 308})
_VERSIONS = frozenset({"1.0", "1.1"})
_PATH = re.compile("/[!-~]*")
_SILENT = {
    Phase.CONNECT: Failure.CONNECT_TIMEOUT,
    Phase.TLS: Failure.TLS_TIMEOUT,
    Phase.REPLY: Failure.REPLY_TIMEOUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The request of a probe, and the reply that it expects."""

    method: str = "GET"
    path: str = "/"
    expected: frozenset[int]
    """The status codes of a good reply."""
    body: re.Pattern[bytes] | None = None
    """Searched for in the first MAX_BODY bytes of the body; None to accept any body."""
    host: str | None = None
    """The Host header; None for the name probed, with the port unless it is the default."""
    headers: tuple[str, ...] = ()
    """Additional header lines."""
    redirects: int = 0
    """The most redirects followed, each to the same scheme, host, port and address."""
    tls: Tls | None = None
    """None for plain HTTP."""

    @property
    def default_port(self) -> int:
        """Return the port that a Host header leaves out."""
        return 80 if self.tls is None else 443


class _Exchange:
    """One request and its result."""

    def __init__(self, address: Address, port: int, request: Request, host: str) -> None:
        self._address, self._port = address, port
        self._request, self._host = request, host
        self._phase = Phase.CONNECT
        self.seen = HttpReply(head_only=request.method == "HEAD", keep=request.body is not None)
        self.opened: OpenedConnection | None = None
        self.tls: float | None = None
        self.expires: float | None = None
        self.took: float | None = None
        self.failure: Failure | None = None

    async def run(
        self, path: str, user_agent: str, deadline: float, source: Address | None
    ) -> None:
        """Send the request and read the reply until *deadline* on the monotonic clock."""
        try:
            try:
                await self._run(path, user_agent, deadline, source)
            except ssl.SSLCertVerificationError as error:
                self.failure = tls_failure(error)
                await self._inspect(deadline, source)
        except TimeoutError:
            # The kernel's own ETIMEDOUT is one, too: it means the same as our deadline.
            self.failure = self.failure or _SILENT[self._phase]
        except ssl.SSLError as error:
            self.failure = tls_failure(error)
        except httptools.HttpParserError:
            self.failure = Failure.REPLY_MALFORMED
        except TooLargeError:
            self.failure = Failure.REPLY_TOO_LARGE
        except EOFError:
            self.failure = self.seen.cut_off
        except OSError as error:
            self.failure = self._broken(error)
        else:
            self.failure = self.failure or self._judge()
        # The reply and its parser refer to each other: without this, thousands of them would wait
        # for the garbage collector.
        del self.seen.parser

    def _broken(self, error: OSError) -> Failure:
        if error.errno in OUR_ERRORS:
            return Failure.RESOURCE
        if self._phase is Phase.CONNECT:
            return connect_failure(error)
        return Failure.TLS_FAILED if self._phase is Phase.TLS else self.seen.cut_off

    async def _run(
        self, path: str, user_agent: str, deadline: float, source: Address | None
    ) -> None:
        with tcp_socket(self._address, source, deadline) as sock:
            self.opened = await connect(sock, self._address, self._port)
            wanted = self._request.tls
            stream = sock if wanted is None else await self._tls(wanted, sock)
            self._phase, began = Phase.REPLY, monotonic()
            await stream.send_all(self._head(path, user_agent))
            if stream is sock:
                # The reply cannot be here yet, so wait before the first read.
                sock.wants = READ
                await sock
            await read_reply(stream, self.seen)
            self.took = monotonic() - began

    async def _tls(self, wanted: Tls, sock: Socket) -> TlsStream:
        self._phase, began = Phase.TLS, monotonic()
        name = wanted.server_name or urlsplit(f"//{self._host}").hostname or self._host
        stream = TlsStream(sock, wanted.context, name)
        self.expires = await stream.handshake()
        self.tls = monotonic() - began
        return stream

    async def _inspect(self, deadline: float, source: Address | None) -> None:
        """Read when the refused certificate ends, over a second connection without a request."""
        with suppress(OSError), tcp_socket(self._address, source, deadline) as sock:
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
        """Return the result, with *failure* for what went wrong."""
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
    user_agent: Callable[[], str],
    within: float,
    source: Address | None = None,
) -> Reply:
    """
    Send *request* to *address* as a client of *name* does, over a new connection.

    Takes at most *within* seconds. A failure of the other side is a result, never an exception.
    *user_agent* is called for each request, because a log should not contain the same probe twice.
    """
    deadline, path = monotonic() + within, request.path
    host = request.host or (name if port == request.default_port else f"{name}:{port}")
    redirects = 0
    while True:
        exchange = _Exchange(address, port, request, host)
        await exchange.run(path, user_agent(), deadline, source)
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
