"""Clusterset / Exporter: whether the other boards are reliable."""

from dashboards import look, panels
from dashboards.bridge import Board, Panel, Query, Section, Variable

_ME = 'job=~"$job",instance=~"$instance"'
_GONE = "No exporter is scraped under this job"
_NO_LOGS = "No access logs are read"
_NO_KUBERNETES = "Not reported: this needs an inventory from Kubernetes"
_RECEIVED = "clusterset_exporter_watch_last_received_timestamp_seconds"
_BUILD = "clusterset_exporter_build_info"


def board(runbooks: str) -> Board:
    """Return the board; *runbooks* is where the alerts' pages are."""
    instances = f'label_values({_BUILD}{{job=~"$job"}}, instance)'
    return Board(
        uid="clusterset-exporter",
        title="Clusterset / Exporter",
        description="The exporters themselves: whether they run, read their inputs and keep up",
        variables=[
            Variable(name="datasource", label="Data source", query="prometheus", kind="datasource"),
            Variable(name="job", label="Job", query=f"label_values({_BUILD}, job)", many=True),
            Variable(name="instance", label="Instance", query=instances, many=True),
            Variable(
                name="runbooks", label="Runbooks", query=runbooks, kind="constant", hidden=True
            ),
        ],
        sections=[
            Section(
                title="Do they run?", lines=[[_up(), _versions()], _files(), _alerts(runbooks)]
            ),
            Section(
                title="Do they read what they need?",
                lines=[_watches(), _logs(), _lines(), _findings()],
            ),
            Section(title="Do they keep up?", lines=[_probes(), _lags()]),
            Section(title="What do they use?", lines=[_series(), _process()]),
            Section(title="Do the witnesses agree?", lines=[_witnesses()]),
        ],
    )


def _each(series: str) -> str:
    return f"{series}{{{_ME}}}"


def _rate(series: str, by: str = "instance") -> str:
    return f"sum by ({by}) (rate({_each(series)}[$__rate_interval]))"


def _up() -> Panel:
    return panels.timeline(
        "Up",
        "Whether Prometheus can scrape each exporter.",
        _GONE,
        Query(expr=_each("up"), legend="{{instance}}"),
        width=16,
        height=6,
        mappings=look.yes_no("up", "down"),
    )


def _versions() -> Panel:
    return panels.table(
        "Versions",
        "The cluster of each exporter, and its version. The versions should be equal.",
        _GONE,
        Query(
            expr=f"{_each(_BUILD)} * on (job, instance) group_left (source_cluster) "
            "clusterset_info",
            table=True,
        ),
        width=8,
        height=6,
        transformations=panels.merged(
            {
                "source_cluster": "cluster",
                "instance": "instance",
                "version": "version",
                "python": "python",
            },
            gone=["Value", "job"],
        ),
    )


def _files() -> list[Panel]:
    def taken(what: str, series: str) -> Panel:
        return panels.stat(
            f"{what} file",
            f"Whether the newest {what.lower()} file is the one in use.",
            _GONE,
            Query(expr=_each(series), legend="{{instance}}"),
            width=6,
            mappings=look.yes_no("in use", "broken"),
            color=panels.FIXED,
        )

    age = "time() - " + _each("clusterset_exporter_{}_last_reload_success_timestamp_seconds")
    return [
        taken("Configuration", "clusterset_exporter_config_last_reload_successful"),
        taken("Inventory", "clusterset_exporter_inventory_last_reload_successful"),
        panels.stat(
            "Time since load",
            "How long ago the configuration and the inventory in use were loaded.",
            _GONE,
            Query(expr=f"min({age.replace('{}', 'config', 1)})", legend="configuration"),
            Query(expr=f"min({age.replace('{}', 'inventory', 1)})", legend="inventory"),
            width=6,
            unit="s",
            decimals=0,
        ),
        panels.stat(
            "Broken inventories",
            "Versions of the inventory file within the range that were broken and refused.",
            _GONE,
            Query(
                expr="sum(increase("
                f"{_each('clusterset_exporter_inventory_reload_failures_total')}[$__range]))"
            ),
            width=6,
            decimals=0,
            steps=look.WARN_IF_ANY,
        ),
    ]


def _alerts(runbooks: str) -> list[Panel]:
    firing = 'ALERTS{alertname=~"ClustersetExporter.+",alertstate="firing"}'
    return [
        panels.table(
            "Firing alerts about exporters",
            "Alerts about exporters that fire now. A name leads to its runbook if `runbookUrl` is "
            "set.",
            "No alert fires, or the rules are not loaded",
            Query(expr=f"max by (alertname, severity, instance) ({firing})", table=True),
            width=24,
            height=5,
            transformations=panels.merged(
                {"alertname": "alert", "severity": "severity", "instance": "instance"},
                gone=["Value"],
            ),
            overrides=[look.override("alert", links=look.runbook(runbooks))],
        )
    ]


def _watches() -> list[Panel]:
    state = f"{_each('clusterset_exporter_watch_state')} == 1"
    return [
        panels.table(
            "Watches",
            "The resources that each exporter reads from the API server, and their state.",
            _NO_KUBERNETES,
            Query(expr=f"max by (instance, resource, state) ({state})", table=True),
            height=6,
            transformations=panels.merged(
                {"instance": "instance", "resource": "resource", "state": "state"}, gone=["Value"]
            ),
        ),
        panels.graph(
            "Silence of the watches",
            "Time since the API server last sent anything on each watch.",
            _NO_KUBERNETES,
            Query(expr=f"time() - min by (resource) ({_each(_RECEIVED)})", legend="{{resource}}"),
            height=6,
            unit="s",
        ),
    ]


def _logs() -> list[Panel]:
    return [
        panels.graph(
            "Age of lines when read",
            "Age of the newest line of each log when it was read, by its own time stamp.",
            _NO_LOGS,
            Query(
                expr=_each("clusterset_exporter_log_behind_seconds"), legend="{{log}} {{instance}}"
            ),
            unit="s",
        ),
        panels.graph(
            "Bytes not read yet",
            "Bytes of each log that are written but not read.",
            _NO_LOGS,
            Query(
                expr=_each("clusterset_exporter_log_behind_bytes"), legend="{{log}} {{instance}}"
            ),
            unit="bytes",
        ),
    ]


def _lines() -> list[Panel]:
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
            "Log lines per second by outcome. Many other lines may mean a wrong format.",
            _NO_LOGS,
            Query(
                expr=_rate("clusterset_exporter_log_lines_total", "outcome"), legend="{{outcome}}"
            ),
            stacked=True,
            unit="suffix: lines/s",
        ),
        panels.graph(
            "Events of the logs",
            "Rotated or truncated files, errors, dropped messages, failed checkpoints, and "
            "blocks that had to be read line by line, over the rate interval.",
            _NO_LOGS,
            *(
                Query(expr=f"sum(increase({_each(series)}[$__rate_interval]))", legend=word)
                for word, series in troubles.items()
            ),
        ),
    ]


def _probes() -> list[Panel]:
    return [
        panels.graph(
            "Probes",
            "Probes per second of each exporter.",
            _GONE,
            Query(expr=_rate("clusterset_probes_total"), legend="{{instance}}"),
            unit="suffix: probes/s",
        ),
        panels.graph(
            "Probes skipped",
            "Probes per second that did not start, because the previous one or too many others"
            " ran.",
            _GONE,
            Query(expr=_rate("clusterset_exporter_probes_not_made_total"), legend="{{instance}}"),
            unit="suffix: probes/s",
        ),
    ]


def _lags() -> list[Panel]:
    def late(title: str, description: str, series: str) -> Panel:
        bucket = _rate(f"{series}_bucket", "le, instance")
        return panels.graph(
            title,
            description,
            _GONE,
            Query(expr=f"histogram_quantile(0.99, {bucket})", legend="{{instance}}"),
            unit="s",
        )

    return [
        late(
            "Probes started late by",
            "Delay of probe starts: 99 of 100 probes start within this time.",
            "clusterset_exporter_probe_start_delay_seconds",
        ),
        late(
            "Event loop late by",
            "Delay of the event loop: 99 of 100 timers fire within this time.",
            "clusterset_exporter_event_loop_lag_seconds",
        ),
    ]


def _series() -> list[Panel]:
    held, limit = "clusterset_exporter_series", "clusterset_exporter_series_limit"
    return [
        panels.graph(
            "Series in use",
            "Share of limits.series that is in use. At the limit, no new series is created.",
            _GONE,
            Query(expr=f"{_each(held)} / {_each(limit)}", legend="{{instance}}"),
            unit="percentunit",
            most=1,
        ),
        panels.graph(
            "Updates dropped",
            "Updates of series per second that were dropped because the limit is reached.",
            _GONE,
            Query(expr=_rate("clusterset_exporter_series_dropped_total"), legend="{{instance}}"),
            unit="suffix: lines/s",
        ),
    ]


def _process() -> list[Panel]:
    def usage(title: str, description: str, expr: str, unit: str) -> Panel:
        query = Query(expr=expr, legend="{{instance}}")
        return panels.graph(title, description, _GONE, query, width=6, height=6, unit=unit)

    build = f"on (job, instance) group_left () {_each(_BUILD)}"
    cpu = f"rate({_each('process_cpu_seconds_total')}[$__rate_interval])"
    return [
        usage("CPU", "Cores that each exporter uses.", f"{cpu} * {build}", "short"),
        usage(
            "Memory",
            "Resident memory of each exporter.",
            _each("process_resident_memory_bytes"),
            "bytes",
        ),
        usage(
            "Open files",
            "Open file descriptors of each exporter.",
            _each("process_open_fds"),
            "short",
        ),
        usage(
            "Scrapes take",
            "Time that Prometheus takes to scrape each exporter.",
            _each("scrape_duration_seconds"),
            "s",
        ),
    ]


def _findings() -> list[Panel]:
    return [
        panels.graph(
            "Findings",
            "What the exporters found in the clusterset that people should know, by kind. The "
            "status page has each one in words.",
            "Nothing was found",
            Query(
                expr=f"max by (kind, instance) ({_each('clusterset_exporter_findings')}) > 0",
                legend="{{kind}}, {{instance}}",
            ),
            width=24,
            height=6,
            decimals=0,
        )
    ]


def _witnesses() -> list[Panel]:
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
                f"(increase({_each(checks)}[$__range])) > 0",
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
            _NO_LOGS,
            Query(expr=f"sum(rate({_each(any_forged)}[$__rate_interval]))", legend="probes"),
            Query(expr=_rate(forged, "reason"), legend="probes: {{reason}}"),
            Query(expr=f"sum(rate({_each(withheld)}[$__rate_interval]))", legend="leaks withheld"),
            unit="suffix: lines/s",
        ),
    ]
