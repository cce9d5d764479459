"""Clusterset / Service: one service, as clients of each cluster get it."""

from dashboards import look, panels
from dashboards import service_parts as parts
from dashboards.bridge import SOURCE, Board, Panel, Query, Section, Variable
from dashboards.look import GREEN, ORANGE, VERMILLION
from dashboards.queries import mode_code
from dashboards.service_parts import FROM, NO_PROBES, SERVICE
from dashboards.service_witnesses import witnesses
from exporter.model.verdicts import FailoverStage

_MOVED = "clusterset_failover_last_timestamp_seconds"
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
            Section(title="What do clients get?", lines=[_now(), [_course()], [_log()]]),
            Section(title="Who serves whom", lines=[parts.served(), parts.answers(), witnesses()]),
            Section(title="Would the next failover work?", lines=[parts.ready(), parts.exports()]),
            Section(
                title="Promises and failures",
                lines=[parts.promises(), parts.failures(), parts.lookups()],
            ),
            Section(title="Latency", lines=[parts.latency(), parts.spread(), [parts.network()]]),
        ],
        annotations=[_annotation()],
    )


def _annotation() -> dict[str, object]:
    return {
        "name": "Moves",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": ORANGE,
        "expr": f"max by (source_cluster) ({_MOVED}{{{FROM}}}) * 1000",
        "useValueForTime": True,
        "titleFormat": "moved for clients in {{source_cluster}}",
        "tagKeys": "source_cluster",
        "step": "15s",
    }


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
            "Nobody served for",
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


def _log() -> Panel:
    by = "max by (source_cluster)"
    took = f"{by} (clusterset_failover_last_duration_seconds{{%s,{FROM}}})"
    moves = f"clusterset_failovers_total{{{FROM}}}"
    accuracy = f'clusterset_failover_last_accuracy_seconds{{stage="served",{FROM}}}'
    # A move is the step at which its counter is new or has grown; the first one makes the series.
    new = f"({moves} > {moves} offset $__interval) or ({moves} unless {moves} offset $__interval)"
    reducers = {
        "clients in": "groupby",
        "moved at": "groupby",
        "from": "lastNotNull",
        "to": "lastNotNull",
        "reason": "lastNotNull",
        "new answer after": "lastNotNull",
        "served after": "lastNotNull",
        "outage": "lastNotNull",
        "accuracy": "lastNotNull",
    }
    fields = {
        name: {"aggregations": [], "operation": "groupby"}
        if how == "groupby"
        else {"aggregations": [how], "operation": "aggregate"}
        for name, how in reducers.items()
    }
    return panels.table(
        "Moves",
        "Each move to another cluster within the range, failbacks included. It shows the "
        "reason, the time until the name led to that cluster, the time until it served, and "
        "how long nobody served. The clock starts at the cause (readiness, connection, "
        "unexport), else at the first failure.",
        "This service did not move in this range",
        Query(expr=f"{by} ({_MOVED}{{{FROM}}}) * 1000 > $__from", table=True, each=True),
        *(Query(expr=took % f'stage="{stage}"', table=True, each=True) for stage in FailoverStage),
        Query(expr=f"{by} ({accuracy})", table=True, each=True),
        Query(
            expr=f"max by (source_cluster, from_cluster, to_cluster, reason) ({new})",
            table=True,
            each=True,
        ),
        width=24,
        height=7,
        transformations=[
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True, "Value #F": True},
                    "indexByName": {},
                    "renameByName": {
                        "source_cluster": "clients in",
                        "Value #A": "moved at",
                        "from_cluster": "from",
                        "to_cluster": "to",
                        "Value #B": "new answer after",
                        "Value #C": "served after",
                        "Value #D": "outage",
                        "Value #E": "accuracy",
                    },
                },
            },
            _only("moved at"),
            {"id": "groupBy", "options": {"fields": fields}},
            {
                "id": "renameByRegex",
                "options": {"regex": "(.*) \\(lastNotNull\\)", "renamePattern": "$1"},
            },
            {"id": "sortBy", "options": {"sort": [{"field": "moved at", "desc": True}]}},
        ],
        unit="s",
        decimals=2,
        overrides=[look.override("moved at", unit="dateTimeAsLocal", custom__width=200)],
    )


def _only(column: str) -> dict[str, object]:
    test = {"fieldName": column, "config": {"id": "isNotNull", "options": {}}}
    return {
        "id": "filterByValue",
        "options": {"filters": [test], "match": "all", "type": "include"},
    }
