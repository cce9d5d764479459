"""What is to be probed: inventory and settings to names, ports and requests."""

from collections.abc import Iterator

from exporter.model import Inventory, Profile, Question, Service
from exporter.probe.http import Request
from exporter.probe.schedule import Target
from exporter.settings import HttpSettings, Settings


def targets(inventory: Inventory, wanted: Settings) -> Iterator[Target]:
    """Yield the names to probe: of each service the plain one and one per exporting cluster."""
    for service in inventory.services.values():
        how = wanted.probe.for_service(service.name)
        if not (how.enabled and service.probed):
            continue
        named = wanted.probe.pinned and inventory.profile is Profile.SUBMARINER
        pinned = [export.cluster for export in service.exports] if named else []
        for cluster in (None, *pinned):
            question = Question(service.name, cluster)
            yield Target(
                question=question,
                name=question.dns_name(wanted.clusterset_domain),
                port=_port(service, how.http),
                request=None if how.http is None else _request(how.http),
            )


def _port(service: Service, http: HttpSettings | None) -> int | None:
    if http is not None and http.port is not None:
        return http.port
    by_name = {port.name: port.port for port in reversed(service.ports)}
    return by_name.get("http", service.ports[0].port if service.ports else None)


def _request(http: HttpSettings) -> Request:
    return Request(method=http.method, path=http.path, expected=http.expected(), host=http.host)
