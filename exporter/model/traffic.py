"""Sums of client requests and probes in access logs."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from math import floor
from typing import NamedTuple

from exporter.model.clusterset import ServiceName
from exporter.model.probes import LATENCIES

RECENT = 300.0
"""Seconds for which a client request is recent."""


class Client(NamedTuple):
    """The clients whose requests are summed together."""

    service: ServiceName
    source: str
    """A cluster id, or one of NOT_CLUSTERS."""
    pinned: bool = False
    """The request's Host names the cluster that served it."""
    at: float | None = None
    """Start of the span of time in which they were served, unix seconds; None for all time."""
    destination: str = ""
    """The cluster that a gateway of *source* sent them to; empty where they were served here."""


@dataclass(slots=True)
class Hits:
    """Client requests, summed."""

    requests: int = 0
    failures: int = 0
    """Answered with 5xx."""
    bytes: int = 0
    seconds: float = 0.0
    """Seconds in all, of the requests whose time was logged."""
    durations: list[int] = field(default_factory=list)
    """Requests up to each bound of LATENCIES, and above the last; empty if no time was logged."""

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
    """A request in a log that claims to be a probe of an exporter."""

    service: ServiceName
    source: str
    """The cluster that the client address belongs to."""
    user_agent: str
    at: float | None = None
    """When it came by its line, unix seconds; None if the format has no time."""
    pinned: bool = False
    """The request's Host names the cluster that served it."""
    failed: bool = False
    """Answered with 5xx."""
    bytes: int = 0
    seconds: float | None = None
    """How long the request took; None if no time was logged."""

    @property
    def client(self) -> Client:
        """Return whose request it was, if it was none of an exporter."""
        at = None if self.at is None else floor(self.at)
        return Client(self.service, self.source, self.pinned, at)

    @property
    def hits(self) -> Hits:
        """Return it as one request of a client."""
        hits = Hits(requests=1, failures=int(self.failed), bytes=self.bytes)
        if self.seconds is not None:
            hits.seconds = self.seconds
            hits.durations = [0] * (len(LATENCIES) + 1)
            hits.durations[bisect_left(LATENCIES, self.seconds)] = 1
        return hits


@dataclass(slots=True)
class LogCounts:
    """The content of some blocks of an access log."""

    read: int = 0
    access: int = 0
    """Access lines: of clients, of probes, ignored and foreign."""
    other: int = 0
    ignored: int = 0
    foreign: int = 0
    """Access lines whose host is not a service of the clusterset, or outside the wanted time."""
    truncated: int = 0
    """Lines that were cut because they were longer than the limit."""
    slow_blocks: int = 0
    """Blocks that had to be read line by line to be exact."""
    clients: dict[Client, Hits] = field(default_factory=dict)
    upstreams: dict[Client, Hits] = field(default_factory=dict)
    """Requests that a gateway sent, each try for itself, without bytes and seconds."""
    probes: list[ProbeHit] = field(default_factory=list)
    probe_sums: Counter[tuple[ServiceName, bool, str]] = field(default_factory=Counter)
    """Probes by service, pinned, and source, where they are only summed."""
    odd: list[bytes] = field(default_factory=list)
    """Some lines that are no access lines, where most lines of a block are none."""
    bare: bool = False
    """Whether the lines in *odd* lack the wrapper that was looked for."""
    first: float | None = None
    """The time stamp in the oldest access line, unix seconds; None without one."""
    last: float | None = None

    def add(self, other: "LogCounts") -> None:
        """Add *other* to these counts."""
        for name in ("read", "access", "other", "ignored", "foreign", "truncated", "slow_blocks"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for client, hits in other.clients.items():
            self.clients.setdefault(client, Hits()).add(hits)
        for client, hits in other.upstreams.items():
            self.upstreams.setdefault(client, Hits()).add(hits)
        self.probes += other.probes
        self.probe_sums += other.probe_sums
        if not self.odd:
            self.odd, self.bare = other.odd, other.bare
        moments = [self.first, other.first, self.last, other.last]
        known = [moment for moment in moments if moment is not None]
        self.first, self.last = min(known, default=None), max(known, default=None)
