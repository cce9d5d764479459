"""
API objects as JSON to what is kept of them: each object once, as it comes.

Each function returns None for an object that is not wanted, and raises ValueError, TypeError or
KeyError for one that is broken.
"""

import re
from collections.abc import Iterator
from itertools import chain

from exporter.apiserver.json_fields import (
    Json,
    Labels,
    address,
    addresses,
    cluster_id,
    dns_label,
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
from exporter.discover.api_types import (
    ImportedSlice,
    LocalService,
    LocalSlice,
    Node,
    ServiceExport,
    ServiceImport,
)
from exporter.model.clusterset import Address, Condition, Container, Pod, ServiceName

LIGHTHOUSE = "lighthouse-agent.submariner.io"
LIGHTHOUSE_DNS = "submariner-lighthouse-coredns"
"""The Service of the clusterset's name servers."""
PROBE = "clusterset-exporter/probe"
LOG_CONTAINER = "clusterset-exporter/log-container"
LOG_FORMAT = "clusterset-exporter/log-format"
KARMADA_NAMESPACE = "work.karmada.io/namespace"
KARMADA_PREFIX = "karmada-es-"
SERVICE_NAME = "multicluster.kubernetes.io/service-name"
_SOURCE_CLUSTER = "multicluster.kubernetes.io/source-cluster"
_DERIVED_SERVICE = "multicluster.kubernetes.io/derived-service"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_KUBERNETES_SERVICE = "kubernetes.io/service-name"
_HEADLESS_SERVICE = "service.kubernetes.io/headless"
_LIGHTHOUSE = "lighthouse.submariner.io/"
_PROVISION_CLUSTER = "endpointslice.karmada.io/provision-cluster"
_FLEET_MEMBER = re.compile(r"projects/[^/]+/locations/[^/]+/memberships/([^/]+)")
# Labels that controllers put on their own copies, which nobody selects a service by.
_PLUMBING = ("endpointslice.kubernetes.io/", "multicluster.kubernetes.io/", _LIGHTHOUSE)


def parse_export(found: Json) -> ServiceExport:
    """Keep a ServiceExport."""
    meta, status = mapping(found, "metadata"), mapping(found, "status")
    return ServiceExport(
        service=_own_name(meta),
        labels=labels(meta, "labels"),
        probed=_is_probed(meta),
        karmada_cluster=karmada_cluster(mapping(meta, "annotations")),
        conditions=tuple(
            Condition(text(c, "type"), _CONDITION.get(text(c, "status")), text(c, "reason"))
            for c in objects(status, "conditions")
        ),
    )


_CONDITION = {"True": True, "False": False}


def karmada_cluster(annotations: Json) -> str:
    """Return Karmada's name of this cluster, which it writes on all that it sends here, or ""."""
    namespace = text(annotations, KARMADA_NAMESPACE)
    return namespace.removeprefix(KARMADA_PREFIX) if namespace.startswith(KARMADA_PREFIX) else ""


def parse_import(found: Json) -> ServiceImport | None:
    """
    Keep a ServiceImport that stands for a service, or up to 0.14 for a cluster's share of one.

    Lighthouse 0.15 and later also keep notes in objects of this kind, and copies on the broker.
    """
    meta, spec = mapping(found, "metadata"), mapping(found, "spec")
    tags, notes = mapping(meta, "labels"), mapping(meta, "annotations")
    source = text(tags, f"{_LIGHTHOUSE}sourceCluster")
    if not source and (SERVICE_NAME in tags or SERVICE_NAME in notes):
        return None
    return ServiceImport(
        namespace=text(meta, "namespace"),
        service=_origin(meta) if source else _own_name(meta),
        cluster=cluster_id("label sourceCluster", source) if source else None,
        labels=labels(meta, "labels"),
        probed=_is_probed(meta),
        headless=text(spec, "type") == "Headless",
        ips=addresses(spec, "ips"),
        ports=tcp_ports(spec, "ports"),
        clusters=tuple(
            _member_of(text(c, "cluster")) for c in objects(mapping(found, "status"), "clusters")
        ),
        derived=_DERIVED_SERVICE in notes,
    )


def parse_imported_slice(found: Json) -> ImportedSlice | None:
    """Keep a slice that a clusterset's controller made; not one of a broker, nor one of names."""
    meta = mapping(found, "metadata")
    tags, notes = mapping(meta, "labels"), mapping(meta, "annotations")
    namespace = text(meta, "namespace")
    origin = text(tags, f"{_LIGHTHOUSE}sourceNamespace") or namespace
    if SERVICE_NAME not in tags or _SOURCE_CLUSTER not in tags or origin != namespace:
        return None
    if text(found, "addressType") == "FQDN":
        return None
    headless = text(tags, f"{_LIGHTHOUSE}is-headless")
    cluster = cluster_id("label source-cluster", text(tags, _SOURCE_CLUSTER))
    ready, not_ready = _addresses_by_readiness(found)
    return ImportedSlice(
        service=service_name(namespace, text(tags, SERVICE_NAME)),
        cluster=cluster,
        old=text(meta, "name").endswith(f"-{cluster}"),
        manager=text(tags, _MANAGED_BY),
        labels=_selectable(meta),
        headless=headless == "true" if headless else None,
        publish=text(notes, f"{_LIGHTHOUSE}publish-not-ready-addresses") == "true",
        globalnet=text(notes, f"{_LIGHTHOUSE}globalnet-enabled") != "false",
        ready=ready,
        not_ready=not_ready,
        ports=tcp_ports(found, "ports"),
    )


def parse_local_slice(found: Json) -> LocalSlice | None:
    """Keep a slice of a Service of this cluster, with counts and names instead of endpoints."""
    meta = mapping(found, "metadata")
    tags = mapping(meta, "labels")
    if _KUBERNETES_SERVICE not in tags or _SOURCE_CLUSTER in tags:
        return None
    if text(found, "addressType") == "FQDN":
        return None
    endpoints = list(objects(found, "endpoints"))
    ready = [_is_ready(endpoint) for endpoint in endpoints]
    headless = _HEADLESS_SERVICE in tags
    is_dns = text(tags, _KUBERNETES_SERVICE) == LIGHTHOUSE_DNS
    return LocalSlice(
        service=service_name(text(meta, "namespace"), text(tags, _KUBERNETES_SERVICE)),
        family=text(found, "addressType"),
        ready=sum(ready),
        not_ready=len(ready) - sum(ready),
        addresses=_addresses_by_readiness(found)[0] if headless or is_dns else (),
        pods=" ".join(sorted(set(_pods(endpoints)))),
        ports=tuple(
            port_number(port, "port")
            for port in objects(found, "ports")
            if port.get("port") is not None
        ),
        karmada_cluster=text(mapping(meta, "annotations"), _PROVISION_CLUSTER),
    )


def parse_service(found: Json) -> LocalService | None:
    """Keep a Service, unless it is but another name for something."""
    meta, spec = mapping(found, "metadata"), mapping(found, "spec")
    if text(spec, "type") == "ExternalName":
        return None
    notes = mapping(meta, "annotations")
    ips = dict.fromkeys([*texts(spec, "clusterIPs"), text(spec, "clusterIP")])
    return LocalService(
        service=_own_name(meta),
        labels=labels(meta, "labels"),
        probed=_is_probed(meta),
        headless="None" in ips,
        ips=tuple(address(ip) for ip in ips if ip not in {"", "None"}),
        ports=tcp_ports(spec, "ports"),
        log_container=text(notes, LOG_CONTAINER),
        log_format=text(notes, LOG_FORMAT),
    )


def parse_node(found: Json) -> Node:
    """Keep a node's addresses; a host name among them is none."""
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


def parse_pod(found: Json) -> Pod:
    """Keep a pod's containers and what its annotations say of its log."""
    meta = mapping(found, "metadata")
    notes = mapping(meta, "annotations")
    return Pod(
        namespace=dns_label("namespace", text(meta, "namespace")),
        name=text(meta, "name"),
        containers=tuple(
            Container(
                dns_label("container", text(each, "name")),
                tuple(port_number(port, "containerPort") for port in objects(each, "ports")),
            )
            for each in objects(mapping(found, "spec"), "containers")
        ),
        log_container=text(notes, LOG_CONTAINER),
        log_format=text(notes, LOG_FORMAT),
    )


def _own_name(meta: Json) -> ServiceName:
    return service_name(text(meta, "namespace"), text(meta, "name"))


def _origin(meta: Json) -> ServiceName:
    tags, notes = mapping(meta, "labels"), mapping(meta, "annotations")
    return service_name(
        text(notes, "origin-namespace") or text(tags, f"{_LIGHTHOUSE}sourceNamespace"),
        text(notes, "origin-name") or text(tags, f"{_LIGHTHOUSE}sourceName"),
    )


def _member_of(name: str) -> str:
    # GKE names a cluster by its place in the fleet.
    matched = _FLEET_MEMBER.fullmatch(name)
    return cluster_id("cluster", matched[1] if matched else name)


def _is_probed(meta: Json) -> bool:
    return text(mapping(meta, "annotations"), PROBE).lower() != "false"


def _selectable(meta: Json) -> Labels:
    found = mapping(meta, "labels")
    return labels({"of": {k: found[k] for k in found if not k.startswith(_PLUMBING)}}, "of")


def _is_ready(endpoint: Json) -> bool:
    # Kubernetes: nothing said means ready.
    return truth(mapping(endpoint, "conditions"), "ready") is not False


def _addresses_by_readiness(found: Json) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    by_readiness: dict[bool, list[tuple[Address, ...]]] = {True: [], False: []}
    for endpoint in objects(found, "endpoints"):
        by_readiness[_is_ready(endpoint)].append(addresses(endpoint, "addresses"))
    return tuple(chain(*by_readiness[True])), tuple(chain(*by_readiness[False]))


def _pods(endpoints: list[Json]) -> Iterator[str]:
    for endpoint in endpoints:
        target = mapping(endpoint, "targetRef")
        if text(target, "kind") == "Pod":
            yield text(target, "name")


def _one(parent: Json, key: str) -> list[str]:
    return [text(parent, key)] if text(parent, key) else []
