"""The pods behind exported services: asked for one by one, and known for as long as they matter."""

import asyncio
import random
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Protocol

import structlog

from exporter.accesslog.parse_pod import parse_pod
from exporter.accesslog.pod_logs import WantedLog, WantedLogs, pod_logs
from exporter.accesslog.sink import Sink
from exporter.accesslog.source import LogSource
from exporter.apiserver.client import ApiClient
from exporter.apiserver.container import restarts
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.rate_limiter import Backoff
from exporter.model.clusterset import Pod, ServiceName, Workload

LOOK_EVERY = 30.0
"""Seconds after which a pod that was not there is asked for again."""
AT_ONCE = 8
"""Pods that are asked for at once."""
PODS = "pods behind exported services"

Name = tuple[str, str]
"""Namespace and name of a pod."""
log = structlog.get_logger()


class KnownPods(Protocol):
    """The pods whose logs are followed, as `Workloads` and `MatchedPods` know them."""

    due: asyncio.Event

    @property
    def names(self) -> frozenset[Name]:
        """Return namespace and name of the pods."""

    @property
    def of(self) -> str:
        """Return what ends the names of problems with these pods."""

    @property
    def wait(self) -> float:
        """Return for how many seconds there is nothing to ask for, unless *due* is set."""

    async def logs(self, names: Collection[Name]) -> WantedLogs:
        """Return the logs of those of the pods *names* that are known, after asking for others."""

    def since(self, log: WantedLog) -> float | None:
        """Return since when, in unix time, lines of *log* count; None if all do."""

    def restarts(self, name: Name, container: str) -> int:
        """Return how often a container had been started anew when its pod was asked for."""

    def forget(self, name: Name) -> None:
        """Ask for a pod anew, since what has its name from now on is another one."""


class Workloads:
    """
    What stands behind the services that the local cluster exports.

    Args:
        client: Has been entered.
        sink: Takes problems.
        unix: Tells the time.

    Attributes:
        due: Set, and replaced, once there are other workloads.
    """

    of = ""

    def __init__(self, client: ApiClient, sink: Sink, unix: Callable[[], float]) -> None:
        self._client, self._sink, self._unix = client, sink, unix
        self._wanted: tuple[Workload, ...] = ()
        self._since: dict[ServiceName, float] = {}
        self._pods: dict[Name, Pod] = {}
        self._restarts: dict[Name, dict[str, int]] = {}
        self._early: frozenset[Name] = frozenset()
        """Pods that were there when a service of theirs came to be exported."""
        self._asked: dict[Name, float] = {}
        """When pods were asked for that were not there, or of no use."""
        self._backoff = Backoff(random.uniform)
        self._failing, self._quiet_until = False, 0.0
        self.names: frozenset[Name] = frozenset()
        self.due = asyncio.Event()

    def want(self, workloads: Iterable[Workload]) -> None:
        """Take these for what stands behind exported services from now on."""
        wanted = tuple(workloads)
        if wanted == self._wanted:
            return
        now = self._unix()
        early = {_name(w, pod) for w in wanted if w.service not in self._since for pod in w.pods}
        self._since = {w.service: self._since.get(w.service, now) for w in wanted}
        self.names = frozenset(_name(w, pod) for w in wanted for pod in w.pods)
        self._early = (self._early | early) & self.names
        self._wanted = wanted
        self._pods = {name: pod for name, pod in self._pods.items() if name in self.names}
        self._restarts = {n: counts for n, counts in self._restarts.items() if n in self.names}
        self._asked = {name: at for name, at in self._asked.items() if name in self.names}
        self.due, before = asyncio.Event(), self.due
        before.set()

    @property
    def late(self) -> frozenset[Name]:
        """Return the pods that came when their service was exported already."""
        return self.names - self._early

    def since(self, log: WantedLog) -> float | None:
        """
        Return since when, in unix time, lines of *log* count; None if all do.

        A pod may be older than the export of its service. Of one that came after that all counts,
        whatever its node's clock says.
        """
        if (log.namespace, log.pod) not in self._early:
            return None
        known = (self._since[each] for each in log.services if each in self._since)
        return min(known, default=None)

    async def logs(self, names: Collection[Name]) -> WantedLogs:
        """Return the logs of those of the pods *names* that are known, after asking for others."""
        await self._ask(names)
        pods = {name: self._pods[name] for name in names if name in self._pods}
        return pod_logs(self._wanted, pods)

    def restarts(self, name: Name, container: str) -> int:
        """Return how often a container had been started anew when its pod was asked for."""
        return self._restarts.get(name, {}).get(container, 0)

    @property
    def wait(self) -> float:
        """Return for how many seconds there is nothing to ask for, unless workloads change."""
        now = asyncio.get_running_loop().time()
        return max(0.0, self._quiet_until - now) if self._failing else LOOK_EVERY

    def forget(self, name: Name) -> None:
        """Ask for a pod anew, since what has its name from now on is another one."""
        self._pods.pop(name, None)
        self._asked.pop(name, None)

    async def _ask(self, names: Collection[Name]) -> None:
        """Ask for what is not known yet; where one request fails, the others would, too."""
        now = asyncio.get_running_loop().time()
        if now < self._quiet_until:
            return
        wanted = sorted(
            name
            for name in self.names.intersection(names) - self._pods.keys()
            if now - self._asked.get(name, float("-inf")) >= LOOK_EVERY
        )
        for some in (wanted[:1], wanted[1:]) if self._failing else (wanted,):
            if failures := await self._read_all(some):
                self._quiet_until = now + self._backoff.after_failure()
                if not self._failing:
                    log.error("pods not read", error=failures[0])
                self._failing = True
                self._sink.problem(PODS, failures[0])
                return
        if wanted:
            self._failing = False
            self._sink.solved(PODS)

    async def _read_all(self, names: Collection[Name]) -> list[str]:
        """Read these pods until one request fails; return what hinders."""
        room, failures = asyncio.Semaphore(AT_ONCE), list[str]()

        async def one(name: Name) -> None:
            async with room:
                if not failures:
                    failures.extend(await self._read(name))

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(one(name))
        return failures

    async def _read(self, name: Name) -> list[str]:
        """Keep what a pod tells of its log; return what hinders, if something does."""
        namespace, pod = name
        try:
            found = await self._client.read(f"/api/v1/namespaces/{namespace}/pods/{pod}")
            made = parse_pod(found)
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                hint = "; grant get on pods" if error.kind is ErrorKind.FORBIDDEN else ""
                return [f"{error.message}{hint}"]
            self._asked[name] = asyncio.get_running_loop().time()
            return []
        except (ValueError, TypeError) as error:
            # The others are of use all the same.
            log.warning("pod passed over", pod=f"{namespace}/{pod}", error=str(error))
            self._asked[name] = asyncio.get_running_loop().time()
            return []
        self._pods[name] = made
        names = [each.name for each in made.containers]
        self._restarts[name] = {each: restarts(found, each) for each in names}
        return []


def _name(workload: Workload, pod: str) -> Name:
    return (workload.service.namespace, pod)


def source_of(log: WantedLog, source: LogSource) -> LogSource:
    """Return *source* as it is for one log that it leads to."""
    # That of a gateway's pod serves no service itself.
    service = log.services[0] if len(log.services) == 1 else source.service
    return replace(source, form=log.format or source.form, service=service, pods=None, by_pod=False)
