"""Threads for calls that block."""

import asyncio
import threading

from exporter.commands.run.threads import THREADS, start_threads


async def test_all_threads_are_there_from_the_start():
    before = set(threading.enumerate())
    start_threads()
    begun = set(threading.enumerate()) - before
    assert len(begun) == THREADS
    used = await asyncio.gather(
        *(asyncio.to_thread(threading.current_thread) for _ in range(5 * THREADS))
    )
    assert set(used) <= begun
    assert set(threading.enumerate()) - before == begun
