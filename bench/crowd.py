"""
A crowd of bad neighbours, as a process of its own, so that it disturbs no measurement.

Arguments: the port, `tls` or `plain`, and the address of the good neighbours. The crowd comes from
a hundred addresses, and that of the good neighbours is one of them, as behind a NAT.
"""

import asyncio
import itertools
import resource
import socket
import ssl
import sys

SILENT, IDLE, CLIENTS, DEAF = 3_000, 1_000, 200, 100
BACK_AFTER = 10.0
"""Seconds after which one whose connection was closed comes back."""
DEAF_FOR = 20.0
"""Seconds that one who reads nothing holds its connection."""
CONNECTS = 100
"""Connections that are being made at once."""


class Crowd:
    """Everybody in it."""

    def __init__(self, port, *, tls, shared):
        self.port, self.context = port, None
        if tls:
            self.context = ssl.create_default_context()
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.addresses = itertools.cycle([shared, *(f"127.1.{n}.1" for n in range(99))])
        self.room = asyncio.Semaphore(CONNECTS)
        self.pages = self.refused = 0

    async def connect(self, address, *, tls, buffer=0):
        """Return the streams of a new connection."""
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        sock.setblocking(False)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        try:
            sock.bind((address, 0))
            async with self.room, asyncio.timeout(30):
                await loop.sock_connect(sock, ("127.0.0.1", self.port))
                more = {"ssl": self.context, "server_hostname": "localhost"}
                return await asyncio.open_connection(
                    sock=sock, **(more if tls and self.context else {})
                )
        except BaseException:
            sock.close()
            raise

    async def forever(self, act, wait):
        """Do *act* again and again, from one address."""
        address = next(self.addresses)
        while True:
            try:
                await act(address)
            except (OSError, EOFError, TimeoutError):
                self.refused += 1
            await asyncio.sleep(wait)

    async def silent(self, address):
        """Say nothing, not even the first word of a handshake."""
        reader, writer = await self.connect(address, tls=False)
        await reader.read()
        writer.close()

    async def idle(self, address):
        """Make a handshake, if there is one, and then say nothing."""
        reader, writer = await self.connect(address, tls=True)
        await reader.read()
        writer.close()

    async def client(self, address):
        """Look at the page every second while the connection is kept."""
        reader, writer = await self.connect(address, tls=True)
        try:
            while True:
                writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                async with asyncio.timeout(30):
                    head = await reader.readuntil(b"\r\n\r\n")
                    size = int(head.lower().partition(b"content-length:")[2].split()[0])
                    await reader.readexactly(size)
                self.pages += head.startswith(b"HTTP/1.1 200")
                await asyncio.sleep(1)
        finally:
            writer.close()

    async def deaf(self, address):
        """Ask for all series and read nothing."""
        _, writer = await self.connect(address, tls=True, buffer=4096)
        writer.transport.pause_reading()
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(DEAF_FOR)
        writer.transport.abort()

    async def come(self):
        """Come, and stay until killed; say each second how it goes."""
        kinds = (
            # Half of those that hold a TLS connection have not begun the handshake.
            (self.silent, SILENT // 2, BACK_AFTER),
            (self.idle, SILENT // 2, BACK_AFTER),
            (self.silent, IDLE, BACK_AFTER),
            (self.deaf, DEAF, 0.1),
            (self.client, CLIENTS, 1.0),
        )
        async with asyncio.TaskGroup() as group:
            for act, number, wait in kinds:
                for _ in range(number):
                    group.create_task(self.forever(act, wait))
            while True:
                await asyncio.sleep(1)
                print(self.pages, self.refused, flush=True)


if __name__ == "__main__":
    port, tls, shared = sys.argv[1:]
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(Crowd(int(port), tls=tls == "tls", shared=shared).come())
