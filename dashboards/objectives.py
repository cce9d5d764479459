"""Objectives of client requests: for each one the recorded shares and the alert on its budget."""

from dataclasses import dataclass

from dashboards import queries
from dashboards.alerts import Alert, Board, Command, Severity
from dashboards.queries import SERVICE
from dashboards.rules import Recording, Scope
from dashboards.thresholds import Thresholds

_WHAT = "{{ $labels.destination_service_namespace }}/{{ $labels.destination_service_name }}"
FAST, SLOW = ("1h", "5m"), ("6h", "30m")
"""Windows of Google's SRE workbook, "Alerting on SLOs": the long one, and the short one that
ends the alert soon after the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A share of client requests that may be bad."""

    record: str
    """The name of the recorded share, up to its window."""
    bad: str
    """Recorded rate of the bad requests."""
    all: str
    """Recorded rate of all requests that the objective is about."""

    def ratio(self, window: str) -> str:
        """Return the name of the recorded share over *window*."""
        return f"{self.record}:ratio_rate{window}"

    def recordings(self) -> list[Recording]:
        """Return the rules that record the share over each window."""
        # Sums of what is recorded: rates over hours of what is raw would read all of it each time.
        forms = {"5m": "{}"}
        forms |= {window: f"sum_over_time({{}}[{window}])" for window in ("30m", "1h", "6h")}
        return [
            Recording(
                record=self.ratio(window),
                expr=queries.over(
                    *(f"sum by ({SERVICE}) ({form.format(rate)})" for rate in (self.bad, self.all))
                ),
                scope=Scope.GLOBAL,
            )
            for window, form in forms.items()
        ]

    def burns(self, factor: str, objective: str, windows: tuple[str, str]) -> str:
        """Return where the budget burns faster than *factor* in both *windows*."""
        return " and ".join(
            f"{self.ratio(window)} > {factor} * (1 - {objective})" for window in windows
        )


SUCCESS = Objective(
    record="service:clusterset_request_failures_per_requests",
    bad=queries.SERVICE_FAILURE_RATE,
    all=queries.SERVICE_REQUEST_RATE,
)
LOCALITY = Objective(
    record="service:clusterset_leaks_per_requests",
    bad=f'{queries.SERVICE_REQUEST_RATE}{{locality="leak"}}',
    all=f'{queries.SERVICE_REQUEST_RATE}{{locality=~"local|leak"}}',
)
OBJECTIVES = (SUCCESS, LOCALITY)


def recordings() -> list[Recording]:
    """Return the rules that record the shares of all objectives."""
    return [rule for objective in OBJECTIVES for rule in objective.recordings()]


def alerts(to: Thresholds) -> list[Alert]:
    """Return the alerts on the budgets."""
    return [
        _success(to, Severity.CRITICAL, to.burn_fast, to.burn_fast_for, FAST),
        _success(to, Severity.WARNING, to.burn_slow, to.burn_slow_for, SLOW),
        _locality(to),
    ]


def _success(
    to: Thresholds, severity: Severity, factor: str, wait: str, windows: tuple[str, str]
) -> Alert:
    return Alert(
        name="ClustersetErrorBudgetBurn",
        severity=severity,
        scope=Scope.GLOBAL,
        board=Board.SERVICE,
        panel="Error ratio",
        command=Command.CHECK,
        expr=SUCCESS.burns(factor, to.slo, windows),
        wait=wait,
        summary="More requests of a service fail than its objective allows.",
        description=f"{{{{ $value | humanizePercentage }}}} of the requests for {_WHAT} failed "
        f"in the last {windows[0]}.",
    )


def _locality(to: Thresholds) -> Alert:
    fast = LOCALITY.burns(to.burn_fast, to.slo_locality, FAST)
    slow = LOCALITY.burns(to.burn_slow, to.slo_locality, SLOW)
    return Alert(
        name="ClustersetLocalityBudgetBurn",
        severity=Severity.WARNING,
        scope=Scope.GLOBAL,
        board=Board.SERVICE,
        panel="Requests by locality",
        command=Command.CHECK,
        expr=f"({fast}) or ({slow})",
        wait=to.burn_slow_for,
        summary="More requests of a service leak than its objective allows.",
        description=f"{{{{ $value | humanizePercentage }}}} of the requests for {_WHAT} crossed "
        "although their own cluster was ready.",
    )
