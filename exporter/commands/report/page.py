"""The page as values: sections of sentences, tables and plots. Nothing in it is escaped yet."""

from dataclasses import dataclass


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
