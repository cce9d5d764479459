"""One TCP connection to one address: whether it opens, and its round-trip time."""

import errno
import socket
import struct
import sys
import time
from dataclasses import dataclass
from typing import NamedTuple

from exporter.model.clusterset import Address
from exporter.model.probes import Failure, Reply
from exporter.probe.drivers.waits import Socket

# Errors of this machine, not of the other side.
OUR_ERRORS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN}
)
_RTT = struct.Struct("=68xI")
"""Where struct tcp_info has tcpi_rtt, in microseconds: the same on every Linux."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRequest:
    """A probe by TCP: sends nothing, and is good if the connection opens."""


class OpenedConnection(NamedTuple):
    """A connection that opened."""

    took: float
    """Seconds."""
    rtt: float | None
    """Seconds of the handshake's round trip, by the kernel; None where it does not measure it."""


def open_socket(kind: int, version: int, source: Address | None, deadline: float) -> Socket:
    """Return a socket for an IP version; it sends from *source* if that has the same version."""
    sock = Socket(socket.AF_INET if version == 4 else socket.AF_INET6, kind, deadline)  # noqa: PLR2004
    try:
        if source is not None and source.version == version:
            sock.bind((str(source), 0))
    except OSError:
        sock.close()
        raise
    return sock


def tcp_socket(address: Address, source: Address | None, deadline: float) -> Socket:
    """Return a socket that can connect to *address*."""
    return open_socket(socket.SOCK_STREAM, address.version, source, deadline)


async def connect(sock: Socket, address: Address, port: int) -> OpenedConnection:
    """Open a connection; OSError if that fails."""
    began = time.monotonic()
    await sock.open((str(address), port))
    return OpenedConnection(time.monotonic() - began, _rtt(sock))


def _rtt(sock: Socket) -> float | None:
    if sys.platform != "linux":
        return None
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT.size)
    if len(info) < _RTT.size:
        return None
    micros: int = _RTT.unpack(info)[0]
    return micros / 1e6


def connect_failure(error: OSError) -> Failure:
    """Return the failure for an error before the connection was open."""
    if isinstance(error, TimeoutError):
        # The kernel's own ETIMEDOUT is one, too: it means the same as our deadline.
        return Failure.CONNECT_TIMEOUT
    if isinstance(error, ConnectionRefusedError):
        return Failure.CONNECT_REFUSED
    return Failure.RESOURCE if error.errno in OUR_ERRORS else Failure.CONNECT_UNREACHABLE


async def probe_tcp(
    address: Address, port: int, *, within: float, source: Address | None = None
) -> Reply:
    """Open a connection to *address* and close it, in at most *within* seconds; never raises."""
    try:
        with tcp_socket(address, source, time.monotonic() + within) as sock:
            opened = await connect(sock, address, port)
    except OSError as error:
        return Reply(address=address, port=port, failure=connect_failure(error))
    return Reply(address=address, port=port, connect=opened.took, rtt=opened.rtt)
