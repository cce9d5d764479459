"""Which services are answered differently by the name servers that clients use."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.model.clusterset import ServiceName


class Disagreement(NamedTuple):
    """A service that two or more name servers answer with different clusters."""

    service: ServiceName
    answers: tuple[tuple[str, str], ...]
    """host:port of each name server, and the cluster that it names, empty if it names none."""


@dataclass(slots=True)
class ResolverJudge:
    """
    Follow what each name server of the system answers about each service.

    Two of them disagree after each has named its own cluster *confirm* times in a row, asked while
    nothing was changing. Where several clusters are right, different answers are by design.
    """

    confirm: int
    _answers: dict[ServiceName, dict[str, tuple[str, int]]] = field(default_factory=dict)

    def answered(
        self, resolver: str, service: ServiceName, cluster: str, *, right: frozenset[str]
    ) -> None:
        """Take in that *resolver* named *cluster*, empty for none, while *right* may be named."""
        if len(right) > 1:
            self.forget(service)
            return
        answers = self._answers.setdefault(service, {})
        before, times = answers.get(resolver, ("", 0))
        answers[resolver] = (cluster, times + 1 if before == cluster else 1)

    def forget(self, service: ServiceName) -> None:
        """Forget all answers about *service*, because something changes."""
        self._answers.pop(service, None)

    def keep(self, resolvers: frozenset[str], services: frozenset[ServiceName]) -> None:
        """Forget all name servers and services but these."""
        self._answers = {
            service: {each: held for each, held in answers.items() if each in resolvers}
            for service, answers in self._answers.items()
            if service in services
        }

    def disagreements(self) -> Iterator[Disagreement]:
        """Yield what the name servers disagree about now, in a fixed order."""
        for service, answers in sorted(self._answers.items()):
            sure = [
                (resolver, cluster)
                for resolver, (cluster, times) in sorted(answers.items())
                if times >= self.confirm
            ]
            if len({cluster for _, cluster in sure}) > 1:
                yield Disagreement(service, tuple(sure))
