"""Writes Kubernetes Events about Services: few, bounded, and never in the way of anything else."""

import asyncio
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import structlog

from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.event_record import EventRecord
from exporter.apiserver.rate_limiter import Backoff, TokenBucket, Uniform
from exporter.model.service_events import EventKey, ServiceEvent
from exporter.model.stages import Pulse

PROBLEM = "events"
MAX_WAITING = 1000
"""Events that wait to be written; what happened to a service several times is one of them."""
KEEP = 600.0
"""Seconds after which an event that could not be written is dropped."""
BURST, PER_SECOND = 50, 5.0
"""Events that are written at once after a pause, and each second from then on."""
ASK_AGAIN = 60.0
"""Seconds between two looks at our rights while they do not suffice."""
VERBS = ("create", "patch")
_LATER = frozenset(
    {
        ErrorKind.UNREACHABLE,
        ErrorKind.TLS,
        ErrorKind.UNAUTHORIZED,
        ErrorKind.THROTTLED,
        ErrorKind.SERVER,
    }
)
"""Failures after which the same request may succeed."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event that waits to be written."""

    event: ServiceEvent
    """The newest of its key."""
    times: int
    since: float
    """When the first of them was added, on the monotonic clock."""


class EventWriter:
    """
    Writes events one by one, while its stage runs; otherwise they are dropped.

    The same reason at the same Service is one Event with a count, as for any other controller.

    Args:
        client: An open client of the local cluster's API server.
        instance: Which replica of the exporter says it.
        problem: Called with the name and the message of a problem.
        solved: Called with its name once it is solved.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        instance: str,
        problem: Callable[[str, str], None],
        solved: Callable[[str], None],
        uniform: Uniform = random.uniform,
    ) -> None:
        self._client, self._record = client, EventRecord(client, instance)
        self._problem, self._solved = problem, solved
        self._bucket, self._backoff = TokenBucket(BURST, PER_SECOND), Backoff(uniform)
        self._waiting: dict[EventKey, _Waiting] = {}
        self._added, self._runs = asyncio.Event(), False

    def add(self, event: ServiceEvent) -> None:
        """Have *event* written soon."""
        if not self._runs:
            return
        known, now = self._waiting.get(event.key), asyncio.get_running_loop().time()
        if known is None and len(self._waiting) >= MAX_WAITING:
            _log_dropped(event, f"{MAX_WAITING} others wait")
            return
        times, since = (1, now) if known is None else (known.times + 1, known.since)
        self._waiting[event.key] = _Waiting(event, times, since)
        self._added.set()

    async def run(self, namespaces: Collection[str], pulse: Pulse) -> None:
        """
        Write what is added, until cancelled.

        Args:
            namespaces: Those with services; empty for all.
            pulse: Of this stage.
        """
        self._runs = True
        try:
            while True:
                await self._until_allowed(namespaces or ("",), pulse)
                await self._until_refused(pulse)
        finally:
            self._runs = False
            self._waiting.clear()
            self._solved(PROBLEM)

    async def _until_allowed(self, namespaces: Collection[str], pulse: Pulse) -> None:
        """Wait until we may write Events. So a right that is missing shows before it is needed."""
        told = ""
        while missing := await self._missing(namespaces, pulse):
            message = (
                f"Kubernetes Events cannot be written: {missing}; the chart grants the right with "
                "events: true, and inventory.kubernetes.events: false writes none"
            )
            if message != told:
                log.warning("Kubernetes Events cannot be written", error=missing)
            told = message
            self._problem(PROBLEM, message)
            pulse.rest()
            await asyncio.sleep(ASK_AGAIN)
            pulse.beat()
        self._solved(PROBLEM)

    async def _missing(self, namespaces: Collection[str], pulse: Pulse) -> str:
        """Return which rights are missing, in words; nothing if the API server does not say it."""
        refused = []
        for namespace in namespaces:
            for verb in VERBS:
                pulse.beat()
                try:
                    allowed = await self._client.may(verb, "events", namespace=namespace)
                except (ApiError, TimeoutError):
                    return ""
                if not allowed:
                    where = f"namespace {namespace}" if namespace else "all namespaces"
                    refused.append(f"{verb} events in {where}")
        return f"no right to {', '.join(refused)}" if refused else ""

    async def _until_refused(self, pulse: Pulse) -> None:
        """Write events until the API server says that we may not."""
        while True:
            pulse.rest()
            await self._added.wait()
            await self._bucket.wait()
            pulse.beat()
            key = next(iter(self._waiting), None)
            if key is None:
                self._added.clear()
            elif not await self._deliver(self._waiting.pop(key), pulse):
                return

    async def _deliver(self, waiting: _Waiting, pulse: Pulse) -> bool:
        """Write one event, or wait and put it back; return False if we may not write."""
        if asyncio.get_running_loop().time() - waiting.since > KEEP:
            _log_dropped(waiting.event, f"it could not be written for {KEEP:.0f} seconds")
            return True
        try:
            if not await self._record.write(waiting.event, waiting.times):
                log.debug(
                    "Kubernetes Event was dropped, because there is no Service",
                    service=str(waiting.event.key.service),
                )
        except ApiError as error:
            if error.kind in _LATER:
                log.debug("Kubernetes Event waits for another try", error=str(error))
                self._put_back(waiting)
                pulse.rest()
                await asyncio.sleep(max(error.retry_after or 0.0, self._backoff.after_failure()))
                return True
            _log_dropped(waiting.event, str(error))
            return error.kind is not ErrorKind.FORBIDDEN
        return True

    def _put_back(self, failed: _Waiting) -> None:
        """Let *failed* be written before the others, as one with those that came meanwhile."""
        newer = self._waiting.pop(failed.event.key, None)
        if newer is not None:
            failed = replace(newer, times=failed.times + newer.times, since=failed.since)
        self._waiting = {failed.event.key: failed, **self._waiting}


def _log_dropped(event: ServiceEvent, error: str) -> None:
    log.warning(
        "Kubernetes Event was dropped",
        service=str(event.key.service),
        reason=event.key.reason,
        error=error,
    )
