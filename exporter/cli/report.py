"""The command `report`: the past days on one page, out of Prometheus."""

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from exporter.cli.errors import CommandError, UsageMistakeError, mistakes
from exporter.cli.words import duration
from exporter.commands.report.content import ReportTerms
from exporter.commands.report.prometheus import PrometheusError
from exporter.commands.report.write import ReportForm, ReportRequest, facts_of, write_page
from exporter.files.small_file import read_text

INTERRUPTED = 130
_ENDINGS = {".html": ReportForm.HTML, ".htm": ReportForm.HTML, ".md": ReportForm.MARKDOWN}


@click.command(name="report", short_help="Write the past days on one page, from a Prometheus.")
@click.option(
    "--prometheus",
    "url",
    required=True,
    envvar="CLUSTERSET_EXPORTER_PROMETHEUS",
    show_envvar=True,
    help="The URL of the Prometheus that scrapes the exporters; user:password@ may be in it.",
)
@click.option(
    "--bearer-token-file",
    type=click.Path(path_type=Path),
    help="A file with a bearer token for Prometheus.",
)
@click.option("--since", default="7d", show_default=True, help="How far back the report goes.")
@click.option(
    "--objective",
    default="99.9%",
    show_default=True,
    help="The share of time in which clients should be served.",
)
@click.option(
    "--price-per-gb",
    type=click.FloatRange(min=0),
    help="Price of a gigabyte between clusters, in any currency.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; default: standard output.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice([each.value for each in ReportForm]),
    help="Default: by the ending of --output, else markdown.",
)
def command(
    *,
    url: str,
    bearer_token_file: Path | None,
    since: str,
    objective: str,
    price_per_gb: float | None,
    output: Path | None,
    form: str | None,
) -> None:
    """
    Write the past days on one page: who was served where, leaks, failovers, outages, traffic.

    It asks a Prometheus that scrapes the exporters, and changes nothing.
    """
    with mistakes():
        request = ReportRequest(
            url=_url(url),
            token=None if bearer_token_file is None else _token(bearer_token_file),
            length=float(round(duration("--since", since) or 0)),
            terms=ReportTerms(objective=_share(objective), price=price_per_gb),
            form=_form(form, output),
            output=_place(output),
        )
    if request.length < 1:
        msg = f"--since: {since} is too short; write for example 7d"
        raise UsageMistakeError(msg)
    try:
        text = write_page(asyncio.run(facts_of(request)), request)
        if output is not None:
            output.write_text(text, encoding="utf-8")
    except (PrometheusError, OSError) as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    if output is None:
        click.echo(text, nl=False)


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        well = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well = False
    if well and not parts.query and not parts.fragment:
        return text
    msg = "--prometheus: should be a URL such as http://prometheus.monitoring:9090"
    raise UsageMistakeError(msg)


def _token(file: Path) -> str:
    token = read_text(file, wanted="a file with a bearer token").strip()
    if token.isascii() and token.isprintable() and token:
        return token
    msg = f"--bearer-token-file: {file}: should have one line with the token"
    raise UsageMistakeError(msg)


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if 0 < share <= 1:
        return share
    msg = f"--objective: {text!r} should be a percentage of the time, such as 99.9%"
    raise UsageMistakeError(msg)


def _place(output: Path | None) -> Path | None:
    """Return *output*; a mistake if it could not be written after all the questions."""
    if output is not None and not output.parent.is_dir():
        msg = f"--output: {output.parent}: there is no such folder"
        raise UsageMistakeError(msg)
    return output


def _form(form: str | None, output: Path | None) -> ReportForm:
    if form is not None:
        return ReportForm(form)
    ending = "" if output is None else output.suffix.lower()
    return _ENDINGS.get(ending, ReportForm.MARKDOWN)
