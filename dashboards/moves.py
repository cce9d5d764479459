"""Moves of services between clusters, as a table and as marks over the graphs of a board."""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards import look, panels
from dashboards.bridge import SOURCE, Panel, Query
from dashboards.look import ORANGE, VERMILLION
from dashboards.queries import SERVICE
from exporter.model.verdicts import FailoverStage

_MOVED = "clusterset_failover_last_timestamp_seconds"
_HOW = "from_cluster, to_cluster, reason"
_STEP = "15s"
_COLUMNS = {
    "source_cluster": "clients in",
    "destination_service_namespace": "namespace",
    "destination_service_name": "service",
    "Value #A": "moved at",
    "from_cluster": "from",
    "to_cluster": "to",
    "reason": "reason",
    "Value #B": "new answer after",
    "Value #C": "served after",
    "Value #D": "outage",
    "Value #E": "accuracy",
}


def _new(matchers: str, step: str) -> str:
    """Return the counters of moves that are new or have grown within a step."""
    moves = f"clusterset_failovers_total{{{matchers}}}"
    # The first move of a kind makes its series.
    return f"({moves} > {moves} offset {step}) or ({moves} unless {moves} offset {step})"


def table(matchers: str, *, of_all: bool, **words: Any) -> Panel:  # noqa: ANN401 - of panels.table
    """
    Return the moves within the range, the newest first.

    Args:
        matchers: Which services and which clusters of clients.
        of_all: Whether there are several services, so that each row names its own. Only those
            that moved within the range are read.
        words: As of `panels.table`.
    """
    who = f"source_cluster, {SERVICE}" if of_all else "source_cluster"
    by, moved = f"max by ({who})", f"{_MOVED}{{{matchers}}}"
    only = f" and on ({who}) ({by} ({moved} @ end()) * 1000 > $__from)" if of_all else ""
    took = f'clusterset_failover_last_duration_seconds{{stage="%s",{matchers}}}'
    accuracy = f'clusterset_failover_last_accuracy_seconds{{stage="served",{matchers}}}'
    queries = [
        f"({by} ({moved}) * 1000 > $__from){only}",
        *(f"{by} ({took % stage}){only}" for stage in FailoverStage),
        *(() if of_all else [f"{by} ({accuracy})"]),
        f"max by ({who}, {_HOW}) ({_new(matchers, '$__interval')})",
    ]
    # The columns of all services leave no room for how accurate the times are.
    gone = "Value #E" if of_all else "destination_service"
    columns = {name: shown for name, shown in _COLUMNS.items() if not name.startswith(gone)}
    return panels.table(
        "Moves",
        "Each move to another cluster within the range, failbacks included. It shows the "
        "reason, the time until the name led to that cluster, the time until it served, and "
        "how long nobody served. The clock starts at the cause (readiness, connection, "
        "unexport), else at the first failure.",
        "No service moved in this range" if of_all else "This service did not move in this range",
        *(Query(expr=expr, table=True, each=True) for expr in queries),
        width=24,
        transformations=_rows(columns, gone=[f"Value #{chr(ord('A') + len(queries) - 1)}"]),
        unit="s",
        decimals=2,
        **words,
    )


def _rows(columns: Mapping[str, str], gone: Sequence[str]) -> list[dict[str, Any]]:
    """Return the steps that make a row of each move: its values where its time was new."""
    keys = {"clients in", "namespace", "service", "moved at"}
    fields = {
        name: {"aggregations": [], "operation": "groupby"}
        if name in keys
        else {"aggregations": ["lastNotNull"], "operation": "aggregate"}
        for name in columns.values()
    }
    organize = {
        "excludeByName": {"Time": True, **dict.fromkeys(gone, True)},
        "indexByName": {},
        "renameByName": dict(columns),
    }
    known = {"fieldName": "moved at", "config": {"id": "isNotNull", "options": {}}}
    plain = {"regex": "(.*) \\(lastNotNull\\)", "renamePattern": "$1"}
    order = {name: index for index, name in enumerate(columns.values())}
    return [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": organize},
        {"id": "filterByValue", "options": {"filters": [known], "match": "all", "type": "include"}},
        {"id": "groupBy", "options": {"fields": fields}},
        {"id": "renameByRegex", "options": plain},
        {"id": "organize", "options": {"excludeByName": {}, "indexByName": order}},
        {"id": "sortBy", "options": {"sort": [{"field": "moved at", "desc": True}]}},
    ]


COLUMNS = [
    look.override("moved at", unit="dateTimeAsLocal", custom__width=190),
    look.override("reason", custom__width=95),
    *(
        look.override(name, custom__width=100)
        for name in ("new answer after", "served after", "outage", "accuracy")
    ),
]
"""Widths that leave room for the names of clusters and services at 1400 pixels."""


def marks(matchers: str, alerts: str, *, of_all: bool) -> Sequence[Mapping[str, Any]]:
    """
    Return the marks over all graphs of a board: moves, and alerts while they fire.

    Args:
        matchers: Which moves.
        alerts: Which alerts: matchers behind those that all have.
        of_all: Whether there are several services, so that each mark names its own.
    """
    who = f"source_cluster, {SERVICE}" if of_all else "source_cluster"
    at = f"max by ({who}) ({_MOVED}{{{matchers}}}) * 1000"
    new = f"max by ({who}, {_HOW}) ({_new(matchers, _STEP)}) * 0"
    named = "{{destination_service_namespace}}/{{destination_service_name}}: " if of_all else ""
    firing = f'ALERTS{{alertname=~"Clusterset.+",alertstate="firing",{alerts}}}'
    common = {"datasource": SOURCE, "enable": True, "step": _STEP}
    return [
        common
        | {
            "name": "Moves",
            "iconColor": ORANGE,
            "expr": f"{new} + on ({who}) group_left () {at}",
            "useValueForTime": True,
            "titleFormat": f"{named}{{{{from_cluster}}}} → {{{{to_cluster}}}}, {{{{reason}}}}",
            "textFormat": "for clients in {{source_cluster}}",
            "tagKeys": "source_cluster",
        },
        common
        | {
            "name": "Alerts",
            "iconColor": VERMILLION,
            "expr": f"max by (alertname, severity, {who}) ({firing})",
            "titleFormat": f"{{{{alertname}}}} {named.removesuffix(': ')}".rstrip(),
            "tagKeys": "severity,source_cluster",
        },
    ]
