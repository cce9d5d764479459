"""What a metric family is: name, type, help, label names, buckets."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """
    The metric types that we expose.

    State sets and infos are gauges: OpenMetrics would require the metric's name as a label name.
    """

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


# Families are compared by identity: a hash of the whole text costs more than an update of a series.
@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric family."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, without the infinite one."""

    @property
    def base_name(self) -> str:
        """The name without the suffix of a counter, as OpenMetrics and prometheus_client use it."""
        is_counter = self.kind is Kind.COUNTER
        return self.name.removesuffix("_total") if is_counter else self.name


def counter(name: str, text: str, *labels: str) -> Family:
    """Declare a counter."""
    return Family(name, Kind.COUNTER, text, labels)


def gauge(name: str, text: str, *labels: str) -> Family:
    """Declare a gauge."""
    return Family(name, Kind.GAUGE, text, labels)


def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Family:
    """Declare a histogram."""
    return Family(name, Kind.HISTOGRAM, text, labels, buckets)
