"""The logs of the pods behind exported services, followed through the API server, as a stage."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import replace

import structlog

from exporter.accesslog.format import FormatError
from exporter.accesslog.lines import Lines
from exporter.accesslog.pods import PodLog, pod_logs
from exporter.apiserver import podlog
from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.discover.trimming import trim_pod
from exporter.expose import series
from exporter.flow import Flow
from exporter.loading import Loaded, LogSource
from exporter.model import Pod, Workload
from exporter.reading import Reader

LOOK_EVERY = 30.0
"""Seconds after which pods that could not be read, or had ended, are looked at again."""
READ_AT_ONCE = 8
"""Pods whose objects are asked for at once."""

Key = tuple[str, str, str]
log = structlog.get_logger()


class PodReader:
    """
    Follows the logs of pods.

    A pod that is there at the start is followed from the end of its log, one that comes later from
    its beginning. While nobody follows, as between two leaders, lines are lost, and none is counted
    twice.

    Args:
        client: Has been entered.
        flow: What counts go to.
        reader: Counts the lines.
    """

    def __init__(self, client: ApiClient, flow: Flow, reader: Reader) -> None:
        self._client, self._flow, self._reader = client, flow, reader
        self._workloads: tuple[Workload, ...] = ()
        self._pods: dict[tuple[str, str], Pod] = {}
        self._places: dict[Key, podlog.Place] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._due = asyncio.Event()

    def want(self, workloads: Iterable[Workload]) -> None:
        """Follow the pods of these workloads from now on."""
        wanted = tuple(workloads)
        if wanted != self._workloads:
            self._workloads = wanted
            self._due.set()

    async def read(self, source: LogSource, loaded: Loaded) -> None:
        """Follow until cancelled."""
        title, first = source.title, True
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._due.clear()
                    wanted = await self._wanted(source)
                    for key in self._tasks.keys() - wanted.keys():
                        self._tasks.pop(key).cancel()
                    for key, each in wanted.items():
                        task = self._tasks.get(key)
                        if task is None or task.done():
                            place = self._places.get(key, None if first else podlog.BEGINNING)
                            follow = self._follow(each, place, source, loaded)
                            self._tasks[key] = group.create_task(follow, name=f"log of {key}")
                    self._places = {k: p for k, p in self._places.items() if k in wanted}
                    self._flow.received(title, 0, 0)
                    self._flow.metrics.note(series.PODS_FOLLOWED, len(self._tasks))
                    first = False
                    await self._pause()
        finally:
            self._tasks.clear()
            self._flow.log_gone(title)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await self._due.wait()
        except TimeoutError:
            return

    async def _wanted(self, source: LogSource) -> dict[Key, PodLog]:
        """Return the logs to follow, after asking for the pods that are not known yet."""
        names = {(w.service.namespace, pod) for w in self._workloads for pod in w.pods}
        self._pods = {name: pod for name, pod in self._pods.items() if name in names}
        await self._get(sorted(names - self._pods.keys()))
        found = dict(pod_logs(self._workloads, self._pods))
        limit = source.pods or 0
        if len(found) > limit:
            message = f"{len(found)} pods, of which {limit} are followed; see logs.pods.limit"
            self._flow.problem("pods", message)
            found = dict(sorted(found.items())[:limit])
        else:
            self._flow.solved("pods")
        for each in found.values():
            if each.problem:
                self._flow.problem(f"log of {each.namespace}/{each.pod}", each.problem)
        return found

    async def _get(self, names: list[tuple[str, str]]) -> None:
        room = asyncio.Semaphore(READ_AT_ONCE)

        async def one(namespace: str, name: str) -> None:
            path = f"/api/v1/namespaces/{namespace}/pods/{name}"
            try:
                async with room:
                    found = await self._client.read(path)
                self._pods[namespace, name] = trim_pod(found)
            except (ApiError, ValueError, KeyError, TypeError) as error:
                if not (isinstance(error, ApiError) and error.kind is ErrorKind.NOT_FOUND):
                    self._flow.log_failed("pods", f"pod {namespace}/{name}: {error}")

        async with asyncio.TaskGroup() as group:
            for namespace, name in names:
                group.create_task(one(namespace, name))

    async def _follow(
        self, wanted: PodLog, place: podlog.Place | None, source: LogSource, loaded: Loaded
    ) -> None:
        key = (wanted.namespace, wanted.pod, wanted.container)
        about = f"log of {wanted.namespace}/{wanted.pod}"
        one = replace(
            source,
            form=wanted.format or source.form,
            service=wanted.services[0] if len(wanted.services) == 1 else None,
            pods=None,
        )
        container = podlog.Container(namespace=key[0], pod=key[1], container=key[2])
        followed = podlog.PodLog(self._client, container, place=place)
        try:
            with self._reader.counting(one, loaded) as lines:
                await self._count(source.title, "/".join(key), followed, lines)
        except FormatError as error:
            self._flow.problem(about, f"its log format: {error}")
            return
        except ApiError as error:
            self._flow.problem(about, error.message)
            self._places[key] = followed.place or podlog.BEGINNING
            return
        # The pod is gone; one that comes under its name is another one.
        self._flow.solved(about)
        self._places.pop(key, None)
        self._pods.pop(key[:2], None)

    async def _count(self, title: str, stream: str, followed: podlog.PodLog, lines: Lines) -> None:
        cut = 0
        async with aclosing(followed.blocks()) as blocks:
            async for block in blocks:
                self._flow.logged(title, lines.count(stream, block), lines.by_second)
                if followed.truncated > cut:
                    self._flow.truncated(title, followed.truncated - cut)
                    cut = followed.truncated
