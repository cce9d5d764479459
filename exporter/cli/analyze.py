"""The command `analyze`: access logs of the past."""

import json
import os
import sys
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import Any

import click

from exporter.accesslog.nginx_conf import NginxConfError, read_nginx_conf
from exporter.accesslog.readers.past import ReadError
from exporter.cli import words
from exporter.cli.errors import UsageMistakeError, mistakes
from exporter.cli.progress import progress
from exporter.commands.analyze.count import AnalyzeRequest
from exporter.commands.analyze.report import analyze


def cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@click.command(name="analyze", short_help="Count in past access logs who was served where.")
@click.option(
    "--inventory",
    "inventory_file",
    required=True,
    type=click.Path(path_type=Path),
    help="The static inventory, with the addresses of each cluster.",
)
@click.option(
    "--cluster",
    "clusters",
    metavar="ID[=FILE]",
    multiple=True,
    required=True,
    help="The cluster that wrote the logs; or, once for each file, ID=FILE (globs too).",
)
@click.option(
    "--service",
    metavar="NS/NAME",
    help="The service that wrote the logs, unless they contain $host.",
)
@click.option(
    "--format",
    "log_format",
    default="auto",
    show_default=True,
    help="A preset such as main, a format as it stands in a server, a map of JSON keys; auto: by "
    "the first lines.",
)
@click.option(
    "--nginx-conf",
    type=click.Path(path_type=Path),
    help="Take the log_format called --format from this nginx configuration.",
)
@click.option(
    "--wrapper",
    type=click.Choice(["none", "cri", "docker"]),
    default="none",
    show_default=True,
    help="The wrapper of each line.",
)
@click.option(
    "--since",
    metavar="TIME",
    help="Only requests from this time on, 2026-11-28T10:00:00, or 1h: an hour ago.",
)
@click.option(
    "--until",
    metavar="TIME",
    help="Only requests before this time, or up to so long ago; UTC unless it has an offset.",
)
@click.option(
    "--every", metavar="DURATION", help="Also print the requests over time, in steps such as 5m."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    metavar="N",
    default=cores,
    help="How many processes count at once.  [default: one for each processor core]",
)
@click.option(
    "--strict", is_flag=True, help="Exit with 1 if most lines of a file do not fit its format."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.argument("files", metavar="[FILE]...", nargs=-1)
def command(
    inventory_file: Path,
    clusters: Sequence[str],
    service: str | None,
    log_format: str,
    nginx_conf: Path | None,
    wrapper: str,
    since: str | None,
    until: str | None,
    every: str | None,
    jobs: int,
    strict: bool,
    as_json: bool,
    files: Sequence[str],
) -> None:
    """
    Print who was served by which cluster, according to the access logs in FILE...

    With logs of several clusters it also prints when that changed. Files may be compressed with
    gzip; - is standard input.
    """
    with mistakes(ReadError, NginxConfError):
        request = AnalyzeRequest(
            inventory_file=inventory_file,
            logs=_logs(clusters, files),
            service=service,
            form=log_format if nginx_conf is None else _format_of(nginx_conf, log_format),
            wrapper=wrapper,
            since=words.unix_time("--since", since),
            until=words.unix_time("--until", until),
            every=words.duration("--every", every),
            jobs=jobs,
        )
        with progress([name for names in request.logs.values() for name in names]) as read:
            report = analyze(request, read)
    _print(report, as_json=as_json)
    if strict and "warnings" in report:
        raise SystemExit(1)


def _print(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report, indent=1))
    else:
        from exporter.cli.tables import print_report  # noqa: PLC0415 - rich is slow, JSON needs none

        print_report(report)
        _tell_formats(report)
    for each in (*report.get("warnings", ()), *report.get("hints", ())):
        click.echo(f"clusterset-exporter: {each}", err=True)


def _tell_formats(report: dict[str, Any]) -> None:
    """Say which formats were chosen by the first lines of the files."""
    files: dict[str, list[str]] = {}
    for name, chosen in report.get("formats", {}).items():
        wrapped = "" if chosen["wrapper"] == "none" else f" in the wrapper {chosen['wrapper']}"
        files.setdefault(f"{chosen['format']}{wrapped}", []).append(name)
    for form, names in files.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        click.echo(f"format {form}, by the first lines: {names[0]}{more}", err=True)


def _format_of(nginx_conf: Path, log_format: str) -> str:
    """Return the named log_format of an nginx configuration; without --format the only one."""
    source = click.get_current_context().get_parameter_source("log_format")
    named = log_format if source is click.core.ParameterSource.COMMANDLINE else None
    return read_nginx_conf(nginx_conf, named).format


def _logs(clusters: Sequence[str], files: Sequence[str]) -> dict[str, list[str]]:
    """Return the log files of each cluster."""
    if len(clusters) == 1 and "=" not in clusters[0]:
        if not files:
            msg = "FILE is missing; name the access logs, - for standard input"
            raise UsageMistakeError(msg)
        return {clusters[0]: list(files)}
    logs: dict[str, list[str]] = {}
    for each in clusters:
        cluster, equals, name = each.partition("=")
        if not equals or not cluster or not name or files:
            msg = "with logs of several clusters name each file as --cluster ID=FILE"
            raise UsageMistakeError(msg)
        logs.setdefault(cluster, []).extend(sorted(glob(name)) or [name])  # noqa: PTH207 - as typed
    return logs
