"""
Whether the API server answers at all, by the renewals of a Lease.

A watch of an API server that hangs, or of a network that loses packets, is as silent as one without
changes. It fails a minute later, or never. A Lease is renewed every two seconds, so it shows that
within seconds.
"""

from collections.abc import Callable

from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.freshness import CATCH_UP

_NO_ANSWER = frozenset({ErrorKind.UNREACHABLE, ErrorKind.SERVER})
"""Any other error is an answer."""


class Silence:
    """
    Follows the requests that renew a Lease. All moments are those of the loop's clock.

    Args:
        became_silent: Called with the moment since when changes may have gone unseen.
        answers: Called once the watches had time to deliver what they held back.
    """

    def __init__(
        self,
        became_silent: Callable[[float], None] = lambda _: None,
        answers: Callable[[], None] = lambda: None,
    ) -> None:
        self._became_silent, self._answers = became_silent, answers
        self._answered: float | None = None
        """When the newest request was sent that was answered."""
        self._again: float | None = None
        """When the first request was sent that was answered after the silence."""
        self._silent = False

    def failed(self, error: ApiError | TimeoutError) -> None:
        """Take in a request that failed. Before the first answer nothing can be stale."""
        if isinstance(error, ApiError) and error.kind not in _NO_ANSWER:
            return
        self._again = None
        if not self._silent and self._answered is not None:
            self._silent = True
            self._became_silent(self._answered)

    def answered(self, sent: float) -> None:
        """Take in the answer to a request that was sent at *sent*."""
        self._answered = sent
        if self._again is None:
            self._again = sent
        if self._silent and sent - self._again >= CATCH_UP:
            self.end()

    def end(self) -> None:
        """Say nothing about the API server from now on, until the next miss."""
        if self._silent:
            self._silent = False
            self._answers()
