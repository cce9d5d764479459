"""Time that passes only when nothing else is to be done: hours of waiting in no time."""

import asyncio
import inspect
import selectors

QUIET = 0.001
"""Real seconds without anything on any socket after which the loop counts as idle."""
HELD_UP = 5.0
"""Real seconds for a thread or a process to be done."""


class _Selector(selectors.DefaultSelector):
    """Skips what a loop would wait for, unless a socket, a thread or a child has something."""

    loop = None

    def select(self, timeout=None):
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.loop.threads or timeout is None:
            return super().select(HELD_UP)
        # The peer of each socket is this very process, so what was sent is there already.
        ready = super().select(QUIET)
        if not ready:
            self.loop.skipped += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock begins at 1000 and jumps to the next timer."""

    def __init__(self):
        selector = _Selector()
        self.threads, self.skipped = 0, 0.0
        selector.loop = self
        super().__init__(selector)

    def time(self):
        return 1000.0 + self.skipped

    def run_in_executor(self, executor, function, *arguments):
        self.threads += 1
        future = super().run_in_executor(executor, function, *arguments)
        future.add_done_callback(self._is_done)
        return future

    def _is_done(self, _):
        self.threads -= 1

    async def shutdown_default_executor(self, timeout=None):  # noqa: ARG002, ASYNC109 - its signature
        await super().shutdown_default_executor()


async def until(holds, *, within=60.0):
    """Wait, on the loop's clock, until *holds*, which may be async, returns something true."""
    every = 0.01
    async with asyncio.timeout(within):
        while True:
            found = holds()
            if await found if inspect.isawaitable(found) else found:
                return
            await asyncio.sleep(every)
            every = min(every * 1.1, 1.0)
