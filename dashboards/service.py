"""Clusterset / Service: one service, as clients of each cluster get it."""

from dashboards import look, moves, panels
from dashboards import service_parts as parts
from dashboards.bridge import Board, Panel, Query, Section, Variable
from dashboards.look import GREEN, ORANGE, VERMILLION
from dashboards.queries import mode_code
from dashboards.service_parts import FROM, NO_PROBES, SERVICE
from dashboards.service_witnesses import witnesses

_CODE = f"max by (source_cluster) ({mode_code(FROM)})"


def board(runbooks: str) -> Board:
    """Return the board; *runbooks* is where the alerts' pages are."""
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
            Variable(
                name="runbooks", label="Runbooks", query=runbooks, kind="constant", hidden=True
            ),
        ],
        sections=[
            Section(title="What do clients get?", lines=[_now(), [_course()], [_moves()]]),
            Section(title="Who serves whom", lines=[parts.served(), parts.answers(), witnesses()]),
            Section(title="Would the next failover work?", lines=[parts.ready(), parts.exports()]),
            Section(
                title="Promises and failures",
                lines=[parts.promises(), parts.failures(), parts.lookups()],
            ),
            Section(title="Latency", lines=[parts.latency(), parts.spread(), [parts.network()]]),
        ],
        annotations=moves.marks(FROM, FROM, of_all=False),
    )


def _now() -> list[Panel]:
    standbys = f"max by (source_cluster) (clusterset_service_standby_clusters{{{FROM}}})"
    outage = f"increase(clusterset_service_outage_seconds_total{{{FROM}}}[$__range])"
    return [
        panels.stat(
            "Mode now",
            "What clients of each cluster get now. Local: their own cluster serves. Remote: "
            "another cluster serves, and theirs does not export the service. Failover: another"
            " cluster serves although theirs exports it. Mixed: local and remote answers "
            "alternate. Blackout: nobody answers.",
            NO_PROBES,
            Query(expr=_CODE, legend="{{source_cluster}}"),
            width=12,
            mappings=look.MODE_WORDS,
            color=panels.FIXED,
        ),
        panels.stat(
            "Standbys",
            "Clusters that would serve if the current one stopped. They are exported, ready "
            "and connected, and answer probes of their pinned name.",
            NO_PROBES,
            Query(expr=standbys, legend="{{source_cluster}}"),
            width=6,
            steps=((None, VERMILLION), (1, GREEN)),
        ),
        panels.stat(
            "Outage",
            "Time within the range in which probes found that nobody served.",
            NO_PROBES,
            Query(expr=f"max by (source_cluster) ({outage})", legend="{{source_cluster}}"),
            width=6,
            unit="s",
            decimals=1,
            steps=((None, GREEN), (1, ORANGE), (60, VERMILLION)),
        ),
    ]


def _course() -> Panel:
    return panels.timeline(
        "Mode over time",
        "The mode over time, with one bar for the clients of each cluster.",
        NO_PROBES,
        Query(expr=_CODE, legend="clients in {{source_cluster}}"),
        mappings=look.MODE_WORDS,
        height=6,
    )


def _moves() -> Panel:
    return moves.table(FROM, of_all=False, height=7, overrides=[moves.TIME_COLUMN])
