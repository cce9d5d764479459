"""Log events about whether this exporter is ready, and why not."""

from collections.abc import AsyncIterable, Callable

import structlog

log = structlog.get_logger()


class Readiness:
    """
    Logs each change, and each cause once it has lasted from one look to the next.

    Args:
        not_ready: Returns why there is nothing to scrape yet, or None.
    """

    def __init__(self, not_ready: Callable[[], str | None]) -> None:
        self._not_ready = not_ready
        self._told: str | None = ""
        self._seen: str | None = ""

    async def beside(self, work: Callable[[], None], ticks: AsyncIterable[None]) -> None:
        """Look, and do *work*, at each of *ticks*."""
        async for _ in ticks:
            self.look()
            work()

    def look(self) -> None:
        """Log what has changed."""
        found = self._not_ready()
        lasts, self._seen = found == self._seen, found
        if found == self._told or (found is not None and not lasts):
            return
        self._told = found
        if found is None:
            log.info("exporter became ready")
        else:
            log.warning("exporter is not ready", reason=found)
