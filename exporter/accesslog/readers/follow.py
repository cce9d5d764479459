"""Files followed as a stage: polled in a thread, their blocks handed over in turns."""

import asyncio
from collections.abc import AsyncIterable, Callable
from contextlib import ExitStack

from exporter.accesslog.readers.files import Follower
from exporter.accesslog.readers.open_file import BLOCK, Poll

STOP_LIMIT = 0.5
"""Seconds that a poll under way is waited for when reading stops."""


async def follow(
    follower: Follower,
    ticks: AsyncIterable[object],
    *,
    block: Callable[[str, bytes], None],
    polled: Callable[[Poll], None],
    beat: Callable[[], None] = lambda: None,
) -> None:
    """
    Poll at each of *ticks*; hand blocks over one at a time, with a turn for others between them.

    Files are read in a thread: a file system that hangs stops the reading of logs and nothing else.
    When this is cancelled or fails, what was read by then is still handed over, so that places and
    counts agree. *beat* is called before each poll.
    """
    clock = asyncio.get_running_loop().time
    async for _ in ticks:
        beat()
        behind = not follower.is_idle(clock())
        while behind:
            beat()
            polling = asyncio.ensure_future(asyncio.to_thread(follower.poll, clock()))
            try:
                poll = await asyncio.shield(polling)
            except asyncio.CancelledError:
                await asyncio.wait([polling], timeout=STOP_LIMIT)
                if polling.done() and not polling.cancelled():
                    _hand_over(polling.result(), block, polled)
                raise
            await _hand_over_in_turns(poll, block, polled)
            if poll.failure is not None:
                raise poll.failure
            behind = poll.behind > BLOCK


async def _hand_over_in_turns(
    poll: Poll, block: Callable[[str, bytes], None], polled: Callable[[Poll], None]
) -> None:
    poll.blocks.reverse()
    try:
        while poll.blocks:
            block(*poll.blocks.pop())
            await asyncio.sleep(0)
    finally:
        poll.blocks.reverse()
        _hand_over(poll, block, polled)


def _hand_over(
    poll: Poll, block: Callable[[str, bytes], None], polled: Callable[[Poll], None]
) -> None:
    with ExitStack() as rest:
        # One that fails does not take the others with it.
        rest.callback(polled, poll)
        for path, lines in reversed(poll.blocks):
            rest.callback(block, path, lines)
