"""Recording rules, and what a rule is in Prometheus' files and in prometheus-operator's objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dashboards import queries
from dashboards.queries import REPLICA, SERVICE


class Scope(StrEnum):
    """Which Prometheus evaluates a rule."""

    LOCAL = "local"
    """That of each cluster: what one exporter says is enough, and holds in a partition too."""
    GLOBAL = "global"
    """One that sees all clusters: what exporters say is compared or summed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A rule that records a series."""

    record: str
    expr: str
    scope: Scope = Scope.LOCAL

    def as_rule(self) -> Mapping[str, Any]:
        """Return the rule as Prometheus reads it."""
        return {"record": self.record, "expr": self.expr}


def recordings() -> list[Recording]:
    """Return what is recorded: what the overview asks of all services at once, and the SLI."""
    return [*_rates(), _modes(), *_ratios()]


def _rates() -> list[Recording]:
    def rate(record: str, series: str, gone: str) -> Recording:
        expr = f"sum without ({REPLICA}, {gone}) (rate({series}[5m]))"
        return Recording(record=record, expr=expr)

    name, source = "destination_service_name", "source_cluster"
    requests, failures = "clusterset_requests_total", "clusterset_request_failures_total"
    return [
        rate(queries.REQUEST_RATE, requests, name),
        rate(queries.FAILURE_RATE, failures, f"{name}, locality"),
        rate(queries.BYTE_RATE, "clusterset_response_bytes_total", name),
        rate(queries.SERVICE_REQUEST_RATE, requests, source),
        rate(queries.SERVICE_FAILURE_RATE, failures, f"{source}, locality"),
    ]


def _modes() -> Recording:
    expr = f"max without ({REPLICA}, mode) ({queries.mode_code()})"
    return Recording(record=queries.MODE_CODE, expr=expr)


def _ratios() -> list[Recording]:
    def ratio(window: str, form: str) -> Recording:
        failed, served = (
            f"sum by ({SERVICE}) ({form.format(rate)})"
            for rate in (queries.SERVICE_FAILURE_RATE, queries.SERVICE_REQUEST_RATE)
        )
        return Recording(
            record=queries.failure_ratio(window),
            expr=queries.over(failed, served),
            scope=Scope.GLOBAL,
        )

    # Sums of what is recorded: rates over hours of what is raw would read all of it each time.
    longer = [ratio(window, f"sum_over_time({{}}[{window}])") for window in ("30m", "1h", "6h")]
    return [ratio("5m", "{}"), *longer]
