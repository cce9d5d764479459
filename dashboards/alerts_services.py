"""Alerts about what clients get: services, promises, and what would happen next."""

from dashboards import queries
from dashboards.alerts import Alert, Board, Command, Severity
from dashboards.queries import REPLICA, SERVICE
from dashboards.rules import Scope
from dashboards.thresholds import Thresholds
from exporter.model.verdicts import Rule

_WHAT = "{{ $labels.destination_service_namespace }}/{{ $labels.destination_service_name }}"
_SOURCE = "{{ $labels.source_cluster }}"
_BY_DESIGN = "single_cluster|no_pinned_names|no_host_in_log"
"""Hazards that somebody may have chosen. They do not alert."""
_OTHER_RULES = "|".join(sorted(set(Rule) - {Rule.PINS, Rule.SPREADS}))


def alerts(to: Thresholds) -> list[Alert]:
    """Return them, the most urgent first."""
    return [
        *_modes(to),
        *_moves(to),
        _leakage(to),
        *_redundancy(to),
        *_promises(to),
        *_certificates(to),
    ]


def _mode(mode: str) -> str:
    return f'max without ({REPLICA}) (clusterset_service_mode{{mode="{mode}"}}) == 1'


def _modes(to: Thresholds) -> list[Alert]:
    return [
        Alert(
            name="ClustersetServiceBlackout",
            severity=Severity.CRITICAL,
            board=Board.SERVICE_FROM,
            panel="Mode over time",
            command=Command.CHECK_FROM,
            expr=_mode("blackout"),
            wait=to.blackout_for,
            summary="Clients of a cluster get no answer from a service, from any cluster.",
            description=f"Nobody serves {_WHAT} to clients in {_SOURCE}.",
        ),
        Alert(
            name="ClustersetServiceFailover",
            severity=Severity.WARNING,
            board=Board.SERVICE_FROM,
            panel="Mode over time",
            command=Command.CHECK_FROM,
            expr=_mode("failover"),
            wait=to.failover_for,
            keep=to.failover_keep,
            summary="Another cluster serves a service that the local cluster exports.",
            description=f"Clients in {_SOURCE} get {_WHAT} from another cluster, though "
            f"{_SOURCE} exports it.",
        ),
    ]


def _moves(to: Thresholds) -> list[Alert]:
    def moved(series: str) -> str:
        # increase() extrapolates: in a new series it turns four moves into five.
        grown = f"{series} - min_over_time({series}[{to.flapping_window}])"
        return f"max without ({REPLICA}, stage) ({grown}) > {to.flapping_moves}"

    # Exporters of 0.2.0 count moves in the histogram only.
    served = 'clusterset_failover_duration_seconds_count{stage="served"}'
    took = 'clusterset_failover_last_duration_seconds{stage="served"}'
    newest = "clusterset_failover_last_timestamp_seconds"
    recent = f"time() - max without ({REPLICA}) ({newest}) < {to.slow_failover_age_seconds}"
    return [
        Alert(
            name="ClustersetFailoverFlapping",
            severity=Severity.WARNING,
            board=Board.SERVICE_FROM,
            panel="Moves",
            command=Command.CHECK_FROM,
            expr=f"{moved('clusterset_service_moves_total')} or {moved(served)}",
            summary="A service moves between clusters repeatedly.",
            description=f"{_WHAT} moved {{{{ $value | humanize }}}} times for clients in {_SOURCE} "
            f"within {to.flapping_window}.",
        ),
        Alert(
            name="ClustersetFailoverSlow",
            severity=Severity.WARNING,
            board=Board.SERVICE_FROM,
            panel="How long moves took",
            command=Command.CHECK_FROM,
            expr=f"max without ({REPLICA}, stage) ({took}) > {to.slow_failover_seconds} "
            f"and on (source_cluster, {SERVICE}) {recent}",
            summary="A move of a service to another cluster took too long.",
            description=f"It took {{{{ $value | humanizeDuration }}}} until clients in {_SOURCE} "
            f"were served {_WHAT} again by another cluster.",
        ),
    ]


def _leakage(to: Thresholds) -> Alert:
    rate = f'rate(clusterset_requests_total{{locality="leak"}}[{to.leak_window}])'
    return Alert(
        name="ClustersetCrossClusterLeakage",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Requests by locality",
        command=Command.CHECK_FROM,
        expr=f"sum without ({REPLICA}) ({rate}) > {to.leak_rate}",
        wait=to.leak_for,
        summary="Requests cross to another cluster although their own is ready.",
        description=f"{{{{ $value | humanize }}}} requests per second for {_WHAT} from clients in "
        f"{_SOURCE} are served by {{{{ $labels.destination_cluster }}}}, "
        f"though {_SOURCE} is ready.",
    )


def _redundancy(to: Thresholds) -> list[Alert]:
    seen = f"count without ({REPLICA}, destination_cluster) (clusterset_service_ready)"
    standbys = f"max without ({REPLICA}) (clusterset_service_standby_clusters)"
    ready = f"max by (destination_cluster, {SERVICE}) (clusterset_service_ready)"
    return [
        Alert(
            name="ClustersetStandbyMissing",
            severity=Severity.WARNING,
            board=Board.SERVICE_FROM,
            panel="Ready",
            command=Command.CHECK_FROM,
            expr=f"{standbys} == 0 and on (source_cluster, {SERVICE}) {seen} > 1",
            wait=to.standby_for,
            summary="No other cluster could take over a service.",
            description=f"If the cluster that serves {_WHAT} to clients in {_SOURCE} stopped, no "
            "other would answer, though others export it.",
        ),
        Alert(
            name="ClustersetServiceNotRedundant",
            severity=Severity.WARNING,
            scope=Scope.GLOBAL,
            board=Board.SERVICE,
            panel="Ready, as each cluster sees it",
            command=Command.CHECK,
            expr=f"sum by ({SERVICE}) ({ready}) == 1 and count by ({SERVICE}) ({ready}) > 1",
            wait=to.redundancy_for,
            summary="A service that several clusters export is ready in only one of them.",
            description=f"{_WHAT} is ready in a single cluster.",
        ),
        Alert(
            name="ClustersetViewDisagreement",
            severity=Severity.WARNING,
            scope=Scope.GLOBAL,
            board=Board.SERVICE,
            panel="Ready, as each cluster sees it",
            command=Command.CHECK_AT,
            expr=f"{ready} != min by (destination_cluster, {SERVICE}) (clusterset_service_ready)",
            wait=to.view_for,
            summary="Clusters disagree on whether a service is ready in one of them.",
            description=f"Some clusters see {_WHAT} ready in {{{{ $labels.destination_cluster }}}}"
            ", some do not.",
        ),
    ]


def _promises(to: Thresholds) -> list[Alert]:
    def broken(rules: str, window: str) -> str:
        counts = (
            f'sum without ({REPLICA}) (increase(clusterset_rule_{kind}_total{{rule=~"{rules}"}}'
            f"[{window}]))"
            for kind in ("violations", "checks")
        )
        return queries.over(*counts)

    return [
        Alert(
            name="ClustersetPinnedNameBroken",
            severity=Severity.WARNING,
            board=Board.SERVICE_FROM,
            panel="Promises broken",
            command=Command.CHECK_FROM,
            expr=f"{broken(Rule.PINS, to.promise_window)} > {to.promise_ratio}",
            wait=to.promise_for,
            summary="A pinned name leads to another cluster, or to none.",
            description=f"{{{{ $value | humanizePercentage }}}} of the probes of {_WHAT} by pinned "
            f"names from {_SOURCE} did not reach the cluster asked for.",
        ),
        Alert(
            name="ClustersetSpreadBroken",
            severity=Severity.WARNING,
            board=Board.SERVICE_FROM,
            panel="Where the name leads",
            command=Command.CHECK_FROM,
            expr=f"{broken(Rule.SPREADS, to.spread_window)} > 0",
            summary="DNS answers are not spread over all clusters that could serve.",
            description=f"Clients in {_SOURCE} get {_WHAT} from some of the clusters that could "
            "serve far more often than from others.",
        ),
        Alert(
            name="ClustersetPromiseBroken",
            severity=Severity.WARNING,
            board=Board.SERVICE_FROM,
            panel="Promises broken",
            command=Command.CHECK_FROM,
            expr=f"{broken(_OTHER_RULES, to.promise_window)} > {to.promise_ratio}",
            wait=to.promise_for,
            summary="The clusterset breaks a promise.",
            description=f"{{{{ $value | humanizePercentage }}}} of the probes of {_WHAT} from "
            f"{_SOURCE} find the promise {{{{ $labels.rule }}}} broken.",
        ),
        Alert(
            name="ClustersetServiceExportConflict",
            severity=Severity.WARNING,
            board=Board.SERVICE,
            panel="Conditions of the exports",
            command=Command.CHECK_AT,
            expr=f'max without ({REPLICA}) (clusterset_service_export_condition{{type="Conflict"}})'
            " == 1",
            wait=to.conflict_for,
            summary="Clusters export a service with contradictory definitions.",
            description=f"The export of {_WHAT} by {{{{ $labels.destination_cluster }}}} is in "
            "conflict with that of another cluster.",
        ),
        Alert(
            name="ClustersetServiceHazard",
            severity=Severity.WARNING,
            board=Board.SERVICE_FROM,
            panel="Hazards",
            command=Command.CHECK_FROM,
            expr=f"max without ({REPLICA}) "
            f'(clusterset_service_hazard{{hazard!~"{_BY_DESIGN}"}}) == 1',
            wait=to.hazard_for,
            summary="A service has a setup that is known to break failover or locality.",
            description=f"{_WHAT} has the hazard {{{{ $labels.hazard }}}}.",
        ),
    ]


def _certificates(to: Thresholds) -> list[Alert]:
    ends = "clusterset_probe_certificate_expiry_timestamp_seconds"
    left = f"min without ({REPLICA}, source_cluster) ({ends}) - time()"
    soon, urgent = f"{to.certificate_days} * 86400", f"{to.certificate_urgent_days} * 86400"

    def ending(severity: Severity, expr: str) -> Alert:
        return Alert(
            name="ClustersetCertificateEnding",
            severity=severity,
            board=Board.SERVICE,
            panel="Certificates expire in",
            command=Command.CHECK_AT,
            expr=expr,
            wait=to.certificate_for,
            summary="The certificate of a service expires soon.",
            description=f"The certificate that {{{{ $labels.destination_cluster }}}} shows for "
            f"{_WHAT} expires in {{{{ $value | humanizeDuration }}}}.",
        )

    return [
        ending(Severity.CRITICAL, f"{left} < {urgent}"),
        ending(Severity.WARNING, f"({left} < {soon}) >= {urgent}"),
    ]
