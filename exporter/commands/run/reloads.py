"""Reloads of the configuration, one after the other, whoever asks for them and how often."""

import asyncio
from collections.abc import Awaitable, Callable

from exporter.model.stages import UNWATCHED, Pulse

PAUSE = 1.0
"""Seconds between two reloads."""


class Reloads:
    """
    Reloads once for all who asked since the last reload began.

    Args:
        reload: Uses the newest configuration; returns the mistake if it has one, else None.
        asked: Set when somebody asks who does not wait for the result, by a signal.
    """

    def __init__(self, reload: Callable[[], Awaitable[str | None]], asked: asyncio.Event) -> None:
        self._reload, self._asked = reload, asked
        self._waiting: list[asyncio.Future[str | None]] = []

    async def ask(self) -> str | None:
        """Wait for a reload that begins after now; return the mistake that it found, or None."""
        result: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(result)
        self._asked.set()
        return await result

    async def run(self, pulse: Pulse = UNWATCHED) -> None:
        """Reload each time that somebody asked, until cancelled."""
        while True:
            pulse.rest()
            await self._asked.wait()
            pulse.beat()
            self._asked.clear()
            waiting, self._waiting = self._waiting, []
            try:
                result = await self._reload()
            except BaseException:
                _answer(waiting, "the reload failed; see the log")
                raise
            _answer(waiting, result)
            await asyncio.sleep(PAUSE)


def _answer(waiting: list[asyncio.Future[str | None]], result: str | None) -> None:
    for each in waiting:
        # Who asked over HTTP may have gone.
        if not each.done():
            each.set_result(result)
