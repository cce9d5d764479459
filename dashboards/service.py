"""Clusterset / Service: one service, as clients of each cluster get it."""

from typing import Any

from dashboards import (
    lines,
    look,
    moves,
    panels,
    service_latency,
    service_promises,
    service_standby,
    service_traffic,
)
from dashboards.bridge import Board, Panel, Query, Section, Variable, constant
from dashboards.look import GREEN, ORANGE, VERMILLION
from dashboards.queries import mode_code
from dashboards.service_selection import FROM, NO_PROBES, SERVICE
from dashboards.service_witnesses import gateways, witnesses
from dashboards.thresholds import Thresholds

_HEIGHT = 12
"""Rows of ten clusters fit in."""
_CODE = f"max by (source_cluster) ({mode_code(FROM)})"


def board(to: Thresholds) -> Board:
    """Return the board; *to* holds the objectives, and where the alerts' pages are."""
    exported = "clusterset_service_exported"
    namespaces = f"label_values({exported}, destination_service_namespace)"
    chosen = f'{exported}{{destination_service_namespace="$namespace"}}'
    sources = f"label_values(clusterset_service_mode{{{SERVICE}}}, source_cluster)"
    return Board(
        uid="clusterset-service",
        title="Clusterset / Service",
        description="One service: who serves whom, what changed, and how long it took",
        variables=[
            Variable(name="datasource", label="Data source", query="prometheus", kind="datasource"),
            Variable(name="namespace", label="Namespace", query=namespaces),
            Variable(
                name="service",
                label="Service",
                query=f"label_values({chosen}, destination_service_name)",
            ),
            Variable(name="source_cluster", label="Clients in", query=sources, many=True),
            constant("runbooks", to.runbook_url),
            constant("objective_success", to.slo),
            constant("objective_locality", to.slo_locality),
            *lines.variables("clusterset_gateway_connected", "destination_cluster"),
        ],
        sections=[
            Section(title="What do clients get?", lines=[[_now(), _course()], [_moves()]]),
            Section(title="Are the objectives met?", lines=[service_traffic.objectives()]),
            Section(
                title="Who serves whom",
                lines=[
                    service_traffic.served(),
                    service_traffic.answers(),
                    [witnesses()],
                    gateways(),
                ],
            ),
            Section(
                title="Would the next failover work?",
                lines=[service_standby.ready(), service_standby.exports()],
            ),
            Section(
                title="What do probes find?",
                lines=[service_promises.promises(), service_promises.backends()],
            ),
            Section(
                title="How long does it take?",
                lines=[
                    service_latency.latency(),
                    service_latency.spread(),
                    [service_latency.network()],
                ],
            ),
        ],
        annotations=moves.marks(FROM, FROM, of_all=False),
    )


def _now() -> Panel:
    by = "max by (source_cluster)"
    outage = f"increase(clusterset_service_outage_seconds_total{{{FROM}}}[$__range])"
    return panels.table(
        "Mode now",
        "What clients of each cluster get now, the worst first. Local: their own cluster serves. "
        "Remote: another cluster serves, and theirs does not export the service. Failover: another "
        "cluster serves although theirs exports it. Mixed: local and remote answers alternate. "
        "Degraded: some answers lead to a cluster that does not reply. Blackout: nobody answers. "
        "Standbys are clusters that would serve if the current one stopped: exported, ready, "
        "connected, and answering probes of their pinned name. Outage is the time within the range "
        "in which probes found that nobody served.",
        NO_PROBES,
        Query(expr=_CODE, table=True),
        Query(expr=f"{by} (clusterset_service_standby_clusters{{{FROM}}})", table=True),
        Query(expr=f"{by} ({outage})", table=True),
        width=10,
        height=_HEIGHT,
        paged=False,
        transformations=panels.merged(
            {
                "source_cluster": "clients in",
                "Value #A": "mode",
                "Value #B": "standbys",
                "Value #C": "outage",
            },
            sort="mode",
        ),
        overrides=[
            _cell("mode", mappings=look.MODE_WORDS, color=panels.PLAIN),
            _cell("standbys", thresholds=look.steps((None, VERMILLION), (1, GREEN))),
            _cell(
                "outage",
                unit="s",
                decimals=1,
                thresholds=look.steps((None, GREEN), (1, ORANGE), (60, VERMILLION)),
            ),
        ],
    )


def _cell(column: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - Grafana's values
    background = {"type": "color-background", "mode": "basic"}
    return look.override(
        column,
        custom__cellOptions=background,
        custom__align="center",
        custom__width=90,
        **properties,
    )


def _course() -> Panel:
    return panels.timeline(
        "Mode over time",
        "The mode over time, with one bar for the clients of each cluster.",
        NO_PROBES,
        Query(expr=_CODE, legend="clients in {{source_cluster}}"),
        mappings=look.MODE_WORDS,
        width=14,
        height=_HEIGHT,
    )


def _moves() -> Panel:
    return moves.table(FROM, of_all=False, height=7, overrides=moves.COLUMNS)
