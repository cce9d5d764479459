"""
Which cluster claims an address: the one place for this rule.

Attribution, hazards, findings, `check` and the check of a static inventory all read this module.

A cluster claims the networks that its clients' requests come from. The longest prefix wins, also
across clusters. If two clusters claim one and the same prefix, it belongs to neither: a conflict.

Networks that overlap are a hazard even without a conflict, because Submariner does not connect
such clusters. For this comparison service networks count, too. No client comes from them.

Source: submariner 0.19. Pod addresses are kept across clusters (route agent handlers); with
Globalnet a gateway rewrites them (globalnet controllers). Overlapping remote endpoints are skipped
(datastoresyncer.go), and with Globalnet an endpoint has its global networks alone
(local_endpoint.go).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import combinations

from exporter.model.clusterset import UNKNOWN, VTEP, Cluster, Inventory, Network

# Submariner's VXLAN devices use 240 and the last three octets of the node; its VXLAN cable driver
# uses 241. Neither leaves a cluster. Source: submariner 0.19, kubeproxy/constants.go and vxlan.go.
VTEP_NETWORKS = (ip_network("240.0.0.0/8"), ip_network("241.0.0.0/8"))

NOWHERE = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "240.0.0.0/4", "::/127", "fe80::/10"),
    )
)
"""Addresses that lead to another place in each host, or to none, unless a cluster claims them."""

Claim = tuple[Network, str]
"""A network, and the cluster id (or VTEP) that a client there belongs to."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two clusters with networks that overlap."""

    first: str
    first_network: Network
    second: str
    second_network: Network
    owners: frozenset[str]
    """Whom clients in both networks belong to: two claim them, one has them, or none come."""

    @property
    def shared(self) -> Network:
        """Return the addresses that are in both networks."""
        return max(self.first_network, self.second_network, key=lambda each: each.prefixlen)

    @property
    def consequence(self) -> str:
        """Return what follows for clients, as attribution treats them."""
        if len(self.owners) > 1:
            return "clients there belong to neither"
        if not self.owners:
            return "no clients come from there, but Submariner does not connect such clusters"
        (owner,) = self.owners
        return f"clients in {self.shared} belong to {owner}"


def claims(inventory: Inventory) -> Iterator[Claim]:
    """
    Yield each network that a client of a cluster may come from.

    A remote cluster with Globalnet is named by its global networks alone, because its pod addresses
    may repeat those of others. The local cluster is also named by its pods and nodes.
    """
    for cluster in inventory.clusters.values():
        networks = _client_networks(cluster, inventory.local)
        if cluster.id == inventory.local:
            networks += tuple(ip_network(address) for address in cluster.node_addresses)
        yield from ((network, cluster.id) for network in networks)
    yield from ((network, VTEP) for network in VTEP_NETWORKS)


def destination_claims(inventory: Inventory) -> Iterator[Claim]:
    """
    Yield each network that the local cluster can send requests to, and the cluster they reach.

    These are the networks that clients come from, and those of services. Those of services in a
    remote cluster with Globalnet are not reached from here.
    """
    yield from ((network, owner) for network, owner in claims(inventory) if owner != VTEP)
    for cluster in inventory.clusters.values():
        local = cluster.id == inventory.local
        networks = cluster.service_cidrs if local else _service_networks(cluster)
        yield from ((network, cluster.id) for network in networks)
    yield from ((network, UNKNOWN) for network in NOWHERE)


def conflicts(inventory: Inventory) -> dict[Network, frozenset[str]]:
    """Return each prefix that two or more claim, and who claims it."""
    return {
        network: owners for network, owners in _owners(claims(inventory)).items() if len(owners) > 1
    }


def conflicts_anywhere(clusters: Mapping[str, Cluster]) -> dict[Network, frozenset[str]]:
    """Return the conflicts that at least one of *clusters* sees: they all share one inventory."""
    found: dict[Network, frozenset[str]] = {}
    for local in clusters:
        for network, owners in conflicts(Inventory(local=local, clusters=clusters)).items():
            found[network] = found.get(network, frozenset()) | owners
    return found


def overlaps(inventory: Inventory) -> Iterator[Overlap]:
    """Yield each pair of overlapping networks of two clusters, conflicts included."""
    owners = _owners(claims(inventory))
    clusters = sorted(inventory.clusters.values(), key=lambda each: each.id)
    networks = {
        each.id: _client_networks(each, inventory.local) + _service_networks(each)
        for each in clusters
    }
    reported = set()
    for a, b in combinations(networks, 2):
        for one in networks[a]:
            for other in networks[b]:
                if one.version == other.version and one.overlaps(other):
                    reported.add((a, b, one, other))
                    yield Overlap(a, one, b, other, _owners_of_both(owners, one, other))
    for network, who in conflicts(inventory).items():
        for a, b in combinations(sorted(who), 2):
            if (a, b, network, network) not in reported:
                yield Overlap(a, network, b, network, who)


def overlapping_clusters(inventory: Inventory) -> frozenset[str]:
    """Return the clusters that have a network which overlaps one of another cluster."""
    found = {each for pair in overlaps(inventory) for each in (pair.first, pair.second)}
    return frozenset(found - {VTEP})


def _client_networks(cluster: Cluster, local: str) -> tuple[Network, ...]:
    if cluster.id == local or not cluster.global_cidrs:
        return (*cluster.global_cidrs, *cluster.pod_cidrs)
    return cluster.global_cidrs


def _service_networks(cluster: Cluster) -> tuple[Network, ...]:
    return () if cluster.global_cidrs else cluster.service_cidrs


def _owners(claimed: Iterable[Claim]) -> dict[Network, frozenset[str]]:
    owners: dict[Network, set[str]] = {}
    for network, owner in claimed:
        owners.setdefault(network, set()).add(owner)
    return {network: frozenset(who) for network, who in owners.items()}


def _owners_of_both(
    owners: Mapping[Network, frozenset[str]], one: Network, other: Network
) -> frozenset[str]:
    # The longest prefix wins. A service network is claimed by nobody.
    for network in sorted({one, other}, key=lambda each: -each.prefixlen):
        if network in owners:
            return owners[network]
    return frozenset()
