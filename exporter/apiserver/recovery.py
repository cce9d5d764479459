"""Lets everybody who waits after a failure try again once the API server answers somebody."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.replies import translated

_TROUBLES = frozenset({ErrorKind.UNREACHABLE, ErrorKind.TLS, ErrorKind.SERVER, ErrorKind.THROTTLED})
"""Failures that show a server in trouble; others are answers."""


class Recovery:
    """
    Notices the first request that succeeds after one that failed.

    Without this each waits for the end of its own backoff, up to half a minute after the API
    server is back.
    """

    def __init__(self) -> None:
        self._failed = False
        self._recovered = asyncio.Event()

    @contextmanager
    def noticed(self, what: str) -> Iterator[None]:
        """Notice how the request *what* ends; its errors become an ApiError that names it."""
        try:
            with translated(what):
                yield
        except ApiError as error:
            self._failed = self._failed or error.kind in _TROUBLES
            raise
        if self._failed:
            self._failed = False
            self._recovered.set()
            self._recovered = asyncio.Event()

    async def wait(self, seconds: float) -> bool:
        """Wait; return whether the wait ended early because the API server answers again."""
        try:
            async with asyncio.timeout(seconds):
                await self._recovered.wait()
        except TimeoutError:
            return False
        return True
