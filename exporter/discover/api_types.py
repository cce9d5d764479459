"""What is kept of each API object: small, frozen, and no more than the inventory needs."""

from dataclasses import dataclass

from exporter.apiserver.json_fields import Labels
from exporter.model.clusterset import Address, Condition, Network, Port, ServiceName, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceExport:
    """The wish to export a service of the local cluster."""

    service: ServiceName
    labels: Labels
    probed: bool
    karmada_cluster: str
    """Karmada's name of the local cluster, if Karmada sent this object."""
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceImport:
    """A service of the clusterset; up to Submariner 0.14 one cluster's share of it."""

    namespace: str
    """Of the object itself: a broker holds copies in one of its own."""
    service: ServiceName
    cluster: str | None
    """Whose share this is; None where it stands for all clusters."""
    labels: Labels
    probed: bool
    headless: bool
    ips: tuple[Address, ...]
    ports: tuple[Port, ...]
    clusters: tuple[str, ...]
    """Who exports it."""
    derived: bool
    """A local Service was derived from it: the sign of Cilium."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSlice:
    """Endpoints of one cluster's share, made by the controller of the clusterset."""

    service: ServiceName
    cluster: str
    old: bool
    """Named as Lighthouse did up to 0.15: it counts only where there is no newer one."""
    manager: str
    labels: Labels
    headless: bool | None
    """None where Lighthouse did not say yet: before 0.15 the endpoints are always pods."""
    publish: bool
    """Endpoints that are not ready are answered, too."""
    globalnet: bool
    """The addresses are global, or whether they are is not said."""
    ready: tuple[Address, ...]
    not_ready: tuple[Address, ...]
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSlice:
    """Endpoints of a Service of the local cluster, made by Kubernetes or by Karmada."""

    service: ServiceName
    family: str
    ready: int
    not_ready: int
    addresses: tuple[Address, ...]
    """Of ready endpoints, and only where the service is headless, or that of Lighthouse's DNS."""
    pods: str
    """Names with a space between, since thousands of small strings would weigh more."""
    ports: tuple[int, ...]
    karmada_cluster: str
    """The cluster that Karmada brought these endpoints from; empty for the cluster's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalService:
    """A Service of the local cluster."""

    service: ServiceName
    labels: Labels
    probed: bool
    headless: bool
    ips: tuple[Address, ...]
    ports: tuple[Port, ...]
    log_container: str
    log_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the local cluster."""

    addresses: tuple[Address, ...]
    pod_cidrs: tuple[Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Submariner's Cluster: who is in the clusterset, with which addresses."""

    namespace: str
    cluster: str
    pod_cidrs: tuple[Network, ...]
    service_cidrs: tuple[Network, ...]
    global_cidrs: tuple[Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelEnd:
    """Submariner's Endpoint: a gateway of some cluster and the networks behind it."""

    namespace: str
    cluster: str
    subnets: tuple[Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConnection:
    """A tunnel, as one gateway of the local cluster reports it."""

    cluster: str
    connected: bool
    family: int | None
    """Of the address it uses; None if it does not say."""
    latency: float | None
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway node of the local cluster."""

    name: str
    active: bool
    local: str
    """The id of the local cluster; empty if it does not say."""
    updated: int | None
    """When it last said anything, unix seconds; None if it does not say."""
    version: Version | None
    connections: tuple[GatewayConnection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submariner:
    """How Submariner is installed here."""

    cluster: str
    version: Version | None
    broker_namespace: str


Kept = (
    ServiceExport
    | ServiceImport
    | ImportedSlice
    | LocalSlice
    | LocalService
    | Node
    | Member
    | TunnelEnd
    | Gateway
    | Submariner
)
