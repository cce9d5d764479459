"""The log files of a node, each read as the pod is known that writes it, as a stage."""

import asyncio
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

from exporter.accesslog.checkpoint import LineParts
from exporter.accesslog.formats.log_format import FormatError
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.pod_logs import LogKey, WantedLog, WantedLogs, read_file_name
from exporter.accesslog.readers.choose import Chosen
from exporter.accesslog.readers.gaps import Gaps
from exporter.accesslog.readers.open_file import Poll
from exporter.accesslog.readers.paths import expand
from exporter.accesslog.readers.reader import Reader
from exporter.accesslog.readers.workloads import Workloads, source_of
from exporter.accesslog.sink import LogProblems, Sink
from exporter.accesslog.source import LogSource
from exporter.apiserver.client import ApiClient
from exporter.apiserver.read_until import LeaseReader
from exporter.model.stages import UNKEPT, UNWATCHED, Keeper, Pulse, StageName
from exporter.model.traffic import LogCounts

CHOOSE_EVERY = 1.0
"""Seconds between two looks for pods that came to this node."""


class NodeReader:
    """
    Reads the files of the pods behind exported services, and no others.

    Args:
        client: Has been entered.
        workloads: The pods.
        sink: Takes problems.
        reader: Reads and counts.
        keeper: Keeps the choosing of files at work.
    """

    def __init__(
        self,
        client: ApiClient,
        workloads: Workloads,
        sink: Sink,
        reader: Reader,
        keeper: Keeper = UNKEPT,
    ) -> None:
        self._client, self._workloads, self._sink, self._reader = client, workloads, sink, reader
        self._keeper, self._gaps = keeper, Gaps(sink, time.time, " of files")

    async def read(self, source: LogSource, pulse: Pulse = UNWATCHED) -> None:
        """Read the files of *source* until cancelled."""
        chosen, problems = Chosen(), self._sink.problem_group(f"pods in {source.title}")
        chosen.missing = partial(self._missing, source.title)
        await self._wait_for_leader(source, chosen, pulse)
        with _counting(self._reader, source) as lines:
            chosen.late, chosen.names = self._workloads.late, self._workloads.names
            chosen.look(await asyncio.to_thread(expand, source.files))
            # An API server that is slow to tell of pods holds nothing up: where files ended at the
            # start is remembered for those that are chosen later.
            try:
                async with asyncio.TaskGroup() as group:
                    choose = partial(self._keep_choosing, chosen, lines, problems)
                    group.create_task(self._keeper.keep(StageName.LOG, source.title, choose))
                    await self._reader.follow(source, lines, chosen, pulse=pulse)
            finally:
                problems.keep(())
                self._gaps.hide()

    async def _wait_for_leader(self, source: LogSource, chosen: Chosen, pulse: Pulse) -> None:
        """Wait as long as a leader reads these lines from the API server; begin where it ended."""
        if source.after_lease is None:
            return
        pulse.rest()
        began, what = time.time(), f"files {source.title}"
        # The lines are counted meanwhile, so nobody has to wait for this exporter to be ready.
        self._sink.polled(source.title, Poll())
        waits = partial(self._sink.problem, what)
        lease = LeaseReader(self._client, source.after_lease, waits=waits, unix=time.time)
        try:
            chosen.begin_after(await lease.read_until(), began)
        finally:
            self._sink.solved(what)
        pulse.beat()

    def _missing(self, title: str, path: str, start: float, end: float) -> None:
        if (file := read_file_name(path)) is not None:
            self._gaps.add(title, f"{file.namespace}/{file.pod}", start, end)

    async def _keep_choosing(
        self, chosen: Chosen, lines: "_NodeLines", problems: LogProblems, pulse: Pulse
    ) -> None:
        # It asks the API server, which may take long.
        pulse.rest()
        while True:
            chosen.late, chosen.names = self._workloads.late, self._workloads.names
            self._gaps.look()
            await self._choose(chosen, lines, problems)
            await asyncio.sleep(CHOOSE_EVERY)

    async def _choose(self, chosen: Chosen, lines: "_NodeLines", problems: LogProblems) -> None:
        """Choose by what is known of the pods that have a file here."""
        wanted = await self._workloads.logs(chosen.present)
        wrong = lines.use(wanted)
        for key, each in wanted.items():
            message = wrong.get(key, "") or each.problem
            problems.set_message(key, message and f"{each.namespace}/{each.pod}: {message}")
        problems.keep(wanted.keys())
        chosen.logs = {key: each for key, each in wanted.items() if key not in wrong}
        chosen.known = frozenset(key[:2] for key in wanted)


class _Held(NamedTuple):
    """What counts the lines of one container."""

    log: WantedLog
    lines: Lines
    stack: ExitStack


class _NodeLines:
    """Counts the lines of each file as its pod says."""

    def __init__(self, reader: Reader, source: LogSource) -> None:
        self._reader, self._source = reader, source
        self._held: dict[LogKey, _Held] = {}
        self._wanted: WantedLogs = {}
        self._kept: LineParts = {}
        """Parts of lines of files whose pods are not known yet."""
        self._last: Lines | None = None

    def use(self, wanted: WantedLogs) -> dict[LogKey, str]:
        """Count the lines of these from now on; return what is wrong with some of them."""
        problems: dict[LogKey, str] = {}
        self._wanted = wanted
        for key, each in wanted.items():
            held = self._held.get(key)
            if held is not None and held.log == each:
                continue
            try:
                self._held[key] = self._made(each)
            except FormatError as error:
                problems[key] = f"its log format: {error}"
                continue
            for stream, parts in (held.lines.all_parts() if held else self._kept_of(key)).items():
                self._held[key].lines.restore(stream, parts)
            if held is not None:
                held.stack.close()
        return problems

    def _made(self, log: WantedLog) -> _Held:
        with ExitStack() as stack:
            one = source_of(log, self._source)
            lines = stack.enter_context(self._reader.counting(one))
            return _Held(log, lines, stack.pop_all())

    def _kept_of(self, key: LogKey) -> LineParts:
        return {each: self._kept.pop(each) for each in list(self._kept) if _key(each) == key}

    def count(self, stream: str, block: bytes) -> LogCounts:
        """Count a block of whole lines of the file *stream*."""
        key = _key(stream)
        held = self._held.get(key) if key else None
        if held is None:
            self._last = None
            return LogCounts()
        self._last = held.lines
        return held.lines.count(stream, block)

    def by_second(self) -> LogCounts:
        """Count the newest block again, the clients of each second apart."""
        return LogCounts() if self._last is None else self._last.by_second()

    def keep(self, streams: Collection[str]) -> None:
        """Let go of all files but these, and of containers that have none and are not wanted."""
        keys = {*map(_key, streams), *self._wanted}
        for key in self._held.keys() - keys:
            self._held.pop(key).stack.close()
        for held in self._held.values():
            held.lines.keep(streams)

    def all_parts(self) -> LineParts:
        """Return what is held of lines that are not whole yet."""
        parts = dict(self._kept)
        for held in self._held.values():
            parts |= held.lines.all_parts()
        return parts

    def restore(self, stream: str, parts: dict[str, bytes]) -> None:
        """Go on with what was held of the file *stream*."""
        held = self._held.get(_key(stream) or ("", "", ""))
        if held is None:
            self._kept[stream] = parts
        else:
            held.lines.restore(stream, parts)

    def close(self) -> None:
        """Count no more."""
        for held in self._held.values():
            held.stack.close()


@contextmanager
def _counting(reader: Reader, source: LogSource) -> Iterator[_NodeLines]:
    lines = _NodeLines(reader, source)
    try:
        yield lines
    finally:
        lines.close()


def _key(stream: str) -> LogKey | None:
    file = read_file_name(stream)
    return None if file is None else (file.namespace, file.pod, file.container)
