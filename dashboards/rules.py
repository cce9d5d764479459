"""Recording rules, and what a rule is in Prometheus' files and in prometheus-operator's objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dashboards import queries
from dashboards.queries import REPLICA, SERVICE
from exporter.model.probes import Phase
from exporter.model.verdicts import Mode


class Scope(StrEnum):
    """Which Prometheus evaluates a rule."""

    LOCAL = "local"
    """That of each cluster: what one exporter says is enough, and holds in a partition too."""
    GLOBAL = "global"
    """One that sees all clusters: what exporters say is compared or summed."""
    RENAMED = "renamed"
    """That of each cluster, for as long as somebody asks for the former names of series."""


class Pace(StrEnum):
    """How often a rule is evaluated."""

    NORMAL = "normal"
    """As often as Prometheus evaluates rules by default."""
    SLOW = "slow"
    """Each two minutes, because it reads days. PromQL takes a value for five minutes."""


INTERVALS = {Pace.SLOW: "2m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A rule that records a series."""

    record: str
    expr: str
    scope: Scope = Scope.LOCAL
    pace: Pace = Pace.NORMAL

    def as_rule(self) -> Mapping[str, Any]:
        """Return the rule as Prometheus reads it."""
        return {"record": self.record, "expr": self.expr}


def recordings() -> list[Recording]:
    """Return what is recorded: what the overview asks of all services at once."""
    return [*_rates(), *_modes()]


def _rates() -> list[Recording]:
    def rate(record: str, series: str, gone: str) -> Recording:
        expr = f"sum without ({REPLICA}, {gone}) (rate({series}[5m]))"
        return Recording(record=record, expr=expr)

    source = "source_cluster"
    replies = f'rate(clusterset_probe_duration_seconds_bucket{{phase="{Phase.REPLY}"}}[5m])'
    requests, failures = "clusterset_requests_total", "clusterset_request_failures_total"
    return [
        rate(queries.REQUEST_RATE, requests, SERVICE),
        rate(queries.FAILURE_RATE, failures, f"{SERVICE}, locality"),
        rate(queries.BYTE_RATE, "clusterset_response_bytes_total", SERVICE),
        rate(queries.SERVICE_REQUEST_RATE, requests, source),
        rate(queries.SERVICE_FAILURE_RATE, failures, f"{source}, locality"),
        Recording(
            record=queries.REPLY_P95,
            expr=f"histogram_quantile(0.95, sum without ({REPLICA}, phase) ({replies}))",
        ),
    ]


def _modes() -> list[Recording]:
    modes = f"max without ({REPLICA}) (clusterset_service_mode)"
    alone = f"max without ({REPLICA}) (clusterset_service_standby_clusters) == bool 0"
    counted = "sum without (destination_service_name)"
    code = f"max without ({REPLICA}, mode) ({queries.mode_code()})"
    return [
        Recording(record=queries.MODE_CODE, expr=code),
        Recording(
            record=queries.TROUBLE,
            expr=f"{queries.MODE_CODE} >= {queries.MODE_CODES[Mode.FAILOVER]}",
        ),
        Recording(record=queries.MODE_COUNT, expr=f"{counted} ({modes})"),
        Recording(record=queries.NO_STANDBY, expr=f"{counted} ({alone})"),
    ]
