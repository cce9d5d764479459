"""Threads for calls that block."""

import asyncio
import threading
import time

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


class Late(threading.Barrier):
    """One to which the threads of a busy machine come late."""

    made = ()

    def __init__(self, parties):
        super().__init__(parties)
        Late.made = (self,)

    def wait(self, timeout=None):
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.05)
        return super().wait(timeout)


async def test_the_event_loop_waits_for_none_of_them(monkeypatch):
    """Otherwise a test of `run` on a busy machine would end with an error: blockbuster sees it."""
    monkeypatch.setattr("exporter.commands.run.threads.Barrier", Late)
    try:
        start_threads()
    except BaseException:
        # Those who still wait would keep the process.
        Late.made[0].abort()
        raise
    assert await asyncio.to_thread(lambda: True)
