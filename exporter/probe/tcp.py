"""One TCP connection to one address: whether it opens, and how far away the kernel finds it."""

import asyncio
import errno
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from exporter.model import Address, Failure, Reply

# Errors of this machine, not of the one that was asked.
OUR_ERRORS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN}
)
_RTT = struct.Struct("=68xI")
"""Where struct tcp_info has tcpi_rtt, in microseconds: the same on every Linux."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRequest:
    """Nothing is sent: a connection that opens is well."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that opened."""

    sock: socket.socket
    took: float
    rtt: float | None
    """Round trip of the handshake as the kernel measured it; None where it does not tell."""


def bind(sock: socket.socket, source: Address | None) -> None:
    """Send from *source*, if it is of the socket's family."""
    wanted = 4 if sock.family == socket.AF_INET else 6
    if source is not None and source.version == wanted:
        sock.bind((str(source), 0))


@contextmanager
def tcp_socket(address: Address, source: Address | None) -> Iterator[socket.socket]:
    """Yield a socket that speaks to *address* without delay, and close it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bind(sock, source)
        yield sock


async def connect(sock: socket.socket, address: Address, port: int) -> Connection:
    """Open a connection; OSError if that fails."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await loop.sock_connect(sock, (str(address), port))
    return Connection(sock, loop.time() - began, _rtt(sock))


def _rtt(sock: socket.socket) -> float | None:
    if sys.platform != "linux":
        return None
    told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT.size)
    if len(told) < _RTT.size:
        return None
    micros: int = _RTT.unpack(told)[0]
    return micros / 1e6


def connect_failure(error: OSError) -> Failure:
    """Say what an error before a connection was open is called."""
    if isinstance(error, TimeoutError):
        # The kernel's own ETIMEDOUT, too: it says the same as our limit.
        return Failure.CONNECT_TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return Failure.CONNECT_REFUSED
    return Failure.RESOURCE if error.errno in OUR_ERRORS else Failure.CONNECT_UNREACHABLE


async def knock(
    address: Address, port: int, *, within: float, source: Address | None = None
) -> Reply:
    """Open a connection to *address* and close it, in at most *within* seconds; never raises."""
    try:
        async with asyncio.timeout(within):
            with tcp_socket(address, source) as sock:
                opened = await connect(sock, address, port)
    except OSError as error:
        return Reply(address=address, port=port, failure=connect_failure(error))
    return Reply(address=address, port=port, connect=opened.took, rtt=opened.rtt)
