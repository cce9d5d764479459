"""The plots of the page as SVG, drawn by matplotlib, which is an extra."""

import io
import math
from collections.abc import Iterator, Sequence
from datetime import UTC
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from exporter.commands.report.content import CROSSING_PLOT, MOVES_PLOT, REQUESTS_PLOT
from exporter.commands.report.facts import Facts
from exporter.commands.report.samples import SampledSeries
from exporter.model.verdicts import FailoverStage, Locality

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (9.0, 2.6)
"""Inches."""
_COLOURS = {
    Locality.LOCAL: "#2f855a",
    Locality.FAILOVER: "#d69e2e",
    Locality.LEAK: "#c53030",
    Locality.PINNED: "#805ad5",
    Locality.SPREAD: "#3182ce",
    Locality.REMOTE: "#63b3ed",
    Locality.EXTERNAL: "#a0aec0",
    Locality.UNKNOWN: "#4a5568",
}
_STAGES = {
    FailoverStage.DNS: "#3182ce",
    FailoverStage.SERVED: "#2f855a",
    FailoverStage.OUTAGE: "#c53030",
}
_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e9ed",
    "legend.frameon": False,
    "svg.hashsalt": "report",
    # A cluster's name is text, also with a dollar sign in it.
    "text.parse_math": False,
}


def draw(facts: Facts) -> dict[str, bytes]:
    """
    Return the SVG of each plot for which there is data, by its name.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    import matplotlib as mpl  # noqa: PLC0415 - an extra, which takes a second

    with mpl.rc_context(_STYLE):
        return dict(_drawn(facts))


def _drawn(facts: Facts) -> Iterator[tuple[str, bytes]]:
    if facts.request_rates:
        yield REQUESTS_PLOT.name, _curves(facts, _by_locality(facts.request_rates), "requests/s")
    if facts.crossing_rates:
        yield CROSSING_PLOT.name, _curves(facts, _by_pair(facts.crossing_rates), "bytes/s")
    if any(each.durations for each in facts.moves):
        yield MOVES_PLOT.name, _durations(facts)


def _by_locality(series: list[SampledSeries]) -> list[tuple[str, str | None, SampledSeries]]:
    order = list(Locality)
    known = [each for each in series if each.labels.get("locality") in order]
    known.sort(key=lambda each: order.index(Locality(each.labels["locality"])))
    return [
        (each.labels["locality"], _COLOURS[Locality(each.labels["locality"])], each)
        for each in known
    ]


def _by_pair(series: list[SampledSeries]) -> list[tuple[str, str | None, SampledSeries]]:
    return sorted(
        (
            f"{each.labels.get('source_cluster')} → {each.labels.get('destination_cluster')}",
            None,
            each,
        )
        for each in series
    )


def _curves(facts: Facts, curves: list[tuple[str, str | None, SampledSeries]], unit: str) -> bytes:
    figure, axes = _axes(facts, unit)
    for label, colour, each in curves:
        points = list(_with_gaps(each.samples))
        times, values = [_time(at) for at, _ in points], [value for _, value in points]
        axes.plot(times, values, ".-", label=label, color=colour, linewidth=1.2, markersize=2.5)
    axes.set_ylim(bottom=0)
    return _svg(figure, axes)


def _with_gaps(samples: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield *samples* with a break where some are missing, so that no line is drawn there."""
    step = min((b[0] - a[0] for a, b in pairwise(samples)), default=0.0)
    for n, (at, value) in enumerate(samples):
        if n and at - samples[n - 1][0] > 1.5 * step:
            yield at - step, math.nan
        yield at, value


def _durations(facts: Facts) -> bytes:
    figure, axes = _axes(facts, "seconds")
    for stage, marker in zip(FailoverStage, "osX", strict=True):
        found = [
            (each.unix, each.durations[stage]) for each in facts.moves if stage in each.durations
        ]
        times = [_time(unix) for unix, _ in found]
        values = [value for _, value in found]
        axes.plot(times, values, marker, label=str(stage), color=_STAGES[stage], alpha=0.8)
    axes.set_ylim(bottom=0)
    return _svg(figure, axes)


def _time(unix: float) -> float:
    """Return a time as matplotlib counts it: days."""
    return unix / 86400


def _axes(facts: Facts, unit: str) -> "tuple[Figure, Axes]":
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415

    # This way no backend for screens is loaded.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    locator = AutoDateLocator(tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
    axes.set_xlim(_time(facts.since), _time(facts.until))
    axes.set_ylabel(unit)
    return figure, axes


def _svg(figure: "Figure", axes: "Axes") -> bytes:
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    made = io.BytesIO()
    figure.savefig(made, format="svg", metadata={"Date": None})
    return made.getvalue()
