"""The former names of series, recorded for one release so that nobody's query breaks at once."""

from dashboards.rules import Recording, Scope

FORMER = {
    "clusterset_exporter_dns_strangers_total": "clusterset_exporter_dns_mismatched_responses_total",
    "clusterset_exporter_log_bytes_behind": "clusterset_exporter_log_behind_bytes",
    "clusterset_exporter_log_seconds_behind": "clusterset_exporter_log_behind_seconds",
    "clusterset_exporter_watch_age_seconds": "time() - "
    "clusterset_exporter_watch_last_received_timestamp_seconds",
}
"""The name that a series had, and what gives the same now. docs/upgrade.md has the table."""


def recordings() -> list[Recording]:
    """Return the rules that record the former names."""
    return [
        Recording(record=former, expr=expr, scope=Scope.RENAMED) for former, expr in FORMER.items()
    ]
