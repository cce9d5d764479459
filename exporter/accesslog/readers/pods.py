"""The logs of pods, followed through the API server, as a stage."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial

from exporter.accesslog.checkpoint import Checkpoint, CheckpointError
from exporter.accesslog.formats.log_format import FormatError
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.pod_logs import LogKey, WantedLog, WantedLogs
from exporter.accesslog.readers.gaps import Gaps
from exporter.accesslog.readers.reader import Reader
from exporter.accesslog.readers.unread import Unread, is_recent
from exporter.accesslog.readers.workloads import LOOK_EVERY, KnownPods, Name, source_of
from exporter.accesslog.saver import Saver
from exporter.accesslog.sink import Sink
from exporter.accesslog.source import LogSource
from exporter.apiserver import log_place
from exporter.apiserver import pod_log as podlog
from exporter.apiserver.client import ApiClient
from exporter.apiserver.container import ContainerRef
from exporter.apiserver.errors import ApiError
from exporter.model.stages import UNKEPT, UNWATCHED, Keeper, Pulse, StageName

ON_THE_WAY = 1.0
"""Seconds that a line may need from its writer to us."""

MAX_PLACES = 2000
"""Logs that are read on from where we had come to, should their pods come back."""

LogPlaces = dict[str, log_place.LogPlace]


class PodReader:
    """
    Follows the logs of pods.

    Each is read on from where this process, or the one before by its checkpoint, had come to. A
    log that was never read is followed from its end if its pod exists at the start, or from where
    another replica stopped. The log of a later pod is followed from its beginning, but not from
    before the export of its service.

    Args:
        client: Has been entered.
        workloads: The pods.
        sink: Takes counts and problems.
        reader: Counts the lines.
        unix: Tells the time.
        taken_over: Returns since when, in unix seconds, no other replica has read any line; None
            if there was no other replica.
        unread_since: Returns since when other replicas should have read and did not, or counted
            and nobody got their counts, in unix seconds; None if nothing is missing.
        ends: Returns until when lines count if reading is cancelled, in unix seconds; None: now.
        keeper: Keeps the reading of each log, and the saving of places, at work.
    """

    def __init__(
        self,
        client: ApiClient,
        workloads: KnownPods,
        sink: Sink,
        reader: Reader,
        unix: Callable[[], float],
        *,
        taken_over: Callable[[], float | None] = lambda: None,
        unread_since: Callable[[], float | None] = lambda: None,
        ends: Callable[[], float] | None = None,
        keeper: Keeper = UNKEPT,
    ) -> None:
        self._client, self._workloads, self._unix = client, workloads, unix
        self._sink, self._reader = sink, reader
        self._taken_over, self._ends = taken_over, ends or unix
        self._keeper, self._gaps = keeper, Gaps(sink, unix, workloads.of)
        self._unread = Unread(self._gaps, taken_over, unread_since, unix)
        self._problem_group = sink.problem_group(f"pod logs{workloads.of}")
        self._places: dict[LogKey, log_place.LogPlace] = {}
        self._followed: dict[LogKey, podlog.PodLog] = {}
        self._tasks: dict[LogKey, asyncio.Task[None]] = {}
        self._begun = False
        """Whether the pods that were there at the start are followed."""

    async def read(self, source: LogSource, pulse: Pulse = UNWATCHED) -> None:
        """
        Follow until cancelled. After a failure this can be called again: it goes on where it was.

        The API server may take long for each pod, so *pulse* rests while it is asked.
        """
        pulse.rest()
        directory, title = source.state_directory, source.title
        keeper = None if directory is None else Checkpoint(directory, title, LogPlaces)
        failed, exposures = partial(self._sink.checkpoint_failed, title), self._reader.exposures
        saver = Saver(keeper, failed, exposures, self._all_places, _add_new, name=title)
        self._sink.may_have_gaps(source.title)
        await self._load(source.title, keeper)
        try:
            async with asyncio.TaskGroup() as group, _drained(self._followed, self._ends):
                saving = self._keeper.keep(StageName.CHECKPOINT, source.title, saver.run)
                group.create_task(saving, name="checkpoint of pod logs")
                first = not self._begun
                while True:
                    due = self._workloads.due
                    wanted = await self._wanted(source)
                    self._unread.tell(source.title, wanted, self._places)
                    self._arrange(group, wanted, source, first=first)
                    self._sink.received(source.title, 0, 0)
                    first, self._begun = False, True
                    await _wait_for(due, min(LOOK_EVERY, self._workloads.wait))
        except asyncio.CancelledError:
            # From now on another replica may read.
            self._begun = False
            self._reader.let_go(source.title)
            raise
        finally:
            self._tasks.clear()
            self._problem_group.keep(())
            self._gaps.hide()
            await saver.end()

    async def _load(self, title: str, keeper: Checkpoint[LogPlaces] | None) -> None:
        """Take up the places that the process before left, but for what others read meanwhile."""
        if keeper is None or self._places:
            return
        try:
            saved = await asyncio.to_thread(keeper.load) or {}
        except CheckpointError as error:
            self._sink.checkpoint_failed(title, str(error))
            return
        for name, place in saved.items():
            # What somebody else wrote there is passed over.
            match name.split("/"):
                case [namespace, pod, container] if log_place.is_place(place):
                    self._places[namespace, pod, container] = place

    def _all_places(self) -> LogPlaces:
        held = {key: each.place for key, each in self._followed.items()}
        return {"/".join(k): p for k, p in (self._places | held).items() if p is not None}

    async def _wanted(self, source: LogSource) -> WantedLogs:
        """Return the logs to follow."""
        found = await self._workloads.logs(self._workloads.names)
        limit = source.pods or 0
        if len(found) > limit:
            message = f"{len(found)} pods, of which {limit} are followed; see logs.pods.limit"
            self._sink.problem(f"pods{self._workloads.of}", message)
            return dict(sorted(found.items())[:limit])
        self._sink.solved(f"pods{self._workloads.of}")
        return found

    def _arrange(
        self, group: asyncio.TaskGroup, wanted: WantedLogs, source: LogSource, *, first: bool
    ) -> None:
        """Follow the logs that are *wanted*, and no others."""
        for key in self._tasks.keys() - wanted.keys():
            self._tasks.pop(key).cancel()
            self._keep_place(key)
        self._problem_group.keep(wanted.keys())
        for key, each in wanted.items():
            task = self._tasks.get(key)
            if task is None or task.done():
                follow = partial(self._follow, each, source, first=first)
                kept = self._keeper.keep(StageName.LOG, "/".join(key), follow)
                self._tasks[key] = group.create_task(kept, name=f"log of {key}")
            elif key in self._followed:
                self._show(each, self._followed[key].problem)
        self._gaps.look()
        self._sink.pods_followed(source.title, len(self._tasks))

    def _place(self, key: LogKey, wanted: WantedLog, *, first: bool) -> log_place.LogPlace | None:
        """Return where to begin with a log; None: at its end."""
        begin = self._taken_over()
        if (place := self._places.get(key)) is not None:
            return place if begin is None else log_place.latest(place, log_place.since(begin))
        if first:
            recent = is_recent(begin, self._unix())
            return log_place.since(begin) if recent and begin is not None else None
        since = self._workloads.since(wanted)
        return log_place.BEGINNING if since is None else log_place.since(since)

    async def _follow(
        self, wanted: WantedLog, source: LogSource, pulse: Pulse, *, first: bool
    ) -> None:
        # A log may be silent for hours, and each request has a limit of its own.
        pulse.rest()
        key, name = _key(wanted), _name(wanted)
        followed = self._followed[key] = podlog.PodLog(
            self._client,
            ContainerRef(namespace=key[0], pod=key[1], container=key[2]),
            place=self._place(key, wanted, first=first),
            restarts=self._workloads.restarts(name, wanted.container),
            unix=self._unix,
            tell=lambda gap: self._gaps.add(source.title, "/".join(name), gap.start, gap.end),
        )
        self._show(wanted, "")
        try:
            with self._reader.counting(source_of(wanted, source)) as lines:
                await self._count(source.title, "/".join(key), followed, lines)
        except FormatError as error:
            self._show(wanted, f"its log format: {error}")
        except ApiError as error:
            self._show(wanted, error.message)
        else:
            # The pod is gone; one that comes under its name is another one.
            followed.place = None
            self._show(wanted, "")
            self._places.pop(key, None)
            self._workloads.forget(name)
        finally:
            if self._followed.get(key) is followed:
                self._keep_place(key)
                del self._followed[key]

    def _keep_place(self, key: LogKey) -> None:
        """Remember how far a log was read, for when it is wanted again."""
        if key in self._followed and (place := self._followed[key].place) is not None:
            self._places.pop(key, None)
            self._places[key] = place
            if len(self._places) > MAX_PLACES:
                del self._places[next(iter(self._places))]

    def _show(self, wanted: WantedLog, problem: str) -> None:
        message = problem or wanted.problem
        where = f"{wanted.namespace}/{wanted.pod}"
        self._problem_group.set_message(_key(wanted), message and f"{where}: {message}")

    async def _count(self, title: str, stream: str, followed: podlog.PodLog, lines: Lines) -> None:
        reported = podlog.Counts()
        try:
            async with aclosing(followed.blocks()) as blocks:
                async for block in blocks:
                    self._sink.logged(title, lines.count(stream, block), lines.by_second)
                    reported = _report(self._sink, title, followed.counts, reported)
        finally:
            _report(self._sink, title, followed.counts, reported)


def _add_new(places: LogPlaces, newest: LogPlaces) -> LogPlaces:
    return newest | places


@asynccontextmanager
async def _drained(
    followed: dict[LogKey, podlog.PodLog], ends: Callable[[], float]
) -> AsyncGenerator[None, None]:
    """
    When reading is cancelled, go on for a moment with lines that were written before.

    They may be on their way, and the next leader reads only what is written from then on.
    """
    try:
        yield
    except asyncio.CancelledError:
        end = log_place.since(ends()).stamp
        for log in followed.values():
            log.end_at(end)
        await asyncio.sleep(ON_THE_WAY)
        raise


def _report(sink: Sink, title: str, counts: podlog.Counts, before: podlog.Counts) -> podlog.Counts:
    """Report what was counted since *before*."""
    if counts.truncated > before.truncated:
        sink.truncated(title, counts.truncated - before.truncated)
    sink.pod_log_read(
        title,
        requests=counts.requests - before.requests,
        repeated=counts.repeated - before.repeated,
        unstamped=counts.unstamped - before.unstamped,
    )
    return counts


def _key(log: WantedLog) -> LogKey:
    return (log.namespace, log.pod, log.container)


def _name(log: WantedLog) -> Name:
    return (log.namespace, log.pod)


async def _wait_for(event: asyncio.Event, within: float) -> None:
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return
