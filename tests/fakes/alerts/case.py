"""
What promtool should find of an alert, and the labels and series that cases share.

Samples come once a minute, in promtool's notation: `0+60x10` is 0, 60, 120 and so on, 10 steps.
"""

from dataclasses import dataclass, field

SERVICE = 'destination_service_namespace="shop",destination_service_name="cart"'
JOB = 'job="clusterset-exporter",instance="10.1.0.9:9877"'
EAST = f'{JOB},source_cluster="east",{SERVICE}'
PAIR = f'{JOB},source_cluster="east",destination_cluster="west"'
BOTH = f"{PAIR},{SERVICE}"
ME = {"instance": "10.1.0.9:9877"}
NO_SERVICE = frozenset(
    {"source_cluster", "destination_service_namespace", "destination_service_name"}
)
GLOBAL = frozenset({"job", "source_cluster"})
WORLD = {"destination_cluster": "west"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What promtool should find: minutes at which the alert does not fire yet, and does."""

    alert: str
    series: dict[str, str]
    not_yet: int
    fires: int
    says: str
    """The description of the alert that fires."""
    must_not: dict[str, str]
    """Series with which it does not fire, at the minute at which it would."""
    labels: dict[str, str] = field(default_factory=dict)
    """Labels of the alert besides its name and those of a service seen from a cluster."""
    severity: str = "warning"
    gone: frozenset[str] = frozenset()
    """Labels that the alert does not have."""


def exporter(name, samples, labels=""):
    return {f"clusterset_exporter_{name}{{{JOB}{labels}}}": samples}


def mode(name, samples):
    return {f'clusterset_service_mode{{{EAST},mode="{name}"}}': samples}
