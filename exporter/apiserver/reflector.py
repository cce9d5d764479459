"""
The objects of one resource, kept as the API server has them: listed once, then watched.

A watch that ends is continued where it ended. Only if the server no longer knows that place,
everything is listed again; a comparison then finds what was deleted in between. Whatever a server
does, it is asked at most once a second. Exceptions are the first watch, which follows the first
list at once, and the pages of a list. A failure of one resource does not affect another.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Generic

import msgspec
import structlog

from exporter.apiserver.client import REQUEST_LIMIT, ApiClient
from exporter.apiserver.errors import UNREADABLE, ApiError, ErrorKind, kind_of, one_line
from exporter.apiserver.freshness import Freshness
from exporter.apiserver.installed import is_absent
from exporter.apiserver.pages import pages
from exporter.apiserver.rate_limiter import Uniform
from exporter.apiserver.resource import PAGE, Page, Resource, WatchEvent, read_event, read_page
from exporter.apiserver.store import OutOfOrderError, Store, T, Trim
from exporter.apiserver.waits import Wait, Waits
from exporter.model.lines import LineSplitter
from exporter.model.stages import UNWATCHED, Pulse
from exporter.model.watches import WatchState

MAX_LINE = 16 << 20
MAX_PAGES = 1000
WATCH_SECONDS = (300.0, 600.0)
"""Seconds for which a watch is requested; spread, so that not all end at once."""
SLACK = 30.0
"""Seconds that a silent watch may last beyond its end."""
TURN = 100
"""Objects of a page after which other tasks get a turn."""

_LIST_AGAIN = frozenset({ErrorKind.GONE, ErrorKind.NOT_FOUND, ErrorKind.FORBIDDEN})
"""Errors after which objects are listed, because the place of the watch is of no use."""

log = structlog.get_logger()


class Reflector(Generic[T]):
    """
    One resource of one API server.

    Args:
        client, resource: Where to watch what; the client has been entered.
        trim: Returns what to keep of an object.
        changed: Called after the objects or the state have changed.
        became_stale: Called at the first failure after a list; see `Freshness`.
        uniform: Spreads the waits; `random.uniform`.

    Attributes:
        state: The state of the watch.
        problem: What is wrong, in one line that says what would help; empty if nothing is.
        version: The API version that served the last list; empty before.
        looking: True if it was asked for again early, until the server has answered.
        settled: Set once the first list is done, or once it is known that none is possible.
        store: The objects, and what was counted of them.
        freshness: Whether the objects are those of now.
        last_alive: When the server last sent something, on the loop's clock; None before.
        requests, relists, failures, bad_lines: How often.
    """

    def __init__(
        self,
        client: ApiClient,
        resource: Resource,
        *,
        trim: Trim[T],
        changed: Callable[[], None],
        became_stale: Callable[[float], None] = lambda _: None,
        uniform: Uniform = random.uniform,
    ) -> None:
        self.resource, self.store = resource, Store(trim)
        self.state, self.problem, self.looking = WatchState.LISTING, "", False
        self.settled = asyncio.Event()
        self.last_alive: float | None = None
        self.requests = self.relists = self.failures = self.bad_lines = 0
        self._client, self._changed, self._uniform = client, changed, uniform
        self.freshness, self.waits = Freshness(became_stale), Waits(client.recovery, uniform)
        self._place = self.version = ""
        """The resourceVersion up to which we have seen everything; empty if a list is needed."""
        self._stumbled = ""  # the place after which the last invalid line came

    @property
    def objects(self) -> Mapping[str, T]:
        """Return what is kept of each object, by `namespace/name`, or `name` without namespace."""
        return self.store.objects

    @property
    def age(self) -> float:
        """Return the seconds since the server last sent something; infinite before it did."""
        return inf if self.last_alive is None else _now() - self.last_alive

    async def run(self, pulse: Pulse = UNWATCHED) -> None:
        """List and watch until cancelled. After a failure this can be called again."""
        # Each wait has a limit of its own, up to many minutes.
        pulse.rest()
        try:
            await self._run()
        except Exception as error:
            self.failures += 1
            told = one_line(f"{type(error).__name__}: {error}")
            self._failed(ApiError(ErrorKind.MALFORMED, told))
            self._place = ""  # it may have failed in the middle of a change
            raise

    async def _run(self) -> None:
        while True:
            wait = Wait()
            try:
                if not self._place:
                    await self._list()
                await self._watch()
            except ApiError as error:
                self.failures += 1
                wait = self.waits.after(error, listed=bool(self._place))
                self._failed(error)
            # Not while the error is handled, because it keeps a broken connection in memory.
            await self.waits.wait(wait)

    async def _list(self) -> None:
        """List with the best version that is served."""
        for version in self.resource.versions:
            try:
                return await self._list_as(version)
            except ApiError as error:
                if error.kind is ErrorKind.FORBIDDEN:
                    await self.waits.before_request()
                if not await is_absent(error, self._client, self.resource, version):
                    raise
        raise ApiError(ErrorKind.NOT_FOUND, f"{self.resource.title} is not served")

    async def _list_as(self, version: str) -> None:
        fresh, broken = dict[str, T](), dict[str, str]()
        await self.waits.before_request()
        fetch, place = partial(self._page, version), ""
        async for page in pages(fetch, self.resource.title, MAX_PAGES):
            for number, item in enumerate(page.items or ()):
                self.store.add(fresh, broken, item)
                if number % TURN == TURN - 1:
                    await asyncio.sleep(0)
            place = page.metadata.resource_version
        self.version, self._place = version, _checked(place, self.resource.title)
        differs = self.store.replace(fresh, broken)
        # If only the watch is forbidden, only a watch can show that it is allowed by now.
        state = self.state if self.state is WatchState.FORBIDDEN else WatchState.SYNCED
        self.freshness.listed()
        log.debug("resource was listed", resource=self.resource.title, objects=len(fresh))
        self._stand(state, self.problem if state is WatchState.FORBIDDEN else "", differs=differs)

    async def _page(self, version: str, token: str) -> Page:
        params = self.resource.params({"limit": str(PAGE)} | ({"continue": token} if token else {}))
        self.requests += 1
        body = await self._client.get(self.resource.path(version), params)
        self.last_alive = _now()
        self.waits.succeeded()
        return _read_page(body, self.resource.title)

    async def _watch(self) -> None:
        """Watch from our place until the server ends it."""
        seconds = self._uniform(*WATCH_SECONDS)
        params = self.resource.watch_params(self._place, seconds)
        await self.waits.before_request()
        self.requests += 1
        path, silence = self.resource.path(self.version), seconds + SLACK
        stream = self._client.stream(path, params, within=REQUEST_LIMIT, silence=silence, json=True)
        try:
            async with asyncio.timeout(silence + SLACK), stream as chunks:
                self.waits.succeeded()
                self._stand(WatchState.SYNCED, "")
                lines = LineSplitter(MAX_LINE)
                with self.freshness.watching():
                    async for chunk in chunks:
                        self.last_alive = _now()
                        self.freshness.seen()
                        self._read(lines, chunk)
        except TimeoutError as error:
            msg = f"watch of {self.resource.title}: continues past the requested end"
            raise ApiError(ErrorKind.UNREACHABLE, msg) from error

    def _read(self, lines: LineSplitter, chunk: bytes) -> None:
        """Use the lines of a chunk. The last line is complete only once its end has come."""
        changes, too_long = self.store.changes, lines.too_long
        try:
            for line in lines.split(chunk):
                self._take(line)
            if lines.too_long > too_long:
                self._stumble()
        finally:
            if self.store.changes != changes:
                self._changed()

    def _take(self, line: bytes) -> None:
        try:
            event = read_event(line)
            place = self.store.take(event, self._place)
            if event.type == "ERROR":
                raise _error_in(event, self.resource.title)
        except UNREADABLE:
            if line.strip():
                self._stumble()
            return
        except OutOfOrderError as error:
            msg = f"watch of {self.resource.title}: an event is older than the one before it"
            raise ApiError(ErrorKind.GONE, msg) from error
        self._place = place or self._place

    def _stumble(self) -> None:
        """Handle a line that is not a valid event: ask again, and list if it comes again."""
        # It may have been damaged on its way. If not, only a list can show what it was.
        self.bad_lines += 1
        kind = ErrorKind.GONE if self._stumbled == self._place else ErrorKind.MALFORMED
        self._stumbled = self._place
        raise ApiError(kind, f"watch of {self.resource.title}: a line is not a valid event")

    def _failed(self, error: ApiError) -> None:
        """Set the state to what happened."""
        listed, self._place = self._place, "" if error.kind in _LIST_AGAIN else self._place
        if error.kind is ErrorKind.NOT_FOUND:
            if not listed:
                self.freshness.absent()
                problem = f"{self.resource.title} is not installed in this cluster"
                self._stand(WatchState.NOT_INSTALLED, problem, differs=self.store.replace({}, {}))
            return
        self.freshness.failed(hidden=error.kind is ErrorKind.FORBIDDEN)
        if error.kind is ErrorKind.GONE:
            self.relists += 1
        elif error.kind is ErrorKind.FORBIDDEN:
            self._stand(WatchState.FORBIDDEN, f"{error.message}; {self.resource.missing_rule}")
        else:
            self._stand(WatchState.FAILING, error.message)

    def _stand(self, state: WatchState, problem: str, *, differs: bool = False) -> None:
        known = (self.state, self.problem, self.looking)
        self.state, self.problem, self.looking = state, problem, False
        if state not in {WatchState.LISTING, WatchState.FAILING}:
            self.settled.set()
        if differs or known != (state, problem, False):
            self._changed()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _read_page(body: bytes, title: str) -> Page:
    """Decode one page of the list of *title*."""
    try:
        return read_page(body)
    except UNREADABLE as error:
        msg = f"list of {title}: is not a list: {one_line(str(error))}"
        raise ApiError(ErrorKind.MALFORMED, msg) from error


def _checked(version: str, title: str) -> str:
    """Return the resourceVersion of the list of *title*; ApiError if it is empty."""
    if not version:
        msg = f"list of {title}: has no resourceVersion"
        raise ApiError(ErrorKind.MALFORMED, msg)
    return version


def _error_in(event: WatchEvent, title: str) -> ApiError:
    """Return the error that an ERROR event contains as a Status."""
    status = msgspec.json.decode(event.object)
    status = status if isinstance(status, dict) else {}
    code = status.get("code")
    message = one_line(str(status.get("message") or "the server gives no reason"))
    return ApiError(
        kind_of(code) if isinstance(code, int) else ErrorKind.MALFORMED,
        f"watch of {title}: {message}",
        reason=one_line(str(status.get("reason") or "")),
    )
