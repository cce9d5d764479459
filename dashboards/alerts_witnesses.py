"""Alerts about tunnels, addresses and clocks, and about whether witnesses agree on them."""

from dashboards.alerts import Alert, Board, Command, Severity
from dashboards.queries import REPLICA
from dashboards.thresholds import Thresholds

_ME = "the exporter {{ $labels.instance }}"
_SOURCE = "{{ $labels.source_cluster }}"
_DESTINATION = "{{ $labels.destination_cluster }}"


def alerts(to: Thresholds) -> list[Alert]:
    """Return them, the most urgent first."""
    return [_tunnel(to), _attribution(to), _forged(to), _skew(to)]


def _tunnel(to: Thresholds) -> Alert:
    connected = f'min without ({REPLICA}) (clusterset_gateway_connected{{view="strict"}})'
    return Alert(
        name="ClustersetTunnelDown",
        severity=Severity.CRITICAL,
        board=Board.SOURCE,
        panel="Tunnels",
        command=Command.TUNNELS,
        expr=f"{connected} == 0",
        wait=to.tunnel_for,
        summary="A cluster has no tunnel to another.",
        description=f"{_SOURCE} has no live tunnel to {_DESTINATION}, so neither could take over "
        "for the other.",
    )


def _attribution(to: Thresholds) -> Alert:
    labels = "destination_cluster, claimed_cluster, attributed_cluster"
    checks = f"rate(clusterset_attribution_checks_total[{to.probes_window}])"
    agree = (
        f"label_replace(sum by (destination_cluster, claimed_cluster) ({checks}), "
        '"attributed_cluster", "$1", "claimed_cluster", "(.+)")'
    )
    return Alert(
        name="ClustersetAttributionMismatch",
        severity=Severity.WARNING,
        board=Board.EXPORTERS,
        panel="Claimed and attributed",
        command=Command.EXPORTS,
        expr=f"sum without ({REPLICA}) ({checks}) > 0 unless on ({labels}) {agree}",
        wait=to.attribution_for,
        summary="Probes arrive with addresses of another cluster.",
        description=f"Probes from {{{{ $labels.claimed_cluster }}}} reach {_DESTINATION} with "
        "addresses that belong to {{ $labels.attributed_cluster }}: CIDRs are wrong, or something "
        "rewrites addresses.",
    )


def _forged(to: Thresholds) -> Alert:
    forged, any_forged = (
        f"increase(clusterset_exporter_{name}_total[{to.probes_window}]) > {to.forgeries}"
        for name in ("probe_forgeries", "probes_forged")
    )
    # The counter of a reason is new with its first event, and increase() does not see that one.
    unnamed = f'label_replace({any_forged}, "reason", "see the board", "", "")'
    return Alert(
        name="ClustersetProbesForged",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Not trusted",
        command=Command.SERIES,
        expr=f"{forged} or ignoring (reason) {unnamed}",
        summary="Requests claim to be probes of an exporter, and cannot be trusted.",
        description=f"{{{{ $value | humanize }}}} requests in the logs of {_ME} claim to be probes "
        "and cannot be trusted: {{ $labels.reason }}.",
    )


def _skew(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetClockSkew",
        severity=Severity.WARNING,
        board=Board.EXPORTER,
        panel="Findings",
        command=Command.PROBLEMS,
        expr=f"abs(clusterset_clock_skew_seconds) > {to.skew_seconds}",
        wait=to.skew_for,
        summary="The clocks of two clusters differ.",
        description=f"The clocks of {_SOURCE} and {_DESTINATION} differ by "
        "{{ $value | humanizeDuration }}.",
    )
