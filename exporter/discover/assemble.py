"""
Makes the inventory from the objects of the local cluster.

It is a pure function of the objects, the wall clock, and what Lighthouse probably remembers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from exporter.config.label_selector import EVERYTHING, Selection
from exporter.discover.api_types import (
    ImportedSlice,
    LocalService,
    LocalSlice,
    Member,
    Node,
    ServiceExport,
    ServiceImport,
    TunnelEnd,
)
from exporter.discover.clusters import members, overlap_findings, unknown_local, with_nodes
from exporter.discover.findings import Finding
from exporter.discover.gateways import Remembered
from exporter.discover.identity import Identity
from exporter.discover.installation import Installation, installation, name_servers
from exporter.discover.parse_submariner import LIGHTHOUSE_MANAGER
from exporter.discover.resources import Found, Objects
from exporter.discover.routes import host_routes, route_findings
from exporter.discover.services import Rules, ServiceParts, build, gather, workload
from exporter.model.clusterset import Address, Cluster, Inventory, Service, ServiceName, Workload


@dataclass(frozen=True, kw_only=True)
class Discovered:
    """The inventory that the objects make, and what else they show."""

    inventory: Inventory
    workloads: Mapping[ServiceName, Workload]
    """The pods behind each service that the local cluster exports."""
    findings: frozenset[Finding]
    remembered: Remembered
    """The tunnels that Lighthouse probably knows."""
    rules: Rules
    parts: Mapping[ServiceName, ServiceParts]
    """The objects of each service, so that only services whose objects change are made again."""

    def with_findings(self, more: Iterable[Finding]) -> "Discovered":
        """Return the same with *more* findings."""
        return replace(self, findings=self.findings | frozenset(more))

    def with_routes(self, objects: Objects, told: frozenset[str]) -> "Discovered":
        """
        Return the same with what HTTPRoutes and Ingresses say.

        Args:
            objects: As for `inventory`.
            told: Hosts whose services the configuration tells.
        """
        routes = host_routes(Found(objects))
        made = replace(self, inventory=replace(self.inventory, routes=routes))
        return made.with_findings(route_findings(routes, self.inventory.services, told))


def inventory(
    objects: Objects,
    *,
    identity: Identity,
    now: float,
    previous: Discovered | None = None,
    selection: Selection = EVERYTHING,
) -> Discovered:
    """
    Return the clusterset as the local cluster's objects show it.

    It contains each service that the local cluster exports or imports and *selection* wants.

    Args:
        objects: What is kept of each resource that the API server has.
        identity: Which cluster this is.
        now: Unix seconds, to tell a silent gateway from one that reports.
        previous: The result of the last call, because Lighthouse remembers tunnels.
        selection: The services wanted.
    """
    found, local = Found(objects), identity.cluster
    remembered = Remembered() if previous is None else previous.remembered
    submariner = installation(found, remembered, now)
    rules = Rules(local=local, profile=submariner.profile, version=submariner.version)
    chosen = _selected(_gather(found, submariner.brokers), selection)
    services, workloads = _made(chosen, rules, previous)
    known = _members(found, submariner.brokers)
    clusters = _clusters(found, local, known, services.values(), submariner)
    servers = name_servers(objects, found)
    made = _snapshot(identity, submariner, clusters, services, servers)
    findings = {*identity.findings, *found.foreign(), *overlap_findings(made)}
    findings.update(unknown_local(local, known), submariner.findings(now))
    return Discovered(
        inventory=made,
        workloads=workloads,
        findings=frozenset(findings),
        remembered=submariner.remembered,
        rules=rules,
        parts=chosen,
    )


def _snapshot(
    identity: Identity,
    submariner: Installation,
    clusters: Mapping[str, Cluster],
    services: Mapping[ServiceName, Service],
    servers: tuple[tuple[Address, int], ...],
) -> Inventory:
    return Inventory(
        local=identity.cluster,
        clusters=clusters,
        services=services,
        profile=submariner.profile,
        version=submariner.version,
        knows_local=submariner.knows_local,
        knows_gateways=submariner.knows_gateways,
        karmada_cluster=identity.karmada_cluster,
        lighthouse=servers,
    )


def _gather(found: Found, brokers: frozenset[str]) -> dict[ServiceName, ServiceParts]:
    imports = found.of(ServiceImport, "serviceimports", "gke_serviceimports")
    slices = found.of(ImportedSlice, "imported_slices")
    # Where Lighthouse runs, it reads its own slices only.
    own = [each for each in slices if each.manager == LIGHTHOUSE_MANAGER]
    return gather(
        found.of(ServiceExport, "serviceexports", "gke_serviceexports"),
        (each for each in imports if each.namespace not in brokers),
        own or slices,
        found.of(LocalService, "services"),
        found.of(LocalSlice, "local_slices"),
    )


def _selected(
    all_parts: Mapping[ServiceName, ServiceParts], selection: Selection
) -> dict[ServiceName, ServiceParts]:
    return {
        name: all_parts[name]
        for name in sorted(all_parts)
        if selection.wants_namespace(name.namespace)
        and selection.wants_labels(all_parts[name].labels)
    }


def _made(
    chosen: Mapping[ServiceName, ServiceParts], rules: Rules, previous: Discovered | None
) -> tuple[dict[ServiceName, Service], dict[ServiceName, Workload]]:
    services: dict[ServiceName, Service] = {}
    workloads: dict[ServiceName, Workload] = {}
    kept = previous if previous is not None and previous.rules == rules else None
    for name, parts in chosen.items():
        same = kept if kept is not None and kept.parts.get(name) == parts else None
        services[name] = build(parts, rules) if same is None else same.inventory.services[name]
        if parts.export is not None:
            workloads[name] = workload(parts) if same is None else same.workloads[name]
    return services, workloads


def _members(found: Found, brokers: frozenset[str]) -> dict[str, Member]:
    return members(
        (each for each in found.of(TunnelEnd, "endpoints") if each.namespace not in brokers),
        (each for each in found.of(Member, "clusters") if each.namespace not in brokers),
    )


def _clusters(
    found: Found,
    local: str,
    known: Mapping[str, Member],
    services: Iterable[Service],
    submariner: Installation,
) -> dict[str, Cluster]:
    exporters = {export.cluster for service in services for export in service.exports}
    reached = frozenset[str]() if submariner.tunnels is None else submariner.tunnels.connected
    ids = sorted({local, *known, *exporters, *reached})
    clusters = {each: _cluster(each, known.get(each), submariner) for each in ids}
    clusters[local] = with_nodes(clusters[local], found.of(Node, "nodes"))
    return clusters


def _cluster(cluster: str, member: Member | None, submariner: Installation) -> Cluster:
    bare = Cluster(id=cluster)
    if member is not None:
        bare = replace(
            bare,
            pod_cidrs=member.pod_cidrs,
            service_cidrs=member.service_cidrs,
            global_cidrs=member.global_cidrs,
        )
    if submariner.tunnels is None:
        return bare
    return replace(
        bare,
        connected=cluster in submariner.tunnels.connected,
        answered=cluster in submariner.remembered.connected,
        latency=submariner.tunnels.latency.get(cluster),
    )
