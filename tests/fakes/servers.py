"""Servers that do what they should not, on real sockets."""

import asyncio
import os
from contextlib import asynccontextmanager

HOST = "127.0.0.1"


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, answer):
        self.answer = answer
        self.peers = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.peers.append(addr)
        for reply in self.answer(data):
            self.transport.sendto(reply, addr)


@asynccontextmanager
async def udp(answer, *, port=0):
    """Answer each datagram with the datagrams in answer(datagram); yield port and peers seen."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _Udp(answer), local_addr=(HOST, port)
    )
    try:
        yield transport.get_extra_info("sockname")[1], protocol.peers
    finally:
        transport.close()


@asynccontextmanager
async def tcp(talk, *, port=0, ssl=None, host=HOST):
    """Run talk(reader, writer) for each connection; yield the port."""
    talks = set()

    async def connected(reader, writer):
        talks.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        except (ConnectionError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, host, port, ssl=ssl)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


def open_files():
    """Return how many file descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count
