"""
One container's log, followed through the API server; each line once, also over reconnections.

A kubelet may fall silent when it rotates a log, and a place in a log can be asked for to the second
only. So we ask anew after a silence and at times, and leave out what we have had, which its time
stamps and lines tell. Of a container that was started anew meanwhile the log of its life before is
read to its end first; a kubelet keeps no more than that one. Time stamps of one container do not go
back; should a node's clock do so, lines are left out rather than counted twice.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from exporter.apiserver.client import REQUEST_LIMIT, ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.rate_limiter import Backoff, Pace, Uniform
from exporter.apiserver.replies import Chunks
from exporter.apiserver.splitter import Splitter

MAX_LINE = 64 << 10
MAX_CONNECTION = 64 << 20
"""Bytes that one connection brings at most."""
MAX_SAME = 1000
"""Lines of one time stamp that are told apart; of more, all count as had."""
SILENCE = 120.0
"""Seconds without a line after which the log is asked for anew: a kubelet may have lost it."""
ASK_ANEW = 600.0
"""Seconds that one connection is kept at most."""
SLACK = 5.0
REFUSED_FIRST, REFUSED_LONGEST = 30.0, 300.0
_STAMP = len("2006-01-02T15:04:05Z")
_WHOLE = len("2006-01-02T15:04:05")
_FIXED = len("2006-01-02T15:04:05.000000000")


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Whose log it is."""

    namespace: str
    pod: str
    container: str

    @property
    def of_pod(self) -> str:
        """Return where the API server has its pod."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}"

    @property
    def path(self) -> str:
        """Return where the API server has its log."""
        return f"{self.of_pod}/log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a log has been read: the last time stamp, and which of its lines were had."""

    stamp: bytes = b""
    """Empty before the first line."""
    lines: tuple[int, ...] = ()
    """Checksums of the lines of that very time stamp."""


BEGINNING = Place()


def since(unix: float) -> Place:
    """Return the place after all that was written before then."""
    return Place(stamp=f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%S.%f}Z".encode())


def is_place(place: Place) -> bool:
    """Return whether *place* is one that a log can be read on from."""
    return not place.stamp or _moment(place.stamp)[0] > float("-inf")


def latest(one: Place, other: Place) -> Place:
    """Return the later of two places in one log."""
    return other if _later(other.stamp, one.stamp) else one


class PodLog:
    """
    The log of one container.

    Args:
        client: Has been entered.
        container: Which one.
        place: Where to go on; None to begin with what is written from now on.
        restarts: How often the container had been started anew when that was looked at.
        uniform: Spreads the waits; `random.uniform`.

    Attributes:
        place: After the last block; None as long as it is not known where the log ends.
        problem: What hinders, in one line; empty if nothing does.
        connections: How often the log was asked for.
        repeated: Lines left out because they had been had.
        truncated: Lines left out because they were longer than MAX_LINE.
        unstamped: Lines without a time stamp, which are a kubelet's own words.
    """

    def __init__(
        self,
        client: ApiClient,
        container: Container,
        *,
        place: Place | None = BEGINNING,
        restarts: int = 0,
        silence: float = SILENCE,
        uniform: Uniform = random.uniform,
    ) -> None:
        self.place = place
        self.problem = ""
        self.connections = self.repeated = self.truncated = self.unstamped = 0
        self._client, self._container, self._silence = client, container, silence
        self._pace, self._backoff = Pace(), Backoff(uniform)
        self._refusals = Backoff(uniform, first=REFUSED_FIRST, longest=REFUSED_LONGEST)
        self._had: Counter[int] = Counter()
        """Lines of the time stamp of our place that this connection has not brought again yet."""
        self._catching_up = self._had_many = False
        self._restarts = restarts
        self._restarts_read = restarts if place is None else 0
        """How many lives of the container before this one need not be read any more."""
        self._ended = False
        """A connection has ended since the restarts were counted, and not because we ended it."""

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """
        Yield blocks of whole lines, without time stamps, until the pod is gone.

        Close it (`contextlib.aclosing`) to end the connection before that.

        Raises:
            ApiError: If the log can never be had, such as that of a container that the pod lacks.
        """
        while True:
            wait, brought = 0.0, False
            try:
                async for block in self._life_before():
                    yield block
                async with AsyncExitStack() as stack:
                    chunks = await self._open(stack)
                    self._ended = True
                    lines = Splitter(MAX_LINE)
                    end = asyncio.get_running_loop().time() + ASK_ANEW
                    while chunk := await self._next(chunks, end):
                        if block := self._take(lines, chunk):
                            brought = True
                            yield block
                # A container that has ended has nothing to say until it is started again.
                self._ended = self._ended and chunk is not None
                wait = 0.0 if brought or chunk is None else self._backoff.after_failure()
            except ApiError as error:
                if error.kind is ErrorKind.NOT_FOUND:
                    return
                wait = self._failed(error)
            await asyncio.sleep(wait)

    async def _open(self, stack: AsyncExitStack) -> Chunks | None:
        """Ask for the log; None if nothing came, not even headers, which come with a line."""
        if self.place is None:
            self.place = await self._end()
        await self._pace.turn()
        self.connections += 1
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
        self.problem = ""
        return chunks

    async def _next(self, chunks: Chunks | None, end: float) -> bytes | None:
        """Return the next chunk, nothing at the end, None if it is time to ask anew."""
        if chunks is None:
            return None
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(end, now + self._silence)):
                return await anext(chunks, b"")
        except TimeoutError:
            return None

    async def _life_before(self) -> AsyncGenerator[bytes, None]:
        """Yield what we lack of the log that ended when the container was started anew."""
        if self._ended:
            self._restarts = await self._count_restarts()
            self._ended = False
        if self.place is None or self._restarts <= self._restarts_read:
            return
        await self._pace.turn()
        query = self._from(self.place) | {"previous": "true"}
        lines = Splitter(MAX_LINE)
        try:
            async with self._client.stream(
                self._container.path, query, within=REQUEST_LIMIT, silence=REQUEST_LIMIT, json=False
            ) as chunks:
                async for chunk in chunks:
                    if block := self._take(lines, chunk):
                        yield block
        except ApiError as error:
            # Removed already, as a pod's oldest containers are.
            if error.kind is not ErrorKind.REFUSED:
                raise
        self._restarts_read = self._restarts

    async def _count_restarts(self) -> int:
        await self._pace.turn()
        try:
            pod = await self._client.read(self._container.of_pod)
        except ApiError as error:
            if error.kind not in {ErrorKind.NOT_FOUND, ErrorKind.FORBIDDEN}:
                raise
            return self._restarts
        return max(restarts(pod, self._container.container), self._restarts)

    def _from(self, place: Place) -> dict[str, str]:
        """Return the query for what comes after *place*, and expect that."""
        self._had, self._catching_up = Counter(place.lines), True
        self._had_many = len(place.lines) >= MAX_SAME
        stamp = {"sinceTime": place.stamp.decode()} if place.stamp else {}
        return self._query | stamp | {"limitBytes": str(MAX_CONNECTION)}

    async def _end(self) -> Place:
        """Return the place after the last line that is there now."""
        await self._pace.turn()
        query = self._query | {"tailLines": "1", "limitBytes": str(2 * MAX_LINE)}
        lines, last = Splitter(MAX_LINE), b""
        async with self._client.stream(
            self._container.path, query, within=REQUEST_LIMIT, silence=REQUEST_LIMIT, json=False
        ) as chunks:
            async for chunk in chunks:
                last = (lines.feed(chunk) or [last])[-1]
        stamp, _, text = last.partition(b" ")
        return Place(stamp=stamp, lines=(crc32(text),)) if _is_stamp(stamp) else BEGINNING

    @property
    def _query(self) -> dict[str, str]:
        return {"container": self._container.container, "timestamps": "true"}

    def _take(self, lines: Splitter, chunk: bytes) -> bytes:
        """Return the new lines that a chunk completes, and move our place past them."""
        place = self.place or BEGINNING
        stamp, same, block = place.stamp, list(place.lines), []
        before = lines.too_long
        for line in lines.feed(chunk):
            at, _, text = line.partition(b" ")
            if not _is_stamp(at):
                self.unstamped += 1
                continue
            later = _later(at, stamp)
            if self._catching_up and not later and self._was_had(at, text, stamp):
                self.repeated += 1
                continue
            if later:
                stamp, same, self._catching_up = at, [], False
            if at == stamp and len(same) < MAX_SAME:
                same.append(crc32(text))
            block.append(text)
        self.truncated += lines.too_long - before
        self.place = Place(stamp=stamp, lines=tuple(same))
        return b"\n".join((*block, b"")) if block else b""

    def _was_had(self, at: bytes, text: bytes, stamp: bytes) -> bool:
        """Return whether a line, no later than our place, is from before it."""
        if at != stamp or self._had_many:
            return True
        checksum = crc32(text)
        if self._had[checksum]:
            self._had[checksum] -= 1
            return True
        return False

    def _failed(self, error: ApiError) -> float:
        """Return the seconds to wait; raise the error if waiting would not help."""
        if error.kind is ErrorKind.REFUSED and "waiting to start" not in error.message:
            raise error
        self.problem = error.message
        if error.kind is ErrorKind.FORBIDDEN:
            self.problem += "; grant get on pods/log"
            return self._refusals.after_failure()
        return max(self._backoff.after_failure(), error.retry_after or 0.0)


def restarts(pod: dict[str, Any], container: str) -> int:
    """Return how often a container was started anew, by its *pod* as the API server has it."""
    status = pod.get("status")
    found = status.get("containerStatuses") if isinstance(status, dict) else None
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and each.get("name") == container:
            count = each.get("restartCount")
            return count if isinstance(count, int) else 0
    return 0


def _is_stamp(text: bytes) -> bool:
    """Return whether *text* looks like an RFC 3339 time; a kubelet's own words do not."""
    return len(text) >= _STAMP and text[4:5] == b"-" and text[10:11] == b"T"


def _later(one: bytes, other: bytes) -> bool:
    """Compare time stamps, of which a kubelet writes all in one form, but for the time zone."""
    if one[_FIXED:] == other[_FIXED:] and len(one) == len(other):
        return one > other
    return _moment(one) > _moment(other)


def _moment(stamp: bytes) -> tuple[float, int]:
    """Return seconds and nanoseconds; the beginning of time for what is no time."""
    text = stamp.decode(errors="replace")
    fraction = text[_WHOLE:].lstrip(".")
    digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
    zone = fraction[len(digits) :]
    try:
        whole = datetime.fromisoformat(text[:_WHOLE] + zone).timestamp()
    except ValueError:
        return (float("-inf"), 0)
    return whole, int(digits.ljust(9, "0")[:9])
