"""What hinders the reading of one container's log, told at its begin and at its end."""

import asyncio

import structlog

from exporter.apiserver.container import ContainerRef
from exporter.apiserver.errors import ApiError, ErrorKind

_TOLD = frozenset({ErrorKind.SERVER, ErrorKind.FORBIDDEN})
"""Answers of the API server to the request for a log: its kubelet is away, or a right is missing.
An API server that does not answer is told once for all requests. A container that is not started
yet has no log."""
log = structlog.get_logger()


class LogTrouble:
    """
    Tells that a log cannot be read, and that it is read again. One kubelet may be away alone.

    Args:
        container: Whose log it is.

    Attributes:
        problem: Why the log cannot be read, in one line; empty if it can.
    """

    def __init__(self, container: ContainerRef) -> None:
        self.problem = ""
        self._about = {"pod": f"{container.namespace}/{container.pod}", "log": container.container}
        self._since: float | None = None
        """When the first request failed of those that were told, on the loop's clock."""

    def failed(self, error: ApiError) -> None:
        """Take in that the log cannot be read now."""
        hint = "; grant get on pods/log" if error.kind is ErrorKind.FORBIDDEN else ""
        self.problem = f"{error.message}{hint}"
        if error.kind in _TOLD and self._since is None:
            self._since = asyncio.get_running_loop().time()
            log.warning("pod log cannot be read", error=self.problem, **self._about)

    def over(self) -> None:
        """Take in that the log can be read."""
        self.problem = ""
        if self._since is not None:
            seconds = round(asyncio.get_running_loop().time() - self._since, 1)
            log.info("pod log is read again", seconds=seconds, **self._about)
        self._since = None
