"""The page as one HTML file that loads nothing, and prints."""

import base64
from collections.abc import Iterator, Mapping
from html import escape

from exporter.commands.report.page import PageTable, Plot, ReportPage

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff;
  max-width: 62rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; margin: 0 0 1.5rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; padding-bottom: .25rem;
  border-bottom: 1px solid #d1d9e0; }
p { margin: .75rem 0; max-width: 50rem; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .35rem .75rem; text-align: left; border-bottom: 1px solid #e5e9ed;
  vertical-align: top; }
th { font-weight: 600; color: #59636e; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bad { color: #b3261e; font-weight: 600; }
td.good { color: #1a7f37; }
figure { margin: 1.25rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { color: #59636e; font-size: .9rem; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; }
  table, figure { break-inside: avoid; } }
"""
_CLASS = {"missed": "bad", "met": "good"}


def as_html(page: ReportPage, plots: Mapping[str, bytes], no_plot: str) -> str:
    """
    Return the page.

    Args:
        page: What it says.
        plots: The SVG of each plot by its name.
        no_plot: Why a plot is not there.
    """
    return "\n".join(_lines(page, plots, no_plot)) + "\n"


def _lines(page: ReportPage, plots: Mapping[str, bytes], no_plot: str) -> Iterator[str]:
    title = escape(page.title)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>"
    for section in page.sections:
        yield f"<h2>{escape(section.title)}</h2>"
        for item in section.items:
            if isinstance(item, PageTable):
                yield from _table(item)
            elif isinstance(item, Plot):
                yield _figure(item, plots.get(item.name), no_plot)
            else:
                yield f"<p>{escape(item)}</p>"
    yield "</body>\n</html>"


def _figure(plot: Plot, svg: bytes | None, no_plot: str) -> str:
    title = escape(plot.title)
    if svg is None:
        return f"<p>Left out: {title}. {escape(no_plot)}</p>"
    # An image runs no script, whatever the SVG contains.
    data = base64.b64encode(svg).decode()
    image = f'<img alt="{title}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure><figcaption>{title}</figcaption>{image}</figure>"


def _table(table: PageTable) -> Iterator[str]:
    yield '<div class="scroll"><table>'
    if any(table.head):
        yield f"<thead><tr>{''.join(_cells('th', table.head, table))}</tr></thead>"
    yield "<tbody>"
    for row in table.rows:
        yield f"<tr>{''.join(_cells('td', row, table))}</tr>"
    yield "</tbody></table></div>"


def _cells(tag: str, cells: tuple[str, ...], table: PageTable) -> Iterator[str]:
    for n, cell in enumerate(cells):
        kind = "number" if n in table.numbers else _CLASS.get(cell, "")
        attribute = f' class="{kind}"' if kind else ""
        yield f"<{tag}{attribute}>{escape(cell)}</{tag}>"
