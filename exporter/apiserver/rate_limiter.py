"""How often an API server is asked, also when it fails."""

import asyncio
from collections.abc import Callable

Uniform = Callable[[float, float], float]
"""A function such as `random.uniform`: it chooses a wait within a range."""

FIRST, LONGEST = 0.8, 30.0
"""Seconds of the shortest and the longest wait after a failure, as in Kubernetes' own clients."""
HEALTHY = 120.0
"""Seconds without a failure after which waits are short again."""


class Backoff:
    """Waits that double with each failure, spread so that clients do not come back together."""

    def __init__(self, uniform: Uniform, *, first: float = FIRST, longest: float = LONGEST) -> None:
        self._uniform = uniform
        self._first, self._longest = first, longest
        self._next, self._until = first, 0.0

    def after_failure(self) -> float:
        """Return for how many seconds to wait now."""
        now = asyncio.get_running_loop().time()
        if now - self._until > HEALTHY:
            self._next = self._first
        base = self._next
        self._next = min(base * 2, self._longest / 2)
        wait = self._uniform(base, base * 2)
        self._until = now + wait
        return wait


class RateLimiter:
    """
    At most one request a second.

    The first two, a list and the watch after it, need not wait.
    """

    WITHOUT_WAIT = 2

    def __init__(self) -> None:
        self._left, self._next = self.WITHOUT_WAIT, float("-inf")

    async def wait(self) -> None:
        """Wait until another request is due."""
        clock = asyncio.get_running_loop().time
        if self._left:
            self._left -= 1
        elif (left := self._next - clock()) > 0:
            await asyncio.sleep(left)
        self._next = clock() + 1


class TokenBucket:
    """
    A number of requests at once, and then so many a second.

    Args:
        burst: Requests that need not wait after a pause.
        per_second: How many more are allowed each second.
    """

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._left, self._at = float(burst), 0.0

    async def wait(self) -> None:
        """Wait until another request is due."""
        clock = asyncio.get_running_loop().time
        now = clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            await asyncio.sleep((1 - self._left) / self._per_second)
            self._left += (clock() - self._at) * self._per_second
            self._at = clock()
        self._left -= 1
