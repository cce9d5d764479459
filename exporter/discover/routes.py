"""The hosts that HTTPRoutes and Ingresses route, and those that lead to no single service."""

from collections.abc import Collection, Iterator

from exporter.discover.api_types import RouteObject
from exporter.discover.findings import Finding, FindingKind
from exporter.discover.resources import Found
from exporter.model.clusterset import ServiceName
from exporter.model.routes import HostRoutes, Route

MAX_NAMED = 3
"""Services, and objects, that a finding names."""


def host_routes(found: Found) -> HostRoutes:
    """Return what all HTTPRoutes and Ingresses say."""
    objects = found.of(RouteObject, "httproutes", "ingresses")
    routes = (route for each in objects for route in each.routes)
    return HostRoutes(
        tuple(sorted(routes, key=lambda each: (each.host, each.gateway, each.origin)))
    )


def route_findings(
    routes: HostRoutes, services: Collection[ServiceName], told: Collection[str]
) -> Iterator[Finding]:
    """
    Yield a finding for each host whose service is not known, and each HTTPRoute without a host.

    Args:
        routes: All of them.
        services: Those of the clusterset; hosts that lead only to others do not matter.
        told: Hosts whose services the configuration tells.
    """
    for host in sorted({each.host for each in routes.routes}.difference(told)):
        leads = routes.services(host)
        if len(leads) > 1 and leads.intersection(services):
            about = f"host {host}" if host else "all other hosts"
            yield Finding(FindingKind.SHARED_HOST, about, _shared(routes.of(host)))
    for origin in sorted({each.origin for each in routes.routes if _is_open(each)}):
        text = "names no host, so it may get requests for any; give it hostnames"
        yield Finding(FindingKind.ROUTE_WITHOUT_HOST, origin, text)


def _is_open(route: Route) -> bool:
    return not route.host and route.services == {None}


def _shared(routes: tuple[Route, ...]) -> str:
    services = {service for each in routes for service in each.services}
    names = sorted(map(str, services - {None}))
    more = ["what is no Service or not known"] if None in services else []
    return (
        f"leads to {_list([*names, *more])} by {_list(sorted({each.origin for each in routes}))}, "
        "so the host does not tell the service of a request; if one is meant, name it in services"
    )


def _list(names: list[str]) -> str:
    more = len(names) - MAX_NAMED
    shown = [*names[:MAX_NAMED], *([f"{more} more"] if more > 0 else [])]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
