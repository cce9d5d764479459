"""The static inventory file: its keys, the checks of its content, and the nouns it makes."""

import re
from collections.abc import Collection, Iterable, Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated

from msgspec import Meta, Struct

from exporter.config.yaml_reader import SettingsError
from exporter.judge.claims import conflicts_anywhere
from exporter.judge.versions import parse_version
from exporter.model.clusterset import (
    NOT_CLUSTERS,
    VTEP,
    Address,
    Cluster,
    Export,
    Network,
    Port,
    Profile,
    Service,
    ServiceName,
    Version,
)

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MAX_PORT = 65535


class ClusterEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `clusters`."""

    id: Annotated[str, Meta(description="Id of the cluster, a DNS label such as east-1.")]
    pod_cidrs: Annotated[
        tuple[str, ...], Meta(description="Networks of its pods, such as 10.1.0.0/16.")
    ] = ()
    service_cidrs: Annotated[tuple[str, ...], Meta(description="Networks of its services.")] = ()
    global_cidrs: Annotated[
        tuple[str, ...], Meta(description="Networks that Globalnet gave it; empty: no Globalnet.")
    ] = ()
    node_addresses: Annotated[tuple[str, ...], Meta(description="Addresses of its nodes.")] = ()
    connected: Annotated[
        bool, Meta(description="The gateway of the local cluster has a tunnel to it.")
    ] = True

    def __post_init__(self) -> None:
        """Refuse an id that cannot be a cluster's, and networks that are not valid."""
        _wants_label("id", self.id)
        if self.id in NOT_CLUSTERS:
            msg = f"id {self.id} is taken: it says that no cluster is known; choose another"
            raise SettingsError(msg)
        self.noun()

    def noun(self) -> Cluster:
        """Return the cluster."""
        return Cluster(
            id=self.id,
            pod_cidrs=_networks("pod_cidrs", self.pod_cidrs),
            service_cidrs=_networks("service_cidrs", self.service_cidrs),
            global_cidrs=_networks("global_cidrs", self.global_cidrs),
            node_addresses=_addresses("node_addresses", self.node_addresses),
            connected=self.connected,
        )


class PortEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of a service's `ports`."""

    name: Annotated[str, Meta(description="Name of the port.")] = ""
    port: Annotated[int, Meta(description="Its number, 1 to 65535.")]

    def __post_init__(self) -> None:
        """Refuse a number that is not a port."""
        if not 0 < self.port <= _MAX_PORT:
            msg = f"port {self.port} is not between 1 and {_MAX_PORT}"
            raise SettingsError(msg)


class ExportEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of a service's `exports`."""

    cluster: Annotated[str, Meta(description="Id of a cluster of this file.")]
    addresses: Annotated[
        tuple[str, ...], Meta(description="Addresses that the clusterset name answers for it.")
    ]
    ready: Annotated[bool, Meta(description="At least one endpoint there is ready.")] = True

    def __post_init__(self) -> None:
        """Refuse an export without an address."""
        if not self.noun().addresses:
            msg = "addresses is empty; write the address that the name answers"
            raise SettingsError(msg)

    def noun(self) -> Export:
        """Return the export."""
        addresses = _addresses("addresses", self.addresses)
        return Export(cluster=self.cluster, addresses=addresses, ready=self.ready)


class ServiceEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `services`."""

    namespace: Annotated[str, Meta(description="Its namespace, the same in every cluster.")]
    name: Annotated[str, Meta(description="Its name, the same in every cluster.")]
    ports: Annotated[tuple[PortEntry, ...], Meta(description="Its ports.")] = ()
    exports: Annotated[
        tuple[ExportEntry, ...], Meta(description="The clusters that export it.")
    ] = ()
    headless: Annotated[bool, Meta(description="Its name answers the addresses of pods.")] = False
    clusterset_ips: Annotated[
        tuple[str, ...], Meta(description="Its addresses in the whole clusterset, if it has any.")
    ] = ()

    def __post_init__(self) -> None:
        """Refuse a name that cannot be a service's, and exports that contradict each other."""
        _wants_label("namespace", self.namespace)
        _wants_label("name", self.name)
        _wants_unique("export of cluster", (export.cluster for export in self.exports))
        service = self.noun()
        exported = (a for export in service.exports for a in export.addresses)
        _wants_unique("address", map(str, (*exported, *service.clusterset_ips)))

    def noun(self) -> Service:
        """Return the service."""
        return Service(
            name=ServiceName(self.namespace, self.name),
            ports=tuple(Port(name=port.name, port=port.port) for port in self.ports),
            exports=tuple(export.noun() for export in self.exports),
            headless=self.headless,
            clusterset_ips=_addresses("clusterset_ips", self.clusterset_ips),
        )


class InventoryFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    clusters: Annotated[tuple[ClusterEntry, ...], Meta(description="All clusters.")]
    services: Annotated[tuple[ServiceEntry, ...], Meta(description="All exported services.")] = ()
    profile: Annotated[Profile, Meta(description="Who answers the clusterset names.")] = (
        Profile.SUBMARINER
    )
    submariner_version: Annotated[
        str | None, Meta(description="Version of Submariner, such as 0.19.0; null: a current one.")
    ] = None

    def __post_init__(self) -> None:
        """Refuse entries that contradict each other."""
        self.version()
        known = [cluster.id for cluster in self.clusters]
        _wants_unique("cluster", known)
        _wants_unique("service", (f"{s.namespace}/{s.name}" for s in self.services))
        for service in self.services:
            _wants_known(service, known)
        _wants_no_conflict({cluster.id: cluster.noun() for cluster in self.clusters})

    def version(self) -> Version | None:
        """Return Submariner's version; None if the file does not give it."""
        if self.submariner_version is None:
            return None
        found = parse_version(self.submariner_version)
        if found is None:
            msg = (
                f"submariner_version {self.submariner_version!r} is no version; write for "
                "example 0.19.0"
            )
            raise SettingsError(msg)
        return found


def _wants_label(key: str, text: str) -> None:
    if not _LABEL.fullmatch(text):
        msg = f"{key} {text!r} should be a DNS label: a-z, 0-9 and -, at most 63"
        raise SettingsError(msg)


def _wants_unique(what: str, names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            msg = f"{what} {name} is given twice; keep one"
            raise SettingsError(msg)
        seen.add(name)


def _wants_known(service: ServiceEntry, known: Collection[str]) -> None:
    for export in service.exports:
        if export.cluster not in known:
            msg = (
                f"service {service.namespace}/{service.name} is exported by {export.cluster}, "
                f"which is not among clusters; known are {', '.join(known)}"
            )
            raise SettingsError(msg)


def _wants_no_conflict(clusters: Mapping[str, Cluster]) -> None:
    for network, owners in conflicts_anywhere(clusters).items():
        if VTEP in owners:
            msg = f"{network} belongs to Submariner's tunnels; write the cluster's own networks"
            raise SettingsError(msg)
        msg = (
            f"{network} is claimed by clusters {' and '.join(sorted(owners))}; a prefix belongs to "
            "one (with Globalnet give both their global_cidrs)"
        )
        raise SettingsError(msg)


def _networks(key: str, texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(_network(key, text) for text in texts)


def _network(key: str, text: str) -> Network:
    try:
        loose = ip_network(text, strict=False)
    except ValueError as error:
        msg = f"{key}: {text!r} is no network; write for example 10.1.0.0/16"
        raise SettingsError(msg) from error
    if "/" in text and str(ip_address(text.partition("/")[0])) != str(loose.network_address):
        msg = f"{key}: {text} has host bits set; write {loose}"
        raise SettingsError(msg)
    return loose


def _addresses(key: str, texts: tuple[str, ...]) -> tuple[Address, ...]:
    return tuple(_address(key, text) for text in texts)


def _address(key: str, text: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError as error:
        msg = f"{key}: {text!r} is no IP address; write for example 100.1.0.10"
        raise SettingsError(msg) from error
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        msg = f"{key}: {text} is IPv4 in IPv6; write {address.ipv4_mapped}"
        raise SettingsError(msg)
    return address
