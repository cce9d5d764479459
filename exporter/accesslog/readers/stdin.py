"""Access logs that come through a pipe, such as standard input."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable
from typing import IO

from exporter.model.lines import LineSplitter

BLOCK = 128 << 10
MAX_LINE = 64 << 10


async def read_pipe(
    pipe: IO[bytes], block: Callable[[bytes], None], truncated: Callable[[], None]
) -> None:
    """
    Hand blocks of whole lines over until *pipe* ends; who writes faster than is counted waits.

    Args:
        pipe: A pipe, socket, terminal or plain file.
        block: Called with whole lines; a last one without its end gets one.
        truncated: Called for each line longer than MAX_LINE, of which nothing is kept.
    """
    lines, told = LineSplitter(MAX_LINE), 0
    async for part in _parts(pipe):
        if whole := lines.feed(part):
            block(whole)
        for _ in range(told, lines.too_long):
            truncated()
        told = lines.too_long
        await asyncio.sleep(0)
    if last := lines.finish():
        block(last)


async def _parts(pipe: IO[bytes]) -> AsyncIterator[bytes]:
    if stat.S_ISREG(os.fstat(pipe.fileno()).st_mode):
        while part := await asyncio.to_thread(os.read, pipe.fileno(), BLOCK):
            yield part
        return
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=BLOCK)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        while part := await reader.read(BLOCK):
            yield part
    finally:
        transport.close()
