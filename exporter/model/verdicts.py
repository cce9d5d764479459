"""The verdicts on hits, services, promises and failovers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from exporter.model.clusterset import Service, ServiceName
from exporter.model.probes import Probe


class Locality(StrEnum):
    """Whether a hit should have been served by the local cluster."""

    LOCAL = "local"
    FAILOVER = "failover"
    LEAK = "leak"
    PINNED = "pinned"
    SPREAD = "spread"
    """The name server prefers no cluster, so crossing is by design."""
    REMOTE = "remote"
    EXTERNAL = "external"
    UNKNOWN = "unknown"


class Mode(StrEnum):
    """What a client in the local cluster gets from a service now."""

    LOCAL = "local"
    REMOTE = "remote"
    FAILOVER = "failover"
    MIXED = "mixed"
    DEGRADED = "degraded"
    """Several clusters are right, and some of the answers lead to one that does not reply."""
    BLACKOUT = "blackout"
    UNKNOWN = "unknown"


class Rule(StrEnum):
    """A promise of the clusterset that a probe can check."""

    LOCAL_FIRST = "local_first"
    FAILS_OVER = "fails_over"
    CONNECTED_ONLY = "connected_only"
    SPREADS = "spreads"
    PINS = "pins"
    RESOLVES = "resolves"
    REACHABLE = "reachable"


class Reason(StrEnum):
    """The reason why a service moved."""

    READINESS = "readiness"
    CONNECTION = "connection"
    EXPORT = "export"
    UNEXPORT = "unexport"
    UNKNOWN = "unknown"


class FailoverStage(StrEnum):
    """A stage of a failover, which has a duration."""

    DNS = "dns"
    SERVED = "served"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """A move of a service from one cluster to another, for the clients of the local cluster."""

    service: ServiceName
    from_cluster: str
    to_cluster: str
    reason: Reason
    unix: float
    """When the first good reply came from the new cluster."""
    durations: Mapping[FailoverStage, float]
    """Empty if nobody probed while it happened."""
    accuracy: Mapping[FailoverStage, float]
    """Seconds by which each duration may be off: gaps between probes, and a cause seen late."""


class Hazard(StrEnum):
    """A condition that would break the next failover, or the verdict on it."""

    KARMADA_ENDPOINTS = "karmada_endpoints"
    OVERLAPPING_CIDRS = "overlapping_cidrs"
    STALE_GATEWAY = "stale_gateway"
    HEADLESS_NO_LOCAL = "headless_no_local"
    OLD_LIGHTHOUSE_SILENT_NXDOMAIN = "old_lighthouse_silent_nxdomain"
    NO_PINNED_NAMES = "no_pinned_names"
    SINGLE_CLUSTER = "single_cluster"
    NO_HOST_IN_LOG = "no_host_in_log"


HAZARD_MEANS: Mapping[Hazard, str] = {
    Hazard.KARMADA_ENDPOINTS: "Karmada put endpoints of other clusters behind the Service here, "
    "so it looks ready with no pod of its own",
    Hazard.OVERLAPPING_CIDRS: "networks of clusters overlap: Submariner does not connect such "
    "clusters, and clients with a prefix that both claim belong to neither",
    Hazard.STALE_GATEWAY: "a cluster without a tunnel is still answered",
    Hazard.HEADLESS_NO_LOCAL: "a headless service has no local preference",
    Hazard.OLD_LIGHTHOUSE_SILENT_NXDOMAIN: "this Lighthouse does not reply to unknown names; "
    "clients wait until they give up",
    Hazard.NO_PINNED_NAMES: "pinned names are not probed, so no standby is tested",
    Hazard.SINGLE_CLUSTER: "only one cluster exports it, so there is none to move to",
    Hazard.NO_HOST_IN_LOG: "the log here does not tell for which name a request was, so one for "
    "the pinned name of this cluster counts as a leak; add $host to log_format in nginx and to "
    "the format of the log here",
}
"""The meaning of each hazard, as a sentence that stands after its name."""


class Policy(StrEnum):
    """Whether the clients of a service should stay in their cluster."""

    LOCAL = "local"
    SPREAD = "spread"


@dataclass(slots=True, kw_only=True)
class ProbeVerdict:
    """The verdict on one probe."""

    destination: str | None
    """The cluster that the answer pointed to; UNKNOWN for an address nobody exports."""
    checks: tuple[tuple[Rule, bool], ...] = ()
    """Each promise that could be checked, and whether it was kept."""
    failovers: tuple[Failover, ...] = ()
    """Moves that are over."""
    outage: float = 0.0
    """Seconds of outage that this probe added."""
    unstable: bool = False
    """The outcome differs from the last one, so the probes speed up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """The state of a service now, as seen from the local cluster."""

    service: Service
    policy: Policy
    mode: Mode
    since: float | None
    """When the mode began, on the monotonic clock."""
    serving: str | None
    """The cluster that serves, confirmed; None in a blackout."""
    expected: frozenset[str]
    """Clusters that should serve."""
    standbys: frozenset[str]
    """Clusters that would serve if the serving one stopped."""
    hazards: frozenset[Hazard]
    pinned: Mapping[str, Probe]
    """The newest pinned probe of each exporting cluster."""
    plain: Probe | None
    """The newest plain probe."""
    share: float | None = None
    """The share of the newest plain probes that were served, from 0 to 1; None without one."""
    starting: tuple[int, int] | None = None
    """The probes so far and those that are needed for a mode; None once there are enough."""
