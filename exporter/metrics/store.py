"""
The values of the series, and their text.

Fast for many series: a family's line is one template, filled with labels and number in one go;
a text kept for each series would make a scrape shorter by a third, and take 11 MB with 50,000. And
text is made in pieces with a turn for everybody else between them, so that a probe in flight
is not measured too long because of a scrape. `prometheus_client.generate_latest` takes about 90 ms
for 10,000 series in one go.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping

from exporter.metrics.families import FAMILIES, Family, Kind

Labels = tuple[str, ...]
PIECE = 64 << 10
"""Characters rendered between two turns of the event loop: about 1 ms of work, compression too."""


class SeriesBudget:
    """How many children may still be made, over all families that share it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.dropped = 0

    def take(self, share: float = 1.0) -> bool:
        """Take one place, unless *share* of all places is taken."""
        if self.used >= self.limit * share:
            return False
        self.used += 1
        return True


class Series:
    """The children of one counter or gauge."""

    def __init__(self, family: Family, room: SeriesBudget) -> None:
        self.family = family
        self._room = room
        self._values: dict[Labels, float] = {}
        self._prefix = f"{family.name}{_label_template(family.labels)} "
        self._escaped: dict[Labels, str] = {}
        """Prefixes of those children whose labels do not go into the template as they are."""

    def __len__(self) -> int:
        return len(self._values)

    def inc(self, labels: Labels = (), amount: float = 1) -> bool:
        """Add *amount* to a child, which is made if there is room; return whether it was there."""
        held = self._values.get(labels)
        if held is not None:
            self._values[labels] = held + amount
            return True
        if self._room.take():
            self._make(labels, amount)
        else:
            self._room.dropped += 1
        return False

    def prepare(self, labels: Labels) -> None:
        """Let a child begin at 0, while half of the room is free: what happens goes first."""
        if labels not in self._values and self._room.take(0.5):
            self._make(labels, 0)

    def set(self, labels: Labels, value: float) -> None:
        """Set a child, which is made if there is room."""
        if labels in self._values:
            self._values[labels] = value
        elif self._room.take():
            self._make(labels, value)
        else:
            self._room.dropped += 1

    def get(self, labels: Labels) -> float:
        """Return the value of a child, 0 if there is none."""
        return self._values.get(labels, 0)

    def items(self) -> list[tuple[Labels, float]]:
        """Return all children and their values."""
        return list(self._values.items())

    def keep(self, wanted: Callable[[Labels], bool]) -> None:
        """Forget the children that are not *wanted*."""
        for labels in [labels for labels in self._values if not wanted(labels)]:
            self.drop(labels)

    def drop(self, labels: Labels) -> None:
        """Forget a child, if there is one."""
        if self._values.pop(labels, None) is not None:
            self._escaped.pop(labels, None)
            self._room.used -= 1

    def lines(self) -> Iterator[str]:
        """Yield a line a child."""
        # Only the keys are copied: pairs of them and the values would keep the loop for longer.
        for labels in list(self._values):
            value = self._values.get(labels)
            if value is None:
                continue
            prefix = self._escaped.get(labels) or self._prefix % labels
            yield f"{prefix}{value!r}\n"

    def _make(self, labels: Labels, value: float) -> None:
        self._values[labels] = value
        if _is_odd(labels):
            self._escaped[labels] = f"{self.family.name}{label_text(self.family.labels, labels)} "


class Histogram:
    """The children of one histogram."""

    def __init__(self, family: Family, room: SeriesBudget) -> None:
        self.family = family
        self._room = room
        self._places = len(family.buckets) + 3
        self._children: dict[Labels, list[float]] = {}
        self._bounds = [*map(repr, family.buckets), "+Inf"]

    def __len__(self) -> int:
        return len(self._children) * self._places

    def observe(self, labels: Labels, value: float) -> None:
        """Count *value* in a child, which is made if there is room."""
        child = self._children.get(labels) or self._make(labels, 1.0)
        if child is None:
            self._room.dropped += 1
            return
        child[bisect_left(self.family.buckets, value)] += 1
        child[-1] += value

    def merge(self, labels: Labels, counts: Iterable[int], total: float) -> None:
        """Add what was counted elsewhere: a number for each bucket and beyond, and the sum."""
        child = self._children.get(labels) or self._make(labels, 1.0)
        if child is None:
            self._room.dropped += 1
            return
        child[:-1] = [held + more for held, more in zip(child[:-1], counts, strict=True)]
        child[-1] += total

    def prepare(self, labels: Labels) -> None:
        """Let a child begin at 0, while half of the room is free."""
        if labels not in self._children:
            self._make(labels, 0.5)

    def keep(self, wanted: Callable[[Labels], bool]) -> None:
        """Forget the children that are not *wanted*."""
        for labels in [labels for labels in self._children if not wanted(labels)]:
            del self._children[labels]
            self._room.used -= self._places

    def lines(self) -> Iterator[str]:
        """Yield the text of a child at a time, so that each is consistent in itself."""
        for labels in list(self._children):
            child = self._children.get(labels)
            if child is None:
                continue
            text, count = label_text(self.family.labels, labels), 0
            bucket = f"{self.family.name}_bucket{text[:-1] + ',' if text else '{'}le="
            rows = []
            for bound, inside in zip(self._bounds, child[:-1], strict=True):
                count += int(inside)
                rows.append(f'{bucket}"{bound}"}} {count}\n')
            rows.append(f"{self.family.name}_count{text} {count}\n")
            rows.append(f"{self.family.name}_sum{text} {child[-1]!r}\n")
            yield "".join(rows)

    def _make(self, labels: Labels, share: float) -> list[float] | None:
        if not self._room.take(share):
            return None
        self._room.used += self._places - 1
        self._children[labels] = child = [0.0] * (len(self.family.buckets) + 2)
        return child


def label_text(names: Iterable[str], values: Iterable[str]) -> str:
    """Return `{name="value",...}`, escaped; nothing without labels. Empty values are left out."""
    pairs = [
        f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True) if value
    ]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _label_template(names: Iterable[str]) -> str:
    pairs = [f'{name}="%s"' for name in names]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _is_odd(labels: Labels) -> bool:
    return not all(labels) or any(odd in label for label in labels for odd in '\\\n"')


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def head(family: Family, *, openmetrics: bool) -> str:
    """Return the HELP and TYPE lines of *family*."""
    name = family.name
    if openmetrics and family.kind is Kind.COUNTER:
        name = name.removesuffix("_total")
    return f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"


class Registry:
    """All series of the exporter, by family."""

    def __init__(self, limit: int) -> None:
        self.room = SeriesBudget(limit)
        self.series: Mapping[Family, Series] = {
            family: Series(family, self.room)
            for family in FAMILIES
            if family.kind is not Kind.HISTOGRAM
        }
        self.histograms: Mapping[Family, Histogram] = {
            family: Histogram(family, self.room)
            for family in FAMILIES
            if family.kind is Kind.HISTOGRAM
        }

    def held(self, family: Family) -> Series | Histogram:
        """Return the children of *family*."""
        return self.series[family] if family in self.series else self.histograms[family]

    def pieces(self, *, openmetrics: bool) -> Iterator[str]:
        """Yield the text of all families that have children, about PIECE characters at a time."""
        held: list[str] = []
        size = 0
        for line in self._lines(openmetrics=openmetrics):
            held.append(line)
            size += len(line)
            if size >= PIECE:
                yield "".join(held)
                held, size = [], 0
        yield "".join(held)

    def _lines(self, *, openmetrics: bool) -> Iterator[str]:
        for family in FAMILIES:
            children = self.held(family)
            if len(children):
                yield head(family, openmetrics=openmetrics)
                yield from children.lines()
