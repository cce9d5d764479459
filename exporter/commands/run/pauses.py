"""Notices that this process did not run for a while: it was stopped, or had no CPU time."""

from collections.abc import Callable

import structlog

PAUSED_AFTER = 5.0
"""Seconds between two looks after which the event loop counts as paused."""
log = structlog.get_logger()


class Pauses:
    """
    Reports the time between two looks, if it is long.

    Each stage that settles something looks first. So the stage that wakes up first after a pause
    reports it, before anything is judged by what was not seen.

    Args:
        clock: Returns seconds of the monotonic clock.
        observation_gap: Called with the beginning of a pause.
    """

    def __init__(
        self, clock: Callable[[], float], observation_gap: Callable[[float], None]
    ) -> None:
        self._clock, self._observation_gap = clock, observation_gap
        self._looked = clock()

    def look(self) -> None:
        """Report a pause if the last look was long ago."""
        now, since = self._clock(), self._looked
        self._looked = now
        if now - since > PAUSED_AFTER:
            log.warning("event loop paused", seconds=round(now - since, 1))
            self._observation_gap(since)
