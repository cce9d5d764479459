"""Makes the report and writes it: one file, with plots inside it or beside it."""

import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from exporter.commands.report.content import ReportTerms, report_page
from exporter.commands.report.facts import Facts
from exporter.commands.report.gather import gather
from exporter.commands.report.html import as_html
from exporter.commands.report.markdown import as_markdown
from exporter.commands.report.plots import draw
from exporter.commands.report.prometheus import prometheus

NO_LIBRARY = "matplotlib is not installed: pip install 'clusterset-exporter[report]'."
NO_FILE = "Plots are files beside the page, which --output writes; HTML has them in it."
NO_DATA = "There is no data for it in this time."


class ReportForm(Enum):
    """The format of the page."""

    MARKDOWN = "markdown"
    HTML = "html"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """What is asked, and where the page goes."""

    url: str
    token: str | None
    length: float
    """Seconds up to now."""
    terms: ReportTerms
    form: ReportForm
    output: Path | None
    """None for standard output."""


async def facts_of(request: ReportRequest) -> Facts:
    """Ask Prometheus; PrometheusError if it cannot answer."""
    # Whole seconds, because steps and ranges are.
    until = float(int(time.time()))
    async with prometheus(request.url, request.token, until) as client:
        return await gather(client, until - request.length, until)


def write_page(facts: Facts, request: ReportRequest) -> str:
    """
    Return the page, and write the plots of Markdown beside its file.

    Raises:
        OSError: If a plot cannot be written.
    """
    page = report_page(facts, request.terms)
    try:
        plots, why = draw(facts), NO_DATA
    except ImportError:
        plots, why = {}, NO_LIBRARY
    if request.form is ReportForm.HTML:
        return as_html(page, plots, why)
    output = request.output
    if output is None:
        return as_markdown(page, {}, NO_FILE)
    files = {name: f"{output.stem}-{name}.svg" for name in plots}
    for name, svg in plots.items():
        output.with_name(files[name]).write_bytes(svg)
    return as_markdown(page, files, why)
