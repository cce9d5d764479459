"""Since when the inventory may be old, because changes of the local cluster are not seen."""

from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from exporter.commands.run.problems import STALE_INVENTORY, Problems
from exporter.judge.unseen import Unseen
from exporter.metrics import families as series
from exporter.metrics.record import Metrics
from exporter.model.moment import Moment

MAX_NAMED = 3
"""Resources that are named. If more of them are stale, the API server as a whole is away."""

log = structlog.get_logger()


class Staleness:
    """
    Tells verdicts, the page, `/metrics` and the log what is not seen now.

    Args:
        unseen: Where the verdicts look.
        problems: Shows it.
        metrics: Exports since when.
        moment: Returns the time on both clocks.
    """

    def __init__(
        self, unseen: Unseen, problems: Problems, metrics: Metrics, moment: Callable[[], Moment]
    ) -> None:
        self._unseen, self._problems, self._metrics = unseen, problems, metrics
        self._moment = moment
        self._began: float | None = None
        self._resources: set[str] = set()

    def became_stale(self, resource: str, since: float) -> None:
        """Take in that changes of *resource* are not seen since then, on the monotonic clock."""
        self._unseen.failed(resource, since)
        self._resources.add(resource)
        if self._began is None:
            self._began = since
            log.warning("inventory became stale", resource=resource, since=self._iso(since))
        self._show()

    def recovered(self, resource: str) -> None:
        """Take in that what *resource* is now is in use."""
        now = self._moment().at
        self._unseen.recovered(resource, now)
        self._resources.discard(resource)
        if not self._resources and self._began is not None:
            log.info("inventory is current again", seconds=round(now - self._began, 1))
            self._began = None
        self._show()

    def _show(self) -> None:
        since = self._unseen.since
        unix = self._moment().to_unix(since)
        self._metrics.set_or_remove(series.INVENTORY_STALE_SINCE, unix)
        if since is None:
            self._problems.solved(STALE_INVENTORY)
            return
        few = len(self._resources) <= MAX_NAMED
        what = f" for {', '.join(sorted(self._resources))}" if few else ""
        message = (
            f"the API server does not answer{what} since {self._iso(since)}; the inventory is as "
            "it was then"
        )
        self._problems.problem(STALE_INVENTORY, message)

    def _iso(self, at: float) -> str:
        unix = self._moment().to_unix(at) or 0.0
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%SZ}"
