"""Whether the event loop was held up while a probe ran: if so, its times say nothing."""

import asyncio

BOUND = 0.05
"""Seconds for which the loop may be held up."""
_BEAT = 0.01


class LagWatch:
    """
    Watches the event loop while anything is running, and costs next to nothing otherwise.

    A beat every 10 ms comes late by as long as the loop was held up, or by up to one beat less, so
    whoever ran while the loop was held up for longer than `BOUND` is surely told.
    """

    def __init__(self) -> None:
        self._running = 0
        self._due = 0.0
        self._beat: asyncio.TimerHandle | None = None
        self._held_up = float("-inf")
        """When the loop was last found to have been held up."""

    def begin(self) -> None:
        """Watch from now on."""
        self._running += 1
        if self._beat is None:
            self._arm()

    def end(self, began: float) -> bool:
        """Return whether the loop was held up since *began*, and watch no longer than others do."""
        self._look()
        self._running -= 1
        if not self._running and self._beat is not None:
            self._beat.cancel()
            self._beat = None
        return self._held_up >= began

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + _BEAT
        self._beat = loop.call_at(self._due, self._on_beat)

    def _on_beat(self) -> None:
        self._look()
        self._arm()

    def _look(self) -> None:
        # What is ready is done before what is due: a beat may be late and not have come yet.
        now = asyncio.get_running_loop().time()
        if now - self._due > BOUND - _BEAT:
            self._held_up = now
