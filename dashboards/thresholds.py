"""All numbers that alerts compare with, and all times that they wait."""

import re
from dataclasses import dataclass, field, fields

VALUES = "alerts"
"""Key of the thresholds in the values of the Helm chart."""


def _set(default: str, text: str) -> str:
    value: str = field(default=default, metadata={"help": text})
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """
    The settings of the alerts.

    All are text, because each is either a value or a placeholder in the template of a chart.
    """

    job: str = _set("clusterset-exporter", "Regular expression for the job label of the exporters.")
    runbook_url: str = _set(
        "", "Address of docs/runbooks; each alert links to its page there. Empty: no link."
    )
    dashboard_url: str = _set(
        "", "Address of Grafana; each alert links to its board there. Empty: no link."
    )
    namespace: str = _set(
        "clusterset-exporter", "Namespace of the exporters, for the command that an alert shows."
    )
    workload: str = _set(
        "deployment/clusterset-exporter", "The exporters as kubectl names them, for that command."
    )
    blackout_for: str = _set("2m", "How long a blackout may last.")
    failover_for: str = _set("5m", "How long another cluster may serve a service.")
    failover_keep: str = _set("5m", "How long an alert continues after its condition ended.")
    flapping_window: str = _set("30m", "Time over which moves are counted.")
    flapping_moves: str = _set("4", "More moves than this are flapping.")
    slow_failover_seconds: str = _set(
        "30", "A move that takes longer until the service is served again is slow."
    )
    slow_failover_age_seconds: str = _set("900", "How long a slow move is reported.")
    leak_rate: str = _set("0.1", "Leaks per second that are tolerated.")
    leak_window: str = _set("5m", "Time over which leaks are averaged.")
    leak_for: str = _set("15m", "How long leaks may continue.")
    redundancy_for: str = _set("10m", "How long a service may be ready in one cluster only.")
    standby_for: str = _set(
        "12m",
        "How long a service may lack a standby. Longer than redundancyFor, to avoid two alerts.",
    )
    promise_ratio: str = _set("0.5", "Share of probes that find a promise broken.")
    promise_window: str = _set("5m", "Time over which that share is computed.")
    promise_for: str = _set("10m", "How long a promise may be broken.")
    spread_window: str = _set("30m", "Time over which uneven answers are counted.")
    tunnel_for: str = _set("3m", "How long a tunnel may be down.")
    view_for: str = _set("10m", "How long clusters may disagree about readiness.")
    hazard_for: str = _set("15m", "How long a known hazard may exist.")
    conflict_for: str = _set("5m", "How long an export may be in conflict.")
    certificate_days: str = _set(
        "14", "Days before the expiry of a certificate at which a warning starts."
    )
    certificate_urgent_days: str = _set("3", "Days before the expiry at which somebody is paged.")
    certificate_for: str = _set("15m", "How long an old certificate may be shown.")
    slo: str = _set("0.999", "Share of client requests that should not fail with 5xx.")
    burn_fast: str = _set(
        "14.4", "Multiple of the error budget over 1h and 5m at which somebody is paged."
    )
    burn_fast_for: str = _set("2m", "How long the budget may burn that fast.")
    burn_slow: str = _set(
        "6", "Multiple of the error budget over 6h and 30m at which a warning starts."
    )
    burn_slow_for: str = _set("15m", "How long the budget may burn that fast.")
    burn_long: str = _set(
        "1", "Multiple of the error budget over 3d and 6h at which a warning starts."
    )
    burn_long_for: str = _set("1h", "How long the budget may burn that fast.")
    slo_locality: str = _set(
        "0.99", "Share of client requests that should be local, among the local ones and leaks."
    )
    exporter_for: str = _set("5m", "How long an exporter may be gone.")
    reload_for: str = _set("5m", "How long a broken file may stay.")
    watch_for: str = _set("5m", "How long a watch of the API server may fail.")
    watch_age_seconds: str = _set("300", "Seconds for which a watch may be silent.")
    log_behind_seconds: str = _set("60", "Largest age of a line when it is read, in seconds.")
    log_for: str = _set("5m", "How long reading may be late or fail.")
    probes_window: str = _set("15m", "Time over which forged and skipped probes are counted.")
    forgeries: str = _set("5", "More forged probes than this are reported.")
    skipped: str = _set("10", "More skipped probes than this are reported.")
    stuck_for: str = _set("5m", "How long a replica of the name server may be stuck.")
    attribution_for: str = _set("10m", "How long addresses and claims may disagree.")
    degraded_for: str = _set("5m", "How long clients may be served in part.")
    mixed_for: str = _set("10m", "How long right and wrong answers may alternate.")
    lookup_ratio: str = _set("0.01", "Share of look-ups as clients make them that may fail.")
    lookup_window: str = _set("15m", "Time over which that share is computed.")
    lookup_for: str = _set("10m", "How long more look-ups may fail.")
    resolvers_for: str = _set("10m", "How long name servers may disagree.")
    skew_seconds: str = _set("2", "Seconds by which the clocks of two clusters may differ.")
    skew_for: str = _set("10m", "How long clocks may differ.")
    leaders_for: str = _set("2m", "How long two replicas may lead.")
    stale_seconds: str = _set("600", "Seconds for which changes of the cluster may be unseen.")
    format_ratio: str = _set("0.5", "Share of lines of a log that may be no access lines.")
    format_lines: str = _set("100", "Fewer such lines than this are not reported.")
    format_window: str = _set("15m", "Time over which lines are counted.")
    format_for: str = _set("5m", "How long a log may have another format.")
    series_ratio: str = _set("0.9", "Share of limits.series that may be in use.")
    series_for: str = _set("15m", "How long that share may be exceeded.")


def key(name: str) -> str:
    """Return a field's name as charts write it."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def placeholders() -> Thresholds:
    """Return the places in a chart's template where the values go."""
    places = {
        each.name: f"{{{{ .Values.{VALUES}.{key(each.name)} }}}}" for each in fields(Thresholds)
    }
    return Thresholds(**places)


def values() -> str:
    """Return the part of a chart's values.yaml that sets them."""
    defaults = Thresholds()
    lines = [f"{VALUES}:"]
    for each in fields(Thresholds):
        lines.append(f"  # {each.metadata['help']}")
        lines.append(f'  {key(each.name)}: "{getattr(defaults, each.name)}"')
    return "\n".join(lines) + "\n"
