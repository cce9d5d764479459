"""Finds in the inventory what would break the next failover of a service, or its verdict."""

from exporter.judge.expect import is_silent
from exporter.judge.versions import reads_endpoint_slices
from exporter.model.clusterset import Inventory, Profile, Service
from exporter.model.verdicts import Hazard


def hazards(
    inventory: Inventory, service: Service, overlapping: frozenset[str], *, pinned: bool
) -> frozenset[Hazard]:
    """
    Return the hazards of *service* for its clients in the local cluster.

    Args:
        inventory: The clusterset as the local cluster sees it.
        service: One of its services.
        overlapping: The clusters that `overlapping_clusters` returns for *inventory*.
        pinned: Whether pinned names are probed.
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
    }
    return frozenset(hazard for hazard, holds in found.items() if holds)
