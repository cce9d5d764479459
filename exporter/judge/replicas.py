"""Which replicas of the name server are stuck: they go on answering what is not right."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.model.clusterset import ServiceName


@dataclass(frozen=True, slots=True)
class StuckReplica:
    """A replica that answers the wrong cluster."""

    replica: str
    """host:port"""
    service: ServiceName
    answers: str
    """The cluster that it names; empty if it names none."""
    since: float
    """The first of its wrong answers in a row, on the monotonic clock."""


@dataclass(slots=True)
class ReplicaJudge:
    """
    Follow what each replica of the name server answers about each service.

    A replica is stuck on a service after *confirm* wrong answers in a row, asked while nothing was
    changing. One right answer ends it.
    """

    confirm: int
    _wrong: dict[tuple[str, ServiceName], tuple[int, StuckReplica]] = field(default_factory=dict)

    def answered(
        self, replica: str, service: ServiceName, cluster: str, *, right: frozenset[str], at: float
    ) -> None:
        """Take in that *replica* named *cluster* for *service* while *right* should be named."""
        key = (replica, service)
        if cluster in right or not right:
            self._wrong.pop(key, None)
            return
        times, first = self._wrong.get(key, (0, None))
        if first is None or first.answers != cluster:
            times, first = 0, StuckReplica(replica, service, cluster, at)
        self._wrong[key] = (times + 1, first)

    def interrupt(self, service: ServiceName) -> None:
        """Begin to count anew for *service*, because something changes; what is stuck stays."""
        self._wrong = {
            key: held
            for key, held in self._wrong.items()
            if key[1] != service or held[0] >= self.confirm
        }

    def keep(self, replicas: frozenset[str], services: frozenset[ServiceName]) -> None:
        """Forget all replicas and services but these."""
        self._wrong = {
            key: held
            for key, held in self._wrong.items()
            if key[0] in replicas and key[1] in services
        }

    def stuck(self) -> Iterator[StuckReplica]:
        """Yield what is wrong now, in a fixed order."""
        for _, (times, found) in sorted(self._wrong.items()):
            if times >= self.confirm:
                yield found
