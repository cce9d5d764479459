"""
The values of all series, within a limit, as a collector of `prometheus_client`.

Values stand in plain dicts, because an update through `prometheus_client` costs several times as
much CPU and memory.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from exporter.metrics.families import FAMILIES
from exporter.metrics.family import Family, Kind
from exporter.metrics.labels import Labels, label_text, needs_escaping

AWAITED_SHARE = 0.5
"""The part of the budget that may be used when an alert waits for a counter with value 0."""
SPARE_SHARE = 0.35
"""The same for other counters with value 0: events matter more, and bring most of these anyway."""


class SeriesBudget:
    """How many series may still be made, over all families that share it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.dropped = 0

    def take(self, share: float = 1.0, *, places: int = 1) -> bool:
        """Take some *places*, unless *share* of all places is taken."""
        if self.used >= self.limit * share:
            return False
        self.used += places
        return True


class Series:
    """
    The children of one counter or gauge.

    Attributes:
        values: By label values. Others only read it.
        escaped: The text of those labels that cannot be written as they are.
    """

    def __init__(self, family: Family, budget: SeriesBudget) -> None:
        self.family = family
        self.values: dict[Labels, float] = {}
        self.escaped: dict[Labels, str] = {}
        self._budget = budget

    def __len__(self) -> int:
        return len(self.values)

    def inc(self, labels: Labels = (), amount: float = 1) -> bool:
        """Add *amount* to a child, made if the budget allows; return whether it existed."""
        held = self.values.get(labels)
        if held is not None:
            self.values[labels] = held + amount
            return True
        self._make(labels, amount)
        return False

    def init_to_zero(self, labels: Labels, share: float = AWAITED_SHARE) -> None:
        """Make a child with value 0, unless it exists or this *share* of the budget is used up."""
        if labels not in self.values:
            self._make(labels, 0, share)

    def set(self, labels: Labels, value: float) -> None:
        """Set a child, made if the budget allows."""
        if labels in self.values:
            self.values[labels] = value
        else:
            self._make(labels, value)

    def get(self, labels: Labels) -> float:
        """Return the value of a child, 0 if there is none."""
        return self.values.get(labels, 0)

    def items(self) -> list[tuple[Labels, float]]:
        """Return all children and their values."""
        return list(self.values.items())

    def keep(self, wanted: Callable[[Labels], bool]) -> None:
        """Drop the children that are not *wanted*."""
        for labels in [labels for labels in self.values if not wanted(labels)]:
            self.drop(labels)

    def drop(self, labels: Labels) -> None:
        """Drop a child, if it exists."""
        if self.values.pop(labels, None) is not None:
            self.escaped.pop(labels, None)
            self._budget.used -= 1

    def samples(self) -> Iterator[Sample]:
        """Yield a sample for each child."""
        for labels, value in self.items():
            yield Sample(self.family.name, _named(self.family, labels), float(value))

    def _make(self, labels: Labels, value: float, share: float = 1.0) -> None:
        if self._budget.take(share):
            self.values[labels] = value
            if needs_escaping(labels):
                self.escaped[labels] = label_text(self.family.labels, labels)
        elif share == 1.0:
            self._budget.dropped += 1


class Histogram:
    """
    The children of one histogram.

    Attributes:
        children: By label values: how many observations fell into each bucket, the infinite one
            last, and then the sum. Others only read it.
        bounds: The upper bounds of the buckets, as text.
    """

    def __init__(self, family: Family, budget: SeriesBudget) -> None:
        self.family = family
        self.children: dict[Labels, list[float]] = {}
        self.bounds = (*map(repr, family.buckets), "+Inf")
        self._budget = budget
        self._places = len(self.bounds) + 2

    def __len__(self) -> int:
        return len(self.children) * self._places

    def observe(self, labels: Labels, value: float) -> None:
        """Count *value* in a child, made if the budget allows."""
        child = self.children.get(labels) or self._make(labels)
        if child is not None:
            child[bisect_left(self.family.buckets, value)] += 1
            child[-1] += value

    def merge(self, labels: Labels, counts: Iterable[int], total: float) -> None:
        """
        Add observations that were counted elsewhere to a child.

        Args:
            labels: Of the child.
            counts: How many fell into each bucket, the infinite one last.
            total: Their sum.
        """
        child = self.children.get(labels) or self._make(labels)
        if child is not None:
            child[:-1] = [held + more for held, more in zip(child[:-1], counts, strict=True)]
            child[-1] += total

    def init_to_zero(self, labels: Labels, share: float = AWAITED_SHARE) -> None:
        """Make an empty child, unless it exists or this *share* of the budget is used up."""
        if labels not in self.children:
            self._make(labels, share)

    def keep(self, wanted: Callable[[Labels], bool]) -> None:
        """Drop the children that are not *wanted*."""
        for labels in [labels for labels in self.children if not wanted(labels)]:
            del self.children[labels]
            self._budget.used -= self._places

    def samples(self) -> Iterator[Sample]:
        """Yield the samples of each child: the buckets, the count and the sum."""
        name = self.family.name
        for labels, child in list(self.children.items()):
            named, count = _named(self.family, labels), 0
            for bound, inside in zip(self.bounds, child[:-1], strict=True):
                count += int(inside)
                yield Sample(f"{name}_bucket", named | {"le": bound}, float(count))
            yield Sample(f"{name}_count", named, float(count))
            yield Sample(f"{name}_sum", named, float(child[-1]))

    def _make(self, labels: Labels, share: float = 1.0) -> list[float] | None:
        if not self._budget.take(share, places=self._places):
            self._budget.dropped += share == 1.0
            return None
        self.children[labels] = child = [0.0] * (len(self.bounds) + 1)
        return child


class SeriesStore(Collector):
    """
    All series of the exporter, by family.

    Register it in a `CollectorRegistry` to use it with anything made for `prometheus_client`.

    Args:
        limit: How many series there may be.
    """

    def __init__(self, limit: int) -> None:
        self.budget = SeriesBudget(limit)
        self.series: Mapping[Family, Series] = {
            family: Series(family, self.budget)
            for family in FAMILIES
            if family.kind is not Kind.HISTOGRAM
        }
        self.histograms: Mapping[Family, Histogram] = {
            family: Histogram(family, self.budget)
            for family in FAMILIES
            if family.kind is Kind.HISTOGRAM
        }

    def children(self, family: Family) -> Series | Histogram:
        """Return the children of *family*."""
        return self.series[family] if family in self.series else self.histograms[family]

    def describe(self) -> Iterator[Metric]:
        """Yield all families without samples."""
        return map(_metric, FAMILIES)

    def collect(self) -> Iterator[Metric]:
        """Yield the families that have children."""
        for children in map(self.children, FAMILIES):
            if len(children):
                metric = _metric(children.family)
                metric.samples.extend(children.samples())
                yield metric


def _metric(family: Family) -> Metric:
    return Metric(family.base_name, family.help, family.kind)


def _named(family: Family, labels: Labels) -> dict[str, str]:
    """Return the labels with their names; an empty value is the same as no label."""
    return {name: value for name, value in zip(family.labels, labels, strict=True) if value}
