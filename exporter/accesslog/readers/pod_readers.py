"""Readers of the logs of pods: one for those behind exported services, one for each gateway."""

from collections.abc import Callable

from exporter.accesslog.readers.matched_pods import MatchedPods
from exporter.accesslog.readers.pods import PodReader
from exporter.accesslog.readers.reader import Reader
from exporter.accesslog.readers.workloads import KnownPods, Workloads
from exporter.accesslog.sink import Sink
from exporter.accesslog.source import LogSource, PodMatch
from exporter.apiserver.client import ApiClient
from exporter.model.stages import UNKEPT, UNWATCHED, Keeper, Pulse


class PodReaders:
    """
    Follows the logs of all pods that are wanted; see `PodReader` for the arguments.

    A reader is kept, because it knows how far it read.
    """

    def __init__(
        self,
        client: ApiClient,
        workloads: Workloads,
        sink: Sink,
        reader: Reader,
        unix: Callable[[], float],
        *,
        taken_over: Callable[[], float | None] = lambda: None,
        unread_since: Callable[[], float | None] = lambda: None,
        ends: Callable[[], float] | None = None,
        keeper: Keeper = UNKEPT,
    ) -> None:
        def make(pods: KnownPods) -> PodReader:
            return PodReader(
                client,
                pods,
                sink,
                reader,
                unix,
                taken_over=taken_over,
                unread_since=unread_since,
                ends=ends,
                keeper=keeper,
            )

        self._client, self._sink, self._unix, self._make = client, sink, unix, make
        self._behind_services = make(workloads)
        self._of_gateways: dict[PodMatch, tuple[MatchedPods, PodReader]] = {}

    async def read(self, source: LogSource, pulse: Pulse = UNWATCHED) -> None:
        """Follow until cancelled; see `PodReader.read`."""
        match = source.match
        if match is None:
            await self._behind_services.read(source, pulse)
            return
        if match not in self._of_gateways:
            pods = MatchedPods(self._client, match, self._sink, self._unix)
            self._of_gateways[match] = pods, self._make(pods)
        pods, reader = self._of_gateways[match]
        try:
            await reader.read(source, pulse)
        finally:
            pods.hide()
