"""A client that does what curl does: it looks the name up and then asks the address."""

import asyncio
import secrets
import socket

from exporter.probe.dns import message as dns

USER_AGENT = "curl/8.5.0"
LIMIT = 2.0
"""Seconds for a look-up, and for a request."""


async def look_up(name: str, *, server: tuple[str, int], source: str) -> str | None:
    """Return an address of *name*, or None if it has none now."""
    loop, query = asyncio.get_running_loop(), dns.encode_query(name, secrets.randbits(16))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind((source, 0))
        await loop.sock_connect(sock, server)
        async with asyncio.timeout(LIMIT):
            await loop.sock_sendall(sock, query)
            addresses = dns.decode_response(await loop.sock_recv(sock, 4096), query).addresses
    return str(addresses[0]) if addresses else None


async def fetch(address: str, port: int, *, host: str, source: str) -> int | None:
    """Return the status of a GET, or None if nobody answered."""
    request = (
        f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: {USER_AGENT}\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    try:
        async with asyncio.timeout(LIMIT):
            reader, writer = await asyncio.open_connection(address, port, local_addr=(source, 0))
            try:
                writer.write(request.encode())
                reply = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return None
    return int(reply.split(b" ", 2)[1]) if reply else None
