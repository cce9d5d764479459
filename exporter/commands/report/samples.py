"""Series as Prometheus answers them, and what their counters counted; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SeriesLabels = Mapping[str, str]


TargetLabels = tuple[tuple[str, str], ...]
"""Labels, in order."""


@dataclass(frozen=True, slots=True)
class SampledSeries:
    """One series: its labels, and its samples in the order of time."""

    labels: SeriesLabels
    samples: tuple[tuple[float, float], ...]
    """Unix seconds and value."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What one counter counted in the window."""

    labels: SeriesLabels
    value: float
    exact: bool
    """The difference of samples; else Prometheus' `increase()`, which extrapolates."""


def counted(samples: Sequence[tuple[float, float]], *, baseline: float | None) -> float:
    """
    Return what a counter counted, over all its resets: the sum of the differences of its samples.

    Args:
        samples: All samples, in the order of time.
        baseline: The value before the first sample; None for the first sample itself.
    """
    if not samples:
        return 0.0
    before = samples[0][1] if baseline is None else baseline
    total = 0.0
    for _, value in samples:
        # After a reset the counter began at 0.
        total += value - before if value >= before else value
        before = value
    return total


def replica(labels: SeriesLabels) -> TargetLabels:
    """Return the labels that Prometheus gave the target, such as instance and pod."""
    return tuple(sorted((k, v) for k, v in labels.items() if k not in OWN))


OWN = frozenset(
    {
        "__name__",
        "source_cluster",
        "destination_cluster",
        "destination_service_namespace",
        "destination_service_name",
        "locality",
        "from_cluster",
        "to_cluster",
        "reason",
        "stage",
        "karmada_cluster",
        "submariner_version",
        "globalnet",
    }
)
"""Labels that the exporter itself gives the series that are asked for."""
