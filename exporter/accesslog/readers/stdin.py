"""Access logs that come through a pipe, such as standard input."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Callable
from typing import IO

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
    held, skipping = b"", False
    async for part in _parts(pipe):
        end = part.rfind(b"\n") + 1
        if skipping and end:
            part = part[part.find(b"\n") + 1 :]  # noqa: PLW2901 - the rest of it
            end, skipping = part.rfind(b"\n") + 1, False
        if skipping:
            continue
        if end:
            block(held + part[:end])
            held = part[end:]
        else:
            held += part
        if len(held) > MAX_LINE:
            truncated()
            held, skipping = b"", True
        await asyncio.sleep(0)
    if held:
        block(held + b"\n")


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
