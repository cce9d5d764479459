"""Log events about the requests that take or renew a Lease."""

import asyncio

import structlog

from exporter.apiserver.errors import ApiError
from exporter.apiserver.silence import Silence

log = structlog.get_logger()


class LoggedSilence(Silence):
    """Logs when requests for the Lease fail, once a cause, and when they succeed again."""

    _cause, _began = "", 0.0

    def failed(self, error: ApiError | TimeoutError) -> None:
        """Take in a request that failed."""
        told = str(error) or "no answer in time"
        cause = error.kind if isinstance(error, ApiError) else told
        if not self._cause:
            self._began = asyncio.get_running_loop().time()
        if cause != self._cause:
            log.warning("lease request failed", error=told)
        self._cause = cause
        super().failed(error)

    def answered(self, sent: float) -> None:
        """Take in the answer to a request that was sent at *sent*."""
        if self._cause:
            now = asyncio.get_running_loop().time()
            log.info("lease requests recovered", seconds=round(now - self._began, 1))
            self._cause = ""
        super().answered(sent)
