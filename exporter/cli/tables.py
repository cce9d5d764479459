"""The report of `analyze` as tables for a person."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Column, Table


def print_report(report: dict[str, Any]) -> None:
    """Print *report* on standard output."""
    console = Console(highlight=False)
    by_service = defaultdict(list)
    for service in report["services"]:
        name = f"{service['destination_service_namespace']}/{service['destination_service_name']}"
        by_service[name].append(service)
    for name, services in by_service.items():
        console.print(
            _one_cluster(name, *services) if len(services) == 1 else _matrix(name, services)
        )
    if "course" in report:
        console.print(_course(report["course"]))
    for each in report.get("failovers", []):
        sure = "" if each["sure"] else " (where its log begins)"
        console.print(
            f"from {each['at']} on, clients of {each['source_cluster']} were served by "
            f"{each['to_cluster']} instead of {each['from_cluster']}{sure}",
            soft_wrap=True,
        )
    counted = ", ".join(f"{number:,} {what}" for what, number in report["lines"].items())
    span = f" from {report['from']} to {report['to']}" if report["from"] else ""
    console.print(f"lines: {counted}{span}", soft_wrap=True)


def _table(title: str, *names: str, numbers: Iterable[str]) -> Table:
    # Long cells are folded, because half a time or name is of no use.
    columns = [Column(name, overflow="fold") for name in names]
    made = Table(*columns, title=title, title_style="")
    for number in numbers:
        made.add_column(number, justify="right", overflow="fold")
    return made


def _one_cluster(name: str, service: dict[str, Any]) -> Table:
    made = _table(
        f"{name}, served by {service['destination_cluster']}",
        "source",
        "locality",
        numbers=("requests", "share", "failures", "bytes", "probes"),
    )
    total = sum(source["requests"] for source in service["sources"])
    for source in service["sources"]:
        made.add_row(
            source["source_cluster"],
            source["locality"],
            f"{source['requests']:,}",
            f"{source['requests'] / total:.1%}" if total else "-",
            f"{source['failures']:,}",
            f"{source['bytes']:,}",
            f"{source['probes']:,}",
        )
    return made


def _matrix(name: str, services: list[dict[str, Any]]) -> Table:
    clusters = [service["destination_cluster"] for service in services]
    made = _table(
        f"{name}: requests by source (rows) and the cluster that served them",
        "source",
        numbers=(*clusters, "all", "failures", "probes"),
    )
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for service in services:
        for source in service["sources"]:
            rows.setdefault(source["source_cluster"], {})[service["destination_cluster"]] = source
    for source, by in sorted(rows.items()):
        total = sum(each["requests"] for each in by.values())
        cells = [by[cluster]["requests"] if cluster in by else 0 for cluster in clusters]
        made.add_row(
            source,
            *(f"{cell:,} ({cell / total:.1%})" if total else "0" for cell in cells),
            f"{total:,}",
            f"{sum(each['failures'] for each in by.values()):,}",
            f"{sum(each['probes'] for each in by.values()):,}",
        )
    return made


def _course(course: list[dict[str, Any]]) -> Table:
    made = _table(
        "course", "from", "service", "source", "served by", numbers=("requests", "failures")
    )
    for each in course:
        made.add_row(
            each["at"],
            f"{each['destination_service_namespace']}/{each['destination_service_name']}",
            each["source_cluster"],
            each["destination_cluster"],
            f"{each['requests']:,}",
            f"{each['failures']:,}",
        )
    return made
