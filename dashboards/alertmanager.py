"""An example of Alertmanager's configuration: who is told, and which alerts say nothing new."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.alerts import Severity

SERVICE = ("destination_service_namespace", "destination_service_name")
_PAIR = ("source_cluster", "destination_cluster", *SERVICE)


def example() -> Mapping[str, Any]:
    """Return the configuration."""
    return {
        "route": {
            "receiver": "chat",
            "group_by": ["alertname", *SERVICE],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "4h",
            "routes": [{"matchers": [f'severity="{Severity.CRITICAL}"'], "receiver": "pager"}],
        },
        "inhibit_rules": [
            # Who gets no answer at all need not hear that it comes from afar.
            _inhibit(
                "ClustersetServiceBlackout",
                "ClustersetServiceFailover|ClustersetErrorBudgetBurn|ClustersetServiceNotRedundant|"
                "ClustersetStandbyMissing|ClustersetCrossClusterLeakage|ClustersetGatewayLeakage|"
                "ClustersetPromiseBroken|ClustersetLookupsFailing",
                SERVICE,
            ),
            _inhibit(
                "ClustersetTunnelDown",
                "ClustersetServiceFailover|ClustersetFailoverFlapping|ClustersetStandbyMissing",
                ["source_cluster"],
            ),
            _inhibit("ClustersetServiceNotRedundant", "ClustersetStandbyMissing", SERVICE),
            # The gateway says where the same requests start.
            _inhibit("ClustersetGatewayLeakage", "ClustersetCrossClusterLeakage", _PAIR),
            _inhibit("ClustersetExporterDown", "ClustersetExporter.+", ["instance"]),
            {
                "source_matchers": [f'severity="{Severity.CRITICAL}"'],
                "target_matchers": [f'severity="{Severity.WARNING}"'],
                "equal": ["alertname", *SERVICE],
            },
            {
                "source_matchers": ['window="6h"'],
                "target_matchers": ['window="3d"'],
                "equal": ["alertname", *SERVICE],
            },
        ],
        "receivers": [
            {"name": "pager", "webhook_configs": [{"url": "http://pager.example/alerts"}]},
            {"name": "chat", "webhook_configs": [{"url": "http://chat.example/alerts"}]},
        ],
    }


def _inhibit(source: str, targets: str, equal: Sequence[str]) -> Mapping[str, Any]:
    return {
        "source_matchers": [f'alertname="{source}"'],
        "target_matchers": [f'alertname=~"{targets}"', f'alertname!="{source}"'],
        "equal": list(equal),
    }
