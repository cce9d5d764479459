"""Clusterset / Service: who serves whom, and whether that is what was promised to clients."""

from dashboards import look, panels
from dashboards.bridge import Panel, Query
from dashboards.lines import OF_DESTINATIONS, OF_PAIRS, OF_SOURCES
from dashboards.queries import PAIR, over
from dashboards.service_selection import FROM, NO_PROBES, NO_REQUESTS
from exporter.model.verdicts import Locality


def served() -> list[Panel]:
    """Return who served how many requests."""
    requests = f"clusterset_requests_total{{{FROM}}}"
    rate = f"rate({requests}[$__rate_interval])"
    pairs = f"sum by ({PAIR}) (increase({requests}[$__range]))"
    return [
        panels.matrix(
            "Requests",
            "Client requests of the range, by source and destination cluster.",
            NO_REQUESTS,
            Query(expr=f"{pairs} > 0", table=True),
            color=panels.AMOUNTS,
            decimals=0,
            least=0,
        ),
        panels.graph(
            "Requests by locality",
            "Requests per second by locality. A failover is as intended, and so is spread, where "
            "the name server prefers no cluster. A leak is not.",
            NO_REQUESTS,
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
            "cluster. A line has the colour of the cluster to which the name leads.",
            NO_PROBES,
            OF_PAIRS.query(f"{by} / on (source_cluster) group_left () ({whole} > 0)"),
            lines=OF_PAIRS,
            unit="percentunit",
            most=1,
        ),
        panels.graph(
            "Requests by the cluster that served",
            "Requests per second that each cluster served to clients of the selected clusters.",
            NO_REQUESTS,
            OF_DESTINATIONS.query(f"sum by (destination_cluster) ({requests})"),
            lines=OF_DESTINATIONS,
            stacked=True,
            unit="reqps",
        ),
    ]


def objectives() -> list[Panel]:
    """Return the shares of requests that objectives limit, with the limits."""

    def rate(series: str, by: str, locality: str = "") -> str:
        kept = f'{FROM},locality=~"{locality}"' if locality else FROM
        return f"sum by ({by}) (rate({series}{{{kept}}}[$__rate_interval]))"

    requests, failures = "clusterset_requests_total", "clusterset_request_failures_total"
    source, leak = "source_cluster", f"{Locality.LEAK}"
    asked = rate(requests, "")
    return [
        panels.graph(
            "Error ratio",
            "Share of client requests answered with a 5xx status, by pair of clusters. A line has "
            "the colour of the cluster that served. What is above the dashed line uses up the "
            "error budget: the success rate is below its objective.",
            NO_REQUESTS,
            _limit("success", asked),
            OF_PAIRS.query(over(rate(failures, PAIR), rate(requests, PAIR))),
            lines=OF_PAIRS,
            unit="percentunit",
            reach=0.01,
            overrides=[_LIMIT_LINE],
        ),
        panels.graph(
            "Leak ratio",
            "Share of leaks among the requests that should be local, by cluster of the clients. "
            "What is above the dashed line uses up the budget: locality is below its objective.",
            NO_REQUESTS,
            _limit("locality", asked),
            OF_SOURCES.query(
                over(
                    rate(requests, source, leak), rate(requests, source, f"{Locality.LOCAL}|{leak}")
                )
            ),
            lines=OF_SOURCES,
            unit="percentunit",
            reach=0.02,
            overrides=[_LIMIT_LINE],
        ),
    ]


_LIMIT = "allowed by the objective"
_LIMIT_LINE = look.coloured(_LIMIT, look.TEXT, custom__lineStyle=look.DASHES, custom__lineWidth=2)


def _limit(of: str, requests: str) -> Query:
    # Without requests there is nothing to limit, and the panel says that it is empty.
    return Query(expr=f"0 * ({requests} > 0) + (1 - $objective_{of})", legend=_LIMIT)
