"""Clusters, services, and who exports them, as the local cluster knows them at one moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from exporter.model.routes import HostRoutes

Address = IPv4Address | IPv6Address


Network = IPv4Network | IPv6Network


EXTERNAL = "external"
"""A source that no cluster owns."""


UNKNOWN = "unknown"
"""A source that is unknown, because its text is not an address."""


VTEP = "vtep"
"""A source in 240/8 or 241/8. Submariner's own tunnels use these, so SNAT is broken."""


NOT_CLUSTERS = frozenset({EXTERNAL, UNKNOWN, VTEP})
"""Label values beside the cluster ids. No cluster may have one of them as its id."""


class ServiceName(NamedTuple):
    """A service by namespace and name, the same in every cluster."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return the name as kubectl writes it."""
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> "ServiceName | None":
        """Return the service that *text* names as namespace/name; None if it names none."""
        namespace, _, name = text.partition("/")
        return cls(namespace, name) if namespace and name and "/" not in name else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One member of the clusterset, as the local cluster knows it."""

    id: str
    pod_cidrs: tuple[Network, ...] = ()
    service_cidrs: tuple[Network, ...] = ()
    global_cidrs: tuple[Network, ...] = ()
    """Globalnet's addresses of this cluster; empty where Globalnet is off."""
    node_addresses: tuple[Address, ...] = ()
    connected: bool = True
    """The local gateway has a live tunnel to it. Without meaning for the local cluster."""
    answered: bool | None = None
    """Lighthouse counts it as connected; None if that is the same as *connected*."""
    latency: float | None = None
    """Seconds of a round trip between the gateways; None if it is not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port of a service."""

    name: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One cluster's share of a service: a ServiceExport and what Lighthouse knows about it."""

    cluster: str
    addresses: tuple[Address, ...]
    """One address of a ClusterIP service; all answered addresses of a headless one."""
    ready: bool
    """At least one endpoint is ready."""
    backed: bool | None = None
    """There is at least one endpoint, ready or not; None if only *ready* is known."""
    named: bool = True
    """The name server knows it: there is more of it than a ServiceExport."""


class Condition(NamedTuple):
    """A condition of a ServiceExport, written by its controller."""

    type: str
    holds: bool | None
    """None for the status Unknown."""
    reason: str = ""


def is_invalid(conditions: Iterable[Condition]) -> bool:
    """Return whether the controller refuses a ServiceExport with these conditions."""
    return any(each.type == "Valid" and each.holds is False for each in conditions)


class Endpoints(NamedTuple):
    """How many endpoints a service has in the local cluster."""

    ready: int
    not_ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service of the clusterset and who exports it."""

    name: ServiceName
    ports: tuple[Port, ...] = ()
    exports: tuple[Export, ...] = ()
    headless: bool = False
    clusterset_ips: tuple[Address, ...] = ()
    """Addresses of the service in the whole clusterset. They do not show which cluster serves."""
    karmada_endpoints: tuple[str, ...] = ()
    """Clusters whose ready endpoints Karmada's MultiClusterService added to the local Service."""
    probed: bool = True
    """No annotation excludes it from probing."""
    named: bool = True
    """The name server knows it: there is more of it here than a ServiceExport."""
    endpoints: Endpoints | None = None
    """Those in the local cluster; None if it does not export the service."""
    conditions: tuple[Condition, ...] = ()
    """Of the local cluster's ServiceExport; empty without one."""
    log_format: str = ""
    """The format of its pods' logs, by annotation of the local Service; empty without one."""

    def export_of(self, cluster: str) -> Export | None:
        """Return the export of *cluster*, or None if it has none."""
        return next((export for export in self.exports if export.cluster == cluster), None)

    def owner_of(self, address: Address) -> str | None:
        """Return the cluster that exports this service with *address*, or None."""
        return next((e.cluster for e in self.exports if address in e.addresses), None)

    def destination_of(self, addresses: Sequence[Address]) -> str | None:
        """
        Return the cluster that an answer points to, because clients use its first address.

        It is UNKNOWN for an address that nobody exports, and None for an empty answer.
        """
        return (self.owner_of(addresses[0]) or UNKNOWN) if addresses else None


class Profile(StrEnum):
    """The name server that answers clusterset names, and so the rules of its answers."""

    SUBMARINER = "submariner"
    CILIUM = "cilium"
    GKE = "gke"


Version = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The clusterset at one moment, as the cluster *local* sees it."""

    local: str
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    services: Mapping[ServiceName, Service] = field(default_factory=dict)
    profile: Profile = Profile.SUBMARINER
    version: Version | None = None
    """Submariner's version; None if unknown. Unknown counts as current."""
    knows_local: bool = True
    """Lighthouse knows which cluster it runs in. Without that it prefers no cluster."""
    knows_gateways: bool = True
    """Lighthouse found Submariner when it started. If not, it counts all clusters as connected."""
    karmada_cluster: str = ""
    """Karmada's name of the local cluster; empty if Karmada sent nothing here."""
    lighthouse: tuple[tuple[Address, int], ...] = ()
    """Address and port of each replica of the clusterset's name server in the local cluster."""
    routes: HostRoutes = field(default_factory=HostRoutes)
    """Where gateways of the local cluster send requests; empty if no log needs that."""

    @cached_property
    def connected(self) -> frozenset[str]:
        """Clusters that can be reached from the local one, and the local one itself."""
        return frozenset({self.local} | {c.id for c in self.clusters.values() if c.connected})

    @cached_property
    def answered(self) -> frozenset[str]:
        """Clusters that Lighthouse counts as connected. It also keeps those it no longer sees."""
        if not self.knows_gateways:
            return frozenset({self.local, *self.clusters})
        connected = {
            c.id
            for c in self.clusters.values()
            if (c.connected if c.answered is None else c.answered)
        }
        return frozenset({self.local} | connected)


class Container(NamedTuple):
    """A container of a pod, and the ports that it declares."""

    name: str
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """The fields of a pod that its log needs."""

    namespace: str
    name: str
    containers: tuple[Container, ...]
    log_container: str = ""
    """The container whose log is read, by annotation; empty without one."""
    log_format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """The pods behind a service that the local cluster exports."""

    service: ServiceName
    pods: tuple[str, ...]
    """Names of the pods, in the service's namespace."""
    ports: tuple[int, ...] = ()
    """Ports of the pods that the service forwards to."""
    log_container: str = ""
    log_format: str = ""
