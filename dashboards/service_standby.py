"""Clusterset / Service: whether the next failover would work."""

from dashboards import look, panels
from dashboards.bridge import Panel, Query
from dashboards.lines import Lines
from dashboards.queries import PAIR
from dashboards.service_selection import FROM, NO_KUBERNETES, SERVICE

_ENDPOINTS = Lines(by="destination_cluster", name="{{destination_cluster}} {{condition}}")


def ready() -> list[Panel]:
    """Return who is ready."""
    ready = f"max by (destination_cluster) (clusterset_service_ready{{{SERVICE}}})"
    count = f"sum by (destination_cluster, condition) (clusterset_service_endpoints{{{SERVICE}}})"
    return [
        panels.timeline(
            "Ready",
            "Whether each cluster that exports the service is ready, as any cluster sees it.",
            "Nobody exports this service",
            Query(expr=ready, legend="{{destination_cluster}}"),
            width=12,
            height=6,
            mappings=look.yes_no("ready", "not ready"),
        ),
        panels.graph(
            "Endpoints",
            "Endpoints of the service in each cluster: ready, and dashed if not ready.",
            NO_KUBERNETES,
            _ENDPOINTS.query(count),
            lines=_ENDPOINTS,
            height=6,
            decimals=0,
            overrides=[look.override_of("/ not_ready$/", custom__lineStyle=look.DASHES)],
        ),
    ]


def exports() -> list[Panel]:
    """Return what is said of the exports."""
    views = f"min by ({PAIR}) (clusterset_service_ready{{{FROM}}})"
    conditions = (
        f"max by (destination_cluster, type) (clusterset_service_export_condition{{{SERVICE}}})"
    )
    hazards = f"max by (hazard) (clusterset_service_hazard{{{FROM}}}) > 0"
    words = look.yes_no("yes", "no", bad=look.TEXT)
    return [
        panels.matrix(
            "Ready, as each cluster sees it",
            "A row shows how one cluster sees all clusters. If rows differ, the clusters disagree.",
            "Nobody exports this service",
            Query(expr=views, table=True),
            mappings=look.yes_no("✓ ready", "✕ not ready"),
        ),
        panels.table(
            "Conditions of the exports",
            "Conditions that the multi-cluster API reports for each cluster's export.",
            NO_KUBERNETES,
            Query(expr=conditions, table=True),
            width=6,
            transformations=panels.merged(
                {"destination_cluster": "cluster", "type": "condition", "Value": "holds"}
            ),
            overrides=[look.override("holds", mappings=words)],
        ),
        panels.table(
            "Hazards",
            "Conditions that are known to break failover, locality or their verdicts.",
            "No hazard is known. Most need an inventory from Kubernetes",
            Query(expr=hazards, table=True),
            width=6,
            transformations=panels.merged({"hazard": "hazard"}, gone=["Value"]),
        ),
    ]
