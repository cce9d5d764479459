"""Checks whether SRV records agree with the inventory."""

from exporter.model.clusterset import Service
from exporter.model.probes import Answer


def agrees(service: Service, name: str, answer: Answer) -> bool:
    """
    Return whether the SRV records in *answer* point to *name* or hosts below it, at known ports.

    For a service with an address of its own, Lighthouse answers the name itself. For a headless
    service, it answers a name for each pod below that name. All have the same priority and
    weight.

    Source: Lighthouse 0.15 to 0.20, "coredns/plugin/record.go".
    """
    known = {port.port for port in service.ports}
    shares = {(each.priority, each.weight) for each in answer.services}
    return len(shares) <= 1 and all(
        (each.target == name or each.target.endswith(f".{name}"))
        and (not known or each.port in known)
        for each in answer.services
    )
