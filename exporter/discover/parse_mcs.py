"""
Objects of the Multi-Cluster Services API as JSON, parsed to the few fields that are kept.

Endpoint slices that a clusterset's controller makes belong here, too. Each function returns None
for an object that is not wanted, and raises ValueError, TypeError or KeyError for a broken one.
"""

import re

from exporter.apiserver.json_fields import (
    Json,
    LabelPairs,
    addresses,
    cluster_id,
    labels,
    mapping,
    objects,
    service_name,
    tcp_ports,
    text,
)
from exporter.discover.api_types import ImportedSlice, ServiceExport, ServiceImport
from exporter.discover.parse_core import SOURCE_CLUSTER, addresses_by_readiness, is_probed, own_name
from exporter.discover.parse_karmada import karmada_cluster
from exporter.discover.parse_submariner import LIGHTHOUSE_PREFIX
from exporter.model.clusterset import Condition, ServiceName

SERVICE_NAME = "multicluster.kubernetes.io/service-name"
_DERIVED_SERVICE = "multicluster.kubernetes.io/derived-service"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_FLEET_MEMBER = re.compile(r"projects/[^/]+/locations/[^/]+/memberships/([^/]+)")
_CONTROLLER_LABELS = (
    "endpointslice.kubernetes.io/",
    "multicluster.kubernetes.io/",
    LIGHTHOUSE_PREFIX,
)
"""Prefixes of labels that controllers put on their own copies. Nobody selects a service by them."""
_CONDITION = {"True": True, "False": False}


def parse_export(found: Json) -> ServiceExport:
    """Keep a ServiceExport."""
    meta, status = mapping(found, "metadata"), mapping(found, "status")
    return ServiceExport(
        service=own_name(meta),
        labels=labels(meta, "labels"),
        probed=is_probed(meta),
        karmada_cluster=karmada_cluster(mapping(meta, "annotations")),
        conditions=tuple(
            Condition(text(c, "type"), _CONDITION.get(text(c, "status")), text(c, "reason"))
            for c in objects(status, "conditions")
        ),
    )


def parse_import(found: Json) -> ServiceImport | None:
    """
    Keep a ServiceImport of a service, or up to 0.14 of one cluster's share of a service.

    Lighthouse 0.15 and later also has objects of this kind that are only its own notes. None is
    returned for those.
    """
    meta, spec = mapping(found, "metadata"), mapping(found, "spec")
    tags, notes = mapping(meta, "labels"), mapping(meta, "annotations")
    source = text(tags, f"{LIGHTHOUSE_PREFIX}sourceCluster")
    if not source and (SERVICE_NAME in tags or SERVICE_NAME in notes):
        return None
    return ServiceImport(
        namespace=text(meta, "namespace"),
        service=_origin(meta) if source else own_name(meta),
        cluster=cluster_id("label sourceCluster", source) if source else None,
        labels=labels(meta, "labels"),
        probed=is_probed(meta),
        headless=text(spec, "type") == "Headless",
        ips=addresses(spec, "ips"),
        ports=tcp_ports(spec, "ports"),
        clusters=tuple(
            _member_of(text(c, "cluster")) for c in objects(mapping(found, "status"), "clusters")
        ),
        derived=_DERIVED_SERVICE in notes,
    )


def parse_imported_slice(found: Json) -> ImportedSlice | None:
    """Keep a slice made by the controller of a clusterset, except a broker's or one of names."""
    meta = mapping(found, "metadata")
    tags, notes = mapping(meta, "labels"), mapping(meta, "annotations")
    namespace = text(meta, "namespace")
    origin = text(tags, f"{LIGHTHOUSE_PREFIX}sourceNamespace") or namespace
    if SERVICE_NAME not in tags or SOURCE_CLUSTER not in tags or origin != namespace:
        return None
    if text(found, "addressType") == "FQDN":
        return None
    headless = text(tags, f"{LIGHTHOUSE_PREFIX}is-headless")
    cluster = cluster_id("label source-cluster", text(tags, SOURCE_CLUSTER))
    ready, not_ready = addresses_by_readiness(found)
    return ImportedSlice(
        service=service_name(namespace, text(tags, SERVICE_NAME)),
        cluster=cluster,
        old=text(meta, "name").endswith(f"-{cluster}"),
        manager=text(tags, _MANAGED_BY),
        labels=_selectable(meta),
        headless=headless == "true" if headless else None,
        publish=text(notes, f"{LIGHTHOUSE_PREFIX}publish-not-ready-addresses") == "true",
        globalnet=text(notes, f"{LIGHTHOUSE_PREFIX}globalnet-enabled") != "false",
        ready=ready,
        not_ready=not_ready,
        ports=tcp_ports(found, "ports"),
    )


def _origin(meta: Json) -> ServiceName:
    tags, notes = mapping(meta, "labels"), mapping(meta, "annotations")
    return service_name(
        text(notes, "origin-namespace") or text(tags, f"{LIGHTHOUSE_PREFIX}sourceNamespace"),
        text(notes, "origin-name") or text(tags, f"{LIGHTHOUSE_PREFIX}sourceName"),
    )


def _member_of(name: str) -> str:
    # GKE names a cluster by its membership in the fleet.
    matched = _FLEET_MEMBER.fullmatch(name)
    return cluster_id("cluster", matched[1] if matched else name)


def _selectable(meta: Json) -> LabelPairs:
    found = mapping(meta, "labels")
    return labels(
        {"of": {k: found[k] for k in found if not k.startswith(_CONTROLLER_LABELS)}}, "of"
    )
