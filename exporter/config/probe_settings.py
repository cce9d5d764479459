"""Settings of probes: how names are looked up, how services are asked, how often."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Literal, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType

from exporter.config.http_settings import HttpChange, HttpSettings, TcpSettings, TlsSettings
from exporter.config.require import default, require
from exporter.config.scalars import Duration, HostPort, IpAddress
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Lookup, Protocol
from exporter.model.verdicts import Policy


class ProbeLimits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of all probes together."""

    in_flight: Annotated[
        int, Meta(ge=1, le=4096, description="Probes that run at the same time.")
    ] = 512
    per_second: Annotated[
        int, Meta(ge=1, le=10_000, description="Probes that start in one second.")
    ] = 1000


class ServiceRule(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Changes of the probe settings for some services."""

    match: Annotated[str, Meta(description="A glob on namespace/name, such as shop/*.")]
    http: Annotated[
        HttpChange | UnsetType | None,
        Meta(description="Changed keys; null: only the look-up is done."),
    ] = UNSET
    policy: Annotated[
        Policy | UnsetType, Meta(description="spread: any cluster may serve a client.")
    ] = UNSET
    tcp: Annotated[
        TcpSettings | UnsetType | None,
        Meta(description="Only a connection is opened; http is not used then."),
    ] = UNSET
    interval: Annotated[
        Duration | UnsetType, Meta(description="Instead of the value for all services.")
    ] = UNSET
    enabled: Annotated[
        bool | UnsetType, Meta(description="false: these services are not probed.")
    ] = UNSET
    leak_grace: Annotated[
        Duration | UnsetType, Meta(description="Instead of the value for all services.")
    ] = UNSET

    def __post_init__(self) -> None:
        """Refuse a pattern that can never match."""
        require("/" in self.match, f"match {self.match!r} should be namespace/name; * is allowed")

    def matches(self, service: ServiceName) -> bool:
        """Return whether this rule is about *service*."""
        return fnmatchcase(str(service), self.match)


class ServiceProbe(NamedTuple):
    """How one service is probed."""

    enabled: bool
    http: HttpSettings | None
    policy: Policy
    leak_grace: float | None
    """None: the value for all services."""
    tcp: TcpSettings | None
    """If set, *http* is not used."""
    interval: float

    @property
    def replies(self) -> tuple[Protocol] | None:
        """Return the protocol after the look-up; None for DNS only."""
        if self.tcp is not None:
            return (Protocol.TCP,)
        return None if self.http is None else (Protocol.HTTP,)


class FastSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a service is probed after a change."""

    interval: Duration = default(Duration(0.2))
    for_: Duration = default(Duration(30), name="for")


class ProbeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How clusterset names are probed."""

    interval: Annotated[Duration, Meta(description="Each name is probed once per interval.")] = (
        default(Duration(15))
    )
    timeout: Annotated[Duration, Meta(description="Time limit of a whole probe, DNS and HTTP.")] = (
        default(Duration(2))
    )
    confirm: Annotated[
        int, Meta(ge=1, le=100, description="Probes in a row that confirm a change.")
    ] = 2
    fast: Annotated[
        FastSettings, Meta(description="How often a service is probed after a change.")
    ] = default(FastSettings())
    resolvers: Annotated[
        tuple[HostPort, ...], Meta(description="Name servers; default: those of resolv.conf.")
    ] = ()
    lighthouse: Annotated[
        tuple[HostPort, ...] | Literal["discovered"],
        Meta(
            description="Name servers of the clusterset that are asked directly as well; "
            "discovered: each replica of Lighthouse in the local cluster."
        ),
    ] = "discovered"
    lookup: Annotated[
        Lookup | tuple[Lookup, ...],
        Meta(description="More look-ups of the plain names, once an interval: client, srv."),
    ] = (Lookup.CLIENT,)
    record: Annotated[
        Literal["A", "AAAA"], Meta(description="The type of address that is looked up.")
    ] = "A"
    jitter: Annotated[
        Duration | None, Meta(description="The most by which each start is delayed, at random.")
    ] = None
    limits: Annotated[ProbeLimits, Meta(description="Limits of all probes together.")] = (
        ProbeLimits()
    )
    source_address: Annotated[
        IpAddress | None, Meta(description="Local address from which probes are sent.")
    ] = None
    pinned: Annotated[
        bool, Meta(description="true: each cluster is also probed by its pinned name.")
    ] = True
    http: Annotated[HttpSettings | None, Meta(description="null: only the look-up is done.")] = (
        HttpSettings()
    )
    tcp: Annotated[
        TcpSettings | None, Meta(description="Instead of http: only a connection is opened.")
    ] = None
    services: Annotated[
        tuple[ServiceRule, ...], Meta(description="Exceptions; the last rule that matches counts.")
    ] = ()

    def __post_init__(self) -> None:
        """Refuse durations that contradict each other."""
        fast, interval = self.fast.interval, self.interval
        require(fast <= interval, f"fast.interval {fast} should be at most interval {interval}")
        told = f"timeout {self.timeout} should be at most interval {interval}"
        require(self.timeout <= interval, told)
        jitter_ok = self.jitter is None or self.jitter <= interval
        require(jitter_ok, f"jitter {self.jitter} should be at most interval {interval}")
        for rule in self.services:
            own = interval if rule.interval is UNSET else rule.interval
            told = f"interval {own} of {rule.match} should be at least timeout {self.timeout}"
            require(own >= self.timeout, told)

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """Return the look-ups of plain names besides the single address query."""
        wanted = (self.lookup,) if isinstance(self.lookup, Lookup) else self.lookup
        return tuple(each for each in Lookup if each in wanted and each is not Lookup.A)

    @property
    def longest_interval(self) -> float:
        """Return the interval of the services that are probed least often, in seconds."""
        own = [rule.interval for rule in self.services if rule.interval is not UNSET]
        return max([self.interval, *own])

    def for_service(self, service: ServiceName) -> ServiceProbe:
        """Return how *service* is probed; of several rules that set a key, the last one counts."""
        enabled, http, policy, grace = True, self.http, Policy.LOCAL, None
        tcp, interval = self.tcp, self.interval
        for rule in self.services:
            if not rule.matches(service):
                continue
            if rule.http is None:
                http = tcp = None
            elif rule.http is not UNSET:
                http, tcp = rule.http.of(http or HttpSettings()), None
            tcp = tcp if rule.tcp is UNSET else rule.tcp
            interval = interval if rule.interval is UNSET else rule.interval
            policy = policy if rule.policy is UNSET else rule.policy
            enabled = enabled if rule.enabled is UNSET else rule.enabled
            grace = grace if rule.leak_grace is UNSET else rule.leak_grace
        return ServiceProbe(enabled, http, policy, grace, tcp, interval)

    def tls_configs(self) -> Iterator[TlsSettings]:
        """Yield each TLS configuration that may be used; none if no probe uses https."""
        base = self.http or HttpSettings()
        changes = [rule.http for rule in self.services if isinstance(rule.http, HttpChange)]
        if "https" not in {base.scheme, *(change.scheme for change in changes)}:
            return
        yield base.tls_config
        yield from (c.tls_config for c in changes if isinstance(c.tls_config, TlsSettings))
