"""Which runbook tells what to do about what the page shows."""

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.model.verdicts import Mode
from exporter.web.page.trouble import lacks_standby, recent

GONE = "ClustersetExporterDown"
STANDBY, HAZARD = "ClustersetStandbyMissing", "ClustersetServiceHazard"
LEAK, FAILING = "ClustersetCrossClusterLeakage", "ClustersetErrorBudgetBurn"
MODES = {
    Mode.BLACKOUT: "ClustersetServiceBlackout",
    Mode.DEGRADED: "ClustersetServiceDegraded",
    Mode.MIXED: "ClustersetServiceMixed",
    Mode.FAILOVER: "ClustersetServiceFailover",
}
PROBLEMS = (
    ("configuration", "ClustersetExporterReloadFailed"),
    ("inventory is stale", "ClustersetExporterInventoryStale"),
    ("inventory", "ClustersetExporterReloadFailed"),
    ("watch of ", "ClustersetExporterWatchFailing"),
    ("gaps in logs", "ClustersetExporterLogsLost"),
    ("pods behind exported services", "ClustersetExporterLogsBehind"),
    ("log format of ", LEAK),
    ("log ", "ClustersetExporterLogsLost"),
    ("lines of ", "ClustersetExporterLogFormatWrong"),
    ("checkpoint of ", "ClustersetExporterLogsLost"),
    ("address ranges", "ClustersetAttributionMismatch"),
    ("probes from ", "ClustersetAttributionMismatch"),
    ("overlapping_cidrs ", HAZARD),
    ("stale_gateway ", "ClustersetTunnelDown"),
    ("no_active_gateway ", "ClustersetTunnelDown"),
    ("stuck_name_server ", "ClustersetNameServerStuck"),
    ("resolvers_disagree ", "ClustersetResolversDisagree"),
    ("clock_skew ", "ClustersetClockSkew"),
)
"""Runbooks of problems, by how their `what` begins; the first one counts."""


def of_service(status: Mapping[str, Any], service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name and the URL of each runbook about what is wrong with *service*."""
    newest = recent(service)
    names = [
        MODES.get(service["mode"]),
        LEAK if newest.leaks else None,
        FAILING if newest.failures else None,
        STANDBY if lacks_standby(service) else None,
        HAZARD if service["hazards"] else None,
    ]
    for name in filter(None, names):
        if link := url(status, name):
            yield name, link


def of_problem(status: Mapping[str, Any], what: str) -> str | None:
    """Return the URL of the runbook about a problem, or None."""
    return next((url(status, name) for begin, name in PROBLEMS if what.startswith(begin)), None)


def url(status: Mapping[str, Any], name: str) -> str | None:
    """Return the URL of a runbook, or None if nobody has said where they are."""
    folder = status["runbook_url"]
    return None if folder is None else f"{folder.rstrip('/')}/{name}.md"
