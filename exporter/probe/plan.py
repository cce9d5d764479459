"""The plan of all probes: what is asked, of whom, and how; cut from the settings by commands."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.config.http_settings import TlsSettings
from exporter.config.probe_settings import ServiceProbe
from exporter.model.clusterset import Address, ServiceName
from exporter.model.probes import Lookup, Record
from exporter.probe.resolve import Server
from exporter.probe.schedule import Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """Everything that probes take from a configuration. Durations are in seconds."""

    domain: str
    """The DNS zone of the clusterset names."""
    for_service: Callable[[ServiceName], ServiceProbe]
    """Returns how one service is probed."""
    pinned: bool
    """Each exporting cluster is also probed by its pinned name."""
    record: Record
    """The type of address that is looked up."""
    lookups: tuple[Lookup, ...]
    """More look-ups of plain names, for comparison."""
    resolvers: tuple[Server, ...]
    """The name servers that clients use."""
    follow_resolv_conf: bool
    """*resolvers* come from resolv.conf, so they change with it."""
    lighthouse: tuple[Server, ...] | None
    """The name servers of the clusterset; None for those that the inventory names."""
    source: Address | None
    """The local address from which probes are sent; None for the system's choice."""
    keys: tuple[bytes, ...]
    """The keys of probes: the first one signs, all are valid. Empty for no signatures."""
    tls: Mapping[TlsSettings, ssl.SSLContext]
    """The TLS context of each configuration that https probes may use."""
    timeout: float
    """The time limit of a whole probe."""
    pace: Pace
