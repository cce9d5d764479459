"""
One container's log, followed through the API server; each line once, also over reconnections.

A kubelet may stop sending when it rotates a log, and a place in a log can be requested only to the
second. So we ask again after a silence and from time to time, and leave out what we have read.
Its time stamps and lines tell. If the container was restarted meanwhile, the log of its previous
life is read to its end first; a kubelet keeps only that one. We assume that the time stamps of one
container do not go back. If a node's clock does, lines are left out rather than counted twice.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple
from zlib import crc32

from exporter.apiserver.client import REQUEST_LIMIT, ApiClient
from exporter.apiserver.container import ContainerRef
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.log_gap import GapFinder, LogGap
from exporter.apiserver.log_place import BEGINNING, LogPlace, is_stamp
from exporter.apiserver.log_trouble import LogTrouble
from exporter.apiserver.new_lines import NewLines
from exporter.apiserver.pod_facts import count_restarts, is_gone
from exporter.apiserver.rate_limiter import Backoff, RateLimiter, Uniform
from exporter.apiserver.replies import Chunks
from exporter.model.lines import LineSplitter

MAX_LINE = 64 << 10
MAX_CONNECTION = 64 << 20
"""Largest number of bytes that one connection brings."""
SILENCE = 120.0
"""Seconds without a line after which the log is requested again: a kubelet may have lost it."""
ASK_ANEW = 600.0
"""Seconds after which a connection is replaced."""
SLACK = 5.0
FAILED_LONGEST = 10.0
"""Seconds of the longest wait for a kubelet that is away: it may rotate a log away meanwhile."""
REFUSED_FIRST, REFUSED_LONGEST = 30.0, 300.0


class Counts(NamedTuple):
    """What was counted of one log."""

    requests: int = 0
    """How often the log was requested."""
    repeated: int = 0
    """Lines left out because they had been read before."""
    truncated: int = 0
    """Lines left out because they were longer than MAX_LINE."""
    unstamped: int = 0
    """Lines left out because they have no time stamp: messages of the kubelet itself."""


class PodLog:
    """
    The log of one container.

    Args:
        client: Has been entered.
        container: Which one.
        place: Where to continue; None to begin with what is written from now on.
        restarts: How often the container had been restarted when *place* was chosen.
        uniform: Spreads the waits; `random.uniform`.
        unix: Tells the time.
        tell: Is called with each time of which lines may be missing.
    """

    def __init__(
        self,
        client: ApiClient,
        container: ContainerRef,
        *,
        place: LogPlace | None = BEGINNING,
        restarts: int = 0,
        silence: float = SILENCE,
        uniform: Uniform = random.uniform,
        unix: Callable[[], float] = time.time,
        tell: Callable[[LogGap], None] = lambda _: None,
    ) -> None:
        self._lines = NewLines(place)
        self._trouble = LogTrouble(container)
        self._requests = 0
        self._client, self._container, self._silence = client, container, silence
        self._limiter, self._backoff = RateLimiter(), Backoff(uniform)
        self._failures = Backoff(uniform, longest=FAILED_LONGEST)
        self._refusals = Backoff(uniform, first=REFUSED_FIRST, longest=REFUSED_LONGEST)
        self._gaps = GapFinder(client, container, self._limiter, unix=unix, tell=tell)
        self._restarts = restarts
        self._restarts_read = restarts if place is None else 0
        """How many previous lives of the container need not be read any more."""
        self._ended = False
        """The server ended a connection after the restarts were last counted."""

    @property
    def place(self) -> LogPlace | None:
        """The place after the last block; None as long as the end of the log is not known."""
        return self._lines.place

    @place.setter
    def place(self, place: LogPlace | None) -> None:
        self._lines.place = place

    @property
    def problem(self) -> str:
        """Why the log cannot be read, in one line; empty if it can."""
        return self._trouble.problem

    @property
    def counts(self) -> Counts:
        """What was counted until now."""
        lines = self._lines
        return Counts(self._requests, lines.repeated, lines.truncated, lines.unstamped)

    def end_at(self, stamp: bytes) -> None:
        """Bring only lines that are earlier than *stamp*."""
        self._lines.until = stamp

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """
        Yield blocks of whole lines, without time stamps, until the pod is gone.

        Close it (`contextlib.aclosing`) to end the connection before that.

        Raises:
            ApiError: If the log can never be read, for example because the pod lacks the container.
        """
        while True:
            wait, brought = 0.0, False
            try:
                async for block in self._life_before():
                    yield block
                async with AsyncExitStack() as stack:
                    chunks = await self._open(stack)
                    self._ended = True
                    splitter = LineSplitter(MAX_LINE)
                    end = asyncio.get_running_loop().time() + ASK_ANEW
                    while chunk := await self._next(chunks, end):
                        if block := self._lines.take(splitter, chunk):
                            brought = True
                            yield block
                        await self._judge()
                        self._gaps.heard()
                self._gaps.ended()
                # A container that has ended writes nothing until it is started again.
                self._ended = self._ended and chunk is not None
                wait = 0.0 if brought or chunk is None else self._backoff.after_failure()
            except ApiError as error:
                if error.kind is ErrorKind.NOT_FOUND:
                    await self._limiter.wait()
                    if await is_gone(self._client, self._container, self.place):
                        return
                wait = self._failed(error)
            await asyncio.sleep(wait)

    async def _judge(self, *, previous: bool = False) -> None:
        """Tell what may be missing before the newest reply; once a reply."""
        if first := self._lines.take_unlinked():
            await self._gaps.judge(first, previous=previous)

    async def _open(self, stack: AsyncExitStack) -> Chunks | None:
        """Request the log; None if nothing came, not even headers, which come with a line."""
        if self.place is None:
            self.place = await self._end()
        await self._limiter.wait()
        self._requests += 1
        limit = self._silence + SLACK
        stream = self._client.stream(
            self._container.path,
            self._from(self.place) | {"follow": "true"},
            within=limit,
            silence=limit,
            json=False,
        )
        try:
            async with asyncio.timeout(self._silence):
                chunks = await stack.enter_async_context(stream)
        except TimeoutError:
            chunks = None
        self._trouble.over()
        return chunks

    async def _next(self, chunks: Chunks | None, end: float) -> bytes | None:
        """Return the next chunk, nothing at the end, None if the log must be requested again."""
        if chunks is None:
            return None
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(end, now + self._silence)):
                return await anext(chunks, b"")
        except TimeoutError:
            return None

    async def _life_before(self) -> AsyncGenerator[bytes, None]:
        """Yield what we have not read of the log that ended when the container was restarted."""
        if self._ended:
            await self._limiter.wait()
            self._restarts = await count_restarts(self._client, self._container, self._restarts)
            self._ended = False
        if self.place is None or self._restarts <= self._restarts_read:
            return
        await self._limiter.wait()
        query = self._from(self.place) | {"previous": "true"}
        splitter = LineSplitter(MAX_LINE)
        try:
            async with self._client.stream(
                self._container.path, query, within=REQUEST_LIMIT, silence=REQUEST_LIMIT, json=False
            ) as chunks:
                async for chunk in chunks:
                    if block := self._lines.take(splitter, chunk):
                        yield block
                    await self._judge(previous=True)
            self._gaps.follows_on = self._lines.brought
        except ApiError as error:
            # The log was removed already, like those of a pod's oldest containers.
            if error.kind is not ErrorKind.REFUSED:
                raise
        self._restarts_read = self._restarts

    def _from(self, place: LogPlace) -> dict[str, str]:
        """Return the query for what comes after *place*, and prepare for the reply."""
        self._lines.expect(place)
        self._gaps.expect(place)
        stamp = {"sinceTime": place.stamp.decode()} if place.stamp else {}
        return self._query | stamp | {"limitBytes": str(MAX_CONNECTION)}

    async def _end(self) -> LogPlace:
        """Return the place after the last line that is there now."""
        await self._limiter.wait()
        query = self._query | {"tailLines": "1", "limitBytes": str(2 * MAX_LINE)}
        splitter, last = LineSplitter(MAX_LINE), b""
        async with self._client.stream(
            self._container.path, query, within=REQUEST_LIMIT, silence=REQUEST_LIMIT, json=False
        ) as chunks:
            async for chunk in chunks:
                last = (splitter.split(chunk) or [last])[-1]
        stamp, _, text = last.partition(b" ")
        return LogPlace(stamp=stamp, lines=(crc32(text),)) if is_stamp(stamp) else BEGINNING

    @property
    def _query(self) -> dict[str, str]:
        return {"container": self._container.container, "timestamps": "true"}

    def _failed(self, error: ApiError) -> float:
        """Return the seconds to wait; raise the error if waiting would not help."""
        self._gaps.failed()
        if error.kind is ErrorKind.REFUSED and "waiting to start" not in error.message:
            raise error
        self._trouble.failed(error)
        if error.kind is ErrorKind.FORBIDDEN:
            return self._refusals.after_failure()
        backoff = self._backoff if error.kind is ErrorKind.REFUSED else self._failures
        return max(backoff.after_failure(), error.retry_after or 0.0)
