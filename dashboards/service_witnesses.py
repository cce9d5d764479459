"""Where gateways sent requests, and what the three witnesses say side by side."""

from dashboards import look, panels
from dashboards.bridge import Panel, Query
from dashboards.lines import OF_PAIRS
from dashboards.queries import PAIR, over
from dashboards.service_selection import FROM

_NO_GATEWAY = "No log of a gateway tells its upstreams"


def witnesses() -> Panel:
    """Return what gateways sent, beside what probes and the logs of destinations say."""

    def share(series: str) -> str:
        rise = f"increase({series}{{{FROM}}}[$__range])"
        whole = f"sum by (source_cluster) ({rise})"
        return f"sum by ({PAIR}) ({rise}) / on (source_cluster) group_left () ({whole} > 0)"

    seen = ("dns_answers", "upstream_requests", "requests")
    return panels.table(
        "Three witnesses",
        "Share of the clients of each cluster that lead to each cluster over the range: by the "
        "answers for the name, by the gateways that sent requests, and by the logs of the "
        "clusters that served them. Clients behind a gateway do not ask for the name.",
        "No probes, no requests and no gateways",
        *(Query(expr=f"{share(f'clusterset_{each}_total')} > 0", table=True) for each in seen),
        width=24,
        transformations=panels.merged(
            {
                "source_cluster": "clients in",
                "destination_cluster": "lead to",
                "Value #A": "by name",
                "Value #B": "sent",
                "Value #C": "served",
            }
        ),
        unit="percentunit",
        decimals=1,
        # Grafana's own widths would hide the last columns.
        overrides=[look.override(name, custom__width=80) for name in ("by name", "sent", "served")],
    )


def gateways() -> list[Panel]:
    """Return where gateways sent requests, and which of them failed."""

    def rate(series: str) -> str:
        return f"sum by ({PAIR}) (rate({series}{{{FROM}}}[$__rate_interval]))"

    sent = "clusterset_upstream_requests_total"
    return [
        panels.graph(
            "Sent by gateways",
            "Requests per second that gateways of the selected clusters sent to servers, by "
            "locality; each try counts. A leak begins here.",
            _NO_GATEWAY,
            Query(
                expr=f"sum by (locality) (rate({sent}{{{FROM}}}[$__rate_interval]))",
                legend="{{locality}}",
            ),
            stacked=True,
            width=12,
            unit="reqps",
            overrides=look.LOCALITY_COLOURS,
        ),
        panels.graph(
            "Failing upstreams",
            "Share of the tries of gateways that a server answered with a 5xx status, or not at "
            "all, by pair of clusters. A retry may hide them from clients.",
            _NO_GATEWAY,
            OF_PAIRS.query(over(rate("clusterset_upstream_request_failures_total"), rate(sent))),
            lines=OF_PAIRS,
            width=12,
            unit="percentunit",
            reach=0.01,
        ),
    ]
