"""
Which service a request was for, by its host or by the name that a gateway has for its upstream.

Source: ingress-nginx, `upstreamName` (namespace-service-port); Traefik, pkg/provider/kubernetes
(the same and @provider); Istio, BuildSubsetKey (direction|port|subset|host).
"""

import re
from collections.abc import Mapping

from exporter.model.clusterset import Inventory, Service, ServiceName
from exporter.model.probes import Question

ServicesByName = Mapping[str, ServiceName]
"""Services by hosts, or by names of upstreams, as `plain_name` returns them."""
NO_NAMES: ServicesByName = {}
_PORT = re.compile(r":\d{1,5}$")


def plain_name(text: str) -> str:
    """Return a host, or the name of an upstream, without a port and in lower case."""
    return _PORT.sub("", text).lower().removesuffix(".")


def named_service(
    text: str,
    names: ServicesByName,
    inventory: Inventory,
    domain: str,
    *,
    by_upstream: bool,
    by_route: bool = False,
) -> Question | None:
    """
    Return the service that *text* names, and the cluster if it names one, too; None for neither.

    Args:
        text: The host of a request, or the name that a gateway has for an upstream.
        names: ServicesByName whose services the configuration tells.
        inventory: A service that is not in it is none.
        domain: The zone of the clusterset names.
        by_upstream: Whether *text* is the name of an upstream.
        by_route: Whether the routes of the inventory tell the service of a host, too.
    """
    told = names.get(plain_name(text)) if names else None
    if told is not None:
        asked: Question | None = Question(told)
    elif by_upstream:
        asked = _of_upstream(text.partition("@")[0], inventory, domain)
    elif by_route and (routed := inventory.routes.services(plain_name(text))):
        # A route counts before a clusterset name, because the gateway sends by it.
        only = next(iter(routed)) if len(routed) == 1 else None
        asked = None if only is None else Question(only)
    else:
        asked = Question.of_name(text, domain)
    return asked if asked is not None and asked.service in inventory.services else None


def _of_upstream(text: str, inventory: Inventory, domain: str) -> Question | None:
    # Since 1.25 Istio ends names with a semicolon.
    host = text.rpartition("|")[2].removesuffix(";")
    asked = Question.of_name(host, domain)
    if asked is not None:
        return asked
    labels = host.lower().split(".")
    if labels[2:3] == ["svc"]:
        return Question(ServiceName(labels[1], labels[0]))
    # Both parts may hold dashes, so it is asked which services it could be.
    found = [name for name, each in inventory.services.items() if _is_joined(text, each)]
    return Question(found[0]) if len(found) == 1 else None


def _is_joined(text: str, service: Service) -> bool:
    """Return whether *text* is namespace, service and port of *service*, joined by dashes."""
    start = f"{service.name.namespace}-{service.name.name}-"
    port = text.removeprefix(start)
    known = port.isdigit() or any(port == each.name for each in service.ports)
    return text.startswith(start) and known
