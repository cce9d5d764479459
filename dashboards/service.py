"""Clusterset / Service: one service, as clients of each cluster get it."""

from collections.abc import Sequence

from dashboards import look, panels
from dashboards.bridge import SOURCE, Board, Panel, Query, Section, Variable
from dashboards.look import GREEN, ORANGE, VERMILLION
from dashboards.queries import NO_CLUSTER, PAIR, mode_code, over, same_cluster
from exporter.model import Stage

_SERVICE = 'destination_service_namespace="$namespace",destination_service_name="$service"'
_FROM = f'{_SERVICE},source_cluster=~"$source_cluster"'
_NO_PROBES = "No probes of this service: it is not in the inventory, or not probed"
_NO_REQUESTS = "No client requests of this service in the logs"
_NO_KUBERNETES = "Not reported: this needs an inventory from Kubernetes"
_MOVED = "clusterset_failover_last_timestamp_seconds"
_CODE = f"max by (source_cluster) ({mode_code(_FROM)})"


def board(runbooks: str) -> Board:
    """Return the board; *runbooks* is where the alerts' pages are."""
    exported = "clusterset_service_exported"
    namespaces = f"label_values({exported}, destination_service_namespace)"
    chosen = f'{exported}{{destination_service_namespace="$namespace"}}'
    sources = f"label_values(clusterset_service_mode{{{_SERVICE}}}, source_cluster)"
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
            Section(title="Who serves whom", lines=[_served(), _answers()]),
            Section(title="Would the next failover work?", lines=[_ready(), _exports()]),
            Section(title="Promises and failures", lines=[_promises(), _failures()]),
            Section(title="Latency", lines=[_latency(), _spread()]),
        ],
        annotations=[_annotation()],
    )


def _annotation() -> dict[str, object]:
    return {
        "name": "Moves",
        "datasource": SOURCE,
        "enable": True,
        "iconColor": ORANGE,
        "expr": f"max by (source_cluster) ({_MOVED}{{{_FROM}}}) * 1000",
        "useValueForTime": True,
        "titleFormat": "moved for clients in {{source_cluster}}",
        "tagKeys": "source_cluster",
        "step": "15s",
    }


def _now() -> list[Panel]:
    standbys = f"max by (source_cluster) (clusterset_service_standby_clusters{{{_FROM}}})"
    outage = f"increase(clusterset_service_outage_seconds_total{{{_FROM}}}[$__range])"
    return [
        panels.stat(
            "Mode now",
            "What clients of each cluster get now. Local: their own cluster serves. Remote: "
            "another serves, and theirs does not export it. Failover: another serves though "
            "theirs exports it. Mixed: answers go to and fro. Blackout: nobody answers.",
            _NO_PROBES,
            Query(expr=_CODE, legend="{{source_cluster}}"),
            width=12,
            mappings=look.MODE_WORDS,
            color=panels.FIXED,
        ),
        panels.stat(
            "Standbys",
            "Clusters that would serve if the one that serves stopped: exported, ready, connected, "
            "and answering by their own name.",
            _NO_PROBES,
            Query(expr=standbys, legend="{{source_cluster}}"),
            width=6,
            steps=((None, VERMILLION), (1, GREEN)),
        ),
        panels.stat(
            "Nobody served for",
            "Time within the range for which probes found nobody serving.",
            _NO_PROBES,
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
        "The same over time, a bar for the clients of each cluster.",
        _NO_PROBES,
        Query(expr=_CODE, legend="clients in {{source_cluster}}"),
        mappings=look.MODE_WORDS,
        height=6,
    )


def _log() -> Panel:
    by = "max by (source_cluster)"
    took = f"{by} (clusterset_failover_last_duration_seconds{{%s,{_FROM}}})"
    moves = f"clusterset_failovers_total{{{_FROM}}}"
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
    }
    fields = {
        name: {"aggregations": [], "operation": "groupby"}
        if how == "groupby"
        else {"aggregations": [how], "operation": "aggregate"}
        for name, how in reducers.items()
    }
    return panels.table(
        "Moves",
        "Each move to another cluster within the range, failbacks included: when, from where to "
        "where, why, how long until the name led there, until it served, and how long nobody did. "
        "The clock starts at the cause (readiness, connection, unexport), "
        "else at the first failure.",
        "This service did not move in this range",
        Query(expr=f"{by} ({_MOVED}{{{_FROM}}}) * 1000 > $__from", table=True, each=True),
        *(Query(expr=took % f'stage="{stage}"', table=True, each=True) for stage in Stage),
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
                    "excludeByName": {"Time": True, "Value #E": True},
                    "indexByName": {},
                    "renameByName": {
                        "source_cluster": "clients in",
                        "Value #A": "moved at",
                        "from_cluster": "from",
                        "to_cluster": "to",
                        "Value #B": "new answer after",
                        "Value #C": "served after",
                        "Value #D": "outage",
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


def _served() -> list[Panel]:
    requests = f"clusterset_requests_total{{{_FROM}}}"
    rate = f"rate({requests}[$__rate_interval])"
    pairs = f"sum by ({PAIR}) (increase({requests}[$__range]))"
    return [
        panels.matrix(
            "Requests",
            "Client requests of the range by cluster of the clients and cluster that served.",
            _NO_REQUESTS,
            Query(expr=f"{pairs} > 0", table=True),
            color={"mode": "continuous-blues"},
            decimals=0,
            least=0,
        ),
        panels.graph(
            "Requests by locality",
            "Requests a second by how right it is that they were served where they were.",
            _NO_REQUESTS,
            Query(expr=f"sum by (locality) ({rate})", legend="{{locality}}"),
            stacked=True,
            unit="reqps",
            overrides=look.LOCALITY_COLOURS,
        ),
    ]


def _answers() -> list[Panel]:
    answers = f"clusterset_dns_answers_total{{{_FROM}}}"
    by = f"sum by ({PAIR}) (rate({answers}[$__rate_interval]))"
    whole = f"sum by (source_cluster) (rate({answers}[$__rate_interval]))"
    requests = f"rate(clusterset_requests_total{{{_FROM}}}[$__rate_interval])"
    return [
        panels.graph(
            "Where the name leads",
            "Share of the answers to the service's name that lead to each cluster, by cluster that "
            "asked.",
            _NO_PROBES,
            Query(
                expr=f"{by} / on (source_cluster) group_left () ({whole} > 0)",
                legend="{{source_cluster}} → {{destination_cluster}}",
            ),
            unit="percentunit",
            most=1,
        ),
        panels.graph(
            "Requests by the cluster that served",
            "Requests a second that each cluster served to the chosen clusters' clients.",
            _NO_REQUESTS,
            Query(
                expr=f"sum by (destination_cluster) ({requests})", legend="{{destination_cluster}}"
            ),
            stacked=True,
            unit="reqps",
        ),
    ]


def _ready() -> list[Panel]:
    ready = f"max by (destination_cluster) (clusterset_service_ready{{{_SERVICE}}})"
    count = f"sum by (destination_cluster, condition) (clusterset_service_endpoints{{{_SERVICE}}})"
    return [
        panels.timeline(
            "Ready",
            "Whether each cluster that exports the service is ready to serve it, as any cluster "
            "sees it.",
            "Nobody exports this service",
            Query(expr=ready, legend="{{destination_cluster}}"),
            width=12,
            height=6,
            mappings=look.yes_no("ready", "not ready"),
        ),
        panels.graph(
            "Endpoints",
            "Endpoints behind the service in each cluster, ready and not.",
            _NO_KUBERNETES,
            Query(expr=count, legend="{{destination_cluster}} {{condition}}"),
            height=6,
        ),
    ]


def _exports() -> list[Panel]:
    views = f"min by ({PAIR}) (clusterset_service_ready{{{_FROM}}})"
    conditions = (
        f"max by (destination_cluster, type) (clusterset_service_export_condition{{{_SERVICE}}})"
    )
    hazards = f"max by (hazard) (clusterset_service_hazard{{{_SERVICE}}})"
    words = look.yes_no("yes", "no", bad=look.GREY)
    return [
        panels.matrix(
            "Ready, as each cluster sees it",
            "A row is what one cluster believes of all. Rows that differ mean that the clusters' "
            "views are not in step.",
            "Nobody exports this service",
            Query(expr=views, table=True),
            height=6,
            mappings=look.yes_no("✓ ready", "✕ not ready"),
        ),
        panels.table(
            "Conditions of the exports",
            "What the multi-cluster API says of each cluster's export.",
            _NO_KUBERNETES,
            Query(expr=conditions, table=True),
            width=6,
            height=6,
            transformations=panels.merged(
                {"destination_cluster": "cluster", "type": "condition", "Value": "holds"}
            ),
            overrides=[look.override("holds", mappings=words)],
        ),
        panels.table(
            "Hazards",
            "Ways in which the service is set up that are known to break it.",
            "None known; most are seen with an inventory from Kubernetes only",
            Query(expr=hazards, table=True),
            width=6,
            height=6,
            transformations=panels.merged({"hazard": "hazard"}, gone=["Value"]),
        ),
    ]


def _promises() -> list[Panel]:
    def checked(kind: str) -> str:
        series = f"clusterset_rule_{kind}_total{{{_FROM}}}"
        return f"sum by (source_cluster, rule) (rate({series}[$__rate_interval]))"

    return [
        panels.graph(
            "Promises broken",
            "Share of the probes that found a promise broken, of those that could check it.",
            "No probe could check a promise",
            Query(
                expr=over(checked("violations"), checked("checks")),
                legend="{{rule}} in {{source_cluster}}",
            ),
            unit="percentunit",
            most=1,
        ),
        panels.graph(
            "Failed probes",
            "Probes a second that failed, by reason: of the plain name and of the pinned ones.",
            _NO_PROBES,
            Query(
                expr="sum by (source_cluster, name, reason) "
                f"(rate(clusterset_probe_failures_total{{{_FROM}}}[$__rate_interval])) > 0",
                legend="{{reason}} {{name}} in {{source_cluster}}",
            ),
            Query(
                expr=f"sum(rate(clusterset_probes_total{{{_FROM}}}[$__rate_interval])) * 0",
                legend="none",
            ),
            unit="reqps",
        ),
    ]


def _failures() -> list[Panel]:
    def rate(series: str) -> str:
        return f"sum by ({PAIR}) (rate({series}{{{_FROM}}}[$__rate_interval]))"

    seen = f"sum by ({PAIR}) (increase(clusterset_probe_hits_total{{{_FROM}}}[$__range]))"
    return [
        panels.graph(
            "Failing requests",
            "Share of client requests answered with a 5xx status, by pair of clusters.",
            _NO_REQUESTS,
            Query(
                expr=over(
                    rate("clusterset_request_failures_total"), rate("clusterset_requests_total")
                ),
                legend="{{source_cluster}} → {{destination_cluster}}",
            ),
            unit="percentunit",
            reach=0.01,
        ),
        panels.matrix(
            "Probes seen in the logs",
            "Probes by the cluster that sent them and the cluster whose log shows them: the proof "
            "that what a probe measured is what a client gets.",
            "No probes in the logs: no log is read where the service runs",
            Query(expr=f"{seen} > 0", table=True),
            decimals=0,
            color={"mode": "continuous-blues"},
        ),
    ]


def _quantiles(bucket: str, by_pair: Sequence[tuple[str, str]]) -> list[Query]:
    rate = f"sum by (le, {PAIR}) (rate({bucket}[$__rate_interval]))"
    return [
        Query(
            expr=f"histogram_quantile({quantile}, sum by (le) ({rate} {which} on ({PAIR}) "
            f"{same_cluster()}))",
            legend=f"{word} p{quantile * 100:.0f}",
        )
        for which, word in by_pair
        for quantile in (0.5, 0.99)
    ]


def _latency() -> list[Panel]:
    both = [("and", "at home"), ("unless", "crossing")]
    requests = (
        f'clusterset_request_duration_seconds_bucket{{{_FROM},source_cluster!~"{NO_CLUSTER}"}}'
    )
    probes = (
        'clusterset_probe_duration_seconds_bucket{phase="reply",source_cluster=~"$source_cluster"}'
    )
    colours = [
        look.coloured("at home p50", GREEN),
        look.coloured("at home p99", look.BLUE),
        look.coloured("crossing p50", ORANGE),
        look.coloured("crossing p99", VERMILLION),
    ]
    return [
        panels.graph(
            "Request time, at home against crossing",
            "Time of client requests that their own cluster served, beside those that crossed.",
            "The log format has no request time, or no requests came",
            *_quantiles(requests, both),
            unit="s",
            overrides=colours,
        ),
        panels.graph(
            "Probe time, at home against crossing",
            "Time to the reply of probes, of all services, that their own cluster answered, beside "
            "those that crossed.",
            "No probe got a reply",
            *_quantiles(probes, both),
            unit="s",
            overrides=colours,
        ),
    ]


def _spread() -> list[Panel]:
    requests = f"clusterset_request_duration_seconds_bucket{{{_FROM}}}"
    durations = f"increase(clusterset_failover_duration_seconds_%s{{{_FROM}}}[$__range])"
    return [
        panels.heatmap(
            "Request time",
            "How many requests took how long.",
            "The log format has no request time, or no requests came",
            Query(
                expr=f"sum by (le) (increase({requests}[$__rate_interval]))",
                legend="{{le}}",
                heatmap=True,
            ),
            unit="s",
        ),
        panels.table(
            "How long moves took",
            "Of all moves of the range: how many there were, and in what time half and nine "
            "of ten of them got a new answer, were served again, and how long nobody served.",
            _NO_PROBES,
            Query(expr=f"sum by (stage) ({durations % 'count'})", table=True),
            *(
                Query(
                    expr=f"histogram_quantile({quantile}, sum by (le, stage) "
                    f"({durations % 'bucket'}))",
                    table=True,
                )
                for quantile in (0.5, 0.9)
            ),
            transformations=panels.merged(
                {
                    "stage": "stage",
                    "Value #A": "moves",
                    "Value #B": "half within",
                    "Value #C": "nine of ten within",
                }
            ),
            unit="s",
            overrides=[look.override("moves", unit="short", decimals=0)],
        ),
    ]
