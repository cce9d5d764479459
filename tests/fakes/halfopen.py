"""A way to a server on which packets can be lost, both ways, without anybody being told."""

import asyncio
import contextlib
from urllib.parse import urlsplit


class Way:
    """What passes through a port of its own; see `way_to`."""

    def __init__(self, server):
        self._server = urlsplit(server)
        self._open = asyncio.Event()
        self._open.set()
        self._lost, self._tasks = set(), set()
        self.url = ""

    def lose(self):
        """Lose all that is sent from now on; those connected so far are lost for good."""
        self._open.clear()
        self._lost |= self._tasks

    def find_again(self):
        """Let new connections through; what held the lost ones has forgotten them by then."""
        self._open.set()
        for each in self._lost:
            each.cancel()

    async def carry(self, reader, writer):
        """Carry one connection, for as long as it is not lost."""
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._open.wait()
            with contextlib.suppress(OSError):
                await self._carry(task, reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _carry(self, task, reader, writer):
        there, back = await asyncio.open_connection(self._server.hostname, self._server.port)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(task, reader, back))
                group.create_task(self._pass(task, there, writer))
        except* OSError:
            pass
        finally:
            back.close()

    async def _pass(self, carrier, reader, writer):
        while part := await reader.read(65536):
            if carrier in self._lost:
                # Whoever closes is not heard either.
                while await reader.read(65536):
                    pass
                await asyncio.Event().wait()
            writer.write(part)
            await writer.drain()
        if carrier in self._lost:
            await asyncio.Event().wait()
        writer.close()


@contextlib.asynccontextmanager
async def way_to(url):
    """Give a way to the server at *url*, which speaks TLS or not."""
    way = Way(url)
    async with asyncio.TaskGroup() as group:
        carriers = []

        def accept(reader, writer):
            carriers.append(group.create_task(way.carry(reader, writer)))

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            way.url = f"{urlsplit(url).scheme}://127.0.0.1:{port}"
            yield way
            for each in carriers:
                each.cancel()
