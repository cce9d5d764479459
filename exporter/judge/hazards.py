"""What would break a service's next failover, or the verdict on it, by the inventory alone."""

from collections.abc import Iterator
from itertools import combinations

from exporter.judge.expect import is_silent
from exporter.model.clusterset import Cluster, Inventory, Network, Profile, Service
from exporter.model.verdicts import Hazard


def hazards(
    inventory: Inventory, service: Service, overlapping: frozenset[str], *, pinned: bool
) -> frozenset[Hazard]:
    """
    Return the hazards of *service*, as its clients in the local cluster meet them.

    Args:
        inventory: The clusterset as the local cluster sees it.
        service: One of its services.
        overlapping: What `overlapping_clusters` says of *inventory*.
        pinned: Whether pinned names are probed.
    """
    exporters = {export.cluster for export in service.exports}
    here = inventory.local in exporters
    found = {
        # Lighthouse takes the endpoints that Karmada dispatched from elsewhere for local ones.
        Hazard.KARMADA_ENDPOINTS: here and bool(service.karmada_endpoints),
        Hazard.OVERLAPPING_CIDRS: bool(overlapping & (exporters | {inventory.local})),
        Hazard.STALE_GATEWAY: bool((inventory.answered - inventory.connected) & exporters),
        Hazard.HEADLESS_NO_LOCAL: service.headless and here and len(exporters) > 1,
        Hazard.OLD_LIGHTHOUSE_SILENT_NXDOMAIN: is_silent(inventory),
        Hazard.NO_PINNED_NAMES: not pinned or inventory.profile is not Profile.SUBMARINER,
        Hazard.SINGLE_CLUSTER: len(exporters) == 1,
    }
    return frozenset(hazard for hazard, holds in found.items() if holds)


def overlapping_clusters(inventory: Inventory) -> frozenset[str]:
    """Return the clusters that claim addresses which another one claims, too."""
    return frozenset(
        cluster.id
        for a, b in combinations(inventory.clusters.values(), 2)
        if _overlap(a, b)
        for cluster in (a, b)
    )


def _overlap(a: Cluster, b: Cluster) -> bool:
    return any(
        one.version == other.version and one.overlaps(other)
        for one in _claims(a)
        for other in _claims(b)
    )


def _claims(cluster: Cluster) -> Iterator[Network]:
    # Under Globalnet pods of two clusters may share addresses: that is what it is for.
    yield from cluster.global_cidrs or cluster.pod_cidrs
