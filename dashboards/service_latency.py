"""Clusterset / Service: how long requests, probes and moves take."""

from dashboards import look, panels
from dashboards.bridge import Panel, Query
from dashboards.lines import Lines
from dashboards.look import GREEN, TEXT
from dashboards.queries import NO_CLUSTER, PAIR, REPLY_P95, same_cluster
from dashboards.service_selection import FROM, NO_PROBES
from exporter.model.verdicts import FailoverStage

_WHERE = {"local": GREEN, "crossing": TEXT}


_STAGES = look.words(
    {
        FailoverStage.DNS: ("new answer after", TEXT),
        FailoverStage.SERVED: ("served after", TEXT),
        FailoverStage.OUTAGE: ("outage", TEXT),
    }
)
"""As the columns of the table of moves."""


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
            "Time of client requests that their own cluster served, and of those that crossed: the "
            "99 % quantile (p99), and dashed the median (p50).",
            "The log format has no request time, or no requests came",
            *requests,
            unit="s",
            overrides=[
                *(
                    look.coloured(f"{word} p50", colour, custom__lineStyle=look.DASHES)
                    for word, colour in _WHERE.items()
                ),
                *(look.coloured(f"{word} p99", colour) for word, colour in _WHERE.items()),
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
                look.coloured("crossing, slowest pair", TEXT),
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
            "All moves of the range: their number, and the median (p50) and the 95 % quantile "
            "(p95) of three times. These are the time to the new answer, the time until served "
            "again, and the outage, in which probes failed.",
            NO_PROBES,
            Query(expr=f"sum by (stage) ({durations % 'count'})", table=True),
            *(
                Query(
                    expr=f"histogram_quantile({quantile}, sum by (le, stage) "
                    f"({durations % 'bucket'}))",
                    table=True,
                )
                for quantile in (0.5, 0.95)
            ),
            transformations=panels.merged(
                {"stage": "stage", "Value #A": "moves", "Value #B": "p50", "Value #C": "p95"}
            ),
            unit="s",
            overrides=[
                look.override("moves", unit="short", decimals=0),
                look.override("stage", mappings=_STAGES),
            ],
        ),
    ]


def network() -> Panel:
    """Return how far away each cluster is."""
    bucket = 'clusterset_probe_rtt_seconds_bucket{source_cluster=~"$source_cluster"}'
    rate = f"sum by (le, {PAIR}) (rate({bucket}[$__rate_interval]))"
    return panels.graph(
        "Round trip on the network",
        "Round trip of the probes of all services to each cluster, as the kernel measured it: the "
        "time for 95 of 100, and dashed the median. A line has the colour of the cluster that "
        "replied. This is the network's part of the time to a reply.",
        "No probe connected, or the kernel does not report it",
        *(_ROUND_TRIPS.query(_quantile(number, rate, word)) for number, word in _QUANTILES),
        lines=_ROUND_TRIPS,
        unit="s",
        width=24,
        overrides=[look.override_of("/ p50$/", custom__lineStyle=look.DASHES)],
    )


_QUANTILES = ((0.5, "p50"), (0.95, "p95"))
_ROUND_TRIPS = Lines(
    by="destination_cluster", name="{{source_cluster}} → {{destination_cluster}} {{quantile}}"
)


def _quantile(number: float, rate: str, word: str) -> str:
    computed = f"histogram_quantile({number}, {rate})"
    return f'label_replace({computed}, "quantile", "{word}", "", "")'
