"""The page as values: sections of sentences, tables and plots. Nothing in it is escaped yet."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MAX_ROWS = 200
"""Rows of one table: a page with thousands of rows is read by nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTable:
    """A table; cells are text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    """The columns that hold numbers."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A place for a plot."""

    name: str
    """A short name, good for a file."""
    title: str


@dataclass(frozen=True, slots=True)
class PageSection:
    """One part of the page."""

    title: str
    items: tuple[str | PageTable | Plot, ...]


@dataclass(frozen=True, slots=True)
class ReportPage:
    """The whole page."""

    title: str
    sections: tuple[PageSection, ...]


def bounded(
    head: tuple[str, ...],
    rows: Sequence[tuple[float, tuple[str, ...]]],
    numbers: Iterable[int],
    which: str,
) -> Iterator[str | PageTable]:
    """
    Yield a table of the rows with the greatest weight, in their order, and how many are left out.

    Args:
        head: Of the table.
        rows: The weight of each row, and its cells.
        numbers: The columns that hold numbers.
        which: Says which rows are shown, after "those".
    """
    weights = sorted((weight for weight, _ in rows), reverse=True)[:MAX_ROWS]
    places = Counter(weights)
    kept = []
    for weight, row in rows:
        if places[weight]:
            places[weight] -= 1
            kept.append(row)
    yield PageTable(head=head, rows=tuple(kept), numbers=frozenset(numbers))
    if len(rows) > len(kept):
        yield f"Shown are those {which}. {len(rows) - len(kept):,} more rows are left out."
