"""The few values of the configuration that judging and counting need."""

from collections.abc import Callable
from dataclasses import dataclass

from exporter.accesslog.source import tells_upstream
from exporter.commands.load import RuntimeConfig
from exporter.config.settings import Settings
from exporter.judge.handover import STALE_INTERVALS
from exporter.judge.locality import Graces
from exporter.metrics.zeroes import Replies
from exporter.model.clusterset import Network, ServiceName
from exporter.model.probes import Lookup, Record, Vantage
from exporter.model.verdicts import Policy
from exporter.probe.targets import FURTHER_RESOLVERS


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """What judging and counting go by."""

    domain: str
    """The zone of the clusterset names."""
    series_limit: int
    confirm: int
    """Probes in a row that confirm a change."""
    pinned: bool
    """True if names that choose a cluster are probed."""
    stale_after: float
    """Seconds after which a probe says nothing more."""
    record: Record
    lookups: tuple[tuple[Vantage, Lookup], ...]
    """All ways in which plain names are looked up."""
    upstreams: bool = False
    """True if a log tells where a gateway sent requests."""
    replies_of: Callable[[ServiceName], Replies | None]
    logs: bool
    """True if access logs are read."""
    policy_of: Callable[[ServiceName], Policy]
    graces_of: Callable[[ServiceName], Graces]
    trusted_proxies: tuple[Network, ...]
    """Networks whose X-Forwarded-For header is believed."""
    keys: tuple[bytes, ...]
    """The keys that probes may be signed with."""
    dashboard_url: str | None
    runbook_url: str | None
    log_probes: ServiceName | None
    """The service of which each probe is logged."""


@dataclass(slots=True)
class Current:
    """The settings in use and the local cluster. Only the monitor replaces them; others read."""

    settings: MonitorSettings
    local: str

    def graces_of(self, service: ServiceName) -> Graces:
        """Return what is forgiven after a change of *service*."""
        return self.settings.graces_of(service)

    def policy_of(self, service: ServiceName) -> Policy:
        """Return whether clients of *service* are meant to stay in their cluster."""
        return self.settings.policy_of(service)


def settings_of(loaded: RuntimeConfig) -> MonitorSettings:
    """Take what judging and counting need from a configuration and the files it names."""
    probes = loaded.probes
    return monitor_settings(
        loaded.settings,
        probes.keys,
        resolvers=len(probes.resolvers),
        upstreams=any(map(tells_upstream, loaded.logs)),
    )


def monitor_settings(
    settings: Settings, keys: tuple[bytes, ...] = (), *, resolvers: int = 1, upstreams: bool = False
) -> MonitorSettings:
    """
    Take from the whole configuration what judging and counting need.

    Args:
        settings: The configuration.
        keys: The keys that probes may be signed with.
        resolvers: The number of name servers that clients use.
        upstreams: Whether a log tells where a gateway sent requests.
    """
    probe = settings.probe

    def graces_of(service: ServiceName) -> Graces:
        grace = probe.for_service(service).leak_grace or settings.leak_grace
        return Graces(leak=grace, export=settings.export_grace)

    return MonitorSettings(
        domain=settings.clusterset_domain,
        series_limit=settings.limits.series,
        confirm=probe.confirm,
        pinned=probe.pinned,
        stale_after=STALE_INTERVALS * probe.longest_interval + probe.timeout,
        record=Record(probe.record),
        lookups=(
            *settings.compared,
            *((vantage, Lookup.A) for vantage in FURTHER_RESOLVERS[: resolvers - 1]),
        ),
        upstreams=upstreams,
        replies_of=lambda service: probe.for_service(service).replies,
        logs=bool(settings.logs),
        policy_of=lambda service: probe.for_service(service).policy,
        graces_of=graces_of,
        trusted_proxies=tuple(each.network for each in settings.attribution.trusted_proxies),
        keys=keys,
        dashboard_url=settings.dashboard_url,
        runbook_url=settings.runbook_url,
        log_probes=ServiceName.parse(settings.log_probes or ""),
    )
