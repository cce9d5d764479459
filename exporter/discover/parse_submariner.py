"""
Submariner's own objects as JSON to what is kept of them.

Each function raises ValueError, TypeError or KeyError for an object that is broken.
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
from exporter.discover.api_types import Connection, Gateway, Member, Submariner, TunnelEnd
from exporter.model.clusterset import Version

_VERSION = re.compile(r"(?<![\w.])v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?")
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
    """Keep a Gateway. Like Lighthouse, pass over connections that do not say to whom."""
    meta, status = mapping(found, "metadata"), mapping(found, "status")
    stamp = text(mapping(meta, "annotations"), "update-timestamp")
    local = text(mapping(status, "localEndpoint"), "cluster_id")
    return Gateway(
        name=text(meta, "name"),
        active=text(status, "haStatus") == "active",
        local=cluster_id("cluster_id", local) if local else "",
        updated=int(stamp) if _STAMP.fullmatch(stamp) else None,
        version=parse_version(text(status, "version")),
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
        version=parse_version(text(spec, "version")),
        broker_namespace=text(spec, "brokerK8sRemoteNamespace"),
    )


def parse_version(words: str) -> Version | None:
    """Return the first thing in *words* that looks like a version, such as v0.19.0-rc3."""
    matched = _VERSION.search(words)
    return (int(matched[1]), int(matched[2]), int(matched[3] or 0)) if matched else None


def parse_duration(words: str) -> float | None:
    """Return the seconds of a duration as Go writes it, such as 447.358µs; None if it is none."""
    parts = _DURATION.findall(words)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != words:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def _connection(found: Json) -> Connection:
    used, latency = text(found, "usingIP"), mapping(found, "latencyRTT")
    return Connection(
        cluster=cluster_id("cluster_id", text(mapping(found, "endpoint"), "cluster_id")),
        connected=text(found, "status") == "connected",
        family=address(used).version if used else None,
        latency=parse_duration(text(latency, "average") or text(latency, "last")),
    )
