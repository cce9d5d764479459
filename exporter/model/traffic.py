"""Client requests and probes as access logs show them, summed."""

from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.model.clusterset import ServiceName


class Client(NamedTuple):
    """Whose requests are summed together."""

    service: ServiceName
    source: str
    """A cluster id, or one of NOT_CLUSTERS."""
    pinned: bool = False
    """The request's Host names the cluster that served it."""
    at: float | None = None
    """When the span of time began in which they were served, unix seconds; None for all time."""


@dataclass(slots=True)
class Hits:
    """Client requests, summed."""

    requests: int = 0
    failures: int = 0
    """Answered with 5xx."""
    bytes: int = 0
    seconds: float = 0.0
    """Time that those took whose time was logged."""
    durations: list[int] = field(default_factory=list)
    """How many took up to each bound of LATENCIES, and longer; empty if no time was logged."""

    def add(self, other: "Hits") -> None:
        """Add *other* to this sum."""
        self.requests += other.requests
        self.failures += other.failures
        self.bytes += other.bytes
        self.seconds += other.seconds
        if other.durations:
            mine = self.durations or [0] * len(other.durations)
            self.durations = [a + b for a, b in zip(mine, other.durations, strict=True)]


class ProbeHit(NamedTuple):
    """A probe of some exporter, seen in a log."""

    service: ServiceName
    source: str
    """The cluster that the client address belongs to."""
    user_agent: str


@dataclass(slots=True)
class LogCounts:
    """What some blocks of an access log hold."""

    read: int = 0
    access: int = 0
    """Lines that are access lines: clients', probes', ignored ones, foreign ones."""
    other: int = 0
    ignored: int = 0
    foreign: int = 0
    """Access lines whose host is no service of the clusterset, or outside the time asked for."""
    truncated: int = 0
    """Lines cut since they were longer than the limit."""
    slow_blocks: int = 0
    """Blocks that had to be read line by line to be exact."""
    clients: dict[Client, Hits] = field(default_factory=dict)
    probes: list[ProbeHit] = field(default_factory=list)
    first: float | None = None
    """The oldest access line's own time stamp, unix seconds; None without one."""
    last: float | None = None
