"""What somebody should be told of, each with its runbook and its board."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

from dashboards import exporter, overview, service
from dashboards.rules import Scope
from dashboards.thresholds import Thresholds

WHAT = "{{ $labels.destination_service_namespace }}/{{ $labels.destination_service_name }}"
"""The service that an alert is about, in its texts."""


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"
    """Now: clients are not served, or nobody would know if they were not."""
    WARNING = "warning"
    """Today: something is not as promised, and the next failure may hurt."""


class Board(StrEnum):
    """Where an alert leads: a board, with its variables set from the alert's labels."""

    SOURCE = "clusterset-overview?var-source_cluster={{ $labels.source_cluster }}"
    SERVICE = (
        "clusterset-service?var-namespace={{ $labels.destination_service_namespace }}"
        "&var-service={{ $labels.destination_service_name }}"
    )
    SERVICE_FROM = f"{SERVICE}&var-source_cluster={{{{ $labels.source_cluster }}}}"
    """The same for the clients of one cluster."""
    EXPORTER = "clusterset-exporter?var-instance={{ $labels.instance }}"
    EXPORTERS = "clusterset-exporter"


def _check(context: str) -> str:
    return (
        f"kubectl {context}--namespace NAMESPACE exec WORKLOAD -- clusterset-exporter check "
        "--config.file=/etc/clusterset-exporter/config.yaml "
        "{{ $labels.destination_service_namespace }}/{{ $labels.destination_service_name }}"
    )


def _ask(path: str) -> str:
    pod = "/api/v1/namespaces/NAMESPACE/pods/{{ $labels.pod }}:9877/proxy"
    return f"kubectl get --raw {pod}{path}"


class Command(StrEnum):
    """
    The command to type first, with the names of the alert in it.

    Contexts of kubectl are taken to have the names of the clusters. NAMESPACE and WORKLOAD are
    those of the exporters.
    """

    CHECK = _check("")
    """What clients in any cluster get, where the alert is about no single one."""
    CHECK_FROM = _check("--context {{ $labels.source_cluster }} ")
    CHECK_AT = _check("--context {{ $labels.destination_cluster }} ")
    TUNNELS = (
        "kubectl --context {{ $labels.source_cluster }} --namespace submariner-operator "
        "get gateways.submariner.io --output=yaml"
    )
    EXPORTS = (
        "kubectl --context {{ $labels.destination_cluster }} get clusters.submariner.io "
        "--all-namespaces --output=yaml"
    )
    FILES = (
        "kubectl --namespace NAMESPACE exec {{ $labels.pod }} -- clusterset-exporter config check "
        "--config.file=/etc/clusterset-exporter/config.yaml"
    )
    """Reads the files of the exporter as they are now, and names the mistake."""
    PROBLEMS = _ask("/api/v1/status")
    """What the exporter itself says, asked by way of the API server of its cluster."""
    SERIES = _ask("/metrics")
    PODS = (
        "kubectl --namespace NAMESPACE get pods "
        "--selector=app.kubernetes.io/name=clusterset-exporter --output=wide"
    )
    PODS_AT = PODS.replace("kubectl", "kubectl --context {{ $labels.destination_cluster }}", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """
    A rule that alerts.

    *wait* is for how long the expression must hold; *keep* for how long the alert outlives it.
    *labels* tell it from others of its name and severity.
    """

    name: str
    severity: Severity
    scope: Scope = Scope.LOCAL
    board: Board
    panel: str
    """Title of the panel of *board* that shows it."""
    command: Command
    expr: str
    wait: str = "0s"
    keep: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    summary: str
    description: str

    def as_rule(self, thresholds: Thresholds) -> Mapping[str, Any]:
        """Return the rule as Prometheus reads it, with the links that *thresholds* give."""
        keep = {} if self.keep is None else {"keep_firing_for": self.keep}
        command = self.command.replace("NAMESPACE", thresholds.namespace)
        links = {"command": command.replace("WORKLOAD", thresholds.workload)}
        if thresholds.runbook_url:
            links["runbook_url"] = f"{thresholds.runbook_url}/{self.name}.md"
        if thresholds.dashboard_url:
            links["dashboard_url"] = f"{thresholds.dashboard_url}/d/{self._path()}"
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            **keep,
            "labels": {"severity": str(self.severity), **self.labels},
            "annotations": {"summary": self.summary, "description": self.description, **links},
        }

    def _path(self) -> str:
        uid, _, variables = self.board.partition("?")
        shown = f"viewPanel={_panels()[uid, self.panel]}"
        return f"{uid}?{variables}&{shown}" if variables else f"{uid}?{shown}"


@cache
def _panels() -> Mapping[tuple[str, str], int]:
    """Return the id of each panel by its board and title."""
    boards = [each.board(Thresholds()) for each in (overview, service, exporter)]
    return {
        (board.uid, panel["title"]): panel["id"]
        for board in boards
        for panel in board.as_json([])["panels"]
    }
