"""What somebody should be told of, each with its runbook and its board."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dashboards.rules import Scope
from dashboards.thresholds import Thresholds


class Severity(StrEnum):
    """How soon somebody should look."""

    CRITICAL = "critical"
    """Now: clients are not served, or nobody would know if they were not."""
    WARNING = "warning"
    """Today: something is not as promised, and the next failure may hurt."""


class Board(StrEnum):
    """Where an alert leads: a board, with its variables set from the alert's labels."""

    OVERVIEW = "clusterset-overview"
    SOURCE = "clusterset-overview?var-source_cluster={{ $labels.source_cluster }}"
    SERVICE = (
        "clusterset-service?var-namespace={{ $labels.destination_service_namespace }}"
        "&var-service={{ $labels.destination_service_name }}"
    )
    EXPORTER = "clusterset-exporter?var-instance={{ $labels.instance }}"
    EXPORTERS = "clusterset-exporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """
    A rule that alerts.

    *wait* is for how long the expression must hold; *keep* for how long the alert outlives it.
    """

    name: str
    severity: Severity
    scope: Scope = Scope.LOCAL
    board: Board
    expr: str
    wait: str = "0s"
    keep: str | None = None
    summary: str
    description: str

    def as_rule(self, thresholds: Thresholds) -> Mapping[str, Any]:
        """Return the rule as Prometheus reads it, with the links that *thresholds* give."""
        keep = {} if self.keep is None else {"keep_firing_for": self.keep}
        links = {}
        if thresholds.runbook_url:
            links["runbook_url"] = f"{thresholds.runbook_url}/{self.name}.md"
        if thresholds.dashboard_url:
            links["dashboard_url"] = f"{thresholds.dashboard_url}/d/{self.board}"
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.wait,
            **keep,
            "labels": {"severity": str(self.severity)},
            "annotations": {"summary": self.summary, "description": self.description, **links},
        }
