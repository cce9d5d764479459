"""Clusterset / Exporter: whether the other boards are reliable."""

from dashboards import exporter_inputs as inputs
from dashboards import exporter_load as load
from dashboards import lines, look, panels
from dashboards.bridge import Board, Panel, Query, Section, Variable, constant
from dashboards.exporter_selection import BUILD, GONE, ME, each
from dashboards.thresholds import Thresholds


def board(to: Thresholds) -> Board:
    """Return the board; *to* says where the alerts' pages are."""
    instances = f'label_values({BUILD}{{job=~"$job"}}, instance)'
    return Board(
        uid="clusterset-exporter",
        title="Clusterset / Exporter",
        description="The exporters themselves: whether they run, read their inputs and keep up",
        variables=[
            Variable(name="datasource", label="Data source", query="prometheus", kind="datasource"),
            Variable(name="job", label="Job", query=f"label_values({BUILD}, job)", many=True),
            Variable(name="instance", label="Instance", query=instances, many=True),
            constant("runbooks", to.runbook_url),
            *lines.variables(BUILD, "instance", ME),
        ],
        sections=[
            Section(
                title="Do they run?",
                lines=[[_up(), _versions()], _files(), _alerts(to.runbook_url)],
            ),
            Section(
                title="Do they read what they need?",
                lines=[inputs.watches(), inputs.logs(), inputs.lines(), [inputs.findings()]],
            ),
            Section(title="Do they keep up?", lines=[load.probes(), load.lags()]),
            Section(title="What do they use?", lines=[load.series(), load.process()]),
            Section(title="Do the witnesses agree?", lines=[inputs.witnesses()]),
        ],
    )


def _up() -> Panel:
    return panels.timeline(
        "Up",
        "Whether Prometheus can scrape each exporter.",
        GONE,
        Query(expr=each("up"), legend="{{instance}}"),
        width=12,
        height=8,
        mappings=look.yes_no("up", "down"),
    )


def _versions() -> Panel:
    return panels.table(
        "Versions",
        "The cluster of each exporter, and its version. The versions should be equal.",
        GONE,
        Query(
            expr=f"{each(BUILD)} * on (job, instance) group_left (source_cluster) clusterset_info",
            table=True,
        ),
        width=12,
        height=8,
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
            GONE,
            Query(expr=each(series), legend="{{instance}}"),
            width=6,
            mappings=look.yes_no("in use", "broken"),
            color=panels.PLAIN,
        )

    age = "time() - " + each("clusterset_exporter_{}_last_reload_success_timestamp_seconds")
    return [
        taken("Configuration", "clusterset_exporter_config_last_reload_successful"),
        taken("Inventory", "clusterset_exporter_inventory_last_reload_successful"),
        panels.stat(
            "Time since load",
            "How long ago the configuration and the inventory in use were loaded.",
            GONE,
            Query(expr=f"min({age.replace('{}', 'config', 1)})", legend="configuration"),
            Query(expr=f"min({age.replace('{}', 'inventory', 1)})", legend="inventory"),
            width=6,
            unit="s",
            decimals=0,
        ),
        panels.stat(
            "Broken inventories",
            "Versions of the inventory file within the range that were broken and refused.",
            GONE,
            Query(
                expr="sum(increase("
                f"{each('clusterset_exporter_inventory_reload_failures_total')}[$__range]))"
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
