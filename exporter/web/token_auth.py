"""
Bearer tokens of the HTTP server, which the API server of the cluster knows.

Each token and path is asked about as kube-rbac-proxy does: who bears this token (TokenReview), and
may that account read this path (SubjectAccessReview). This module remembers the answers for a short
time. It does not know an API server; whoever starts the server gives it the question as a function.
"""

import asyncio
import hashlib
import string
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from enum import Enum
from math import inf

import structlog

ALLOWED_SECONDS = 60.0
"""Time for which an allowed request is remembered. controller-runtime remembers tokens as long."""
FORBIDDEN_SECONDS = 10.0
"""Time for which a refusal of a known account is remembered."""
MAX_REMEMBERED = 200
MAX_WAITING = 16
"""Reviews of tokens that were not allowed before; one more is asked to come back."""
MAX_TOKEN = 8 << 10
"""Bytes of a token."""
REVIEWS_AT_ONCE = 2
"""The same, at the API server at once."""
SAID_SECONDS = 10.0
"""Time after a log event in which further failures are only counted."""
_TOKEN = frozenset(string.ascii_letters + string.digits + "-._~+/=")
log = structlog.get_logger()


class Access(Enum):
    """What a client may do."""

    ALLOWED = 1
    UNKNOWN = 2
    """Nobody knows the client."""
    FORBIDDEN = 3
    """The client is known, and may not do this."""


class TooManyReviewsError(Exception):
    """Too many tokens wait to be reviewed."""


class AccessUnknownError(Exception):
    """The API server did not say what a client may do. The message says why."""


Review = Callable[[str, str, str], Awaitable[Access]]
"""Given a token, a verb such as get, and a path. Raises AccessUnknownError."""


class TokenAuth:
    """
    Says what the bearer of a token may do.

    Only answers about accounts that the API server knows are remembered, so invalid tokens push no
    valid one out. A token that was allowed before never waits for others.

    Args:
        review: Asks the API server.
        clock: Returns seconds.
    """

    def __init__(self, review: Review, clock: Callable[[], float]) -> None:
        self._review, self._clock = review, clock
        self._known: OrderedDict[bytes, tuple[Access, float]] = OrderedDict()
        self._room = asyncio.Semaphore(REVIEWS_AT_ONCE)
        self._waiting = 0
        self._said_at, self._unsaid = -inf, 0

    async def access(self, token: str, method: str, path: str) -> Access:
        """
        Return what the bearer of *token* may do.

        Raises:
            TooManyReviewsError: If too many tokens wait to be reviewed.
            AccessUnknownError: If the API server does not say it.
        """
        if not token or len(token) > MAX_TOKEN or not _TOKEN.issuperset(token):
            return Access.UNKNOWN
        verb = "get" if method == "HEAD" else method.lower()
        key = hashlib.sha256(f"{verb}\0{path}\0{token}".encode()).digest()
        access, until = self._known.get(key, (Access.UNKNOWN, 0.0))
        if self._clock() < until:
            self._known.move_to_end(key)
            return access
        if access is Access.ALLOWED:
            found = await self._ask(token, verb, path)
        else:
            found = await self._ask_in_turn(token, verb, path)
        self._remember(key, found)
        return found

    async def _ask_in_turn(self, token: str, verb: str, path: str) -> Access:
        if self._waiting >= MAX_WAITING:
            raise TooManyReviewsError
        self._waiting += 1
        try:
            async with self._room:
                return await self._ask(token, verb, path)
        finally:
            self._waiting -= 1

    async def _ask(self, token: str, verb: str, path: str) -> Access:
        try:
            return await self._review(token, verb, path)
        except AccessUnknownError as error:
            self._say(str(error))
            raise

    def _say(self, error: str) -> None:
        """Log a failure, unless one was logged just before: anybody can cause any number."""
        now = self._clock()
        if now - self._said_at < SAID_SECONDS:
            self._unsaid += 1
            return
        log.warning("access review failed", error=error, left_out=self._unsaid)
        self._said_at, self._unsaid = now, 0

    def _remember(self, key: bytes, access: Access) -> None:
        if access is Access.UNKNOWN:
            self._known.pop(key, None)
            return
        seconds = ALLOWED_SECONDS if access is Access.ALLOWED else FORBIDDEN_SECONDS
        self._known[key] = (access, self._clock() + seconds)
        self._known.move_to_end(key)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
