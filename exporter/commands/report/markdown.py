"""The page as Markdown; every character of a label is shown as it is."""

import re
from collections.abc import Iterator, Mapping

from exporter.commands.report.page import PageTable, Plot, ReportPage

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")


def as_markdown(page: ReportPage, files: Mapping[str, str], no_plot: str) -> str:
    """
    Return the page.

    Args:
        page: What it says.
        files: The file of each plot by its name.
        no_plot: Why a plot has no file.
    """
    return "\n".join(_lines(page, files, no_plot))


def _lines(page: ReportPage, files: Mapping[str, str], no_plot: str) -> Iterator[str]:
    yield from (f"# {escaped(page.title)}", "")
    for section in page.sections:
        yield from (f"## {escaped(section.title)}", "")
        for item in section.items:
            if isinstance(item, PageTable):
                yield from _table(item)
            elif isinstance(item, Plot):
                file = files.get(item.name)
                title = escaped(item.title)
                yield (
                    f"Left out: {title}. {escaped(no_plot)}"
                    if file is None
                    else (f"![{title}](<{file}>)")
                )
            else:
                yield escaped(item)
            yield ""


def _table(table: PageTable) -> Iterator[str]:
    yield _row(table.head)
    columns = range(len(table.head))
    yield f"|{'|'.join('---:' if n in table.numbers else '---' for n in columns)}|"
    yield from map(_row, table.rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"


def escaped(text: str) -> str:
    """Return *text* as Markdown that shows just it, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
