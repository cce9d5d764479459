"""
HTTPRoutes and Ingresses as JSON, parsed to hosts and the services that they lead to.

Each function returns None for an object that is not in force, and raises ValueError or TypeError
for a broken one.
"""

import re
from collections.abc import Iterator

from exporter.apiserver.json_fields import Json, mapping, objects, service_name, text, texts, wrong
from exporter.discover.api_types import RouteObject
from exporter.model.clusterset import ServiceName
from exporter.model.routes import MAX_HOST, Route

_SERVICES = frozenset(
    {("", "Service"), ("multicluster.x-k8s.io", "ServiceImport"), ("net.gke.io", "ServiceImport")}
)
"""API groups and kinds that stand for a service of the clusterset, by its namespace and name."""
_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*")
_OLD_CLASS = "kubernetes.io/ingress.class"
_SOME_ONLY = ("headers", "queryParams", "method")
"""Conditions of a match beside its path."""


def parse_http_route(found: Json) -> RouteObject | None:
    """
    Keep the hosts of an HTTPRoute that a Gateway accepted.

    An HTTPRoute without hosts has those of the listeners of its Gateway. These are not read, so it
    may get requests for any host, and where they go is not known.

    Source: Gateway API, HTTPRouteSpec and RouteParentStatus.
    """
    meta, spec = mapping(found, "metadata"), mapping(found, "spec")
    namespace, origin = text(meta, "namespace"), f"HTTPRoute {_own_name(meta)}"
    gateways = sorted(set(_accepted(found, namespace)))
    if not gateways:
        return None
    services, whole = set[ServiceName | None](), False
    for rule in objects(spec, "rules"):
        sent = (each for each in objects(rule, "backendRefs") if each.get("weight") != 0)
        services.update(_backend(each, namespace) for each in sent)
        matches = list(objects(rule, "matches"))
        whole = whole or not matches or any(map(_takes_all, matches))
    hosts = {_host("hostnames", each) for each in texts(spec, "hostnames")}
    if not hosts:
        hosts, services, whole = {""}, {None}, False
    return RouteObject(
        routes=tuple(
            Route(
                origin=origin, gateway=gateway, host=host, services=frozenset(services), whole=whole
            )
            for gateway in gateways
            for host in sorted(hosts)
        )
    )


def parse_ingress(found: Json) -> RouteObject:
    """
    Keep the hosts of an Ingress.

    A wildcard stands for one label, but controllers differ, so shorter hosts may decide, too.

    Source: Kubernetes, IngressRule and "Ingress: hostname wildcards"; ingress-nginx, server_name.
    """
    meta, spec = mapping(found, "metadata"), mapping(found, "spec")
    namespace, origin = text(meta, "namespace"), f"Ingress {_own_name(meta)}"
    old = text(mapping(meta, "annotations"), _OLD_CLASS)
    services: dict[str, set[ServiceName | None]] = {}
    whole = set[str]()
    if mapping(spec, "defaultBackend"):
        services[""] = {_ingress_backend(mapping(spec, "defaultBackend"), namespace)}
    for rule in objects(spec, "rules"):
        host = _host("host", text(rule, "host")) if text(rule, "host") else ""
        for path in objects(mapping(rule, "http"), "paths"):
            backend = _ingress_backend(mapping(path, "backend"), namespace)
            services.setdefault(host, set()).add(backend)
            takes_all = (text(path, "pathType"), text(path, "path")) == ("Prefix", "/")
            if takes_all and not host.startswith("*."):
                whole.add(host)
    return RouteObject(
        routes=tuple(
            Route(
                origin=origin,
                gateway=f"class {text(spec, 'ingressClassName') or old}",
                host=host,
                services=frozenset(services[host]),
                whole=host in whole,
            )
            for host in sorted(services)
        )
    )


def _own_name(meta: Json) -> str:
    return f"{text(meta, 'namespace')}/{text(meta, 'name')}"


def _host(key: str, value: str) -> str:
    host = value.lower()
    if len(host) > MAX_HOST or not _HOST.fullmatch(host):
        raise ValueError(wrong(key, value, "a host such as shop.example.com or *.example.com"))
    return host


def _accepted(found: Json, namespace: str) -> Iterator[str]:
    """Yield the Gateways, or parts of them, that accepted an HTTPRoute."""
    for parent in objects(mapping(found, "status"), "parents"):
        ref = mapping(parent, "parentRef")
        kind = text(ref, "kind") or "Gateway"
        holds = any(
            text(each, "type") == "Accepted" and text(each, "status") == "True"
            for each in objects(parent, "conditions")
        )
        # A Service as the parent is about requests inside the cluster, which pass no gateway.
        if holds and kind != "Service":
            where = f"{text(ref, 'namespace') or namespace}/{text(ref, 'name')}"
            port = ref.get("port")
            part = f"{text(ref, 'sectionName')} {port if isinstance(port, int) else ''}".strip()
            yield f"{kind} {where} {part}".strip()


def _takes_all(match: Json) -> bool:
    path = mapping(match, "path")
    prefix = (text(path, "type") or "PathPrefix", text(path, "value") or "/")
    return prefix == ("PathPrefix", "/") and not any(match.get(key) for key in _SOME_ONLY)


def _backend(ref: Json, namespace: str) -> ServiceName | None:
    """Return the service that a reference names; None if it is something else."""
    if (text(ref, "group"), text(ref, "kind") or "Service") not in _SERVICES:
        return None
    return service_name(text(ref, "namespace") or namespace, text(ref, "name"))


def _ingress_backend(backend: Json, namespace: str) -> ServiceName | None:
    name, other = text(mapping(backend, "service"), "name"), mapping(backend, "resource")
    if name:
        return service_name(namespace, name)
    if (text(other, "apiGroup"), text(other, "kind")) not in _SERVICES:
        return None
    return service_name(namespace, text(other, "name"))
