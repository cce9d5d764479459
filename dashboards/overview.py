"""Clusterset / Overview: who is served where, is that right, and what changed."""

from dashboards import look, panels
from dashboards import overview_parts as parts
from dashboards.bridge import Board, Panel, Query, Section, Variable
from dashboards.look import GREEN, ORANGE, VERMILLION
from dashboards.overview_parts import CROSSING, HERE, NO_TRAFFIC, OF_CLUSTERS, SERVICE_CELL, SOURCE
from dashboards.queries import (
    BYTE_RATE,
    MODE_COUNT,
    NO_STANDBY,
    PAIR,
    REQUEST_RATE,
    SERVICE,
    TROUBLE,
    over,
)
from exporter.model.verdicts import FailoverStage, Locality, Mode

_NO_MODES = "No probes, or the rules of local.yaml are not loaded"


def board(runbooks: str) -> Board:
    """Return the board; *runbooks* is where the alerts' pages are."""
    return Board(
        uid="clusterset-overview",
        title="Clusterset / Overview",
        description="Who is served where, whether that is right, and what changed",
        variables=[
            Variable(name="datasource", label="Data source", query="prometheus", kind="datasource"),
            _variable("source_cluster", "Clients in", "clusterset_info", "source_cluster"),
            _variable(
                "destination_cluster",
                "Served by",
                "clusterset_service_exported",
                "destination_cluster",
            ),
            _variable(
                "namespace",
                "Namespace of services",
                "clusterset_service_exported",
                "destination_service_namespace",
            ),
            Variable(
                name="runbooks", label="Runbooks", query=runbooks, kind="constant", hidden=True
            ),
        ],
        sections=[
            Section(
                title="Is everything served where it should be?", lines=[_stats(), [_timeline()]]
            ),
            Section(
                title="What changed, and what needs attention",
                lines=[[_alerts(runbooks)], [_moves()]],
            ),
            Section(title="Who is served where", lines=[parts.matrices(), parts.traffic()]),
            Section(title="Services", lines=[[parts.services()]]),
            Section(title="Tunnels", lines=[parts.tunnels()]),
        ],
    )


def _variable(name: str, label: str, series: str, of: str) -> Variable:
    return Variable(name=name, label=label, query=f"label_values({series}, {of})", many=True)


def _stats() -> list[Panel]:
    local = f'sum({REQUEST_RATE}{{{OF_CLUSTERS},locality="{Locality.LOCAL}"}})'
    return [
        panels.stat(
            "Served locally",
            "Share of the clusters' requests that their own cluster served, over five minutes.",
            NO_TRAFFIC,
            Query(expr=over(local, f"sum({REQUEST_RATE}{{{OF_CLUSTERS}}})")),
            unit="percentunit",
            decimals=1,
            steps=((None, VERMILLION), (0.5, ORANGE), (0.95, GREEN)),
        ),
        panels.stat(
            "Crossing",
            "Requests per second from clients of one cluster that another cluster serves.",
            NO_TRAFFIC,
            Query(expr=f"sum({REQUEST_RATE}{{{CROSSING}}})"),
            unit="reqps",
        ),
        panels.stat(
            "Crossing bytes",
            "Bytes of responses per second that cross between clusters. Providers often charge"
            " for them.",
            NO_TRAFFIC,
            Query(expr=f"sum({BYTE_RATE}{{{CROSSING}}})"),
            unit="Bps",
        ),
        _counted(
            "In failover", Mode.FAILOVER, "served by another cluster although exported in their own"
        ),
        _counted("In blackout", Mode.BLACKOUT, "not served by any cluster"),
        panels.stat(
            "No standby",
            "Services, by cluster of the clients, that nobody would take over.",
            _NO_MODES,
            Query(expr=f"sum({NO_STANDBY}{{{HERE}}})"),
            steps=look.WARN_IF_ANY,
        ),
        panels.stat(
            "Tunnels down",
            "Pairs of clusters without a live tunnel, each direction counted.",
            "No exporter reports tunnels",
            Query(
                expr=f"sum(min by ({PAIR}) "
                f'(clusterset_gateway_connected{{view="strict",{SOURCE}}}) == bool 0)'
            ),
            steps=look.GOOD_IF_ZERO,
        ),
        panels.stat(
            "Exporters",
            "Exporters that report, and clusters that they know. If there are fewer exporters "
            "than clusters, nobody watches some cluster.",
            "No exporter is scraped",
            Query(expr="count(count by (source_cluster) (clusterset_info))", legend="report"),
            Query(
                expr="count(count by (destination_cluster) (clusterset_gateway_connected))",
                legend="clusters",
            ),
        ),
    ]


def _counted(title: str, mode: Mode, meaning: str) -> Panel:
    return panels.stat(
        title,
        f"Services, by cluster of the clients, that are {meaning}.",
        _NO_MODES,
        Query(expr=f'sum({MODE_COUNT}{{{HERE},mode="{mode}"}})'),
        steps=look.GOOD_IF_ZERO if mode is Mode.BLACKOUT else look.WARN_IF_ANY,
    )


def _timeline() -> Panel:
    return panels.timeline(
        "Failovers",
        "Services in failover, mixed, degraded or blackout within the range, as clients of each "
        "cluster saw them. Blank means another mode, or that nobody watched. Click a service to "
        "open it.",
        "No failover, no blackout in this range",
        Query(
            expr=f"{TROUBLE}{{{HERE}}}",
            legend="{{destination_service_namespace}}/{{destination_service_name}} "
            "in {{source_cluster}}",
        ),
        mappings=look.MODE_WORDS,
        links=panels.service_link(
            "${__field.labels.destination_service_namespace}",
            "${__field.labels.destination_service_name}",
        ),
    )


def _alerts(runbooks: str) -> Panel:
    firing = 'ALERTS{alertname=~"Clusterset.+",alertstate="firing"}'
    kept = f"alertname, severity, source_cluster, destination_cluster, {SERVICE}"
    return panels.table(
        "Firing alerts",
        "Alerts of this clusterset that fired within the range, now or earlier. A name leads to "
        "its runbook if `runbookUrl` is set.",
        "No alert fired in this range, or the rules are not loaded",
        Query(expr=f"max by ({kept}) (last_over_time({firing}[$__range]))", table=True),
        Query(expr=f"max by ({kept}) ({firing})", table=True),
        width=24,
        transformations=panels.merged(
            {
                "alertname": "alert",
                "severity": "severity",
                "Value #B": "now",
                "destination_service_namespace": "namespace",
                "destination_service_name": "service",
                "source_cluster": "clients in",
                "destination_cluster": "served by",
            },
            gone=["Value #A"],
        ),
        overrides=[
            look.override("alert", links=look.runbook(runbooks), custom__width=260),
            look.override(
                "now", mappings=look.yes_no("firing", "over"), noValue="over", custom__width=70
            ),
            look.override("severity", custom__width=80),
        ],
    )


def _moves() -> Panel:
    at = "clusterset_failover_last_timestamp_seconds"
    by = f"max by (source_cluster, {SERVICE})"
    recent = f"{by} ({at}{{{HERE}}}) * 1000 > $__from"

    def took(stage: FailoverStage) -> Query:
        last = f'clusterset_failover_last_duration_seconds{{stage="{stage}",{HERE}}}'
        return Query(
            expr=f"{by} ({last}) and on (source_cluster, {SERVICE}) ({recent})", table=True
        )

    return panels.table(
        "Newest move of each service",
        "The newest move of each service to another cluster, failbacks included. It shows the "
        "time until the name led to that cluster, the time until it served, and how long "
        "nobody served.",
        "No service moved in this range",
        Query(expr=recent, table=True),
        *map(took, FailoverStage),
        width=24,
        transformations=panels.merged(
            {
                "Value #A": "moved at",
                "destination_service_namespace": "namespace",
                "destination_service_name": "service",
                "source_cluster": "clients in",
                "Value #B": "new answer after",
                "Value #C": "served after",
                "Value #D": "outage",
            },
            sort="moved at",
        ),
        unit="s",
        overrides=[
            look.override("moved at", unit="dateTimeAsLocal", custom__width=200),
            look.override("service", links=SERVICE_CELL),
        ],
    )
