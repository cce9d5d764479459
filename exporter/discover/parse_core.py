"""
Kubernetes' own objects as JSON, parsed to the few fields that are kept.

Each object is parsed once, when it arrives. Each function returns None for an object that is not
wanted, and raises ValueError, TypeError or KeyError for a broken one.
"""

from collections.abc import Iterator
from itertools import chain

from exporter.apiserver.annotations import LOG_CONTAINER, LOG_FORMAT
from exporter.apiserver.json_fields import (
    Json,
    address,
    addresses,
    labels,
    mapping,
    networks,
    objects,
    port_number,
    service_name,
    tcp_ports,
    text,
    texts,
    truth,
)
from exporter.discover.api_types import LocalService, LocalSlice, Node
from exporter.discover.parse_karmada import PROVISION_CLUSTER
from exporter.discover.parse_submariner import LIGHTHOUSE_DNS
from exporter.model.clusterset import Address, ServiceName

PROBE_ANNOTATION = "clusterset-exporter/probe"
SOURCE_CLUSTER = "multicluster.kubernetes.io/source-cluster"
"""The label of a slice that a clusterset's controller made, not Kubernetes."""
_KUBERNETES_SERVICE = "kubernetes.io/service-name"
_HEADLESS_SERVICE = "service.kubernetes.io/headless"


def parse_service(found: Json) -> LocalService | None:
    """Keep a Service, unless it is only an alias for another name."""
    meta, spec = mapping(found, "metadata"), mapping(found, "spec")
    if text(spec, "type") == "ExternalName":
        return None
    notes = mapping(meta, "annotations")
    ips = dict.fromkeys([*texts(spec, "clusterIPs"), text(spec, "clusterIP")])
    return LocalService(
        service=own_name(meta),
        labels=labels(meta, "labels"),
        probed=is_probed(meta),
        headless="None" in ips,
        ips=tuple(address(ip) for ip in ips if ip not in {"", "None"}),
        ports=tcp_ports(spec, "ports"),
        log_container=text(notes, LOG_CONTAINER),
        log_format=text(notes, LOG_FORMAT),
    )


def parse_local_slice(found: Json) -> LocalSlice | None:
    """Keep the counts and pod names of a slice of a Service of this cluster, without endpoints."""
    meta = mapping(found, "metadata")
    tags = mapping(meta, "labels")
    if _KUBERNETES_SERVICE not in tags or SOURCE_CLUSTER in tags:
        return None
    if text(found, "addressType") == "FQDN":
        return None
    endpoints = list(objects(found, "endpoints"))
    ready = [is_ready(endpoint) for endpoint in endpoints]
    headless = _HEADLESS_SERVICE in tags
    is_dns = text(tags, _KUBERNETES_SERVICE) == LIGHTHOUSE_DNS
    return LocalSlice(
        service=service_name(text(meta, "namespace"), text(tags, _KUBERNETES_SERVICE)),
        family=text(found, "addressType"),
        ready=sum(ready),
        not_ready=len(ready) - sum(ready),
        addresses=addresses_by_readiness(found)[0] if headless or is_dns else (),
        pods=" ".join(sorted(set(_pods(endpoints)))),
        ports=tuple(
            port_number(port, "port")
            for port in objects(found, "ports")
            if port.get("port") is not None
        ),
        karmada_cluster=text(mapping(meta, "annotations"), PROVISION_CLUSTER),
    )


def parse_node(found: Json) -> Node:
    """Keep the IP addresses and pod networks of a node."""
    spec, status = mapping(found, "spec"), mapping(found, "status")
    pod_cidrs = networks(spec, "podCIDRs") or networks(
        {"podCIDRs": _one(spec, "podCIDR")}, "podCIDRs"
    )
    return Node(
        addresses=tuple(
            address(text(each, "address"))
            for each in objects(status, "addresses")
            if text(each, "type") in {"InternalIP", "ExternalIP"}
        ),
        pod_cidrs=pod_cidrs,
    )


def own_name(meta: Json) -> ServiceName:
    """Return the name of the service that an object with this metadata speaks of."""
    return service_name(text(meta, "namespace"), text(meta, "name"))


def is_probed(meta: Json) -> bool:
    """Return whether no annotation excludes the object from probing."""
    return text(mapping(meta, "annotations"), PROBE_ANNOTATION).lower() != "false"


def is_ready(endpoint: Json) -> bool:
    """Return whether an endpoint is ready: Kubernetes counts one without a condition as ready."""
    return truth(mapping(endpoint, "conditions"), "ready") is not False


def addresses_by_readiness(found: Json) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Return the addresses of the ready endpoints of a slice, and those of the others."""
    by_readiness: dict[bool, list[tuple[Address, ...]]] = {True: [], False: []}
    for endpoint in objects(found, "endpoints"):
        by_readiness[is_ready(endpoint)].append(addresses(endpoint, "addresses"))
    return tuple(chain(*by_readiness[True])), tuple(chain(*by_readiness[False]))


def _pods(endpoints: list[Json]) -> Iterator[str]:
    for endpoint in endpoints:
        target = mapping(endpoint, "targetRef")
        if text(target, "kind") == "Pod":
            yield text(target, "name")


def _one(parent: Json, key: str) -> list[str]:
    return [text(parent, key)] if text(parent, key) else []
