"""Access logs that come through a pipe, such as standard input."""

import asyncio
import os
import stat
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import IO, Self

from exporter.model.lines import LineSplitter
from exporter.model.stages import UNWATCHED, Pulse

BLOCK = 128 << 10
MAX_LINE = 64 << 10


class LinePipe:
    """
    An open pipe, socket, terminal or plain file.

    Who writes faster than is counted waits.
    """

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe, self._lines = pipe, LineSplitter(MAX_LINE)
        self._stack = AsyncExitStack()
        self._reader: asyncio.StreamReader | None = None
        """None: a plain file."""

    async def __aenter__(self) -> Self:
        """Connect to it, unless it is a plain file."""
        if not stat.S_ISREG(os.fstat(self._pipe.fileno()).st_mode):
            loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=BLOCK)
            transport, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), self._pipe
            )
            self._stack.callback(transport.close)
            self._reader = reader
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._stack.aclose()

    async def read(
        self,
        block: Callable[[bytes], None],
        truncated: Callable[[int], None],
        pulse: Pulse = UNWATCHED,
    ) -> None:
        """
        Hand blocks of whole lines over until the pipe ends.

        If *block* fails, its lines are lost, and the next call goes on with those after them.

        Args:
            block: Called with whole lines; a last one without its end gets one.
            truncated: Called with the number of lines longer than MAX_LINE; nothing of them is
                kept.
            pulse: Rests while nothing comes.
        """
        lines = self._lines
        while part := await self._next(pulse):
            pulse.beat()
            before = lines.too_long
            whole = lines.feed(part)
            if lines.too_long > before:
                truncated(lines.too_long - before)
            if whole:
                block(whole)
            await asyncio.sleep(0)
        if last := lines.finish():
            block(last)

    async def _next(self, pulse: Pulse) -> bytes:
        if self._reader is None:
            return await asyncio.to_thread(os.read, self._pipe.fileno(), BLOCK)
        pulse.rest()
        return await self._reader.read(BLOCK)
