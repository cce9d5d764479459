"""Clusterset / Overview: who is served where, is that right, and what changed."""

from dashboards import look, panels
from dashboards.bridge import Board, Panel, Query, Section, Variable
from dashboards.look import GREEN, ORANGE, VERMILLION
from dashboards.queries import (
    AT_HOME,
    BYTE_RATE,
    FAILURE_RATE,
    MODE_CODE,
    MODE_CODES,
    NO_CLUSTER,
    PAIR,
    REQUEST_RATE,
    SERVICE,
    SERVICE_FAILURE_RATE,
    SERVICE_REQUEST_RATE,
    over,
)
from exporter.model import Locality, Mode, Stage

_SOURCE = 'source_cluster=~"$source_cluster"'
_DESTINATION = 'destination_cluster=~"$destination_cluster"'
_NAMESPACE = 'destination_service_namespace=~"$namespace"'
_TRAFFIC = f"{_SOURCE},{_DESTINATION},{_NAMESPACE}"
_OF_CLUSTERS = f'{_TRAFFIC},source_cluster!~"{NO_CLUSTER}"'
_CROSSING = f'{_OF_CLUSTERS},locality!~"{AT_HOME}"'
_HERE = f"{_SOURCE},{_NAMESPACE}"
_NO_TRAFFIC = "No client requests in the logs, or the rules of local.yaml are not loaded"
_NO_MODES = "No probes, or the rules of local.yaml are not loaded"
_SERVICE_CELL = panels.service_link('${__data.fields["namespace"]}', '${__data.fields["service"]}')


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
                "Namespace",
                "clusterset_service_exported",
                "destination_service_namespace",
            ),
            Variable(
                name="runbooks", label="Runbooks", query=runbooks, kind="constant", hidden=True
            ),
        ],
        sections=[
            Section(title="Is all served where it should be?", lines=[_stats(), [_timeline()]]),
            Section(title="What changed, and what needs a hand", lines=[[_alerts()], [_moves()]]),
            Section(title="Who is served where", lines=[_matrices(), _traffic()]),
            Section(title="Services", lines=[[_services()]]),
            Section(title="Tunnels", lines=[_tunnels()]),
        ],
    )


def _variable(name: str, label: str, series: str, of: str) -> Variable:
    return Variable(name=name, label=label, query=f"label_values({series}, {of})", many=True)


def _stats() -> list[Panel]:
    local = f'sum({REQUEST_RATE}{{{_OF_CLUSTERS},locality="{Locality.LOCAL}"}})'
    return [
        panels.stat(
            "At home",
            "Share of the clusters' requests that their own cluster served, over five minutes.",
            _NO_TRAFFIC,
            Query(expr=over(local, f"sum({REQUEST_RATE}{{{_OF_CLUSTERS}}})")),
            unit="percentunit",
            decimals=1,
            steps=((None, VERMILLION), (0.5, ORANGE), (0.95, GREEN)),
        ),
        panels.stat(
            "Crossing",
            "Requests a second that one cluster's clients make and another cluster serves.",
            _NO_TRAFFIC,
            Query(expr=f"sum({REQUEST_RATE}{{{_CROSSING}}})"),
            unit="reqps",
        ),
        panels.stat(
            "Crossing bytes",
            "Bytes of responses a second that cross between clusters: often what is paid for.",
            _NO_TRAFFIC,
            Query(expr=f"sum({BYTE_RATE}{{{_CROSSING}}})"),
            unit="Bps",
        ),
        _counted("In failover", Mode.FAILOVER, "served elsewhere though exported there"),
        _counted("In blackout", Mode.BLACKOUT, "not served by any cluster"),
        panels.stat(
            "No standby",
            "Services, by cluster of the clients, that nobody would take over.",
            "No probes",
            Query(
                expr=f"sum(max by (source_cluster, {SERVICE}) "
                f"(clusterset_service_standby_clusters{{{_HERE}}}) == bool 0)"
            ),
            steps=look.WARN_IF_ANY,
        ),
        panels.stat(
            "Tunnels down",
            "Pairs of clusters without a live tunnel, each direction counted.",
            "No exporter reports tunnels",
            Query(
                expr=f"sum(min by ({PAIR}) "
                f'(clusterset_gateway_connected{{view="strict",{_SOURCE}}}) == bool 0)'
            ),
            steps=look.GOOD_IF_ZERO,
        ),
        panels.stat(
            "Exporters",
            "Exporters that report, and clusters that they know. Fewer than clusters: nobody "
            "watches one of them.",
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
        Query(expr=f"sum({MODE_CODE}{{{_HERE}}} == bool {MODE_CODES[mode]})"),
        steps=look.GOOD_IF_ZERO if mode is Mode.BLACKOUT else look.WARN_IF_ANY,
    )


def _timeline() -> Panel:
    code = f"max by (source_cluster, {SERVICE}) ({MODE_CODE}{{{_HERE}}})"
    worst = f"max_over_time({MODE_CODE}{{{_HERE}}}[$__range] @ end())"
    return panels.timeline(
        "Failovers",
        "Services that were in failover, mixed or in blackout at some time of the range, as "
        "clients of each cluster saw them. Click one to open it.",
        "No failover, no blackout in this range",
        Query(
            expr=f"{code} and on (source_cluster, {SERVICE}) "
            f"{worst} >= {MODE_CODES[Mode.FAILOVER]}",
            legend="{{destination_service_namespace}}/{{destination_service_name}} "
            "in {{source_cluster}}",
        ),
        mappings=look.MODE_WORDS,
        links=panels.service_link(
            "${__field.labels.destination_service_namespace}",
            "${__field.labels.destination_service_name}",
        ),
    )


def _alerts() -> Panel:
    firing = 'ALERTS{alertname=~"Clusterset.+",alertstate="firing"}'
    kept = f"alertname, severity, source_cluster, destination_cluster, {SERVICE}"
    return panels.table(
        "Firing alerts",
        "Alerts of this clusterset that fired within the range, now or earlier. Click a name for "
        "its runbook.",
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
            look.override(
                "alert",
                links=[{"title": "Runbook", "url": "${runbooks}/${__value.text}.md"}],
                custom__width=260,
            ),
            look.override(
                "now", mappings=look.yes_no("firing", "over"), noValue="over", custom__width=70
            ),
            look.override("severity", custom__width=80),
        ],
    )


def _moves() -> Panel:
    at = "clusterset_failover_last_timestamp_seconds"
    by = f"max by (source_cluster, {SERVICE})"
    recent = f"{by} ({at}{{{_HERE}}}) * 1000 > $__from"

    def took(stage: Stage) -> Query:
        last = f'clusterset_failover_last_duration_seconds{{stage="{stage}",{_HERE}}}'
        return Query(
            expr=f"{by} ({last}) and on (source_cluster, {SERVICE}) ({recent})", table=True
        )

    return panels.table(
        "Newest move of each service",
        "When a service last moved to another cluster, failbacks included; how long until the name "
        "led there, until it served, and how long nobody did.",
        "No service moved in this range",
        Query(expr=recent, table=True),
        *map(took, Stage),
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
            look.override("service", links=_SERVICE_CELL),
        ],
    )


def _matrices() -> list[Panel]:
    def mean(rate: str, matchers: str, by: str) -> str:
        return f"sum by ({by}) (avg_over_time({rate}{{{matchers}}}[$__range]))"

    whole = mean(REQUEST_RATE, _OF_CLUSTERS, "source_cluster")
    part = mean(REQUEST_RATE, _OF_CLUSTERS, PAIR)
    failed = mean(FAILURE_RATE, _OF_CLUSTERS, PAIR)
    return [
        panels.matrix(
            "Who serves whom",
            "Share of each cluster's requests that each cluster served over the range. A row adds "
            "up to 100 %; away from the diagonal, requests crossed.",
            _NO_TRAFFIC,
            Query(expr=f"{part} / on (source_cluster) group_left () ({whole} > 0)", table=True),
            unit="percentunit",
            decimals=1,
            least=0,
            most=1,
            color={"mode": "continuous-blues"},
        ),
        panels.matrix(
            "Who fails whom",
            "Share of the requests of each pair of clusters that were answered with a 5xx status "
            "over the range.",
            _NO_TRAFFIC,
            Query(expr=over(failed, part), table=True),
            unit="percentunit",
            decimals=2,
            least=0,
            steps=((None, GREEN), (0.001, ORANGE), (0.01, VERMILLION)),
        ),
    ]


def _traffic() -> list[Panel]:
    crossing = f"sum by (source_cluster) ({REQUEST_RATE}{{{_CROSSING}}})"
    whole = f"sum by (source_cluster) ({REQUEST_RATE}{{{_OF_CLUSTERS}}})"
    return [
        panels.graph(
            "Requests by locality",
            "Requests a second by how right it is that they were served where they were: a "
            "failover is meant, a leak is not.",
            _NO_TRAFFIC,
            Query(expr=f"sum by (locality) ({REQUEST_RATE}{{{_TRAFFIC}}})", legend="{{locality}}"),
            stacked=True,
            unit="reqps",
            overrides=look.LOCALITY_COLOURS,
        ),
        panels.graph(
            "Share that crosses, by cluster of the clients",
            "Share of each cluster's requests that another cluster served.",
            _NO_TRAFFIC,
            Query(expr=over(f"({crossing} or {whole} * 0)", whole), legend="{{source_cluster}}"),
            unit="percentunit",
            most=1,
        ),
    ]


def _services() -> Panel:
    requests = f"{SERVICE_REQUEST_RATE}{{{_DESTINATION},{_NAMESPACE}}}"
    crossing = f'{SERVICE_REQUEST_RATE}{{{_DESTINATION},{_NAMESPACE},locality!~"{AT_HOME}"}}'
    failures = f"{SERVICE_FAILURE_RATE}{{{_DESTINATION},{_NAMESPACE}}}"
    by, each = f"sum by ({SERVICE})", f"max by (destination_cluster, {SERVICE})"
    queries = [
        f"max by ({SERVICE}) ({MODE_CODE}{{{_HERE}}})",
        f"min by ({SERVICE}) (clusterset_service_standby_clusters{{{_HERE}}})",
        f"{by} ({each} (clusterset_service_ready{{{_NAMESPACE}}}))",
        f"{by} ({each} (clusterset_service_exported{{{_NAMESPACE}}}))",
        f"{by} ({requests})",
        over(f"{by} ({crossing})", f"{by} ({requests})"),
        over(f"{by} ({failures})", f"{by} ({requests})"),
    ]
    return panels.table(
        "Services",
        "Each service as it is now: its worst mode among the clusters, how many would take over, "
        "where it is ready, and its requests. Click a name to open it.",
        "No services: no exporter is scraped, or the rules of local.yaml are not loaded",
        *(Query(expr=expr, table=True) for expr in queries),
        width=24,
        height=8,
        transformations=panels.merged(
            {
                "destination_service_namespace": "namespace",
                "destination_service_name": "service",
                "Value #A": "worst mode",
                "Value #B": "standbys",
                "Value #C": "ready in",
                "Value #D": "exported by",
                "Value #E": "requests",
                "Value #F": "crossing",
                "Value #G": "failing",
            },
            sort="worst mode",
        ),
        overrides=[
            look.override("service", links=_SERVICE_CELL),
            look.override(
                "worst mode",
                mappings=look.MODE_WORDS,
                color=panels.FIXED,
                custom__cellOptions={"type": "color-background", "mode": "basic"},
            ),
            look.override("requests", unit="reqps"),
            look.override("crossing", unit="percentunit", decimals=1),
            look.override("failing", unit="percentunit", decimals=2),
        ],
    )


def _tunnels() -> list[Panel]:
    up = f'clusterset_gateway_connected{{view="strict",{_SOURCE}}}'
    reply = f'clusterset_probe_duration_seconds_bucket{{phase="reply",{_SOURCE}}}'
    return [
        panels.matrix(
            "Tunnels",
            "Whether each cluster has a live tunnel to each other, now.",
            "No exporter reports tunnels",
            Query(expr=f"min by ({PAIR}) ({up})", table=True),
            width=8,
            mappings=look.yes_no("✓ up", "✕ down"),
        ),
        panels.graph(
            "Round trip through the tunnels",
            "Round-trip time that Submariner's gateways measure.",
            "No gateway reports it: this needs an inventory from Kubernetes",
            Query(
                expr=f"max by ({PAIR}) (clusterset_gateway_latency_seconds{{{_SOURCE}}})",
                legend="{{source_cluster}} → {{destination_cluster}}",
            ),
            width=8,
            unit="s",
        ),
        panels.graph(
            "Time to a reply, by pair",
            "Time in which 95 of 100 probes got their reply, by cluster that asked and cluster "
            "that served.",
            "No probe got a reply",
            Query(
                expr=f"histogram_quantile(0.95, sum by (le, {PAIR}) "
                f"(rate({reply}[$__rate_interval])))",
                legend="{{source_cluster}} → {{destination_cluster}}",
            ),
            width=8,
            unit="s",
        ),
    ]
