"""How long one resource waits until it asks the API server again."""

import asyncio
from contextlib import suppress
from typing import NamedTuple

import structlog

from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.rate_limiter import Backoff, RateLimiter, Uniform
from exporter.apiserver.recovery import Recovery

LOOK_AGAIN = 60.0
"""Seconds until a resource that is not installed is listed again."""
REFUSED_FIRST, REFUSED_LONGEST = 30.0, 300.0
"""Seconds of the backoff after a request that was forbidden."""
EARLY = 3
"""Waits in a row that may end early. If one resource fails while others do not, its backoff
counts again after that."""

log = structlog.get_logger()


class Wait(NamedTuple):
    """Seconds to wait."""

    held: float = 0.0
    """In any case, because the server asks for it, or nothing can have changed."""
    backoff: float = 0.0
    """After that; this may end early."""
    absent: bool = False
    """True if the resource is not installed; the wait ends early if it may be by now."""


class Waits:
    """
    The waits of one resource.

    Args:
        recovery: Ends a wait early, because the API server answers somebody again.
        uniform: Spreads the waits; `random.uniform`.
    """

    def __init__(self, recovery: Recovery, uniform: Uniform) -> None:
        self._recovery = recovery
        self._limiter, self._backoff = RateLimiter(), Backoff(uniform)
        self._refusals = Backoff(uniform, first=REFUSED_FIRST, longest=REFUSED_LONGEST)
        self._early = EARLY
        self._may_be_there = asyncio.Event()

    async def before_request(self) -> None:
        """Wait until a request is due: at most one a second."""
        await self._limiter.wait()

    def succeeded(self) -> None:
        """Take in a request that succeeded."""
        self._early = EARLY

    def after(self, error: ApiError, *, listed: bool) -> Wait:
        """Return the wait after *error*; *listed* if the objects were known before it."""
        log.debug("list or watch failed", error=str(error), was_listed=listed)
        held = error.retry_after or 0.0
        match error.kind:
            case ErrorKind.NOT_FOUND if listed:
                # The list shows whether another version is served now.
                return Wait()
            case ErrorKind.NOT_FOUND:
                return Wait(LOOK_AGAIN, absent=True)
            case ErrorKind.FORBIDDEN:
                return Wait(held, max(0.0, self._refusals.after_failure() - held))
            case ErrorKind.GONE:
                return Wait(0.0, self._backoff.after_failure())
        return Wait(held, max(0.0, self._backoff.after_failure() - held))

    def look_again(self) -> None:
        """End the wait for a resource that is not installed, because it may be installed now."""
        self._may_be_there.set()

    async def wait(self, wait: Wait) -> None:
        """Wait. If the API server answers somebody again, the backoff ends early."""
        if wait.absent:
            self._may_be_there.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait.held):
                    await self._may_be_there.wait()
            return
        await asyncio.sleep(wait.held)
        if not wait.backoff:
            return
        if not self._early:
            await asyncio.sleep(wait.backoff)
        elif await self._recovery.wait(wait.backoff):
            self._early -= 1
