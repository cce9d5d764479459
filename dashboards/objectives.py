"""Objectives of client requests: for each one the recorded shares and the alerts on its budget."""

from collections.abc import Callable
from dataclasses import dataclass

from dashboards import queries
from dashboards.alerts import WHAT, Alert, Board, Command, Severity
from dashboards.queries import SERVICE
from dashboards.rules import Pace, Recording, Scope
from dashboards.thresholds import Thresholds

LONGEST = "3d"
_SUMS = {"5m": "{}"} | {window: f"sum_over_time({{}}[{window}])" for window in ("30m", "1h", "6h")}
"""
How the sum over each window is made of a recorded rate.

Rates over hours of what is raw would read all of it each time.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """A speed at which a budget may burn, and who is told if it burns faster in both windows."""

    long: str
    short: str
    """Ends the alert soon after the cause."""
    factor: str
    """Multiple of the speed at which the budget is just used up at the end of its time."""
    wait: str
    severity: Severity


def burns(to: Thresholds) -> list[Burn]:
    """
    Return the speeds, the fastest first.

    Source: Google's SRE workbook, "Alerting on SLOs", multiwindow, multi-burn-rate alerts.
    """
    table = [
        ("1h", "5m", to.burn_fast, to.burn_fast_for, Severity.CRITICAL),
        ("6h", "30m", to.burn_slow, to.burn_slow_for, Severity.WARNING),
        (LONGEST, "6h", to.burn_long, to.burn_long_for, Severity.WARNING),
    ]
    return [
        Burn(long=long, short=short, factor=factor, wait=wait, severity=severity)
        for long, short, factor, wait, severity in table
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A share of client requests that may be bad."""

    record: str
    """The name of the recorded share, up to its window."""
    bad: str
    """Recorded rate of the bad requests."""
    all: str
    """Recorded rate of all requests that the objective is about."""
    target: Callable[[Thresholds], str]
    """Returns the share of requests that should be good."""
    alert: str
    panel: str
    summary: str
    happened: str
    """What bad requests did, for a sentence that begins with them and with a window."""

    def ratio(self, window: str) -> str:
        """Return the name of the recorded share over *window*."""
        return f"{self.record}:ratio_rate{window}"

    def recordings(self) -> list[Recording]:
        """Return the rules that record the share over each window."""
        sums = {
            window: [f"sum by ({SERVICE}) ({form.format(rate)})" for rate in (self.bad, self.all)]
            for window, form in _SUMS.items()
        }
        # Days are summed up from hours, with one series for each service. To read three days of all
        # pairs of clusters and localities would take seconds.
        hours = [f"{self.record}:{part}_sum1h" for part in ("bad", "all")]
        days = queries.over(*(f"sum_over_time({hour}[{LONGEST}:1h])" for hour in hours))
        return [
            *(_global(self.ratio(window), queries.over(*each)) for window, each in sums.items()),
            *(_global(hour, each, Pace.SLOW) for hour, each in zip(hours, sums["1h"], strict=True)),
            _global(self.ratio(LONGEST), days, Pace.SLOW),
        ]

    def alerts(self, to: Thresholds) -> list[Alert]:
        """Return an alert for each speed at which its budget may burn."""
        return [self._alert(burn, to) for burn in burns(to)]

    def _alert(self, burn: Burn, to: Thresholds) -> Alert:
        too_fast = (
            f"{self.ratio(window)} > {burn.factor} * (1 - {self.target(to)})"
            for window in (burn.long, burn.short)
        )
        return Alert(
            name=self.alert,
            severity=burn.severity,
            scope=Scope.GLOBAL,
            board=Board.SERVICE,
            panel=self.panel,
            command=Command.CHECK,
            expr=" and ".join(too_fast),
            wait=burn.wait,
            labels={"window": burn.long},
            summary=self.summary,
            description=f"In the last {burn.long}, {{{{ $value | humanizePercentage }}}} of the "
            f"requests for {WHAT} {self.happened}.",
        )


def _global(record: str, expr: str, pace: Pace = Pace.NORMAL) -> Recording:
    return Recording(record=record, expr=expr, scope=Scope.GLOBAL, pace=pace)


SUCCESS = Objective(
    record="service:clusterset_request_failures_per_requests",
    bad=queries.SERVICE_FAILURE_RATE,
    all=queries.SERVICE_REQUEST_RATE,
    target=lambda to: to.slo,
    alert="ClustersetErrorBudgetBurn",
    panel="Error ratio",
    summary="More requests of a service fail than its objective allows.",
    happened="failed",
)
LOCALITY = Objective(
    record="service:clusterset_leaks_per_requests",
    bad=f'{queries.SERVICE_REQUEST_RATE}{{locality="leak"}}',
    all=f'{queries.SERVICE_REQUEST_RATE}{{locality=~"local|leak"}}',
    target=lambda to: to.slo_locality,
    alert="ClustersetLocalityBudgetBurn",
    panel="Leak ratio",
    summary="More requests of a service go to another cluster than its objective allows, although "
    "their own is ready.",
    happened="went to another cluster although their own was ready",
)
OBJECTIVES = (SUCCESS, LOCALITY)


def recordings() -> list[Recording]:
    """Return the rules that record the shares of all objectives."""
    return [rule for objective in OBJECTIVES for rule in objective.recordings()]


def alerts(to: Thresholds) -> list[Alert]:
    """Return the alerts on the budgets."""
    return [alert for objective in OBJECTIVES for alert in objective.alerts(to)]
