"""
One look-up of a name: ask the name servers in order, over sockets of our own.

A resolver library would do this with a cache, retries or one shared socket. All three hide what
a probe is there to see: c-ares keeps an answer without data for up to an hour, and a shared socket
always reaches the same replica behind a Service, since connection tracking keeps its ports.
"""

import asyncio
import errno
import secrets
import socket
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from exporter.model import Address, Answer, Failure
from exporter.probe import dns

MAX_UDP = 4096
MAX_SERVERS = 3
"""As glibc's MAXNS."""
# Errors of this machine, not of the one that was asked.
OUR_ERRORS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN}
)
_FAILURES = {
    dns.Rcode.NXDOMAIN: Failure.NXDOMAIN,
    dns.Rcode.SERVFAIL: Failure.SERVFAIL,
    dns.Rcode.REFUSED: Failure.REFUSED,
}
_NEXT = frozenset({dns.Rcode.SERVFAIL, dns.Rcode.REFUSED, dns.Rcode.NOTIMP})
"""Codes after which glibc asks the next server, too."""


class Server(NamedTuple):
    """A name server."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def system_resolvers(path: Path = Path("/etc/resolv.conf")) -> tuple[Server, ...]:
    """
    Return the name servers of the system.

    `search` and `ndots` are left alone on purpose: clusterset names are asked as absolute names.
    With them a name of fewer than five dots would be tried in other zones first, and how long
    that takes says nothing about the clusterset.
    """
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    named = [pair[1] for pair in words if len(pair) > 1 and pair[0] == "nameserver"]
    servers = [Server(host, 53) for host in named if _is_address(host)]
    return tuple(servers[:MAX_SERVERS]) or (Server("127.0.0.1", 53),)


async def resolve(
    name: str, servers: Sequence[Server], *, within: float, source: Address | None = None
) -> Answer:
    """
    Look *name* up once, in at most *within* seconds. A dead name never raises.

    Servers are asked in order: the next one after silence, SERVFAIL, REFUSED or NOTIMP, or if one
    cannot be sent to. Each gets an equal share of the time that is left. What the last one did
    is the result.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    answer = Answer(took=0.0, failure=Failure.UNREACHABLE)
    for n, server in enumerate(servers):
        left = within - (clock() - began)
        if left <= 0:
            break
        share = left / (len(servers) - n)
        rcode, answer = await _ask(name, server, began, share, source)
        if answer.failure is None or not (rcode is None or rcode in _NEXT):
            break
    return answer


async def _ask(
    name: str, server: Server, began: float, within: float, source: Address | None
) -> tuple[int | None, Answer]:
    """Ask one server; return its code, None without a readable one, and the answer."""
    clock = asyncio.get_running_loop().time
    query = secrets.token_bytes(2) + _query(name)
    response, failure = None, Failure.TIMEOUT
    try:
        async with asyncio.timeout(within):
            response = await _udp(query, server, source)
            if response.truncated:
                failure = Failure.TRUNCATED
                response = await _tcp(query, server, source)
    except TimeoutError:
        response = None
    except dns.MalformedError:
        response, failure = None, Failure.MALFORMED
    except EOFError:
        response, failure = None, Failure.TRUNCATED
    except OSError as error:
        ours = error.errno in OUR_ERRORS
        if failure is not Failure.TRUNCATED or ours:
            failure = Failure.RESOURCE if ours else Failure.UNREACHABLE
        response = None
    took = clock() - began
    if response is None:
        return None, Answer(resolver=str(server), took=took, failure=failure)
    return response.rcode, Answer(
        addresses=response.addresses if response.rcode == dns.Rcode.NOERROR else (),
        ttl=response.ttl,
        rcode=_rcode_name(response.rcode),
        resolver=str(server),
        took=took,
        failure=_failure(response),
    )


def _failure(response: dns.Response) -> Failure | None:
    if response.truncated:
        return Failure.TRUNCATED
    if response.rcode != dns.Rcode.NOERROR:
        return _FAILURES.get(response.rcode, Failure.RCODE)  # type: ignore[call-overload,no-any-return]
    return None if response.addresses else Failure.NODATA


def _rcode_name(rcode: int) -> str:
    try:
        return dns.Rcode(rcode).name
    except ValueError:
        return f"RCODE{rcode}"


@lru_cache(4096)
def _query(name: str) -> bytes:
    """Return all of a query but its id, which is fresh each time."""
    return dns.encode_query(name, 0)[2:]


async def _udp(query: bytes, server: Server, source: Address | None) -> dns.Response:
    """Ask over UDP from a fresh port; what is no answer to us is passed over."""
    loop = asyncio.get_running_loop()
    with _socket(socket.SOCK_DGRAM, server, source) as sock:
        # Connected, so that the kernel drops what comes from anybody else.
        sock.connect(server)
        await loop.sock_sendall(sock, query)
        while True:
            wire = await loop.sock_recv(sock, MAX_UDP)
            try:
                return dns.decode_response(wire, query)
            except dns.StrangerError:
                continue


async def _tcp(query: bytes, server: Server, source: Address | None) -> dns.Response:
    loop = asyncio.get_running_loop()
    with _socket(socket.SOCK_STREAM, server, source) as sock:
        await loop.sock_connect(sock, server)
        await loop.sock_sendall(sock, len(query).to_bytes(2) + query)
        length = int.from_bytes(await _exactly(sock, 2))
        try:
            return dns.decode_response(await _exactly(sock, length), query)
        except dns.StrangerError as error:
            raise dns.MalformedError from error


async def _exactly(sock: socket.socket, length: int) -> bytes:
    loop, parts = asyncio.get_running_loop(), bytearray()
    while len(parts) < length:
        part = await loop.sock_recv(sock, length - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _socket(kind: socket.SocketKind, server: Server, source: Address | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        bind(sock, source)
    except OSError:
        sock.close()
        raise
    return sock


def bind(sock: socket.socket, source: Address | None) -> None:
    """Send from *source*, if it is of the socket's family."""
    wanted = 4 if sock.family == socket.AF_INET else 6
    if source is not None and source.version == wanted:
        sock.bind((str(source), 0))


def _is_address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return False
