"""Finds in the inventory what would break the next failover of a service, or its verdict."""

from exporter.judge.expect import is_silent, prefers_nobody
from exporter.judge.versions import reads_endpoint_slices
from exporter.model.clusterset import Inventory, Profile, Service
from exporter.model.verdicts import Hazard, Policy


def hazards(
    inventory: Inventory,
    service: Service,
    overlapping: frozenset[str],
    *,
    pinned: bool,
    policy: Policy = Policy.LOCAL,
    hostless: bool = False,
) -> frozenset[Hazard]:
    """
    Return the hazards of *service* for its clients in the local cluster.

    Args:
        inventory: The clusterset as the local cluster sees it.
        service: One of its services.
        overlapping: The clusters that `overlapping_clusters` returns for *inventory*.
        pinned: Whether pinned names are probed.
        policy: Whether its clients should stay in their cluster.
        hostless: Whether the format of a log of its requests here has no host.
    """
    exporters = {export.cluster for export in service.exports}
    here = inventory.local in exporters
    found = {
        # Lighthouse treats endpoints that Karmada copied from other clusters as local ones.
        Hazard.KARMADA_ENDPOINTS: here
        and bool(service.karmada_endpoints)
        and inventory.profile is Profile.SUBMARINER
        and reads_endpoint_slices(inventory.version),
        Hazard.OVERLAPPING_CIDRS: bool(overlapping & (exporters | {inventory.local})),
        Hazard.STALE_GATEWAY: bool((inventory.answered - inventory.connected) & exporters),
        Hazard.HEADLESS_NO_LOCAL: service.headless and here and len(exporters) > 1,
        Hazard.OLD_LIGHTHOUSE_SILENT_NXDOMAIN: is_silent(inventory),
        Hazard.NO_PINNED_NAMES: not pinned or inventory.profile is not Profile.SUBMARINER,
        Hazard.SINGLE_CLUSTER: len(exporters) == 1,
        Hazard.NO_HOST_IN_LOG: hostless and needs_host(inventory, service, policy),
    }
    return frozenset(hazard for hazard, holds in found.items() if holds)


def needs_host(inventory: Inventory, service: Service, policy: Policy) -> bool:
    """
    Return whether only the host of a request tells that it was pinned, and did not leak.

    This is so where pinned names exist, the local cluster exports *service*, and a crossing from
    another exporting cluster would be a leak.
    """
    exporters = {export.cluster for export in service.exports}
    return (
        inventory.local in exporters
        and len(exporters) > 1
        and not prefers_nobody(inventory, service, policy)
    )
