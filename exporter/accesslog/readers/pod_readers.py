"""Readers of the logs of pods: one for those behind exported services, one for each gateway."""

from collections.abc import Callable

from exporter.accesslog.readers.matched_pods import MatchedPods
from exporter.accesslog.readers.pods import PodReader
from exporter.accesslog.readers.workloads import KnownPods, Workloads
from exporter.accesslog.sink import Sink
from exporter.accesslog.source import LogSource, PodMatch
from exporter.apiserver.client import ApiClient
from exporter.model.stages import UNWATCHED, Pulse


class PodReaders:
    """
    Follows the logs of all pods that are wanted.

    A reader is kept, because it knows how far it read.

    Args:
        client: Has been entered.
        workloads: The pods behind exported services.
        sink: Takes problems.
        unix: Tells the time.
        make: Returns a reader of these pods.
    """

    def __init__(
        self,
        client: ApiClient,
        workloads: Workloads,
        sink: Sink,
        unix: Callable[[], float],
        make: Callable[[KnownPods], PodReader],
    ) -> None:
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
