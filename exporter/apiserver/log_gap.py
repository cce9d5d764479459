"""
Gaps in a container's log: what a kubelet rotated away while nobody followed.

A kubelet serves the newest file of a container only. So after a pause a reply may begin with a file
that was created meanwhile. The lines of the files between are lost then, and nobody knows how many.
"""

from collections.abc import Callable
from dataclasses import dataclass

from exporter.apiserver.client import REQUEST_LIMIT, ApiClient
from exporter.apiserver.container import ContainerRef, started
from exporter.apiserver.errors import ApiError
from exporter.apiserver.log_place import BEGINNING, LogPlace, is_later, is_stamp, unix_of
from exporter.apiserver.rate_limiter import RateLimiter

SHORT = 1.0
"""Seconds of a gap that is not told: we were away so long only to replace a connection."""
HEAD = 300
"""Bytes that are read of a file to learn since when it exists."""
WHOLE_SECOND = 1.0
"""Seconds that a container may have started later than its pod says, without fractions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGap:
    """A time of which lines may be missing, in unix seconds."""

    start: float
    end: float


class GapFinder:
    """
    Finds out whether lines of one log were lost before a reply.

    We know that nothing was missed up to our place, and for as long as a connection was followed
    without an error, also if it brought no line. A connection that ended without an error is
    doubted again if the next one fails, because it may have been dead.

    Args:
        client: Has been entered.
        container: Whose log it is.
        limiter: Is waited for before each request.
        unix: Tells the time.
        tell: Is called with each gap.

    Attributes:
        follows_on: The next reply follows on the end of the container's life before, which was
            read. Its first line is taken to be the first of its life.
    """

    def __init__(
        self,
        client: ApiClient,
        container: ContainerRef,
        limiter: RateLimiter,
        *,
        unix: Callable[[], float],
        tell: Callable[[LogGap], None],
    ) -> None:
        self._client, self._container, self._limiter = client, container, limiter
        self._unix, self._tell = unix, tell
        self.follows_on = False
        self._place = BEGINNING
        self._until: float | None = None
        """Until when the log was followed; None if it was not."""
        self._sure_until: float | None = None
        """As above, if the newest connection that brought nothing is not trusted."""
        self._opened: float | None = None
        """When the log was requested for the first time after that."""
        self._broken = True
        """Whether lines may be missing for another reason than a replaced connection."""

    def expect(self, place: LogPlace) -> None:
        """Prepare for a reply to a request for what comes after *place*."""
        self._place = place
        if self._opened is None or not self._broken:
            self._opened = self._unix()

    def heard(self) -> None:
        """Take in that the log was followed until now, and that what it brought was judged."""
        self._until = self._sure_until = self._unix()
        self._broken = self.follows_on = False

    def ended(self) -> None:
        """Take in that a connection ended without an error, or was replaced by ourselves."""
        # A place without lines is a time, and an empty file after it holds no gap.
        if self._opened is None or (self._broken and self._place.lines):
            return
        self._sure_until = max(self._sure_until or self._opened, self._opened)
        self._until, self._broken = self._unix(), False

    def failed(self) -> None:
        """Take in that a connection broke, or that a request failed."""
        self._until, self._opened, self._broken = self._sure_until, None, True

    async def judge(self, first: bytes, *, previous: bool = False) -> None:
        """
        Tell a gap if one may be before a reply that repeated no line at or before our place.

        Args:
            first: The time stamp of the reply's first line.
            previous: Whether it is the log of the container's life before this one.
        """
        gap = self._span(unix_of(first))
        if gap is None or self.follows_on or gap.end - gap.start <= SHORT:
            return
        place = self._place
        if not await self._was_there(place, previous=previous):
            self._tell(gap)

    def _span(self, first: float) -> LogGap | None:
        """Return when lines may have been written that this reply does not bring."""
        if not self._place.stamp:
            return None
        place, until, opened = unix_of(self._place.stamp), self._until, self._opened or self._unix()
        if until is None:
            if first <= opened or opened < place:
                return LogGap(start=place, end=first)
            # The file was empty when we came. If we know no line, then maybe there was none yet.
            return LogGap(start=place, end=opened) if self._place.lines else None
        if first < until:
            # The kubelet sent nothing more after it had rotated the log, or its clock is behind.
            return LogGap(start=place, end=first)
        start = max(place, until)
        return LogGap(start=start, end=min(first, start + opened - until))

    async def _was_there(self, place: LogPlace, *, previous: bool) -> bool:
        """Return whether the file existed at *place*, or no line of the container did."""
        try:
            head = await self._head({"previous": "true"} if previous else {})
            if is_stamp(head) and not is_later(head, place.stamp):
                return True
            if previous or place.lines:
                return False
            await self._limiter.wait()
            pod = await self._client.read(self._container.of_pod)
        except ApiError:
            return False
        at = started(pod, self._container.container).encode()
        return is_stamp(at) and unix_of(at) + WHOLE_SECOND >= unix_of(place.stamp)

    async def _head(self, more: dict[str, str]) -> bytes:
        """Return the time stamp of the first line that there is; empty if there is none."""
        await self._limiter.wait()
        head = b""
        container = {"container": self._container.container}
        query = container | {"timestamps": "true", "limitBytes": str(HEAD)} | more
        async with self._client.stream(
            self._container.path, query, within=REQUEST_LIMIT, silence=REQUEST_LIMIT, json=False
        ) as chunks:
            async for chunk in chunks:
                head = (head + chunk)[:HEAD]
        return head.partition(b" ")[0]
