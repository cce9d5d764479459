"""What the report is made of: counts, moves, outages, and when there was data."""

from dataclasses import dataclass, field

from exporter.commands.report.samples import Counted, SampledSeries

GAP = 300.0
"""Seconds: a shorter time without samples is not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedMove:
    """One failover or failback, as the series of its newest one showed it."""

    unix: float
    source: str
    service: str
    from_cluster: str | None
    """None if several moves were counted between two scrapes, or none was."""
    to_cluster: str | None
    reason: str | None
    durations: dict[str, float]
    """Seconds, by stage; empty if they were not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """When there were samples of one cluster's exporter."""

    cluster: str
    first: float
    """Unix seconds."""
    last: float
    gaps: tuple[tuple[float, float], ...]
    """Spans without any sample."""

    @property
    def observed(self) -> float:
        """Return the seconds with samples."""
        return max(0.0, self.last - self.first - sum(end - start for start, end in self.gaps))


@dataclass(slots=True, kw_only=True)
class Facts:
    """All that was asked of Prometheus."""

    title: str
    """The URL of Prometheus, without a password."""
    since: float
    until: float
    requests: list[Counted] = field(default_factory=list)
    failures: list[Counted] = field(default_factory=list)
    bytes: list[Counted] = field(default_factory=list)
    outages: list[Counted] = field(default_factory=list)
    moves: list[ReportedMove] = field(default_factory=list)
    moves_counted: float = 0.0
    moves_left_out: int = 0
    """Services, each seen from one cluster, whose moves were not asked for: too many moved."""
    coverage: list[Coverage] = field(default_factory=list)
    resets: int = 0
    """Counters that were reset in the window."""
    request_rates: list[SampledSeries] = field(default_factory=list)
    """By locality, a second."""
    crossing_rates: list[SampledSeries] = field(default_factory=list)
    """Bytes a second, by source and destination."""
    warnings: tuple[str, ...] = ()
