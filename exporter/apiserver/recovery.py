"""Lets everybody who waits after a failure try again once the API server answers somebody."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.replies import translated

_TROUBLES = frozenset({ErrorKind.UNREACHABLE, ErrorKind.TLS, ErrorKind.SERVER, ErrorKind.THROTTLED})
"""Failures that show a server in trouble; others are answers."""

log = structlog.get_logger()


class Recovery:
    """
    Notices the first request that succeeds after one that failed.

    Without this each waits for the end of its own backoff, up to half a minute after the API
    server is back.
    """

    def __init__(self) -> None:
        self._failed_at: float | None = None
        """When the first request failed, on the loop's clock; None if the last one succeeded."""
        self._recovered = asyncio.Event()

    @contextmanager
    def noticed(self, what: str, *, forwarded: bool = False) -> Iterator[None]:
        """
        Notice how the request *what* ends; its errors become an ApiError that names it.

        An answer of 5xx to a request that the API server *forwarded* is no trouble of its own:
        one kubelet may be away while all other requests succeed.
        """
        try:
            with translated(what):
                yield
        except ApiError as error:
            others = forwarded and error.kind is ErrorKind.SERVER
            if error.kind in _TROUBLES and not others and self._failed_at is None:
                self._failed_at = asyncio.get_running_loop().time()
                log.warning("API server request failed", error=str(error))
            raise
        if self._failed_at is not None:
            seconds = round(asyncio.get_running_loop().time() - self._failed_at, 1)
            log.info("API server requests recovered", seconds=seconds)
            self._failed_at = None
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
