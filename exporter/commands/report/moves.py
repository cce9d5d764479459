"""Failovers out of the series that show the newest one; pure."""

from collections.abc import Iterable, Mapping, Sequence

from exporter.commands.report.facts import ReportedMove
from exporter.commands.report.samples import (
    SampledSeries,
    SeriesLabels,
    TargetLabels,
    counted,
    replica,
)

MoveKey = tuple[str, str, str]
"""Source cluster, namespace and name of the service."""


def key_of(labels: SeriesLabels) -> MoveKey:
    """Return which service, seen from which cluster, a series is about."""
    return (
        labels.get("source_cluster", ""),
        labels.get("destination_service_namespace", ""),
        labels.get("destination_service_name", ""),
    )


def moves_of(
    key: MoveKey,
    newest: Iterable[SampledSeries],
    durations: Iterable[SampledSeries],
    counts: Sequence[SampledSeries],
    since: float,
) -> list[ReportedMove]:
    """
    Return the moves of one service since then, in the order of time.

    A move is a new value of the time stamp. Its durations are the samples of the same scrape.
    Its clusters are those of the one counter that grew in this scrape. After a change of leader
    another series shows the same move, which counts once.

    Args:
        key: Source cluster, namespace and name of the service.
        newest: Samples of `clusterset_failover_last_timestamp_seconds`.
        durations: Samples of `clusterset_failover_last_duration_seconds`.
        counts: Samples of `clusterset_failovers_total`.
        since: Unix seconds.
    """
    by_scrape: dict[tuple[TargetLabels, float], dict[str, float]] = {}
    for each in durations:
        for at, value in each.samples:
            took = by_scrape.setdefault((replica(each.labels), at), {})
            took[each.labels.get("stage", "")] = value
    found: dict[float, ReportedMove] = {}
    for each in newest:
        before, scraped_before = None, None
        for at, unix in each.samples:
            if unix != before and unix >= since and round(unix, 3) not in found:
                grown = _grown(counts, replica(each.labels), scraped_before, at)
                found[round(unix, 3)] = _move(
                    key, unix, grown, by_scrape.get((replica(each.labels), at), {})
                )
            before, scraped_before = unix, at
    return sorted(found.values(), key=lambda move: move.unix)


def number_of(counts: Iterable[SampledSeries], known_from: Mapping[TargetLabels, float]) -> float:
    """
    Return how many moves the counters counted.

    Args:
        counts: Samples of `clusterset_failovers_total`.
        known_from: For each target the first sample of a series that is there from the start. A
            counter that begins later began at 0, with its first move.
    """
    total = 0.0
    for each in counts:
        first = known_from.get(replica(each.labels), float("inf"))
        began = bool(each.samples) and each.samples[0][0] > first
        total += counted(each.samples, baseline=0.0 if began else None)
    return total


def _grown(
    counts: Iterable[SampledSeries], target: TargetLabels, before: float | None, at: float
) -> list[SeriesLabels]:
    """Return the counters of *target* that grew after the scrape *before*, up to that at *at*."""
    return [
        each.labels
        for each in counts
        if replica(each.labels) == target and _value(each, at) > _value(each, before)
    ]


def _value(series: SampledSeries, at: float | None) -> float:
    values = [value for when, value in series.samples if at is not None and when <= at]
    return values[-1] if values else 0.0


def _move(
    key: MoveKey, unix: float, grown: Sequence[SeriesLabels], durations: dict[str, float]
) -> ReportedMove:
    source, namespace, name = key
    one: SeriesLabels = grown[0] if len(grown) == 1 else {}
    return ReportedMove(
        unix=unix,
        source=source,
        service=f"{namespace}/{name}",
        from_cluster=one.get("from_cluster"),
        to_cluster=one.get("to_cluster"),
        reason=one.get("reason"),
        durations=durations,
    )


def services(found: Iterable[SampledSeries]) -> list[MoveKey]:
    """Return each service of *found* once; the one whose newest move is the latest is first."""
    newest: dict[MoveKey, float] = {}
    for each in found:
        key, unix = key_of(each.labels), each.samples[-1][1]
        newest[key] = max(unix, newest.get(key, unix))
    return sorted(newest, key=lambda key: (-newest[key], key))
