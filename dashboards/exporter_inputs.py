"""Clusterset / Exporter: what the exporters read, and what they find in it."""

from dashboards import look, panels
from dashboards.bridge import Panel, Query
from dashboards.exporter_selection import NO_KUBERNETES, NO_LOGS, each, rate
from dashboards.lines import Lines

_RECEIVED = "clusterset_exporter_watch_last_received_timestamp_seconds"
_LOGS = Lines(by="instance", name="{{log}} {{instance}}")
_FINDINGS = Lines(by="instance", name="{{kind}}, {{instance}}")


def watches() -> list[Panel]:
    """Return how what is read from the API server arrives."""
    state = f"{each('clusterset_exporter_watch_state')} == 1"
    return [
        panels.table(
            "Watches",
            "The resources that each exporter reads from the API server, and their state.",
            NO_KUBERNETES,
            Query(expr=f"max by (instance, resource, state) ({state})", table=True),
            height=6,
            transformations=panels.merged(
                {"instance": "instance", "resource": "resource", "state": "state"}, gone=["Value"]
            ),
        ),
        panels.graph(
            "Silence of the watches",
            "Time since the API server last sent anything on each watch.",
            NO_KUBERNETES,
            Query(expr=f"time() - min by (resource) ({each(_RECEIVED)})", legend="{{resource}}"),
            height=6,
            unit="s",
        ),
    ]


def logs() -> list[Panel]:
    """Return how far behind the reading of logs is."""
    return [
        panels.graph(
            "Age of lines when read",
            "Age of the newest line of each log when it was read, by its own time stamp.",
            NO_LOGS,
            _LOGS.query(each("clusterset_exporter_log_behind_seconds")),
            lines=_LOGS,
            unit="s",
        ),
        panels.graph(
            "Bytes not read yet",
            "Bytes of each log that are written but not read.",
            NO_LOGS,
            _LOGS.query(each("clusterset_exporter_log_behind_bytes")),
            lines=_LOGS,
            unit="bytes",
        ),
    ]


def lines() -> list[Panel]:
    """Return what the lines of the logs were, and what went wrong."""
    troubles = {
        "errors": "clusterset_exporter_log_errors_total",
        "dropped": "clusterset_exporter_log_drops_total",
        "gaps": "clusterset_exporter_log_gaps_total",
        "truncated files": "clusterset_exporter_log_truncations_total",
        "checkpoints": "clusterset_exporter_checkpoint_failures_total",
        "rotated": "clusterset_exporter_log_rotations_total",
        "read line by line": "clusterset_exporter_log_slow_blocks_total",
    }
    return [
        panels.graph(
            "Lines read",
            "Log lines per second by outcome. Many of the outcome other may mean a wrong format.",
            NO_LOGS,
            Query(
                expr=rate("clusterset_exporter_log_lines_total", "outcome"), legend="{{outcome}}"
            ),
            stacked=True,
            unit="suffix: lines/s",
        ),
        panels.graph(
            "Events of the logs",
            "How often files were rotated or truncated, messages dropped, checkpoints not written, "
            "or blocks read line by line, and errors, in the time before each point.",
            NO_LOGS,
            *(
                Query(expr=f"sum(increase({each(series)}[$__rate_interval]))", legend=word)
                for word, series in troubles.items()
            ),
            reach=1,
        ),
    ]


def findings() -> Panel:
    """Return what people should know of the clusterset."""
    return panels.graph(
        "Findings",
        "What the exporters found in the clusterset that people should know, by kind. The "
        "status page has each one in words.",
        "Nothing was found",
        _FINDINGS.query(f"max by (kind, instance) ({each('clusterset_exporter_findings')}) > 0"),
        lines=_FINDINGS,
        width=24,
        height=6,
        decimals=0,
    )


def witnesses() -> list[Panel]:
    """Return whether addresses, probes and logs tell the same."""
    checks = "clusterset_attribution_checks_total"
    withheld = "clusterset_leaks_withheld_total"
    forged = "clusterset_exporter_probe_forgeries_total"
    any_forged = "clusterset_exporter_probes_forged_total"
    return [
        panels.table(
            "Claimed and attributed",
            "Probes in the logs within the range, by the cluster that they claim and the "
            "cluster that owns their address. If the two differ, CIDRs are wrong or something "
            "rewrites addresses.",
            "No probes in the logs",
            Query(
                expr="sum by (claimed_cluster, attributed_cluster, destination_cluster) "
                f"(increase({each(checks)}[$__range])) > 0",
                table=True,
            ),
            transformations=panels.merged(
                {
                    "claimed_cluster": "claimed",
                    "attributed_cluster": "attributed",
                    "destination_cluster": "seen in",
                    "Value": "probes",
                }
            ),
            overrides=[look.override("probes", decimals=0)],
        ),
        panels.graph(
            "Not trusted",
            "Log lines per second that imitate a probe, by reason. Also requests that do not "
            "count as leaks because addresses do not identify clusters.",
            NO_LOGS,
            Query(expr=f"sum(rate({each(any_forged)}[$__rate_interval]))", legend="probes"),
            Query(expr=rate(forged, "reason"), legend="probes: {{reason}}"),
            Query(expr=f"sum(rate({each(withheld)}[$__rate_interval]))", legend="leaks withheld"),
            unit="suffix: lines/s",
            reach=1,
        ),
    ]
