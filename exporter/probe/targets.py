"""The targets of probes: inventory and plan in, names with ports and requests out."""

import re
import ssl
from collections.abc import Iterator
from functools import lru_cache

from exporter.config.http_settings import HttpSettings
from exporter.config.probe_settings import ServiceProbe
from exporter.model.clusterset import Inventory, Profile, Service
from exporter.model.probes import Lookup, Question, Record, Vantage
from exporter.probe.http import Request
from exporter.probe.plan import ProbePlan
from exporter.probe.probe import Target
from exporter.probe.resolve import Server
from exporter.probe.tcp import TcpRequest
from exporter.probe.tls import Tls

FURTHER_RESOLVERS = (Vantage.RESOLVER_2, Vantage.RESOLVER_3)
"""The name servers of the system after the first. As glibc, the exporter uses three at most."""


def targets(inventory: Inventory, plan: ProbePlan) -> Iterator[Target]:
    """
    Yield the names to probe.

    The plain name of each service, and one pinned name per exporting cluster, decide its
    verdicts. The plain name is also looked up in other ways and at other name servers, for
    comparison.
    """
    for service in inventory.services.values():
        how = plan.for_service(service.name)
        if how.enabled and service.probed:
            yield from _names(inventory, plan, service, how)
            yield from _comparisons(inventory, plan, service, how.interval)


def _names(
    inventory: Inventory, plan: ProbePlan, service: Service, how: ServiceProbe
) -> Iterator[Target]:
    named = plan.pinned and inventory.profile is Profile.SUBMARINER
    pinned = [export.cluster for export in service.exports] if named else []
    for cluster in (None, *pinned):
        question = Question(service.name, cluster, plan.record)
        yield Target(
            question=question,
            name=question.dns_name(plan.domain),
            port=_port(service, how),
            request=_request(plan, how),
            interval=how.interval,
            every_address=service.headless,
        )


def _comparisons(
    inventory: Inventory, plan: ProbePlan, service: Service, interval: float
) -> Iterator[Target]:
    servers = plan.lighthouse
    if servers is None:
        servers = tuple(Server(str(address), port) for address, port in inventory.lighthouse)
    name = Question(service.name).dns_name(plan.domain)
    others = [
        *((lookup, None, Vantage.RESOLVER) for lookup in plan.lookups),
        # The first one answers the probes that decide.
        *(
            (Lookup.A, server, vantage)
            for server, vantage in zip(plan.resolvers[1:], FURTHER_RESOLVERS, strict=False)
        ),
        *((Lookup.A, server, Vantage.LIGHTHOUSE) for server in servers),
    ]
    for lookup, server, vantage in others:
        record = Record.SRV if lookup is Lookup.SRV else plan.record
        yield Target(
            question=Question(service.name, None, record),
            name=name,
            port=None,
            request=None,
            interval=interval,
            lookup=lookup,
            vantage=vantage,
            server=server,
        )


def _port(service: Service, how: ServiceProbe) -> int | None:
    given = how.http if how.tcp is None else how.tcp
    if given is not None and given.port is not None:
        return given.port
    by_name = {port.name: port.port for port in reversed(service.ports)}
    usual = how.http.scheme if isinstance(given, HttpSettings) and how.http else ""
    return by_name.get(usual, service.ports[0].port if service.ports else None)


def _request(plan: ProbePlan, how: ServiceProbe) -> Request | TcpRequest | None:
    http = how.http
    if how.tcp is not None:
        return TcpRequest()
    if http is None:
        return None
    context = plan.tls[http.tls_config] if http.scheme == "https" else None
    return _http_request(http, context)


# Services with the same settings share one request, because each holds hundreds of status codes.
@lru_cache(256)
def _http_request(http: HttpSettings, context: ssl.SSLContext | None) -> Request:
    tls = None if context is None else Tls(context, http.tls_config.server_name)
    return Request(
        method=http.method,
        path=http.path,
        expected=http.expected(),
        body=None if http.expect_body is None else re.compile(http.expect_body.encode()),
        host=http.host,
        headers=http.headers,
        redirects=http.redirects,
        tls=tls,
    )
