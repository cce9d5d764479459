"""Asks Prometheus for everything that the report shows."""

from collections.abc import Iterable
from itertools import pairwise

from exporter.commands.report.facts import GAP, Coverage, Facts
from exporter.commands.report.moves import MoveKey, moves_of, number_of, services
from exporter.commands.report.prometheus import Prometheus, PrometheusError
from exporter.commands.report.samples import (
    Counted,
    SampledSeries,
    SeriesLabels,
    TargetLabels,
    counted,
    replica,
)

MAX_RAW = 200
"""Counters with resets whose samples are all fetched. Of more, `increase()` is taken."""
MAX_MOVED = 200
"""Services, each seen from one cluster, whose moves are listed: those that moved last."""
POINTS = 200
"""Of each curve."""
_CLUSTERS = 'source_cluster!~"external|unknown|vtep"'


async def gather(client: Prometheus, since: float, until: float) -> Facts:
    """
    Return what *client* knows of the time from *since* to *until*, unix seconds.

    Raises:
        PrometheusError: If it cannot be asked, or has no series of the exporter.
    """
    window = f"[{until - since:.0f}s]"
    facts = Facts(title=client.title, since=since, until=until)
    facts.coverage = await _coverage(client, since, until)
    if not facts.coverage:
        msg = (
            f"{client.title}: has no series clusterset_info in that time; is this the Prometheus "
            "that scrapes the exporters?"
        )
        raise PrometheusError(msg)
    counters = _Counters(client, window, await _young(client, since, window))
    facts.requests = await counters.count("clusterset_requests_total")
    facts.failures = await counters.count("clusterset_request_failures_total")
    facts.bytes = await counters.count("clusterset_response_bytes_total")
    facts.outages = await counters.count("clusterset_service_outage_seconds_total", zeros=True)
    facts.resets = counters.resets
    moved = f"max_over_time(clusterset_failover_last_timestamp_seconds{window}) >= {since}"
    found = services(await client.instant(moved))
    for service in found[:MAX_MOVED]:
        await _add_moves(client, facts, service, window)
    facts.moves_left_out = max(0, len(found) - MAX_MOVED)
    facts.moves.sort(key=lambda move: move.unix)
    await _add_curves(client, facts)
    facts.warnings = tuple(sorted(client.warnings))
    return facts


class _Counters:
    """
    Counts exactly where the samples allow it.

    Args:
        client: Is asked.
        window: The range, as PromQL writes it.
        young: The targets whose process began in the window, and so all of its counters.
    """

    def __init__(self, client: Prometheus, window: str, young: frozenset[TargetLabels]) -> None:
        self._client, self._window, self._young = client, window, young
        self.resets = 0
        self._raw = 0

    async def count(self, name: str, *, zeros: bool = False) -> list[Counted]:
        """Return what each series *name* counted; those that counted nothing only if *zeros*."""
        window = self._window
        some = "" if zeros else f" and max_over_time({name}{window}) > 0"
        last = await self._client.instant(f"last_over_time({name}{window}){some}")
        first = _values(await self._client.instant(f"min_over_time({name}{window}){some}"))
        reset = _values(await self._client.instant(f"resets({name}{window}) > 0"))
        self.resets += len(reset)
        increases: dict[TargetLabels, float] = {}
        if self._raw + len(reset) > MAX_RAW:
            # One query for all, because each costs a round trip and a restart resets thousands.
            increases = _values(await self._client.instant(f"increase({name}{window})"))
        return [
            await self._over_resets(name, each.labels, increases)
            if _key(each.labels) in reset
            else self._difference(each, first)
            for each in last
        ]

    def _difference(self, last: SampledSeries, first: dict[TargetLabels, float]) -> Counted:
        young = replica(last.labels) in self._young
        baseline = 0.0 if young else first.get(_key(last.labels), 0.0)
        return Counted(last.labels, last.samples[-1][1] - baseline, exact=True)

    async def _over_resets(
        self, name: str, labels: SeriesLabels, increases: dict[TargetLabels, float]
    ) -> Counted:
        self._raw += 1
        if self._raw > MAX_RAW:
            return Counted(labels, increases.get(_key(labels), 0.0), exact=False)
        baseline = 0.0 if replica(labels) in self._young else None
        found = await self._client.instant(_selector(name, labels) + self._window)
        total = sum(counted(each.samples, baseline=baseline) for each in found)
        return Counted(labels, total, exact=True)


async def _young(client: Prometheus, since: float, window: str) -> frozenset[TargetLabels]:
    started = await client.instant(
        f"min_over_time(process_start_time_seconds{window}) >= {since} "
        f"and on (job, instance) last_over_time(clusterset_info{window})"
    )
    return frozenset(replica(each.labels) for each in started)


async def _coverage(client: Prometheus, since: float, until: float) -> list[Coverage]:
    """Return when there were samples of each cluster's exporter."""
    length = until - since
    fine = max(1.0, round(length / 5000))
    seen = f"timestamp(clusterset_info)[{length:.0f}s:{fine:.0f}s]"
    first = await client.instant(f"min by (source_cluster) (min_over_time({seen}))")
    last = await client.instant(f"max by (source_cluster) (max_over_time({seen}))")
    step = max(GAP, round(length / 1000))
    present = await client.over(
        f"max by (source_cluster) (present_over_time(clusterset_info[{step:.0f}s]))",
        since=since,
        step=step,
    )
    ends = {each.labels.get("source_cluster", ""): each.samples[-1][1] for each in last}
    bins = {each.labels.get("source_cluster", ""): each.samples for each in present}
    return [
        Coverage(
            cluster=cluster,
            first=each.samples[-1][1],
            last=ends.get(cluster, each.samples[-1][1]),
            gaps=_gaps(bins.get(cluster, ()), step),
        )
        for each in first
        for cluster in [each.labels.get("source_cluster", "")]
    ]


def _gaps(bins: Iterable[tuple[float, float]], step: float) -> tuple[tuple[float, float], ...]:
    times = [at for at, _ in bins]
    # A bin ends at its time, and is there if it has a sample.
    return tuple((a, b - step) for a, b in pairwise(times) if b - a > 1.5 * step)


async def _add_moves(client: Prometheus, facts: Facts, service: MoveKey, window: str) -> None:
    source, namespace, name = service
    labels = {
        "source_cluster": source,
        "destination_service_namespace": namespace,
        "destination_service_name": name,
    }

    async def raw(series: str) -> list[SampledSeries]:
        return await client.instant(_selector(series, labels) + window)

    counts = await raw("clusterset_failovers_total")
    facts.moves += moves_of(
        service,
        await raw("clusterset_failover_last_timestamp_seconds"),
        await raw("clusterset_failover_last_duration_seconds"),
        counts,
        facts.since,
    )
    always = await raw("clusterset_service_outage_seconds_total")
    known_from = {replica(each.labels): each.samples[0][0] for each in always}
    facts.moves_counted += number_of(counts, known_from)


async def _add_curves(client: Prometheus, facts: Facts) -> None:
    length = facts.until - facts.since
    step = max(1.0, round(length / POINTS))
    # A rate needs two scrapes, which may be a minute apart.
    span = max(step, min(GAP, length / 5))
    of = f"[{span:.0f}s]"
    rates = await client.over(
        f"sum by (locality) (rate(clusterset_requests_total{of}))", since=facts.since, step=step
    )
    facts.request_rates = [each for each in rates if _is_more_than_zero(each)]
    crossing = f"clusterset_response_bytes_total{{{_CLUSTERS}}}"
    facts.crossing_rates = [
        each
        for each in await client.over(
            f"sum by (source_cluster, destination_cluster) (rate({crossing}{of}))",
            since=facts.since,
            step=step,
        )
        if each.labels.get("source_cluster") != each.labels.get("destination_cluster")
        and _is_more_than_zero(each)
    ]


def _is_more_than_zero(series: SampledSeries) -> bool:
    return any(value > 0 for _, value in series.samples)


def _values(found: Iterable[SampledSeries]) -> dict[TargetLabels, float]:
    return {_key(each.labels): each.samples[-1][1] for each in found}


def _key(labels: SeriesLabels) -> TargetLabels:
    return tuple(sorted((k, v) for k, v in labels.items() if k != "__name__"))


def _selector(name: str, labels: SeriesLabels) -> str:
    """Return the selector of the series with these labels; values may be any text."""
    quoted = (
        '{}="{}"'.format(k, v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for k, v in labels.items()
        if k != "__name__"
    )
    return f"{name}{{{','.join(quoted)}}}"
