"""
Submariner's own objects as JSON, parsed to the few fields that are kept.

Each function raises ValueError, TypeError or KeyError for a broken object.
"""

import re

from exporter.apiserver.json_fields import (
    Json,
    address,
    cluster_id,
    mapping,
    networks,
    objects,
    text,
)
from exporter.discover.api_types import Gateway, GatewayConnection, Member, Submariner, TunnelEnd
from exporter.judge.versions import find_version

LIGHTHOUSE_MANAGER = "lighthouse-agent.submariner.io"
"""Who manages Lighthouse's endpoint slices, by their label."""
LIGHTHOUSE_DNS = "submariner-lighthouse-coredns"
"""The Service of the clusterset's name servers."""
LIGHTHOUSE_PREFIX = "lighthouse.submariner.io/"
"""How Lighthouse's own labels and annotations begin."""
OPERATOR_NAMESPACE = "submariner-operator"
"""Where Submariner is installed, unless its own object says otherwise."""
BROKER_NAMESPACE = "submariner-k8s-broker"
_STAMP = re.compile(r"\d{1,12}")
_DURATION = re.compile(r"(\d{1,15}(?:\.\d{0,15})?)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def parse_member(found: Json) -> Member:
    """Keep a Cluster."""
    spec = mapping(found, "spec")
    return Member(
        namespace=text(mapping(found, "metadata"), "namespace"),
        cluster=cluster_id("cluster_id", text(spec, "cluster_id")),
        pod_cidrs=networks(spec, "cluster_cidr"),
        service_cidrs=networks(spec, "service_cidr"),
        global_cidrs=networks(spec, "global_cidr"),
    )


def parse_tunnel_end(found: Json) -> TunnelEnd:
    """Keep an Endpoint."""
    spec = mapping(found, "spec")
    return TunnelEnd(
        namespace=text(mapping(found, "metadata"), "namespace"),
        cluster=cluster_id("cluster_id", text(spec, "cluster_id")),
        subnets=networks(spec, "subnets"),
    )


def parse_gateway(found: Json) -> Gateway:
    """Keep a Gateway. Connections that name no cluster are skipped, as Lighthouse does."""
    meta, status = mapping(found, "metadata"), mapping(found, "status")
    stamp = text(mapping(meta, "annotations"), "update-timestamp")
    local = text(mapping(status, "localEndpoint"), "cluster_id")
    return Gateway(
        name=text(meta, "name"),
        active=text(status, "haStatus") == "active",
        local=cluster_id("cluster_id", local) if local else "",
        updated=int(stamp) if _STAMP.fullmatch(stamp) else None,
        version=find_version(text(status, "version")),
        connections=tuple(
            _connection(each)
            for each in objects(status, "connections")
            if text(mapping(each, "endpoint"), "cluster_id")
        ),
    )


def parse_submariner(found: Json) -> Submariner:
    """Keep a Submariner."""
    spec = mapping(found, "spec")
    cluster = text(spec, "clusterID")
    return Submariner(
        cluster=cluster_id("clusterID", cluster) if cluster else "",
        version=find_version(text(spec, "version")),
        broker_namespace=text(spec, "brokerK8sRemoteNamespace"),
    )


def parse_duration(words: str) -> float | None:
    """Return the seconds of a Go duration, such as 447.358µs; None if it is not one."""
    parts = _DURATION.findall(words)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != words:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _connection(found: Json) -> GatewayConnection:
    used, latency = text(found, "usingIP"), mapping(found, "latencyRTT")
    return GatewayConnection(
        cluster=cluster_id("cluster_id", text(mapping(found, "endpoint"), "cluster_id")),
        connected=text(found, "status") == "connected",
        family=address(used).version if used else None,
        latency=parse_duration(text(latency, "average") or text(latency, "last")),
    )
