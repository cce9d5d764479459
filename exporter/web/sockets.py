"""The sockets of the HTTP server: listening, accepted, and those that say nothing yet."""

import asyncio
import socket
from errno import EADDRNOTAVAIL, EAFNOSUPPORT
from typing import Any

BACKLOG = 1024
"""Connections that wait in the kernel to be accepted; the kernel may allow fewer."""


def accepted(listener: socket.socket, most: int) -> list[tuple[socket.socket, Any]]:
    """Accept connections that have come already, at most *most*; return them with their peers."""
    found: list[tuple[socket.socket, Any]] = []
    try:
        while len(found) < most:
            sock, peer = listener.accept()
            sock.setblocking(False)
            found.append((sock, peer))
    except OSError:
        # Usually nobody else waits.
        pass
    return found


def has_byte(sock: socket.socket) -> bool:
    """Return whether a byte has come that was not read yet, or the other side has closed."""
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        # What is wrong with it shows when it is read.
        pass
    return True


async def first_byte(sock: socket.socket) -> None:
    """Wait until a byte has come that was not read yet, or the other side has closed."""
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_reader(sock, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(sock)


def limit_unread(transport: asyncio.Transport, most: int) -> None:
    """
    Let *transport* hold about *most* bytes that its client has not read, and as many with TLS.

    asyncio limits only what is not encrypted yet. Of what is, the transport below keeps 64 KiB.
    """
    transport.set_write_buffer_limits(high=most)
    below = getattr(getattr(transport, "_ssl_protocol", None), "_transport", None)
    if isinstance(below, asyncio.Transport):
        below.set_write_buffer_limits(high=most)


async def bound(host: str, port: int, unread: int) -> list[socket.socket]:
    """
    Return listening sockets for all addresses of *host*.

    Args:
        host: A name or an address; empty for all addresses.
        port: The port; 0 for any free one.
        unread: Bytes in each direction that the kernel keeps for each connection.

    Raises:
        OSError: If an address cannot be listened on.
    """
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in sorted(set(found)):
            try:
                sock = socket.create_server(address, family=family, backlog=BACKLOG)
            except OSError as error:
                # Without a host, a machine without IPv6 listens on IPv4 alone.
                if not host and error.errno in {EAFNOSUPPORT, EADDRNOTAVAIL} and sockets:
                    continue
                why = (error.strerror or "").partition(" (while")[0].lower()
                msg = f"error while attempting to bind on address {address!r}: {why}"
                raise OSError(error.errno, msg) from error
            sock.setblocking(False)
            # Accepted connections inherit these. Without them the kernel keeps megabytes for each.
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, unread)
            sockets.append(sock)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets
