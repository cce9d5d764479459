"""The lower part of Clusterset / Service: witnesses, standbys, promises and latency."""

from dashboards import look, panels
from dashboards.bridge import Panel, Query
from dashboards.look import GREEN, ORANGE, VERMILLION
from dashboards.queries import NO_CLUSTER, PAIR, REPLY_P95, over, same_cluster

SERVICE = 'destination_service_namespace="$namespace",destination_service_name="$service"'
FROM = f'{SERVICE},source_cluster=~"$source_cluster"'
NO_PROBES = "No probes of this service: it is not in the inventory, or not probed"
_NO_REQUESTS = "No client requests of this service in the logs"
_NO_KUBERNETES = "Not reported: this needs an inventory from Kubernetes"


def served() -> list[Panel]:
    """Return who served how many requests."""
    requests = f"clusterset_requests_total{{{FROM}}}"
    rate = f"rate({requests}[$__rate_interval])"
    pairs = f"sum by ({PAIR}) (increase({requests}[$__range]))"
    return [
        panels.matrix(
            "Requests",
            "Client requests of the range, by source and destination cluster.",
            _NO_REQUESTS,
            Query(expr=f"{pairs} > 0", table=True),
            color={"mode": "continuous-blues"},
            decimals=0,
            least=0,
        ),
        panels.graph(
            "Requests by locality",
            "Requests per second by locality. A failover is as intended, and so is spread, where "
            "the name server prefers no cluster. A leak is not.",
            _NO_REQUESTS,
            Query(expr=f"sum by (locality) ({rate})", legend="{{locality}}"),
            stacked=True,
            unit="reqps",
            overrides=look.LOCALITY_COLOURS,
        ),
    ]


def answers() -> list[Panel]:
    """Return where the name leads."""
    answers = f"clusterset_dns_answers_total{{{FROM}}}"
    by = f"sum by ({PAIR}) (rate({answers}[$__rate_interval]))"
    whole = f"sum by (source_cluster) (rate({answers}[$__rate_interval]))"
    requests = f"rate(clusterset_requests_total{{{FROM}}}[$__rate_interval])"
    return [
        panels.graph(
            "Where the name leads",
            "Share of the answers for the service's name that lead to each cluster, by source "
            "cluster.",
            NO_PROBES,
            Query(
                expr=f"{by} / on (source_cluster) group_left () ({whole} > 0)",
                legend="{{source_cluster}} → {{destination_cluster}}",
            ),
            unit="percentunit",
            most=1,
        ),
        panels.graph(
            "Requests by the cluster that served",
            "Requests per second that each cluster served to clients of the selected clusters.",
            _NO_REQUESTS,
            Query(
                expr=f"sum by (destination_cluster) ({requests})", legend="{{destination_cluster}}"
            ),
            stacked=True,
            unit="reqps",
        ),
    ]


def ready() -> list[Panel]:
    """Return who is ready."""
    ready = f"max by (destination_cluster) (clusterset_service_ready{{{SERVICE}}})"
    count = f"sum by (destination_cluster, condition) (clusterset_service_endpoints{{{SERVICE}}})"
    return [
        panels.timeline(
            "Ready",
            "Whether each cluster that exports the service is ready, as any cluster sees it.",
            "Nobody exports this service",
            Query(expr=ready, legend="{{destination_cluster}}"),
            width=12,
            height=6,
            mappings=look.yes_no("ready", "not ready"),
        ),
        panels.graph(
            "Endpoints",
            "Endpoints of the service in each cluster, ready and not ready.",
            _NO_KUBERNETES,
            Query(expr=count, legend="{{destination_cluster}} {{condition}}"),
            height=6,
        ),
    ]


def exports() -> list[Panel]:
    """Return what is said of the exports."""
    views = f"min by ({PAIR}) (clusterset_service_ready{{{FROM}}})"
    conditions = (
        f"max by (destination_cluster, type) (clusterset_service_export_condition{{{SERVICE}}})"
    )
    hazards = f"max by (hazard) (clusterset_service_hazard{{{FROM}}}) > 0"
    words = look.yes_no("yes", "no", bad=look.GREY)
    return [
        panels.matrix(
            "Ready, as each cluster sees it",
            "A row shows how one cluster sees all clusters. If rows differ, the clusters disagree.",
            "Nobody exports this service",
            Query(expr=views, table=True),
            height=6,
            mappings=look.yes_no("✓ ready", "✕ not ready"),
        ),
        panels.table(
            "Conditions of the exports",
            "Conditions that the multi-cluster API reports for each cluster's export.",
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
            "Conditions that are known to break failover, locality or their verdicts.",
            "No hazard is known. Most need an inventory from Kubernetes",
            Query(expr=hazards, table=True),
            width=6,
            height=6,
            transformations=panels.merged({"hazard": "hazard"}, gone=["Value"]),
        ),
    ]


def promises() -> list[Panel]:
    """Return what probes found broken."""

    def checked(kind: str) -> str:
        series = f"clusterset_rule_{kind}_total{{{FROM}}}"
        return f"sum by (source_cluster, rule) (rate({series}[$__rate_interval]))"

    return [
        panels.graph(
            "Promises broken",
            "Share of probes that found a promise broken, among those that could check it.",
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
            "Failed probes per second of the plain name and of the pinned names, by reason. The "
            "first failure of a reason is in the line of all only.",
            NO_PROBES,
            Query(
                expr="sum by (source_cluster, name, reason) "
                f"(rate(clusterset_probe_failures_total{{{FROM}}}[$__rate_interval])) > 0",
                legend="{{reason}} {{name}} in {{source_cluster}}",
            ),
            Query(
                expr=f"sum(rate(clusterset_probes_failed_total{{{FROM}}}[$__rate_interval]))",
                legend="all",
            ),
            unit="suffix: probes/s",
        ),
    ]


def failures() -> list[Panel]:
    """Return which requests fail, and what the logs show of the probes."""

    def rate(series: str) -> str:
        return f"sum by ({PAIR}) (rate({series}{{{FROM}}}[$__rate_interval]))"

    seen = f"sum by ({PAIR}) (increase(clusterset_probe_hits_total{{{FROM}}}[$__range]))"
    return [
        panels.graph(
            "Error ratio",
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
            "Probes by the cluster that sent them and the cluster whose log shows them. They "
            "prove that probes reach the same backends as clients.",
            "No probes in the logs: no log is read where the service runs",
            Query(expr=f"{seen} > 0", table=True),
            decimals=0,
            color={"mode": "continuous-blues"},
        ),
    ]


def lookups() -> list[Panel]:
    """Return how look-ups of each kind fail, and for how long certificates are good."""

    def rate(series: str) -> str:
        return f"sum by (vantage, lookup) (rate({series}{{{FROM}}}[$__rate_interval]))"

    ends = f"clusterset_probe_certificate_expiry_timestamp_seconds{{{FROM}}}"
    return [
        panels.graph(
            "Failed look-ups",
            "Share of look-ups of the service's name without an address, by kind and name "
            "server. The kinds are single questions (a), look-ups as clients make them "
            "(client) and SRV records (srv). If only client look-ups fail, one of two "
            "simultaneous answers is lost.",
            NO_PROBES,
            Query(
                expr=over(
                    rate("clusterset_dns_lookups_failed_total"),
                    rate("clusterset_dns_lookups_total"),
                ),
                legend="{{lookup}} of the {{vantage}}",
            ),
            unit="percentunit",
            most=1,
        ),
        panels.graph(
            "Certificates expire in",
            "Time until the certificate expires that each cluster shows to probes.",
            "No certificate was seen: the service is not probed by https",
            Query(
                expr=f"min by (destination_cluster) ({ends}) - time()",
                legend="{{destination_cluster}}",
            ),
            unit="s",
        ),
    ]


def network() -> Panel:
    """Return how far away each cluster is."""
    bucket = 'clusterset_probe_rtt_seconds_bucket{source_cluster=~"$source_cluster"}'
    rate = f"sum by (le, {PAIR}) (rate({bucket}[$__rate_interval]))"
    return panels.graph(
        "Round trip on the network",
        "Round trip of the probes of all services to each cluster, as the kernel measured it: "
        "the median, and the time for 95 of 100. This is the network's part of the time to a "
        "reply.",
        "No probe connected, or the kernel does not report it",
        *(
            Query(
                expr=f"histogram_quantile({quantile}, {rate})",
                legend="{{source_cluster}} → {{destination_cluster}} " + word,
            )
            for quantile, word in ((0.5, "p50"), (0.95, "p95"))
        ),
        unit="s",
        width=24,
    )


def latency() -> list[Panel]:
    """Return how long requests and probes take."""
    at_home, crossing = (f"{which} on ({PAIR}) {same_cluster()}" for which in ("and", "unless"))
    series = "clusterset_request_duration_seconds_bucket"
    bucket = f'{series}{{{FROM},source_cluster!~"{NO_CLUSTER}"}}'
    rate = f"sum by (le, {PAIR}) (rate({bucket}[$__rate_interval]))"
    requests = [
        Query(
            expr=f"histogram_quantile({quantile}, sum by (le) ({rate} {which}))",
            legend=f"{word} p{quantile * 100:.0f}",
        )
        for which, word in ((at_home, "local"), (crossing, "crossing"))
        for quantile in (0.5, 0.99)
    ]
    replies = f'{REPLY_P95}{{source_cluster=~"$source_cluster"}}'
    return [
        panels.graph(
            "Request time, local and crossing",
            "Time of client requests that their own cluster served, and of those that crossed.",
            "The log format has no request time, or no requests came",
            *requests,
            unit="s",
            overrides=[
                look.coloured("local p50", GREEN),
                look.coloured("local p99", look.BLUE),
                look.coloured("crossing p50", ORANGE),
                look.coloured("crossing p99", VERMILLION),
            ],
        ),
        panels.graph(
            "Probe time, local and crossing",
            "Time within which 95 of 100 probes of all services got their reply, from their "
            "own cluster and from the slowest cluster.",
            "No probe got a reply, or the rules of local.yaml are not loaded",
            Query(expr=f"max({replies} {at_home})", legend="local"),
            Query(expr=f"max({replies} {crossing})", legend="crossing, slowest pair"),
            unit="s",
            overrides=[
                look.coloured("local", GREEN),
                look.coloured("crossing, slowest pair", ORANGE),
            ],
        ),
    ]


def spread() -> list[Panel]:
    """Return how durations are spread."""
    requests = f"clusterset_request_duration_seconds_bucket{{{FROM}}}"
    durations = f"increase(clusterset_failover_duration_seconds_%s{{{FROM}}}[$__range])"
    return [
        panels.heatmap(
            "Request time",
            "Distribution of the request time.",
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
            "All moves of the range: their number, and the median (p50) and the 90 % quantile "
            "(p90) of three times. These are the time to the new answer, the time until served "
            "again, and the outage.",
            NO_PROBES,
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
                {"stage": "stage", "Value #A": "moves", "Value #B": "p50", "Value #C": "p90"}
            ),
            unit="s",
            overrides=[look.override("moves", unit="short", decimals=0)],
        ),
    ]
