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


def answers() -> list[Panel]:
    """Return where the name leads."""
    answers = f"clusterset_dns_answers_total{{{FROM}}}"
    by = f"sum by ({PAIR}) (rate({answers}[$__rate_interval]))"
    whole = f"sum by (source_cluster) (rate({answers}[$__rate_interval]))"
    requests = f"rate(clusterset_requests_total{{{FROM}}}[$__rate_interval])"
    return [
        panels.graph(
            "Where the name leads",
            "Share of the answers to the service's name that lead to each cluster, by cluster that "
            "asked.",
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
            "Requests a second that each cluster served to the chosen clusters' clients.",
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
            "No hazard is known; most are seen with an inventory from Kubernetes only",
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
            NO_PROBES,
            Query(
                expr="sum by (source_cluster, name, reason) "
                f"(rate(clusterset_probe_failures_total{{{FROM}}}[$__rate_interval])) > 0",
                legend="{{reason}} {{name}} in {{source_cluster}}",
            ),
            Query(
                expr=f"sum(rate(clusterset_probes_total{{{FROM}}}[$__rate_interval])) * 0",
                legend="none",
            ),
            unit="reqps",
        ),
    ]


def failures() -> list[Panel]:
    """Return which requests fail, and what the logs show of the probes."""

    def rate(series: str) -> str:
        return f"sum by ({PAIR}) (rate({series}{{{FROM}}}[$__rate_interval]))"

    seen = f"sum by ({PAIR}) (increase(clusterset_probe_hits_total{{{FROM}}}[$__range]))"
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


def lookups() -> list[Panel]:
    """Return how look-ups of each kind fail, and for how long certificates are good."""

    def rate(series: str) -> str:
        return f"sum by (vantage, lookup) (rate({series}{{{FROM}}}[$__rate_interval]))"

    ends = f"clusterset_probe_certificate_expiry_timestamp_seconds{{{FROM}}}"
    return [
        panels.graph(
            "Failed look-ups",
            "Share of the look-ups of the service's name that brought no address: of lone "
            "questions (a), as clients ask (client), for SRV records (srv), and by who was asked. "
            "Where clients fail and lone questions do not, an answer to one of two questions at "
            "once is lost.",
            NO_PROBES,
            Query(
                expr=over(
                    rate("clusterset_dns_lookup_failures_total"),
                    rate("clusterset_dns_lookups_total"),
                ),
                legend="{{lookup}} of the {{vantage}}",
            ),
            unit="percentunit",
            most=1,
        ),
        panels.graph(
            "Certificates end in",
            "Time until the certificate ends that probes are shown by each cluster.",
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
        "Within what time half and 95 of 100 packets of probes, of all services, went to each "
        "cluster and back, as the kernel measured it: the network's part of the time to a reply.",
        "No probe connected, or the kernel does not tell",
        *(
            Query(
                expr=f"histogram_quantile({quantile}, {rate})",
                legend="{{source_cluster}} → {{destination_cluster}} " + word,
            )
            for quantile, word in ((0.5, "half"), (0.95, "95 %"))
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
        for which, word in ((at_home, "at home"), (crossing, "crossing"))
        for quantile in (0.5, 0.99)
    ]
    replies = f'{REPLY_P95}{{source_cluster=~"$source_cluster"}}'
    return [
        panels.graph(
            "Request time, at home against crossing",
            "Time of client requests that their own cluster served, beside those that crossed.",
            "The log format has no request time, or no requests came",
            *requests,
            unit="s",
            overrides=[
                look.coloured("at home p50", GREEN),
                look.coloured("at home p99", look.BLUE),
                look.coloured("crossing p50", ORANGE),
                look.coloured("crossing p99", VERMILLION),
            ],
        ),
        panels.graph(
            "Probe time, at home against crossing",
            "Time in which 95 of 100 probes, of all services, got their reply from their own "
            "cluster, and from the cluster that took longest.",
            "No probe got a reply, or the rules of local.yaml are not loaded",
            Query(expr=f"max({replies} {at_home})", legend="at home"),
            Query(expr=f"max({replies} {crossing})", legend="crossing, slowest pair"),
            unit="s",
            overrides=[
                look.coloured("at home", GREEN),
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
