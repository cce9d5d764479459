"""Every number that an alert compares with and every time it waits, in one place."""

import re
from dataclasses import dataclass, field, fields

VALUES = "alerts"
"""Under which key of a Helm chart's values the thresholds stand."""


def _set(default: str, text: str) -> str:
    value: str = field(default=default, metadata={"help": text})
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """
    What an operator may set about the alerts.

    All are text, since each is either a value or the place in a chart's template where one goes.
    """

    job: str = _set("clusterset-exporter", "Regular expression of the exporters' job label.")
    runbook_url: str = _set(
        "https://clusterset-exporter.example/docs/runbooks",
        "Where docs/runbooks is served; each alert links to its page there.",
    )
    grafana_url: str = _set(
        "https://grafana.example", "Where Grafana is; each alert links to its board there."
    )
    blackout_for: str = _set("2m", "Nobody may answer for so long.")
    failover_for: str = _set("5m", "A service may be served elsewhere for so long.")
    failover_keep: str = _set("5m", "An alert that would stop sooner goes on for so long.")
    flapping_window: str = _set("30m", "Moves are counted over so long.")
    flapping_moves: str = _set("4", "More moves than these are flapping.")
    slow_failover_seconds: str = _set("30", "A move that took longer to serve again is slow.")
    slow_failover_age_seconds: str = _set("900", "A slow move is reported for so long.")
    leak_rate: str = _set("0.1", "Requests a second that cross without need.")
    leak_window: str = _set("5m", "Leaks are averaged over so long.")
    leak_for: str = _set("15m", "They may cross for so long.")
    redundancy_for: str = _set("10m", "A service may lack a standby for so long.")
    standby_for: str = _set(
        "12m", "The same as a client sees it; longer, so that it says nothing twice."
    )
    promise_ratio: str = _set("0.5", "Share of probes that find a promise broken.")
    promise_window: str = _set("5m", "That share is taken over so long.")
    promise_for: str = _set("10m", "A promise may be broken for so long.")
    spread_window: str = _set("30m", "Answers that are not spread are counted over so long.")
    tunnel_for: str = _set("3m", "A tunnel may be down for so long.")
    view_for: str = _set("10m", "Clusters may disagree on who is ready for so long.")
    hazard_for: str = _set("15m", "A known hazard may be there for so long.")
    conflict_for: str = _set("5m", "An export may be in conflict for so long.")
    certificate_days: str = _set("14", "Days before its certificate ends that a service is told.")
    certificate_urgent_days: str = _set("3", "Days before its end at which somebody is paged.")
    certificate_for: str = _set("15m", "An old certificate may be shown for so long.")
    slo: str = _set("0.999", "Share of client requests that should not fail with 5xx.")
    burn_fast: str = _set("14.4", "Times the error budget over 1h and 5m: somebody is paged.")
    burn_fast_for: str = _set("2m", "It may burn that fast for so long.")
    burn_slow: str = _set("6", "Times the error budget over 6h and 30m: a ticket.")
    burn_slow_for: str = _set("15m", "It may burn that fast for so long.")
    exporter_for: str = _set("5m", "An exporter may be gone for so long.")
    reload_for: str = _set("5m", "A broken file may stay for so long.")
    watch_for: str = _set("5m", "A watch of the API server may fail for so long.")
    watch_age_seconds: str = _set("300", "A watch may be silent for so many seconds.")
    log_behind_seconds: str = _set("60", "Lines may be so old when they are read.")
    log_for: str = _set("5m", "Reading may be late or fail for so long.")
    probes_window: str = _set("15m", "Forged and skipped probes are counted over so long.")
    forgeries: str = _set("5", "More forged probes than these are reported.")
    skipped: str = _set("10", "More skipped probes than these are reported.")
    attribution_for: str = _set("10m", "Addresses and claims may disagree for so long.")
    series_ratio: str = _set("0.9", "Share of limits.series that may be in use.")
    series_for: str = _set("15m", "It may be in use for so long.")


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
