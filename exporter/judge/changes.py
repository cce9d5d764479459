"""Finds what changed about a service from one inventory to the next."""

from exporter.model.clusterset import Export, Inventory, Service
from exporter.model.verdicts import Reason


def _reason_of_export(was: Export | None, now: Export | None) -> Reason:
    if was is now:
        return Reason.UNKNOWN
    return Reason.EXPORT if was is None else Reason.UNEXPORT


def named_export(service: Service, cluster: str) -> Export | None:
    """Return the export of *cluster*; None also for one that the name server does not know."""
    export = service.export_of(cluster)
    return export if export is not None and export.named else None


def reach(inventory: Inventory, service: Service) -> frozenset[str]:
    """Return the exporting clusters of *service* that can be reached from the local cluster."""
    return inventory.connected & {export.cluster for export in service.exports}


def reason(
    moved: frozenset[str], before: Service, after: Service, old: Inventory, new: Inventory
) -> Reason:
    """Return what changed about *moved*: the clusters that became right, or stopped being so."""
    reasons = set()
    for cluster in moved:
        was, now = named_export(before, cluster), named_export(after, cluster)
        if was is None or now is None:
            reasons.add(_reason_of_export(was, now))
        elif (was.ready, was.backed) != (now.ready, now.backed):
            reasons.add(Reason.READINESS)
        elif (cluster in old.answered) != (cluster in new.answered):
            reasons.add(Reason.CONNECTION)
    order = (Reason.UNEXPORT, Reason.EXPORT, Reason.READINESS, Reason.CONNECTION)
    return next((each for each in order if each in reasons), Reason.UNKNOWN)
