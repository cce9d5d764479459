"""The inventory as a YAML file, read again whenever it changes."""

import asyncio
import os
import re
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path

from msgspec import Struct

from exporter.config.yaml_reader import SettingsError
from exporter.files.small_file import read_struct
from exporter.judge.claims import conflicts_anywhere
from exporter.model.clusterset import (
    NOT_CLUSTERS,
    VTEP,
    Address,
    Cluster,
    Export,
    Inventory,
    Network,
    Port,
    Profile,
    Service,
    ServiceName,
    Version,
)

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+].*)?")
_MAX_PORT = 65535
_PATIENCE = 2
"""Looks in a row at which a file must be away before that is news: some editors rename."""


class ClusterEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `clusters`."""

    id: str
    pod_cidrs: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()
    global_cidrs: tuple[str, ...] = ()
    node_addresses: tuple[str, ...] = ()
    connected: bool = True

    def __post_init__(self) -> None:
        """Refuse what names no cluster."""
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

    name: str = ""
    port: int

    def __post_init__(self) -> None:
        """Refuse what is no port."""
        if not 0 < self.port <= _MAX_PORT:
            msg = f"port {self.port} is not between 1 and {_MAX_PORT}"
            raise SettingsError(msg)


class ExportEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of a service's `exports`."""

    cluster: str
    addresses: tuple[str, ...]
    ready: bool = True

    def __post_init__(self) -> None:
        """Refuse an export that cannot be answered."""
        if not self.noun().addresses:
            msg = "addresses is empty; write the address that the name answers"
            raise SettingsError(msg)

    def noun(self) -> Export:
        """Return the export."""
        addresses = _addresses("addresses", self.addresses)
        return Export(cluster=self.cluster, addresses=addresses, ready=self.ready)


class ServiceEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `services`."""

    namespace: str
    name: str
    ports: tuple[PortEntry, ...] = ()
    exports: tuple[ExportEntry, ...] = ()
    headless: bool = False
    clusterset_ips: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what names no service, and exports that contradict each other."""
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

    clusters: tuple[ClusterEntry, ...]
    services: tuple[ServiceEntry, ...] = ()
    profile: Profile = Profile.SUBMARINER
    submariner_version: str | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        self.version()
        known = [cluster.id for cluster in self.clusters]
        _wants_unique("cluster", known)
        _wants_unique("service", (f"{s.namespace}/{s.name}" for s in self.services))
        for service in self.services:
            for export in service.exports:
                if export.cluster not in known:
                    where = f"service {service.namespace}/{service.name}"
                    msg = (
                        f"{where} is exported by {export.cluster}, which is not among clusters; "
                        f"known are {', '.join(known)}"
                    )
                    raise SettingsError(msg)
        _wants_no_conflict({cluster.id: cluster.noun() for cluster in self.clusters})

    def version(self) -> Version | None:
        """Return Submariner's version, if it is given."""
        if self.submariner_version is None:
            return None
        found = _VERSION.fullmatch(self.submariner_version)
        if found is None:
            msg = (
                f"submariner_version {self.submariner_version!r} is no version; write for "
                "example 0.19.0"
            )
            raise SettingsError(msg)
        return (int(found[1]), int(found[2]), int(found[3] or 0))


def read_inventory(path: Path, local: str) -> Inventory:
    """
    Read the inventory as the cluster *local* sees it.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    read = read_struct(path, InventoryFile)
    clusters = {entry.id: entry.noun() for entry in read.clusters}
    if local not in clusters:
        msg = f"{path}: clusters: has no {local}, the cluster this is for; known are " + ", ".join(
            clusters
        )
        raise SettingsError(msg)
    services = [entry.noun() for entry in read.services]
    by_name = {service.name: service for service in services}
    return Inventory(
        local=local,
        clusters=clusters,
        services=by_name,
        profile=read.profile,
        version=read.version(),
    )


class StaticInventory:
    """
    Watches an inventory file.

    Args:
        path: The file; a symlink is followed, so a flipped one counts as a change.
        local: The cluster that looks at it.
        changed: Called with each new inventory.
        failed: Called once for each version of the file that cannot be taken.
    """

    def __init__(
        self,
        path: Path,
        local: str,
        *,
        changed: Callable[[Inventory], None],
        failed: Callable[[str], None],
    ) -> None:
        self._path = path
        self._local = local
        self._changed = changed
        self._failed = failed
        self._version: object = None
        self._away = 0

    async def watch(self, ticks: AsyncIterable[object]) -> None:
        """Look at the file at each of *ticks*."""
        async for _ in ticks:
            await self.look()

    async def look(self) -> None:
        """Look once; read the file if it is not the one seen last."""
        version = await asyncio.to_thread(_version, self._path)
        if version is None:
            self._away += 1
            if self._away == _PATIENCE:
                self._failed(f"{self._path}: is gone or cannot be looked at")
            return
        was_away, self._away = self._away >= _PATIENCE, 0
        if version == self._version and not was_away:
            return
        self._version = version
        try:
            inventory = await asyncio.to_thread(read_inventory, self._path, self._local)
        except SettingsError as error:
            self._failed(str(error))
        else:
            self._changed(inventory)


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        seen = os.stat(path)  # noqa: PTH116 - the three numbers are all that is wanted
    except OSError:
        return None
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)


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
