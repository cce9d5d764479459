"""Clusterset / Service: what probes find broken."""

from dashboards import panels
from dashboards.bridge import Panel, Query
from dashboards.lines import OF_DESTINATIONS, Lines
from dashboards.queries import PAIR, over
from dashboards.service_selection import FROM, NO_PROBES

_PROMISES = Lines(by="source_cluster", name="{{rule}} in {{source_cluster}}")
_FAILURES = Lines(by="source_cluster", name="{{reason}} {{name}} in {{source_cluster}}")


def promises() -> list[Panel]:
    """Return what probes found broken."""

    def checked(kind: str) -> str:
        series = f"clusterset_rule_{kind}_total{{{FROM}}}"
        return f"sum by (source_cluster, rule) (rate({series}[$__rate_interval]))"

    return [
        panels.graph(
            "Promises broken",
            "Share of probes that found a promise broken, among those that could check it. "
            "local_first: the cluster of the clients serves if it can. fails_over: another one "
            "serves if it cannot. connected_only: only clusters with a live tunnel are named. "
            "pins: a pinned name leads to its cluster. resolves: the name has an address. "
            "reachable: the address answers. spreads: answers are even over equal clusters.",
            "No probe could check a promise",
            _PROMISES.query(over(checked("violations"), checked("checks"))),
            lines=_PROMISES,
            width=8,
            unit="percentunit",
            most=1,
        ),
        panels.graph(
            "Failed probes",
            "Failed probes per second of the plain name and of the pinned names, by reason. The "
            "first failure of a reason is in the line of all only.",
            NO_PROBES,
            _FAILURES.query(
                "sum by (source_cluster, name, reason) "
                f"(rate(clusterset_probe_failures_total{{{FROM}}}[$__rate_interval])) > 0"
            ),
            Query(
                expr=f"sum(rate(clusterset_probes_failed_total{{{FROM}}}[$__rate_interval]))",
                legend="all",
            ),
            lines=_FAILURES,
            width=8,
            unit="suffix: probes/s",
        ),
        _lookups(),
    ]


def _lookups() -> Panel:
    def rate(series: str) -> str:
        return f"sum by (vantage, lookup) (rate({series}{{{FROM}}}[$__rate_interval]))"

    failed, made = rate("clusterset_dns_lookups_failed_total"), rate("clusterset_dns_lookups_total")
    return panels.graph(
        "Failed look-ups",
        "Share of look-ups of the service's name without an address, by kind and name server. The "
        "kinds are single questions (a), look-ups as clients make them (client) and SRV records "
        "(srv). If only client look-ups fail, one of two simultaneous answers is lost.",
        NO_PROBES,
        Query(expr=over(failed, made), legend="{{lookup}} of the {{vantage}}"),
        width=8,
        unit="percentunit",
        most=1,
    )


def backends() -> list[Panel]:
    """Return whether probes reach what clients reach, and for how long certificates are good."""
    hits = f"sum by ({PAIR}) (increase(clusterset_probe_hits_total{{{FROM}}}[$__range]))"
    ends = f"clusterset_probe_certificate_expiry_timestamp_seconds{{{FROM}}}"
    return [
        panels.matrix(
            "Probes seen in the logs",
            "Probes by the cluster that sent them and the cluster whose log shows them. They "
            "prove that probes reach the same backends as clients.",
            "No probes in the logs: no log is read where the service runs",
            Query(expr=f"{hits} > 0", table=True),
            decimals=0,
            color=panels.AMOUNTS,
        ),
        panels.graph(
            "Certificates expire in",
            "Time until the certificate expires that each cluster shows to probes.",
            "No certificate was seen: the service is not probed by https",
            OF_DESTINATIONS.query(f"min by (destination_cluster) ({ends}) - time()"),
            lines=OF_DESTINATIONS,
            unit="s",
        ),
    ]
