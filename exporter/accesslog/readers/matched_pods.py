"""The pods of a gateway: found by their labels, whether or not an exported service has them."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Collection

import structlog

from exporter.accesslog.parse_pod import parse_pod
from exporter.accesslog.pod_logs import WantedLog, WantedLogs, container_of
from exporter.accesslog.readers.workloads import Name
from exporter.accesslog.sink import Sink
from exporter.accesslog.source import PodMatch
from exporter.apiserver.client import ApiClient
from exporter.apiserver.container import restarts
from exporter.apiserver.errors import ApiError, ErrorKind
from exporter.apiserver.json_fields import Json, mapping, objects, text
from exporter.apiserver.rate_limiter import Backoff
from exporter.model.clusterset import Pod

LIST_EVERY = 10.0
"""Seconds between two looks for pods."""
PAGE = 100
MAX_PAGES = 20
_WITHOUT_LOG = frozenset({"Pending", "Succeeded", "Failed"})
"""Phases of pods that write nothing, or nothing any more."""
log = structlog.get_logger()


class MatchedPods:
    """
    What the API server has of the pods of one namespace with certain labels.

    What is known stays known while it cannot be asked for.

    Args:
        client: Has been entered.
        match: Which pods.
        sink: Takes problems.
        unix: Tells the time.
    """

    def __init__(
        self, client: ApiClient, match: PodMatch, sink: Sink, unix: Callable[[], float]
    ) -> None:
        self._client, self._match, self._sink, self._unix = client, match, sink, unix
        self._since: float | None = None
        """When we looked for pods for the first time."""
        self._early: frozenset[Name] | None = None
        """The pods that were there at first; None before they were listed."""
        self._pods: dict[Name, Pod] = {}
        self._restarts: dict[Name, dict[str, int]] = {}
        self._backoff = Backoff(random.uniform)
        self._failing, self._next = False, float("-inf")
        self.of = f" of {match.namespace} with {match.selector}"
        self.due = asyncio.Event()

    @property
    def names(self) -> frozenset[Name]:
        """Return namespace and name of the pods that are known."""
        return frozenset(self._pods)

    @property
    def wait(self) -> float:
        """Return for how many seconds there is nothing to ask for."""
        return max(0.0, self._next - asyncio.get_running_loop().time())

    async def logs(self, _: Collection[Name]) -> WantedLogs:
        """Return the logs of all pods that match, after asking for them if it is time."""
        if self.wait == 0:
            await self._look()
        wanted = (_log_of(pod) for pod in self._pods.values() if pod.containers)
        return {(each.namespace, each.pod, each.container): each for each in wanted}

    def since(self, log: WantedLog) -> float | None:
        """
        Return since when, in unix time, lines of *log* count; None if all do.

        Of a pod that came after the first look all counts, whatever its node's clock says.
        """
        return self._since if (log.namespace, log.pod) in (self._early or ()) else None

    def restarts(self, name: Name, container: str) -> int:
        """Return how often a container had been started anew when its pod was listed first."""
        return self._restarts.get(name, {}).get(container, 0)

    def forget(self, name: Name) -> None:
        """Look for a pod anew, since what has its name from now on is another one."""
        self._pods.pop(name, None)
        self._restarts.pop(name, None)
        self._early = None if self._early is None else self._early - {name}

    def hide(self) -> None:
        """Show no problem, because these pods are not looked for any more."""
        self._sink.solved(f"looking for pods{self.of}")
        self._sink.solved(f"pods{self.of}")

    async def _look(self) -> None:
        """List the pods; where that fails, those that were known remain."""
        if self._since is None:
            self._since = self._unix()
        what = f"looking for pods{self.of}"
        try:
            found = [each async for each in self._listed()]
        except (ApiError, ValueError, TypeError) as error:
            self._failed(what, f"{error}{self._hint(error)}")
            return
        self._failing = False
        self._take(found)
        if found:
            self._sink.solved(what)
        else:
            self._sink.problem(what, "no pod that runs matches")
        self._wait_for(LIST_EVERY)

    def _failed(self, what: str, message: str) -> None:
        if not self._failing:
            log.error("pods not read", error=message)
        self._failing = True
        self._sink.problem(what, message)
        self._wait_for(self._backoff.after_failure())

    def _wait_for(self, seconds: float) -> None:
        self._next = asyncio.get_running_loop().time() + seconds

    def _hint(self, error: Exception) -> str:
        if isinstance(error, ApiError) and error.kind is ErrorKind.FORBIDDEN:
            return f"; grant list on pods in namespace {self._match.namespace}"
        return ""

    async def _listed(self) -> AsyncIterator[tuple[Pod, dict[str, int]]]:
        """Yield the pods that run, with how often each container was started anew."""
        path, token = f"/api/v1/namespaces/{self._match.namespace}/pods", ""
        for _ in range(MAX_PAGES):
            query = {"labelSelector": self._match.selector, "limit": str(PAGE)}
            page = await self._client.read(path, query | ({"continue": token} if token else {}))
            for found in objects(page, "items"):
                if (made := _parsed(found)) is not None:
                    whole, names = dict(found), [each.name for each in made.containers]
                    yield made, {name: restarts(whole, name) for name in names}
            token = text(mapping(page, "metadata"), "continue")
            if not token:
                return
        msg = f"more than {PAGE * MAX_PAGES} pods match"
        raise ValueError(msg)

    def _take(self, found: list[tuple[Pod, dict[str, int]]]) -> None:
        names = {(pod.namespace, pod.name): counts for pod, counts in found}
        self._pods = {(pod.namespace, pod.name): pod for pod, _ in found}
        # Where a pod began to be followed, its previous lives need not be read.
        self._restarts = {name: self._restarts.get(name, names[name]) for name in names}
        self._early = frozenset(names) if self._early is None else self._early & names.keys()


def _parsed(found: Json) -> Pod | None:
    """Return a pod that runs; None for others, and for what is broken."""
    try:
        if text(mapping(found, "status"), "phase") in _WITHOUT_LOG:
            return None
        return parse_pod(found)
    except (ValueError, TypeError) as error:
        # The others are of use all the same.
        log.warning("pod passed over", error=str(error))
        return None


def _log_of(pod: Pod) -> WantedLog:
    container, problem = container_of(pod)
    return WantedLog(
        namespace=pod.namespace,
        pod=pod.name,
        container=container,
        services=(),
        format=pod.log_format,
        problem=problem,
    )
