"""Clusterset / Overview: who is served where, is that right, and what changed."""

from dataclasses import replace

from dashboards import lines, look, moves, panels
from dashboards import overview_parts as parts
from dashboards.bridge import Board, Panel, Query, Section, Variable, constant
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
from dashboards.thresholds import Thresholds
from exporter.model.verdicts import Locality, Mode

_STEPS = 100
"""Points of the table of moves: of many services, more would keep a browser busy."""
_NO_MODES = "No probes, or the rules of local.yaml are not loaded"


def board(to: Thresholds) -> Board:
    """Return the board; *to* says where the alerts' pages are."""
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
            constant("runbooks", to.runbook_url),
            *lines.variables("clusterset_gateway_connected", "destination_cluster"),
        ],
        sections=[
            Section(
                title="Who is served where, and is that right?", lines=[[parts.served()], _stats()]
            ),
            Section(
                title="What changed, and what needs attention",
                lines=[[_moves()], [_timeline()], [_alerts(to.runbook_url)]],
            ),
            Section(title="Traffic", lines=[parts.traffic(), [parts.errors()]]),
            Section(title="Services", lines=[[parts.services()]]),
            Section(title="Tunnels", lines=parts.tunnels()),
        ],
        annotations=moves.marks(HERE, 'source_cluster=~"$source_cluster|"', of_all=True),
    )


def _variable(name: str, label: str, series: str, of: str) -> Variable:
    return Variable(name=name, label=label, query=f"label_values({series}, {of})", many=True)


def _stats() -> list[Panel]:
    """Return the numbers, in one line."""
    return [replace(panel, width=3, height=3) for panel in _numbers()]


def _numbers() -> list[Panel]:
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
            Query(expr="count(count by (source_cluster) (clusterset_info))", legend="reporting"),
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
        "Alerts of this clusterset that fire now. Those that are over are marks over the graphs. "
        "A name leads to its runbook if `runbookUrl` is set.",
        "No alert fires, or the rules are not loaded",
        Query(expr=f"max by ({kept}) ({firing})", table=True),
        width=24,
        height=7,
        transformations=panels.merged(
            {
                "alertname": "alert",
                "severity": "severity",
                "destination_service_namespace": "namespace",
                "destination_service_name": "service",
                "source_cluster": "clients in",
                "destination_cluster": "served by",
            },
            gone=["Value"],
        ),
        overrides=[
            look.override("alert", links=look.runbook(runbooks), custom__width=260),
            look.override("severity", custom__width=80),
        ],
    )


def _moves() -> Panel:
    return moves.table(
        HERE,
        of_all=True,
        height=9,
        points=_STEPS,
        overrides=[*moves.COLUMNS, look.override("service", links=SERVICE_CELL)],
    )
