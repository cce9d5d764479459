"""Alerts about what clients get: who serves them, how services move, and requests that leak."""

from dashboards.alerts import WHAT, Alert, Board, Command, Severity
from dashboards.queries import REPLICA, SERVICE
from dashboards.thresholds import Thresholds

_SOURCE = "{{ $labels.source_cluster }}"
_DESTINATION = "{{ $labels.destination_cluster }}"


def alerts(to: Thresholds) -> list[Alert]:
    """Return them, the most urgent first."""
    return [
        _blackout(to),
        _failover(to),
        _flapping(to),
        _slow(to),
        _leak_of_clients(to),
        _leak_of_gateways(to),
    ]


def _blackout(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetServiceBlackout",
        severity=Severity.CRITICAL,
        board=Board.SERVICE_FROM,
        panel="Mode over time",
        command=Command.CHECK_FROM,
        expr=_mode("blackout"),
        wait=to.blackout_for,
        summary="Clients of a cluster get no answer from a service, from any cluster.",
        description=f"Nobody serves {WHAT} to clients in {_SOURCE}.",
    )


def _failover(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetServiceFailover",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Mode over time",
        command=Command.CHECK_FROM,
        expr=_mode("failover"),
        wait=to.failover_for,
        keep=to.failover_keep,
        summary="Another cluster serves a service that the local cluster exports.",
        description=f"Clients in {_SOURCE} get {WHAT} from another cluster, though {_SOURCE} "
        "exports it.",
    )


def _mode(mode: str) -> str:
    return f'max without ({REPLICA}) (clusterset_service_mode{{mode="{mode}"}}) == 1'


def _flapping(to: Thresholds) -> Alert:
    def moved(series: str) -> str:
        # increase() extrapolates: in a new series it turns four moves into five.
        grown = f"{series} - min_over_time({series}[{to.flapping_window}])"
        return f"max without ({REPLICA}, stage) ({grown}) > {to.flapping_moves}"

    # Exporters of 0.2.0 count moves in the histogram only.
    served = 'clusterset_failover_duration_seconds_count{stage="served"}'
    return Alert(
        name="ClustersetFailoverFlapping",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Moves",
        command=Command.CHECK_FROM,
        expr=f"{moved('clusterset_service_moves_total')} or {moved(served)}",
        summary="A service moves between clusters again and again.",
        description=f"{WHAT} moved between clusters {{{{ $value | humanize }}}} times within "
        f"{to.flapping_window} for clients in {_SOURCE}.",
    )


def _slow(to: Thresholds) -> Alert:
    took = 'clusterset_failover_last_duration_seconds{stage="served"}'
    newest = "clusterset_failover_last_timestamp_seconds"
    recent = f"time() - max without ({REPLICA}) ({newest}) < {to.slow_failover_age_seconds}"
    return Alert(
        name="ClustersetFailoverSlow",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="How long moves took",
        command=Command.CHECK_FROM,
        expr=f"max without ({REPLICA}, stage) ({took}) > {to.slow_failover_seconds} "
        f"and on (source_cluster, {SERVICE}) {recent}",
        summary="A move of a service to another cluster took too long.",
        description=f"It took {{{{ $value | humanizeDuration }}}} until clients in {_SOURCE} were "
        f"served {WHAT} again by another cluster.",
    )


def _leak_of_clients(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetCrossClusterLeakage",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Requests by locality",
        command=Command.CHECK_FROM,
        expr=_leaks("clusterset_requests_total", to),
        wait=to.leak_for,
        summary="Requests cross to another cluster although their own is ready.",
        description=f"Clients in {_SOURCE} make {{{{ $value | humanize }}}} requests per second "
        f"for {WHAT} to {_DESTINATION}, though it is ready in {_SOURCE}.",
    )


def _leak_of_gateways(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetGatewayLeakage",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Sent by gateways",
        command=Command.CHECK_FROM,
        expr=_leaks("clusterset_upstream_requests_total", to),
        wait=to.leak_for,
        summary="A gateway sends requests to another cluster although its own is ready.",
        description=f"Gateways in {_SOURCE} send {{{{ $value | humanize }}}} requests per second "
        f"for {WHAT} to {_DESTINATION}, though it is ready in {_SOURCE}.",
    )


def _leaks(series: str, to: Thresholds) -> str:
    rate = f'rate({series}{{locality="leak"}}[{to.leak_window}])'
    return f"sum without ({REPLICA}) ({rate}) > {to.leak_rate}"
