"""The text of `/metrics`, with the state of now set first."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import structlog

from exporter.accesslog.saver import Exposures
from exporter.commands.run.scrapers import Scrapers
from exporter.commands.run.standing import Standing
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.metrics import families as series
from exporter.metrics.exposition import Exposition
from exporter.metrics.record import Metrics
from exporter.model.moment import Moment

VIEWS_A_TURN = 20
"""Services whose gauges are set between two turns of the event loop: about 1 ms of work."""

SHOWN = 5
"""Scrapers that the log names."""

log = structlog.get_logger()


class Scrape:
    """
    Makes the text of `/metrics`.

    Args:
        verdicts: How each service stands.
        metrics: Where gauges are set.
        exposition: Makes the text of all series.
        standing: The API server and leadership.
        moment: Returns the time now.
        exposures: Are told when a text is made, and when it was sent; None: nobody is.
    """

    def __init__(
        self,
        verdicts: ServiceVerdicts,
        metrics: Metrics,
        exposition: Exposition,
        standing: Standing,
        moment: Callable[[], Moment],
        exposures: Exposures | None = None,
    ) -> None:
        self._verdicts, self._metrics, self._exposition = verdicts, metrics, exposition
        self.standing, self._moment, self._exposures = standing, moment, exposures or Exposures()
        self._scrapers = Scrapers(lambda: moment().at)
        self._missing: set[str] | None = None
        """Who has not come since the last count; None while counting goes on."""
        self._all_came = asyncio.Event()

    async def last(self, within: float) -> None:
        """
        Wait until all who scrape have what was counted last, if this replica has counted.

        The counters of the next leader begin at 0 elsewhere, so without this scrape the newest
        counts would be missing in every sum. Gauges are gone by then: the next leader has them.

        Args:
            within: Longest time to wait, in seconds.
        """
        if not self.standing.worked:
            return
        self._metrics.set_passive(passive=True)
        self._missing = self._scrapers.expected()
        if not self._missing:
            return
        try:
            async with asyncio.timeout(within):
                await self._all_came.wait()
        except TimeoutError:
            log.warning(
                "last scrape was missed",
                scrapers=", ".join(sorted(self._missing)[:SHOWN]),
                missing=len(self._missing),
                within_seconds=within,
            )

    def asked(self, who: str) -> Callable[[], Awaitable[None]]:
        """
        Take in that *who* asks for the text of `/metrics`, which is begun after this.

        Returns:
            What to call once the text was sent.
        """
        after_the_last_count = self._missing is not None

        async def sent() -> None:
            # Who is killed before this has not saved what nobody may have got.
            await self._exposures.expose()
            self._scrapers.came(who)
            if after_the_last_count and self._missing is not None:
                self._missing.discard(who)
                if not self._missing:
                    self._all_came.set()

        return sent

    async def render(self, openmetrics: bool) -> AsyncGenerator[bytes, None]:
        """Yield the text of `/metrics` in pieces; other tasks get a turn between them."""
        for n, view in enumerate(self._verdicts.views(self._moment().at)):
            self._metrics.show(view)
            if n % VIEWS_A_TURN == 0:
                await asyncio.sleep(0)
        self._metrics.watched(self.standing.watches(), self._moment().unix)
        errors = self.standing.authentication_errors()
        self._metrics.set_gauge(series.AUTHENTICATION_ERRORS, errors)
        if (leadership := self.standing.leadership()) is not None:
            self._metrics.set_gauge(series.LEADER, float(leadership[0]))
        self._metrics.init_stages_to_zero()
        self._metrics.measure_store()
        # What is counted while the text is made may be in it, and is counted again after a crash.
        self._exposures.mark()
        async for piece in self._exposition.stream(openmetrics=openmetrics):
            yield piece
