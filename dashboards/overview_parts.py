"""The lower part of Clusterset / Overview: who is served where, services, tunnels."""

from dashboards import look, panels
from dashboards.bridge import Panel, Query
from dashboards.lines import OF_PAIRS, OF_SOURCES
from dashboards.look import GREEN, ORANGE, VERMILLION
from dashboards.queries import (
    AT_HOME,
    FAILURE_RATE,
    MODE_CODE,
    NO_CLUSTER,
    PAIR,
    REPLY_P95,
    REQUEST_RATE,
    SERVICE,
    SERVICE_FAILURE_RATE,
    SERVICE_REQUEST_RATE,
    over,
)

SOURCE = 'source_cluster=~"$source_cluster"'
_DESTINATION = 'destination_cluster=~"$destination_cluster"'
NAMESPACE = 'destination_service_namespace=~"$namespace"'
_TRAFFIC = f"{SOURCE},{_DESTINATION}"
OF_CLUSTERS = f'{_TRAFFIC},source_cluster!~"{NO_CLUSTER}"'
CROSSING = f'{OF_CLUSTERS},locality!~"{AT_HOME}"'
HERE = f"{SOURCE},{NAMESPACE}"
NO_TRAFFIC = "No client requests in the logs, or the rules of local.yaml are not loaded"
SERVICE_CELL = panels.service_link('${__data.fields["namespace"]}', '${__data.fields["service"]}')


def _mean(rate: str, by: str) -> str:
    return f"sum by ({by}) (avg_over_time({rate}{{{OF_CLUSTERS}}}[$__range]))"


def served() -> Panel:
    """Return who serves whom: as high as ten clusters need."""
    part, whole = _mean(REQUEST_RATE, PAIR), _mean(REQUEST_RATE, "source_cluster")
    return panels.matrix(
        "Who serves whom",
        "Share of each cluster's requests that each cluster served over the range. A row adds up "
        "to 100 %. Requests outside the diagonal crossed.",
        NO_TRAFFIC,
        Query(expr=f"{part} / on (source_cluster) group_left () ({whole} > 0)", table=True),
        width=24,
        height=panels.TEN,
        unit="percentunit",
        decimals=1,
        least=0,
        most=1,
        color=panels.AMOUNTS,
    )


def errors() -> Panel:
    """Return whose requests fail where."""
    return panels.matrix(
        "Error ratio, by pair",
        "Share of the requests of each pair of clusters with a 5xx status over the range.",
        NO_TRAFFIC,
        Query(expr=over(_mean(FAILURE_RATE, PAIR), _mean(REQUEST_RATE, PAIR)), table=True),
        width=24,
        height=panels.TEN,
        unit="percentunit",
        decimals=2,
        least=0,
        steps=((None, GREEN), (0.001, ORANGE), (0.01, VERMILLION)),
    )


def traffic() -> list[Panel]:
    """Return the course of the requests."""
    crossing = f"sum by (source_cluster) ({REQUEST_RATE}{{{CROSSING}}})"
    whole = f"sum by (source_cluster) ({REQUEST_RATE}{{{OF_CLUSTERS}}})"
    return [
        panels.graph(
            "Requests by locality",
            "Requests per second by locality. A failover is as intended, and so is spread, where "
            "the name server prefers no cluster. A leak is not.",
            NO_TRAFFIC,
            Query(expr=f"sum by (locality) ({REQUEST_RATE}{{{_TRAFFIC}}})", legend="{{locality}}"),
            stacked=True,
            unit="reqps",
            overrides=look.LOCALITY_COLOURS,
        ),
        panels.graph(
            "Share that crosses, by cluster of the clients",
            "Share of each cluster's requests that another cluster served.",
            NO_TRAFFIC,
            OF_SOURCES.query(over(crossing, whole)),
            lines=OF_SOURCES,
            unit="percentunit",
            most=1,
        ),
    ]


def services() -> Panel:
    """Return the table of all services."""
    requests = f"{SERVICE_REQUEST_RATE}{{{_DESTINATION},{NAMESPACE}}}"
    crossing = f'{SERVICE_REQUEST_RATE}{{{_DESTINATION},{NAMESPACE},locality!~"{AT_HOME}"}}'
    failures = f"{SERVICE_FAILURE_RATE}{{{_DESTINATION},{NAMESPACE}}}"
    by, each = f"sum by ({SERVICE})", f"max by (destination_cluster, {SERVICE})"
    queries = [
        f"max by ({SERVICE}) ({MODE_CODE}{{{HERE}}})",
        f"min by ({SERVICE}) (clusterset_service_standby_clusters{{{HERE}}})",
        f"{by} ({each} (clusterset_service_ready{{{NAMESPACE}}}))",
        f"{by} ({each} (clusterset_service_exported{{{NAMESPACE}}}))",
        f"{by} ({requests})",
        over(f"{by} ({crossing})", f"{by} ({requests})"),
        over(f"{by} ({failures})", f"{by} ({requests})"),
    ]
    return panels.table(
        "Services",
        "Each service now: its worst mode in any cluster, its standbys, the clusters where it "
        "is ready, and its requests. Click a name to open it.",
        "No services: no exporter is scraped, or the rules of local.yaml are not loaded",
        *(Query(expr=expr, table=True) for expr in queries),
        width=24,
        height=11,
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
                "Value #G": "error ratio",
            },
            sort="worst mode",
        ),
        overrides=[
            look.override("namespace", custom__width=170),
            look.override("service", links=SERVICE_CELL, custom__width=270),
            look.override(
                "worst mode",
                mappings=look.MODE_WORDS,
                color=panels.PLAIN,
                custom__cellOptions={"type": "color-background", "mode": "basic"},
            ),
            look.override("requests", unit="reqps"),
            look.override("crossing", unit="percentunit", decimals=1),
            look.override("error ratio", unit="percentunit", decimals=2),
        ],
    )


def tunnels() -> list[list[Panel]]:
    """Return what joins the clusters."""
    up = f'clusterset_gateway_connected{{view="strict",{SOURCE}}}'
    return [
        [
            panels.matrix(
                "Tunnels",
                "Whether each cluster has a live tunnel to each other, now.",
                "No exporter reports tunnels",
                Query(expr=f"min by ({PAIR}) ({up})", table=True),
                width=24,
                height=panels.TEN,
                mappings=look.yes_no("✓ up", "✕ down"),
            )
        ],
        [
            panels.graph(
                "Round trip through the tunnels",
                "Round-trip time that Submariner's gateways measure. A line has the colour of the "
                "cluster at its other end.",
                "No gateway reports it: this needs an inventory from Kubernetes",
                OF_PAIRS.query(f"max by ({PAIR}) (clusterset_gateway_latency_seconds{{{SOURCE}}})"),
                lines=OF_PAIRS,
                unit="s",
            ),
            panels.graph(
                "Time to a reply, by pair",
                "Time within which 95 of 100 probes got their reply (p95), by pair of clusters. "
                "A line has the colour of the cluster that replied.",
                "No probe got a reply, or the rules of local.yaml are not loaded",
                OF_PAIRS.query(f"max by ({PAIR}) ({REPLY_P95}{{{SOURCE}}})"),
                lines=OF_PAIRS,
                unit="s",
            ),
        ],
    ]
