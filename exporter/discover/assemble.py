"""
The inventory that the API objects make.

A pure function of objects, the wall clock and what Lighthouse is thought to remember.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from exporter.config.label_selector import EVERYTHING, Selection
from exporter.discover.api_types import (
    Gateway,
    ImportedSlice,
    LocalService,
    LocalSlice,
    Member,
    Node,
    ServiceExport,
    ServiceImport,
    Submariner,
    TunnelEnd,
)
from exporter.discover.clusters import members, overlap_findings, unknown_local, with_nodes
from exporter.discover.findings import Finding
from exporter.discover.gateways import Remembered, Tunnels, gateway_findings, tunnels
from exporter.discover.identity import Identity
from exporter.discover.parse_submariner import (
    BROKER_NAMESPACE,
    LIGHTHOUSE_DNS,
    LIGHTHOUSE_MANAGER,
    OPERATOR_NAMESPACE,
)
from exporter.discover.resources import Found, Objects
from exporter.discover.services import Parts, Rules, build, gather, workload
from exporter.judge.versions import looks_for_submariner
from exporter.model.clusterset import (
    Address,
    Cluster,
    Inventory,
    Profile,
    Service,
    ServiceName,
    Version,
    Workload,
)

MAX_NAME_SERVERS = 10
"""Replicas of Lighthouse that are asked: each is asked for all names."""


@dataclass(frozen=True, kw_only=True)
class Discovered:
    """What the objects say."""

    inventory: Inventory
    workloads: Mapping[ServiceName, Workload]
    """What stands behind each service that the local cluster exports."""
    findings: frozenset[Finding]
    remembered: Remembered
    """What Lighthouse is thought to know of tunnels."""
    rules: Rules
    parts: Mapping[ServiceName, Parts]
    """What each service was made of, so that only what changes is made again."""

    def with_findings(self, more: Iterable[Finding]) -> "Discovered":
        """Return the same with *more* findings."""
        return replace(self, findings=self.findings | frozenset(more))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """Submariner as it stands here."""

    gateways: list[Gateway]
    submariners: list[Submariner]
    brokers: frozenset[str]
    """Namespaces in which a broker keeps its copies of everything."""
    version: Version | None
    tunnels: Tunnels | None
    """None where nothing tells whether there are any."""
    remembered: Remembered
    knows_gateways: bool


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

    A service is in it if the local cluster exports or imports it and *selection* wants it.

    Args:
        objects: What is kept of each resource that is served.
        identity: Which cluster this is.
        now: Unix seconds, to tell a gateway that speaks from one that fell silent.
        previous: What the last call returned: Lighthouse remembers, and so must this.
        selection: The services wanted.
    """
    found, local = Found(objects), identity.cluster
    remembered = Remembered() if previous is None else previous.remembered
    network = _network(found, remembered, now)
    profile = _profile(found)
    rules = Rules(local=local, profile=profile, version=network.version)
    chosen = _selected(_gather(found, network.brokers), selection)
    services, workloads = _made(chosen, rules, previous)
    known = _members(found, network.brokers)
    clusters = _clusters(local, known, services.values(), network)
    clusters[local] = with_nodes(clusters[local], found.of(Node, "nodes"))
    made = Inventory(
        local=local,
        clusters=clusters,
        services=services,
        profile=profile,
        version=network.version,
        knows_local=_knows_local(network),
        knows_gateways=network.knows_gateways or profile is not Profile.SUBMARINER,
        karmada_cluster=identity.karmada_cluster,
        lighthouse=_name_servers(objects, found),
    )
    findings = {*identity.findings, *found.foreign(), *overlap_findings(made)}
    findings.update(unknown_local(local, known), _gateway_findings(network, now))
    return Discovered(
        inventory=made,
        workloads=workloads,
        findings=frozenset(findings),
        remembered=network.remembered,
        rules=rules,
        parts=chosen,
    )


def _gateway_findings(network: _Network, now: float) -> Iterator[Finding]:
    if network.tunnels is not None:
        yield from gateway_findings(network.gateways, now=now)


def _network(found: Found, remembered: Remembered, now: float) -> _Network:
    submariners, gateways = found.of(Submariner, "submariners"), found.of(Gateway, "gateways")
    version = _version(gateways, submariners)
    # Lighthouse looks once, when it starts, for a Submariner object; up to 0.14 it did not. Where
    # we may not see those, a gateway is proof enough.
    blind = not found.served("submariners") or not looks_for_submariner(version)
    knows = bool(submariners) or (blind and bool(gateways))
    return _Network(
        gateways=gateways,
        submariners=submariners,
        brokers=frozenset({BROKER_NAMESPACE, *(each.broker_namespace for each in submariners)}),
        version=version,
        tunnels=tunnels(gateways, now=now) if submariners or gateways else None,
        remembered=remembered.after(gateways, version),
        knows_gateways=knows,
    )


def _name_servers(objects: Objects, found: Found) -> tuple[tuple[Address, int], ...]:
    """Return each replica of Lighthouse's name server that is where Submariner is."""
    # A Service of that name elsewhere is somebody else's, who is asked nothing.
    namespaces = {key.partition("/")[0] for key in objects.get("submariners", ())}
    each = {
        (address, piece.ports[0])
        for piece in found.of(LocalSlice, "local_slices")
        if piece.service.name == LIGHTHOUSE_DNS
        and piece.service.namespace in (namespaces or {OPERATOR_NAMESPACE})
        and piece.ports
        for address in piece.addresses
    }
    return tuple(sorted(each, key=lambda one: (one[0].version, one))[:MAX_NAME_SERVERS])


def _version(gateways: list[Gateway], submariners: list[Submariner]) -> Version | None:
    running = sorted(gateways, key=lambda each: not each.active)
    told = [*(each.version for each in running), *(each.version for each in submariners)]
    return next((version for version in told if version is not None), None)


def _knows_local(network: _Network) -> bool:
    # The operator tells Lighthouse the name that the Submariner object has.
    named = any(each.cluster for each in network.submariners)
    return network.remembered.knows_local or named or not network.submariners


def _profile(found: Found) -> Profile:
    """Return whose name server answers: Submariner's wherever there is a sign of it."""
    slices = found.of(ImportedSlice, "imported_slices")
    signs = (found.of(Gateway, "gateways"), found.of(Member, "clusters"))
    named = found.of(Submariner, "submariners")
    if any(signs) or named or any(each.manager == LIGHTHOUSE_MANAGER for each in slices):
        return Profile.SUBMARINER
    if found.of(ServiceImport, "gke_serviceimports"):
        return Profile.GKE
    derived = any(each.derived for each in found.of(ServiceImport, "serviceimports"))
    if derived or any(each.manager.endswith(".cilium.io") for each in slices):
        return Profile.CILIUM
    return Profile.SUBMARINER


def _gather(found: Found, brokers: frozenset[str]) -> dict[ServiceName, Parts]:
    imports = found.of(ServiceImport, "serviceimports", "gke_serviceimports")
    slices = found.of(ImportedSlice, "imported_slices")
    # Where Lighthouse runs, it goes by its own slices only.
    own = [each for each in slices if each.manager == LIGHTHOUSE_MANAGER]
    return gather(
        found.of(ServiceExport, "serviceexports", "gke_serviceexports"),
        (each for each in imports if each.namespace not in brokers),
        own or slices,
        found.of(LocalService, "services"),
        found.of(LocalSlice, "local_slices"),
    )


def _selected(
    all_parts: Mapping[ServiceName, Parts], selection: Selection
) -> dict[ServiceName, Parts]:
    return {
        name: all_parts[name]
        for name in sorted(all_parts)
        if selection.wants_namespace(name.namespace)
        and selection.wants_labels(all_parts[name].labels)
    }


def _made(
    chosen: Mapping[ServiceName, Parts], rules: Rules, previous: Discovered | None
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
    local: str, known: Mapping[str, Member], services: Iterable[Service], network: _Network
) -> dict[str, Cluster]:
    exporters = {export.cluster for service in services for export in service.exports}
    reached = frozenset[str]() if network.tunnels is None else network.tunnels.connected
    ids = sorted({local, *known, *exporters, *reached})
    return {each: _cluster(each, known.get(each), network) for each in ids}


def _cluster(cluster: str, member: Member | None, network: _Network) -> Cluster:
    bare = Cluster(id=cluster)
    if member is not None:
        bare = replace(
            bare,
            pod_cidrs=member.pod_cidrs,
            service_cidrs=member.service_cidrs,
            global_cidrs=member.global_cidrs,
        )
    if network.tunnels is None:
        return bare
    return replace(
        bare,
        connected=cluster in network.tunnels.connected,
        answered=cluster in network.remembered.connected,
        latency=network.tunnels.latency.get(cluster),
    )
