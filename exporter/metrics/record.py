"""What each event does to which series, as one object: the recorders of three subjects."""

from collections.abc import Callable, Collection
from dataclasses import replace

from exporter.metrics import families
from exporter.metrics.families import FAMILIES
from exporter.metrics.family import Kind
from exporter.metrics.record_probes import ProbeRecorder
from exporter.metrics.record_state import StateRecorder
from exporter.metrics.record_traffic import TrafficRecorder
from exporter.metrics.store import SeriesStore
from exporter.metrics.zeroes import HTTP_REPLIES, LOOKUPS, VERIFIED, Replies, Zeroes
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Lookup, NameKind, Vantage


class Metrics(StateRecorder, ProbeRecorder, TrafficRecorder):
    """
    The exporter's counters and gauges, in the words of the model.

    A stage that needs one subject only takes the recorder of that subject.

    Args:
        store: Where the values are kept.
        local: The cluster that this exporter runs in.
        tells_clusters: True if this shard also exports the series that belong to clusters rather
            than services.
    """

    def __init__(self, store: SeriesStore, local: str, *, tells_clusters: bool = True) -> None:
        kinds, logs = (NameKind.PLAIN,), True
        zeroes = Zeroes(local, kinds, LOOKUPS, lambda _: HTTP_REPLIES, logs, VERIFIED)
        super().__init__(store, local, zeroes, tells_clusters=tells_clusters)
        # They exist from the first scrape on, so that increase() sees the first event.
        for family in FAMILIES:
            if family.kind is Kind.COUNTER and not family.labels:
                self.count(family, (), 0)

    def configure(
        self,
        *,
        pinned: bool,
        upstreams: bool = False,
        lookups: Collection[tuple[Vantage, Lookup]] = LOOKUPS,
        replies: Callable[[ServiceName], Replies | None] = lambda _: HTTP_REPLIES,
        logs: bool = True,
        signed: bool | None = None,
    ) -> None:
        """
        Create the counters that can occur, with value 0, from the next inventory on.

        Args:
            pinned: Whether pinned names are probed.
            upstreams: Whether a log tells where a gateway sent requests.
            lookups: How plain names are looked up.
            replies: Which protocol a service is probed with; None if only its name is looked up.
            logs: Whether access logs are read.
            signed: Whether probes are signed; None if that is not known.
        """
        kinds = tuple(NameKind) if pinned else (NameKind.PLAIN,)
        verified = VERIFIED if signed is None else (str(signed).lower(),)
        self._zeroes = Zeroes(
            self._local, kinds, tuple(lookups), replies, logs, verified, upstreams
        )
        self._shape = None
        self._store.series[families.CERTIFICATE_EXPIRY].keep(lambda _: False)

    def identified(self, local: str, source: str) -> None:
        """Use *local* as the name of the cluster that this runs in; *source* named it."""
        self._local, self._identity = local, source
        self._zeroes = replace(self._zeroes, local=local)
