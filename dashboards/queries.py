"""PromQL: what boards and rules share. For Prometheus 2.42, and for Thanos and Mimir alike."""

from exporter.model.clusterset import NOT_CLUSTERS
from exporter.model.verdicts import Locality, Mode

REPLICA = "instance, pod, container, endpoint, node"
"""
What tells replicas of an exporter apart, and no more.

Rules take these away and keep job and external labels, so that they hold in each cluster's own
Prometheus and over all of them.
"""
SERVICE = "destination_service_namespace, destination_service_name"
PAIR = "source_cluster, destination_cluster"
NO_CLUSTER = "|".join(sorted(NOT_CLUSTERS))
"""Regular expression of sources that are no cluster."""
AT_HOME = f"{Locality.EXTERNAL}|{Locality.LOCAL}|{Locality.UNKNOWN}"
"""Regular expression of localities that cross no border between clusters."""

MODE_CODES = {
    Mode.UNKNOWN: 0,
    Mode.LOCAL: 1,
    Mode.REMOTE: 2,
    Mode.FAILOVER: 3,
    Mode.MIXED: 4,
    Mode.DEGRADED: 4.5,
    Mode.BLACKOUT: 5,
}
"""A mode as a number, a worse one the larger: what a panel can draw and `max` can compare."""

# What rules/local.yaml records; the names say which labels are left, what of, and how.
REQUEST_RATE = "source_destination_locality:clusterset_requests:rate5m"
FAILURE_RATE = "source_destination:clusterset_request_failures:rate5m"
BYTE_RATE = "source_destination_locality:clusterset_response_bytes:rate5m"
SERVICE_REQUEST_RATE = "destination_service_locality:clusterset_requests:rate5m"
SERVICE_FAILURE_RATE = "destination_service:clusterset_request_failures:rate5m"
MODE_CODE = "source_service:clusterset_service_mode:code"
TROUBLE = "source_service:clusterset_service_trouble:code"
"""The mode as a number, while it is failover or worse, and absent while it is not."""
MODE_COUNT = "source_namespace_mode:clusterset_services:count"
REPLY_P95 = "source_destination:clusterset_probe_reply_seconds:p95_rate5m"
NO_STANDBY = "source_namespace:clusterset_services_without_standby:count"


def mode_code(matchers: str = "") -> str:
    """Return the modes as numbers; the labels are those of the series, `mode` among them."""
    return " or ".join(
        f'clusterset_service_mode{{mode="{mode}"{"," if matchers else ""}{matchers}}} * {code}'
        for mode, code in MODE_CODES.items()
        if code
    )


def over(part: str, whole: str) -> str:
    """Return a share that is absent, not NaN, where there is nothing to share."""
    return f"{part} / ({whole} > 0)"


def same_cluster(labels: str = PAIR) -> str:
    """Return one series for each cluster paired with itself: PromQL compares no two labels."""
    pairs = 'label_replace(clusterset_info, "destination_cluster", "$1", "source_cluster", "(.+)")'
    return f"count by ({labels}) ({pairs})"
