"""The text of `/metrics`, with the state of now set first."""

import asyncio
from collections.abc import AsyncGenerator, Callable

from exporter.commands.run.standing import Standing
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.metrics import families as series
from exporter.metrics.exposition import Exposition
from exporter.metrics.record import Metrics

VIEWS_A_TURN = 20
"""Services whose gauges are set between two turns of the event loop: about 1 ms of work."""


class Scrape:
    """
    Makes the text of `/metrics`.

    Args:
        verdicts: How each service stands.
        metrics: Where gauges are set.
        exposition: Makes the text of all series.
        standing: The API server and leadership.
        clock: Returns seconds of the monotonic clock.
    """

    def __init__(
        self,
        verdicts: ServiceVerdicts,
        metrics: Metrics,
        exposition: Exposition,
        standing: Standing,
        clock: Callable[[], float],
    ) -> None:
        self._verdicts, self._metrics, self._exposition = verdicts, metrics, exposition
        self._standing, self._clock = standing, clock

    async def render(self, openmetrics: bool) -> AsyncGenerator[bytes, None]:
        """Yield the text of `/metrics` in pieces; other tasks get a turn between them."""
        for n, view in enumerate(self._verdicts.views(self._clock())):
            self._metrics.show(view)
            if n % VIEWS_A_TURN == 0:
                await asyncio.sleep(0)
        self._metrics.watched(self._standing.watches())
        errors = self._standing.authentication_errors()
        self._metrics.set_gauge(series.AUTHENTICATION_ERRORS, errors)
        if (leadership := self._standing.leadership()) is not None:
            self._metrics.set_gauge(series.LEADER, float(leadership[0]))
        self._metrics.init_stages_to_zero()
        self._metrics.measure_store()
        async for piece in self._exposition.stream(openmetrics=openmetrics):
            yield piece
