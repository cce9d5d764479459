"""The gauges that show how things are now: the services, the clusters, the watches."""

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from math import isfinite

from exporter.metrics import families
from exporter.metrics.families import FAMILIES
from exporter.metrics.family import Kind
from exporter.metrics.labels import Labels
from exporter.metrics.recorder import Recorder
from exporter.metrics.store import SeriesStore
from exporter.metrics.zeroes import Zeroes
from exporter.model.clusterset import NOT_CLUSTERS, Inventory, ServiceName
from exporter.model.stages import StageName
from exporter.model.verdicts import Hazard, Mode, ServiceView
from exporter.model.watches import Watch, WatchState

VIEW_STRICT = "strict"
VIEW_LIGHTHOUSE = "lighthouse"
_CLUSTER_LABELS = frozenset(
    {
        "source_cluster",
        "destination_cluster",
        "from_cluster",
        "to_cluster",
        "claimed_cluster",
        "attributed_cluster",
    }
)
_SERVICE_LABELS = ("destination_service_namespace", "destination_service_name")
_SUBJECT_LABELS = _CLUSTER_LABELS.union(_SERVICE_LABELS)


class StateRecorder(Recorder):
    """
    Sets gauges, and keeps only the series of what the inventory contains.

    Args:
        store: Where the values are kept.
        local: The cluster that this exporter runs in.
        zeroes: Which series begin at 0.
        tells_clusters: True if this shard also exports the series that belong to clusters rather
            than services.
    """

    def __init__(
        self, store: SeriesStore, local: str, zeroes: Zeroes, *, tells_clusters: bool = True
    ) -> None:
        super().__init__(store, local)
        self._zeroes = zeroes
        self._tells_clusters = tells_clusters
        self._identity, self._passive = "", False
        self._shape: object = None
        """Which clusters, exports and services the inventory had; None to look at all again."""

    def set_inventory(self, inventory: Inventory, changed: Collection[ServiceName]) -> None:
        """Drop the series of what is gone, and create those of the *changed* services at 0."""
        shape = (
            inventory.clusters.keys() | {self._local},
            {
                (export.cluster, *service.name)
                for service in inventory.services.values()
                for export in service.exports
            },
            inventory.services.keys() | set(),
        )
        if shape != self._shape:
            changed = inventory.services.keys()
            self._drop_gone(inventory, shape[1])
            self._shape = shape
        if self._tells_clusters and not self._passive:
            self._clusters(inventory)
        for (family, labels), share in self._zeroes.of(inventory, changed):
            self._store.children(family).init_to_zero(labels, share)

    def set_passive(self, *, passive: bool) -> None:
        """
        Show counters only, or gauges of services and clusters as well.

        A replica that does not work shows how no service is, because another one does.
        """
        if passive == self._passive:
            return
        self._passive, self._shape = passive, None
        for family in FAMILIES if passive else ():
            if family.kind is Kind.GAUGE and set(family.labels) & _SUBJECT_LABELS:
                self._store.series[family].keep(lambda _: False)

    def show(self, view: ServiceView) -> None:
        """Set the gauges of one service, unless this replica is passive."""
        if self._passive:
            return
        service = view.service
        source = (self._local, *service.name)
        for mode in Mode:
            self.set_gauge(families.SERVICE_MODE, float(mode is view.mode), (*source, mode))
        self.set_gauge(families.STANDBYS, len(view.standbys), source)
        for hazard in Hazard:
            held = 1 if hazard in view.hazards else None
            self.set_or_remove(families.HAZARD, held, (*source, hazard))
        exported = service.export_of(self._local) is not None
        self.set_gauge(families.EXPORTED, float(exported), source)
        for name in ("ready", "not_ready"):
            number = None if service.endpoints is None else getattr(service.endpoints, name)
            self.set_or_remove(families.ENDPOINTS, number, (*source, name))
        for condition in service.conditions:
            holds = None if condition.holds is None else float(condition.holds)
            self.set_or_remove(families.EXPORT_CONDITION, holds, (*source, condition.type))
        for export in service.exports:
            pair = (self._local, export.cluster, *service.name)
            self.set_gauge(families.READY, float(export.ready), pair)

    def watched(self, watches: Iterable[Watch], unix: float) -> None:
        """Set the series of the watched resources of the API server; the time is *unix*."""
        for watch in watches:
            labels = (watch.resource,)
            for state in WatchState:
                held = float(state is watch.state)
                self.set_gauge(families.WATCH_STATE, held, (*labels, state))
            received = round(unix - watch.age, 3) if isfinite(watch.age) else None
            self.set_or_remove(families.WATCH_RECEIVED, received, labels)
            self.set_gauge(families.WATCH_REQUESTS, watch.requests, labels)
            self.set_gauge(families.WATCH_RELISTS, watch.relists, labels)
            self.set_gauge(families.WATCH_FAILURES, watch.failures, labels)
            for kind, number in watch.events.items():
                self.set_gauge(families.WATCH_EVENTS, number, (*labels, kind))
            self.set_gauge(families.WATCH_BAD_LINES, watch.bad_lines, labels)
            self.set_gauge(families.WATCH_BAD_OBJECTS, watch.bad_objects, labels)
            self.set_gauge(families.BROKEN_OBJECTS, watch.broken, labels)

    def found(self, kinds: Mapping[str, int]) -> None:
        """Set how many findings there are, by kind."""
        for kind, number in kinds.items():
            self.set_gauge(families.FINDINGS, number, (kind,))

    def stage_restarted(self, stage: StageName) -> None:
        """Count that a stage was started again."""
        self.count(families.STAGE_RESTARTS, (stage,))

    def init_stages_to_zero(self) -> None:
        """Create the counters of all stages with value 0, so that `increase()` sees the first."""
        for stage in StageName:
            self._store.series[families.STAGE_RESTARTS].init_to_zero((stage,))

    def measure_store(self) -> None:
        """Set the series that say how many series there are."""
        budget = self._store.budget
        self.set_gauge(families.SERIES, budget.used)
        self.set_gauge(families.SERIES_LIMIT, budget.limit)
        self.set_gauge(families.SERIES_DROPPED, budget.dropped)

    def _clusters(self, inventory: Inventory) -> None:
        for cluster in inventory.clusters:
            for name, view in (
                (VIEW_STRICT, inventory.connected),
                (VIEW_LIGHTHOUSE, inventory.answered),
            ):
                labels = (self._local, cluster, name)
                self.set_gauge(families.CONNECTED, float(cluster in view), labels)
            latency = inventory.clusters[cluster].latency
            self.set_or_remove(families.LATENCY, latency, (self._local, cluster))
        globalnet = any(cluster.global_cidrs for cluster in inventory.clusters.values())
        version = ".".join(map(str, inventory.version or ()))
        info = (inventory.karmada_cluster, version, str(globalnet).lower(), self._identity)
        self._store.series[families.INFO].keep(lambda _: False)
        self.set_gauge(families.INFO, 1, (self._local, *info))

    def _drop_gone(self, inventory: Inventory, exports: AbstractSet[Labels]) -> None:
        clusters = NOT_CLUSTERS | inventory.clusters.keys() | {"", self._local}
        for children in map(self._store.children, FAMILIES):
            names = children.family.labels
            places = [i for i, name in enumerate(names) if name in _CLUSTER_LABELS]
            service = [i for i, name in enumerate(names) if name in _SERVICE_LABELS]
            if not places and not service:
                continue

            def wanted(
                labels: Labels, places: list[int] = places, service: list[int] = service
            ) -> bool:
                named = ServiceName(*(labels[i] for i in service)) if service else None
                return (named is None or named in inventory.services) and all(
                    labels[i] in clusters for i in places
                )

            children.keep(wanted)
        self._store.series[families.READY].keep(lambda labels: labels[1:] in exports)
