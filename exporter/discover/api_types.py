"""The fields that are kept of each API object: only those that the inventory needs."""

from dataclasses import dataclass

from exporter.apiserver.json_fields import LabelPairs
from exporter.model.clusterset import Address, Condition, Network, Port, ServiceName, Version
from exporter.model.routes import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceExport:
    """The wish to export a service of the local cluster."""

    service: ServiceName
    labels: LabelPairs
    probed: bool
    karmada_cluster: str
    """Karmada's name of the local cluster, if Karmada sent this object."""
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceImport:
    """A service of the clusterset. Up to Submariner 0.14 it is one cluster's share of a service."""

    namespace: str
    """The namespace of the object itself. A broker holds copies in its own namespace."""
    service: ServiceName
    cluster: str | None
    """The cluster whose share this is; None where the import is for all clusters."""
    labels: LabelPairs
    probed: bool
    headless: bool
    ips: tuple[Address, ...]
    ports: tuple[Port, ...]
    clusters: tuple[str, ...]
    """The clusters that export it."""
    derived: bool
    """A local Service was derived from it, which only Cilium does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSlice:
    """Endpoints of one cluster's share, written by the controller of the clusterset."""

    service: ServiceName
    cluster: str
    old: bool
    """Its name is one of Lighthouse before 0.15. It counts only if there is no newer slice."""
    manager: str
    labels: LabelPairs
    headless: bool | None
    """None before Lighthouse 0.15, which always lists pods."""
    publish: bool
    """Endpoints that are not ready are also answered."""
    globalnet: bool
    """The addresses are global. True also if the slice does not say."""
    ready: tuple[Address, ...]
    not_ready: tuple[Address, ...]
    ports: tuple[Port, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSlice:
    """Endpoints of a Service of the local cluster, written by Kubernetes or by Karmada."""

    service: ServiceName
    family: str
    ready: int
    not_ready: int
    addresses: tuple[Address, ...]
    """Those of ready endpoints; kept only for headless services and for Lighthouse's DNS."""
    pods: str
    """Names separated by spaces, because thousands of small strings would take more memory."""
    ports: tuple[int, ...]
    karmada_cluster: str
    """The cluster that Karmada copied these endpoints from; empty for local endpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalService:
    """A Service of the local cluster."""

    service: ServiceName
    labels: LabelPairs
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
    """Submariner's Cluster: a member of the clusterset and its networks."""

    namespace: str
    cluster: str
    pod_cidrs: tuple[Network, ...]
    service_cidrs: tuple[Network, ...]
    global_cidrs: tuple[Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelEnd:
    """Submariner's Endpoint: the gateway of a cluster and the networks behind it."""

    namespace: str
    cluster: str
    subnets: tuple[Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConnection:
    """A tunnel, as one gateway of the local cluster reports it."""

    cluster: str
    connected: bool
    family: int | None
    """The IP version of the address that it uses; None if unknown."""
    latency: float | None
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway node of the local cluster."""

    name: str
    active: bool
    local: str
    """The id of the local cluster; empty if unknown."""
    updated: int | None
    """When it last reported, unix seconds; None if unknown."""
    version: Version | None
    connections: tuple[GatewayConnection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submariner:
    """How Submariner is installed here."""

    cluster: str
    version: Version | None
    broker_namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteObject:
    """An HTTPRoute or an Ingress: which hosts it routes, and where to."""

    routes: tuple[Route, ...]


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
    | RouteObject
)
