"""The result of one look at a service, line by line."""

from dataclasses import dataclass
from enum import StrEnum

from exporter.model.clusterset import ServiceName


class Level(StrEnum):
    """How bad a line of a report is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


_ORDER = tuple(Level)


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of a report: what it is about, how bad it is, and the text."""

    level: Level
    about: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one look at a service."""

    service: ServiceName
    findings: tuple[CheckLine, ...]
    serving: str | None
    """The cluster that served a client here; None if nobody did."""
    standbys: frozenset[str]
    verdict: str

    @property
    def level(self) -> Level:
        """Return the worst of the findings."""
        return max((each.level for each in self.findings), key=_ORDER.index, default=Level.OK)
