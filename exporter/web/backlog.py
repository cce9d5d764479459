"""The part of an answer that its client has not read yet."""

import asyncio
from collections.abc import Callable


class Backlog:
    """
    Notes whether a client reads its answer.

    Args:
        stalled_seconds: Time in which it has to read some of it.
    """

    def __init__(self, stalled_seconds: float) -> None:
        self._seconds = stalled_seconds
        self._timer: asyncio.TimerHandle | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.since: float | None = None
        """Since when nothing more can be sent, in seconds of the event loop; None while it can."""

    def fill(self, stalled: Callable[[], None]) -> None:
        """Note that the buffer is full; *stalled* is called if the client reads nothing of it."""
        loop = asyncio.get_running_loop()
        self._has_room.clear()
        self.since = loop.time()
        self._timer = loop.call_later(self._seconds, stalled)

    def drain(self) -> None:
        """Note that the client has read nearly all of it, or is gone."""
        self._has_room.set()
        self.since = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def room(self) -> None:
        """Wait until more can be sent; other tasks get a turn."""
        await asyncio.sleep(0)
        await self._has_room.wait()
