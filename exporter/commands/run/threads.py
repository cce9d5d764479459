"""The threads for calls that block: files, passwords, pages."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from exporter.web.memory import keep_memory_together

THREADS = 8
"""As many on every machine. Calls that wait for a disk need no core each."""


def start_threads() -> None:
    """Give the running event loop its threads for calls that block, all of them started."""
    keep_memory_together()
    # A pool starts one more whenever all are busy, so it would grow at some moment in the first
    # days. What looks like a leak is none, but nobody can see that from outside.
    pool, begun = ThreadPoolExecutor(THREADS, "blocking"), Barrier(THREADS)
    for _ in range(THREADS):
        # They wait for each other, so none is free for the next call before all are there. The
        # event loop waits for none of them.
        pool.submit(begun.wait)
    asyncio.get_running_loop().set_default_executor(pool)
