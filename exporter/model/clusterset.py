"""Clusters, services, and who exports them, as the local cluster knows them at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

Address = IPv4Address | IPv6Address


Network = IPv4Network | IPv6Network


EXTERNAL = "external"
"""A source that no cluster owns."""


UNKNOWN = "unknown"
"""A source that could not be told: not an address."""


VTEP = "vtep"
"""A source in 240/8 or 241/8: an address of Submariner's own tunnels, so SNAT is broken."""


NOT_CLUSTERS = frozenset({EXTERNAL, UNKNOWN, VTEP})
"""Label values beside the cluster ids, hence no cluster's id."""


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
    """The local gateway has a live tunnel to it; says nothing about the local cluster."""
    answered: bool | None = None
    """Lighthouse counts it as connected; None if it sees no more than *connected* says."""
    latency: float | None = None
    """Seconds of a round trip from the local gateway to its; None where nobody measures that."""


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
    """One for a ClusterIP service; of a headless one all that its name answers."""
    ready: bool
    """At least one endpoint is ready."""
    backed: bool | None = None
    """There is at least one endpoint, ready or not; None if no more is known than *ready*."""


class Condition(NamedTuple):
    """What the controller says of a ServiceExport."""

    type: str
    holds: bool | None
    """None where it says that it does not know."""
    reason: str = ""


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
    """Addresses of the service in the whole clusterset, which tell nothing of who serves."""
    karmada_endpoints: tuple[str, ...] = ()
    """Clusters whose endpoints Karmada's MultiClusterService put behind the local Service."""
    probed: bool = True
    """Nobody asked by annotation that it be left alone."""
    named: bool = True
    """The name server knows it: more of it is here than a ServiceExport that waits."""
    endpoints: Endpoints | None = None
    """Those of the local cluster itself; None if it does not export the service."""
    conditions: tuple[Condition, ...] = ()
    """Of the local cluster's ServiceExport; empty without one."""

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
    """Whose name server answers clusterset names, and so by which rules."""

    SUBMARINER = "submariner"
    CILIUM = "cilium"
    GKE = "gke"


Version = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """All that is known of the clusterset at one moment, as the cluster *local* sees it."""

    local: str
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    services: Mapping[ServiceName, Service] = field(default_factory=dict)
    profile: Profile = Profile.SUBMARINER
    version: Version | None = None
    """Submariner's; None if it is not known, then it counts as a current one."""
    knows_local: bool = True
    """Lighthouse knows which cluster it runs in; without that it prefers none."""
    knows_gateways: bool = True
    """Lighthouse found Submariner when it started; else it counts every cluster as connected."""
    karmada_cluster: str = ""
    """Karmada's name of the local cluster; empty if Karmada sent nothing here."""
    lighthouse: tuple[tuple[Address, int], ...] = ()
    """Addresses and ports of the clusterset's name servers in the local cluster, each replica."""

    @cached_property
    def connected(self) -> frozenset[str]:
        """Clusters that can be reached from here; the local one always can."""
        return frozenset({self.local} | {c.id for c in self.clusters.values() if c.connected})

    @cached_property
    def answered(self) -> frozenset[str]:
        """Clusters that Lighthouse counts as connected: it forgets none that it does not see."""
        if not self.knows_gateways:
            return frozenset({self.local, *self.clusters})
        told = {
            c.id
            for c in self.clusters.values()
            if (c.connected if c.answered is None else c.answered)
        }
        return frozenset({self.local} | told)


class Container(NamedTuple):
    """A container of a pod, and the ports that it declares."""

    name: str
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod as far as its log matters."""

    namespace: str
    name: str
    containers: tuple[Container, ...]
    log_container: str = ""
    """The container whose log is wanted, by annotation; empty without one."""
    log_format: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What stands behind a service that the local cluster exports."""

    service: ServiceName
    pods: tuple[str, ...]
    """Names of the pods, in the service's namespace."""
    ports: tuple[int, ...] = ()
    """Ports of the pods that the service sends to."""
    log_container: str = ""
    log_format: str = ""
