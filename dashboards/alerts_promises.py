"""Alerts about what was promised for services, and whether the next failover would work."""

from dashboards import queries
from dashboards.alerts import WHAT, Alert, Board, Command, Severity
from dashboards.queries import REPLICA, SERVICE
from dashboards.rules import Scope
from dashboards.thresholds import Thresholds
from exporter.model.verdicts import Rule

_SOURCE = "{{ $labels.source_cluster }}"
_DESTINATION = "{{ $labels.destination_cluster }}"
_SHARE = "{{ $value | humanizePercentage }}"
_BY_DESIGN = "single_cluster|no_pinned_names|no_host_in_log"
"""Hazards that somebody may have chosen. They do not alert."""
_OTHER_RULES = "|".join(sorted(set(Rule) - {Rule.PINS, Rule.SPREADS}))
_READY = f"max by (destination_cluster, {SERVICE}) (clusterset_service_ready)"


def alerts(to: Thresholds) -> list[Alert]:
    """Return them, the most urgent first."""
    return [
        _standby(to),
        _redundancy(to),
        _views(to),
        _pins(to),
        _spreads(to),
        _others(to),
        _conflict(to),
        _hazard(to),
        *_certificates(to),
    ]


def _standby(to: Thresholds) -> Alert:
    seen = f"count without ({REPLICA}, destination_cluster) (clusterset_service_ready)"
    standbys = f"max without ({REPLICA}) (clusterset_service_standby_clusters)"
    return Alert(
        name="ClustersetStandbyMissing",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Ready",
        command=Command.CHECK_FROM,
        expr=f"{standbys} == 0 and on (source_cluster, {SERVICE}) {seen} > 1",
        wait=to.standby_for,
        summary="No other cluster could take over a service.",
        description=f"If the cluster that serves {WHAT} to clients in {_SOURCE} stopped, no other "
        "would answer, though others export it.",
    )


def _redundancy(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetServiceNotRedundant",
        severity=Severity.WARNING,
        scope=Scope.GLOBAL,
        board=Board.SERVICE,
        panel="Ready, as each cluster sees it",
        command=Command.CHECK,
        expr=f"sum by ({SERVICE}) ({_READY}) == 1 and count by ({SERVICE}) ({_READY}) > 1",
        wait=to.redundancy_for,
        summary="A service that several clusters export is ready in only one of them.",
        description=f"{WHAT} is ready in only one of the clusters that export it.",
    )


def _views(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetViewDisagreement",
        severity=Severity.WARNING,
        scope=Scope.GLOBAL,
        board=Board.SERVICE,
        panel="Ready, as each cluster sees it",
        command=Command.CHECK_AT,
        expr=f"{_READY} != min by (destination_cluster, {SERVICE}) (clusterset_service_ready)",
        wait=to.view_for,
        summary="Clusters disagree on whether a service is ready in one of them.",
        description=f"Some clusters see {WHAT} as ready in {_DESTINATION}, and others do not.",
    )


def _broken(rules: str, window: str) -> str:
    counts = (
        f'sum without ({REPLICA}) (increase(clusterset_rule_{kind}_total{{rule=~"{rules}"}}'
        f"[{window}]))"
        for kind in ("violations", "checks")
    )
    return queries.over(*counts)


def _pins(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetPinnedNameBroken",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Promises broken",
        command=Command.CHECK_FROM,
        expr=f"{_broken(Rule.PINS, to.promise_window)} > {to.promise_ratio}",
        wait=to.promise_for,
        summary="The name of a service in one chosen cluster leads elsewhere, or nowhere.",
        description=f"{_SHARE} of the probes from {_SOURCE} that asked by name for {WHAT} in one "
        "chosen cluster did not reach that cluster.",
    )


def _spreads(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetSpreadBroken",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Where the name leads",
        command=Command.CHECK_FROM,
        expr=f"{_broken(Rule.SPREADS, to.spread_window)} > 0",
        summary="DNS answers are not spread over all clusters that could serve.",
        description=f"DNS leads clients in {_SOURCE} to some of the clusters that could serve "
        f"{WHAT} far more often than to others.",
    )


def _others(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetPromiseBroken",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Promises broken",
        command=Command.CHECK_FROM,
        expr=f"{_broken(_OTHER_RULES, to.promise_window)} > {to.promise_ratio}",
        wait=to.promise_for,
        summary="The clusterset does not do what it promises for a service.",
        description=f"{_SHARE} of the probes of {WHAT} from {_SOURCE} find that the promise "
        "{{ $labels.rule }} is broken.",
    )


def _conflict(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetServiceExportConflict",
        severity=Severity.WARNING,
        board=Board.SERVICE,
        panel="Conditions of the exports",
        command=Command.CHECK_AT,
        expr=f'max without ({REPLICA}) (clusterset_service_export_condition{{type="Conflict"}})'
        " == 1",
        wait=to.conflict_for,
        summary="Clusters export a service with contradictory definitions.",
        description=f"The export of {WHAT} by {_DESTINATION} contradicts that of another cluster.",
    )


def _hazard(to: Thresholds) -> Alert:
    return Alert(
        name="ClustersetServiceHazard",
        severity=Severity.WARNING,
        board=Board.SERVICE_FROM,
        panel="Hazards",
        command=Command.CHECK_FROM,
        expr=f'max without ({REPLICA}) (clusterset_service_hazard{{hazard!~"{_BY_DESIGN}"}}) == 1',
        wait=to.hazard_for,
        summary="A service has a setup that is known to break failover or locality.",
        description=f"{WHAT}, as {_SOURCE} sees it, has the hazard {{{{ $labels.hazard }}}}, which "
        "is known to break failover or locality.",
    )


def _certificates(to: Thresholds) -> list[Alert]:
    ends = "clusterset_probe_certificate_expiry_timestamp_seconds"
    left = f"min without ({REPLICA}, source_cluster) ({ends}) - time()"
    soon, urgent = f"{to.certificate_days} * 86400", f"{to.certificate_urgent_days} * 86400"
    by_severity = {
        Severity.CRITICAL: f"{left} < {urgent}",
        Severity.WARNING: f"({left} < {soon}) >= {urgent}",
    }
    return [
        Alert(
            name="ClustersetCertificateEnding",
            severity=severity,
            board=Board.SERVICE,
            panel="Certificates expire in",
            command=Command.CHECK_AT,
            expr=expr,
            wait=to.certificate_for,
            summary="The certificate of a service expires soon.",
            description=f"The certificate that {_DESTINATION} shows for {WHAT} expires in "
            "{{ $value | humanizeDuration }}.",
        )
        for severity, expr in by_severity.items()
    ]
