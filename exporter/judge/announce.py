"""Puts a failover, a blackout, a leak and their end into words for whoever is on call."""

from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.probes import Failure
from exporter.model.verdicts import Failover, FailoverStage, Reason

_FAILED = {
    Failure.TIMEOUT: "the name server does not reply",
    Failure.UNREACHABLE: "the name server cannot be reached",
    Failure.NXDOMAIN: "the name server does not know the name",
    Failure.NODATA: "the name server has no address for the name",
    Failure.SERVFAIL: "the name server fails",
    Failure.REFUSED: "the name server refuses the question",
    Failure.CONNECT_TIMEOUT: "the address that is answered does not accept connections in time",
    Failure.CONNECT_REFUSED: "the address that is answered refuses connections",
    Failure.CONNECT_UNREACHABLE: "there is no route to the address that is answered",
    Failure.REPLY_TIMEOUT: "the address that is answered does not reply in time",
    Failure.REPLY_STATUS: "the reply has a status that is not expected",
    Failure.REPLY_BODY: "the reply has a body that is not expected",
    Failure.TLS_EXPIRED: "the certificate of the server has expired",
    Failure.TLS_FAILED: "the certificate of the server is not trusted",
}


def moved(failover: Failover, inventory: Inventory) -> str:
    """Say who serves now, why, and how long the move took."""
    local, to = inventory.local, failover.to_cluster
    again = " again" if to == local else ""
    return (
        f"Clients in cluster {local} are now served by {to}{again} instead of "
        f"{failover.from_cluster}: {_cause(failover, inventory)} ({_took(failover)})"
    )


def blackout_began(
    service: ServiceName, inventory: Inventory, right: frozenset[str], failure: Failure | None
) -> str:
    """Say that no cluster serves, whether one should, and what probes see."""
    if right:
        should = f"{' or '.join(sorted(right))} should serve"
    else:
        should = "no cluster that exports it is ready and connected"
    seen = "" if failure is None else f", and {_FAILED.get(failure, 'probes fail')} ({failure})"
    return f"Clients in cluster {inventory.local} get no service from {service}: {should}{seen}"


def blackout_ended(inventory: Inventory, serving: str | None, seconds: float) -> str:
    """Say who serves again, and for how long nobody did."""
    by = f" by {serving}" if serving else ""
    told = f"Clients in cluster {inventory.local} are served again{by}"
    return f"{told}; nobody served them for {seconds:.1f} s"


def leak_began(inventory: Inventory, source: str, *, host_logged: bool) -> str:
    """Say whose requests are served here although they should not be, if that is certain."""
    unless = (
        ""
        if host_logged
        else f", unless they ask for {inventory.local} by its pinned name: the log has no $host"
    )
    return (
        f"Clients in cluster {source} are served by {inventory.local} although {source} exports "
        f"the service and is ready; they should stay in {source} (leak{unless})"
    )


def leak_ended(inventory: Inventory, source: str, requests: int, quiet: float) -> str:
    """Say that the requests of *source* stay there, by how long none came."""
    leaked = "1 request" if requests == 1 else f"{requests} requests"
    return (
        f"No client in cluster {source} was wrongly served by {inventory.local} for "
        f"{quiet / 60:.0f} minutes; before that, {leaked} leaked"
    )


def gateway_leak_began(inventory: Inventory, destination: str, *, host_logged: bool) -> str:
    """Say where a gateway here sends requests although it should not, if that is certain."""
    local = inventory.local
    unless = (
        ""
        if host_logged
        else f", unless they ask for {destination} by its pinned name: the log has no $host"
    )
    return (
        f"A gateway in cluster {local} sends requests to {destination} although {local} exports "
        f"the service and is ready; they should stay in {local} (leak{unless})"
    )


def gateway_leak_ended(inventory: Inventory, destination: str, requests: int, quiet: float) -> str:
    """Say that gateways send no request away any more, by how long none was."""
    leaked = "1 request" if requests == 1 else f"{requests} requests"
    return (
        f"No gateway in cluster {inventory.local} wrongly sent requests to {destination} for "
        f"{quiet / 60:.0f} minutes; before that, {leaked} leaked"
    )


def _cause(failover: Failover, inventory: Inventory) -> str:
    service = inventory.services.get(failover.service)
    before = None if service is None else service.export_of(failover.from_cluster)
    old, new = failover.from_cluster, failover.to_cluster
    return {
        # Both may have changed by now; who serves no longer is what people ask about.
        Reason.READINESS: (
            f"the endpoints in {old} are not ready"
            if before is not None and not before.ready
            else f"the endpoints in {new} became ready"
        ),
        Reason.CONNECTION: (
            f"the tunnel to {old} is down"
            if old not in inventory.connected
            else f"the tunnel to {new} is up"
        ),
        Reason.EXPORT: f"{new} exports the service now",
        Reason.UNEXPORT: f"{old} does not export the service any more",
        Reason.UNKNOWN: "no change that Kubernetes shows explains it",
    }[failover.reason]


def _took(failover: Failover) -> str:
    served = failover.durations.get(FailoverStage.SERVED)
    outage = failover.durations.get(FailoverStage.OUTAGE, 0.0)
    if served is None:
        return "how long it took is not known"
    told = f"it took {served:.1f} s"
    return f"{told}, without service for {outage:.1f} s" if outage else told
