"""The report of `analyze` for a person: moves first, then tables that fit the terminal."""

import errno
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table


class _Console(Console):
    """A console that raises when its output is closed, as `click.echo` does."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "standard output is closed")


def print_report(report: dict[str, Any]) -> None:
    """Print *report* on standard output. No word is cut or folded, however narrow it is."""
    console = _Console(highlight=False, markup=False)
    for each in report.get("failovers", []):
        sure = "" if each["sure"] else " (where its log begins)"
        _print(
            console,
            f"from {each['at']} on, clients of {each['source_cluster']} were served by "
            f"{each['to_cluster']} instead of {each['from_cluster']}{sure}",
        )
    by_service = defaultdict(list)
    for service in report["services"]:
        name = f"{service['destination_service_namespace']}/{service['destination_service_name']}"
        by_service[name].append(service)
    for name, services in by_service.items():
        if len(services) == 1:
            _one_cluster(console, name, *services)
        elif not _matrix(console, name, services):
            _pairs(console, name, services)
    _upstreams(console, report.get("upstreams", []))
    if "course" in report:
        _course(console, report["course"])
    means = {"foreign": "of other services or times"}
    counted = ", ".join(f"{n:,} {means.get(what, what)}" for what, n in report["lines"].items())
    span = f" from {report['from']} to {report['to']}" if report["from"] else ""
    _print(console, f"lines: {counted}{span}")


def _print(console: Console, text: str, indent: str = "") -> None:
    """Print *text*, on a terminal in lines that are broken between words only."""
    if not console.is_terminal:
        console.print(indent + text, soft_wrap=True)
        return
    lines = textwrap.wrap(
        text,
        console.width,
        initial_indent=indent,
        subsequent_indent=" " * (len(indent) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    for each in lines:
        console.print(each, soft_wrap=True)


def _fits(
    console: Console,
    title: str,
    names: Sequence[str],
    numbers: Sequence[str],
    rows: Iterable[Sequence[str]],
) -> bool:
    """Print a table, unless it is too wide; return whether it was printed."""
    columns = [
        *(Column(name, no_wrap=True) for name in names),
        *(Column(name, no_wrap=True, justify="right") for name in numbers),
    ]
    made = Table(*columns)
    for row in rows:
        made.add_row(*row)
    if made.__rich_measure__(console, console.options.update(width=10_000)).maximum > console.width:
        return False
    _print(console, title)
    console.print(made)
    return True


def _show(
    console: Console,
    title: str,
    names: Sequence[str],
    numbers: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> None:
    """Print a table, or, where it is too wide, a paragraph for each row."""
    if _fits(console, title, names, numbers, rows):
        return
    _print(console, title)
    for row in rows:
        cells = zip((*names, *numbers), row, strict=True)
        _print(console, ", ".join(f"{name}: {cell}" for name, cell in cells), "- ")


def _one_cluster(console: Console, name: str, service: dict[str, Any]) -> None:
    total = sum(source["requests"] for source in service["sources"])
    rows = [
        (
            source["source_cluster"],
            source["locality"],
            f"{source['requests']:,}",
            f"{source['requests'] / total:.1%}" if total else "-",
            f"{source['failures']:,}",
            f"{source['bytes']:,}",
            f"{source['probes']:,}",
        )
        for source in service["sources"]
    ]
    title = f"{name}, served by {service['destination_cluster']}"
    numbers = ("requests", "share", "failures", "bytes", "probes")
    _show(console, title, ("source", "locality"), numbers, rows)


Sources = dict[str, dict[str, dict[str, Any]]]
"""By source cluster, then by the cluster that served."""


def _sources(services: list[dict[str, Any]]) -> Sources:
    rows: Sources = {}
    for service in services:
        for source in service["sources"]:
            rows.setdefault(source["source_cluster"], {})[service["destination_cluster"]] = source
    return dict(sorted(rows.items()))


def _matrix(console: Console, name: str, services: list[dict[str, Any]]) -> bool:
    clusters = [service["destination_cluster"] for service in services]
    rows = []
    for source, by in _sources(services).items():
        total = sum(each["requests"] for each in by.values())
        cells = [by[cluster]["requests"] if cluster in by else 0 for cluster in clusters]
        rows.append(
            (
                source,
                *(f"{cell:,} ({cell / total:.1%})" if total else "0" for cell in cells),
                f"{total:,}",
                f"{sum(each['failures'] for each in by.values()):,}",
                f"{sum(each['probes'] for each in by.values()):,}",
            )
        )
    title = f"{name}: requests by source (rows) and the cluster that served them"
    return _fits(console, title, ("source",), (*clusters, "all", "failures", "probes"), rows)


def _pairs(console: Console, name: str, services: list[dict[str, Any]]) -> None:
    """Print what the matrix has in a row for each pair of clusters."""
    rows = []
    for source, by in _sources(services).items():
        total = sum(each["requests"] for each in by.values())
        rows += [
            (
                source,
                cluster,
                f"{each['requests']:,}",
                f"{each['requests'] / total:.1%}" if total else "-",
                f"{each['failures']:,}",
                f"{each['probes']:,}",
            )
            for cluster, each in by.items()
        ]
    numbers = ("requests", "share", "failures", "probes")
    title = f"{name}: requests by source and the cluster that served them"
    _show(console, title, ("source", "served by"), numbers, rows)


def _upstreams(console: Console, upstreams: list[dict[str, Any]]) -> None:
    """Print where gateways sent requests, in a table for each service."""
    by_service: dict[str, list[Sequence[str]]] = defaultdict(list)
    for each in upstreams:
        name = f"{each['destination_service_namespace']}/{each['destination_service_name']}"
        total = sum(sent["requests"] for sent in each["destinations"])
        by_service[name] += [
            (
                each["source_cluster"],
                sent["destination_cluster"],
                sent["locality"],
                f"{sent['requests']:,}",
                f"{sent['requests'] / total:.1%}",
                f"{sent['failures']:,}",
            )
            for sent in each["destinations"]
        ]
    numbers = ("requests", "share", "failures")
    for name, rows in by_service.items():
        title = f"{name}: requests that gateways sent to servers, each try of a retry counted"
        _show(console, title, ("gateway in", "sent to", "locality"), numbers, rows)


def _course(console: Console, course: list[dict[str, Any]]) -> None:
    rows = [
        (
            each["at"],
            f"{each['destination_service_namespace']}/{each['destination_service_name']}",
            each["source_cluster"],
            each["destination_cluster"],
            f"{each['requests']:,}",
            f"{each['failures']:,}",
        )
        for each in course
    ]
    names, numbers = ("from", "service", "source", "served by"), ("requests", "failures")
    _show(console, "course", names, numbers, rows)
