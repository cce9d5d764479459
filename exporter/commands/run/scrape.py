"""The text of `/metrics`, with the state of now set first."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from math import inf

from exporter.commands.run.standing import Standing
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.metrics import families as series
from exporter.metrics.exposition import Exposition
from exporter.metrics.record import Metrics

RECENT = 300.0
"""Seconds without a scrape after which Prometheus is not expected to come."""
VIEWS_A_TURN = 20
"""Services whose gauges are set between two turns of the event loop: about 1 ms of work."""


async def nothing() -> None:
    """Wait for nothing."""


class Scrape:
    """
    Makes the text of `/metrics`.

    Args:
        verdicts: How each service stands.
        metrics: Where gauges are set.
        exposition: Makes the text of all series.
        standing: The API server and leadership.
        clock: Returns seconds of the monotonic clock.
        exposed: Waited for at the end of each scrape, which brought what was counted by then.
    """

    def __init__(
        self,
        verdicts: ServiceVerdicts,
        metrics: Metrics,
        exposition: Exposition,
        standing: Standing,
        clock: Callable[[], float],
        exposed: Callable[[], Awaitable[None]] = nothing,
    ) -> None:
        self._verdicts, self._metrics, self._exposition = verdicts, metrics, exposition
        self.standing, self._clock, self._exposed = standing, clock, exposed
        self._begun, self._ended, self._changed = 0, -inf, asyncio.Event()
        self._wanted: int | None = None
        """The number of the first scrape after the last count; None while counting goes on."""

    async def last(self, within: float) -> None:
        """
        Wait until what was counted last has been scraped, if this replica has counted.

        The counters of the next leader begin at 0 elsewhere, so without this scrape the newest
        counts would be missing in every sum. Gauges are gone by then: the next leader has them.

        Args:
            within: Longest time to wait, in seconds.
        """
        if not self.standing.worked:
            return
        self._metrics.set_passive(passive=True)
        if self._clock() - self._ended > RECENT:
            return
        self._wanted = self._begun + 1
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._changed.wait()

    async def render(self, openmetrics: bool) -> AsyncGenerator[bytes, None]:
        """Yield the text of `/metrics` in pieces; other tasks get a turn between them."""
        self._begun += 1
        number = self._begun
        for n, view in enumerate(self._verdicts.views(self._clock())):
            self._metrics.show(view)
            if n % VIEWS_A_TURN == 0:
                await asyncio.sleep(0)
        self._metrics.watched(self.standing.watches())
        errors = self.standing.authentication_errors()
        self._metrics.set_gauge(series.AUTHENTICATION_ERRORS, errors)
        if (leadership := self.standing.leadership()) is not None:
            self._metrics.set_gauge(series.LEADER, float(leadership[0]))
        self._metrics.init_stages_to_zero()
        self._metrics.measure_store()
        async for piece in self._exposition.stream(openmetrics=openmetrics):
            yield piece
        await self._exposed()
        self._ended = self._clock()
        if self._wanted is not None and number >= self._wanted:
            self._changed.set()
