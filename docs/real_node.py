"""Write table, logs and picture of docs/real-node.md from what `make e2e-node` left."""

import argparse
import asyncio
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fakes.browser import browser

DOCS = Path(__file__).parent
PAGE, PICTURE = DOCS / "real-node.md", DOCS / "real-node-upgrade.png"
BEGIN, END = "<!-- rows: written by make real-node-page -->", "<!-- end of rows -->"
LED, GAP = "this replica became the leader", "log lines may be missing"
LOGS = {
    "the leader is deleted": ("stopping", LED),
    "the leader is killed": ("started", LED, GAP),
    "kubelet is killed for 8 s at": ("pod log cannot be read", "pod log is read again", GAP),
    "API server is killed": (
        "lease request failed",
        "API server requests recovered",
        "lease requests recovered",
        GAP,
    ),
}
"""Of which rows the page shows what events; a row by the beginning of its title."""
SHOWN = re.compile(r"(<!-- log: ([^\n]+) -->\n)(?:```text\n.*?```\n)?", re.DOTALL)
SHORTER = (
    (re.compile(r"\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*Z"), r"\1Z"),
    (re.compile(r"\?follow=[^\s\"\\]*"), "?..."),
    (re.compile(r"(GET|PUT) /apis?/\S*/(pods|leases)/"), r"\1 .../\2/"),
    (re.compile(r"\bclusterset-exporter-[a-z0-9]+-([a-z0-9]{5})(?![a-z0-9])"), r"...-\1"),
    (re.compile(r"\b(nginx)-[a-z0-9]+-([a-z0-9]{5})\b"), r"\1-...-\2"),
)
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 860, 330, 46, 60, 14
COLOURS = ("#3b6fd4", "#d4883b", "#3ba272", "#a85fc4", "#c44d58", "#777777")
TICK_EVERY, LINE_EVERY = 30, 20
Row = dict[str, Any]
Place = Callable[[float, float], tuple[float, float]]


def rows_of(folder: Path) -> list[Row]:
    """Return the rows of a run, in the order in which they were measured."""
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


def table(rows: list[Row], day: str) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        f"Measured on {day}:",
        "",
        "| what happens meanwhile | answered | counted | told |",
        "|---|---|---|---|",
    ]
    for row in rows:
        told = row["told"] or ("none is missing" if row["answered"] == row["counted"] else "")
        figures = f"{row['answered']:,} | {row['counted']:,.0f}"
        lines.append(f"| {row['title']} | {figures} | {told} |")
    return "\n".join(lines)


def event_of(message: str) -> str:
    """Return what an exporter's log line is about."""
    found = re.search(r'\bevent=(?:"([^"]*)"|(\S+))', message)
    return "" if found is None else found[1] or found[2]


def log_of(messages: list[str], events: tuple[str, ...]) -> str:
    """Return the first line about each of *events* as a block of text, shortened for a page."""
    first: dict[str, str] = {}
    for each in messages:
        first.setdefault(event_of(each), each)
    kept = [message for event, message in first.items() if event in events]
    for pattern, short in SHORTER:
        kept = [pattern.sub(short, each) for each in kept]
    return "".join(["```text\n", *(f"{each}\n" for each in kept), "```\n"])


def with_logs(text: str, rows: list[Row]) -> str:
    """Return the text of the page with what was logged in these rows."""

    def block(found: re.Match[str]) -> str:
        row = next((row for row in rows if row["title"].startswith(found[2])), None)
        return found[0] if row is None else found[1] + log_of(row["messages"], LOGS[found[2]])

    return SHOWN.sub(block, text)


def lines_of(graph: dict[str, list[list[float]]]) -> dict[str, list[tuple[float, float]]]:
    """Return what to draw: the rate of each pod, and their sum."""
    series = {
        f"pod {number}": [(at, float(value)) for at, value in values]
        for number, values in enumerate(graph.values(), 1)
    }
    sums: dict[float, float] = {}
    for values in series.values():
        for at, value in values:
            sums[at] = sums.get(at, 0.0) + value
    return {"sum": sorted(sums.items())} | series


def svg(graph: dict[str, list[list[float]]]) -> str:
    """Return a picture of the rates, in requests a second over seconds."""
    series = lines_of(graph)
    start, end = series["sum"][0][0], series["sum"][-1][0]
    highest = max(value for _, value in series["sum"])
    scale = (WIDTH - LEFT - 10) / (end - start), (HEIGHT - TOP - BOTTOM) / (highest * 1.05)

    def place(at: float, value: float) -> tuple[float, float]:
        return LEFT + (at - start) * scale[0], HEIGHT - BOTTOM - value * scale[1]

    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"',
            ' font-family="sans-serif" font-size="12" fill="#333">',
            *_axes(end - start, highest, lambda at, value: place(start + at, value)),
            *_curves(series, place),
            "</svg>",
        ]
    )


def _axes(seconds: float, highest: float, place: Place) -> Iterator[str]:
    for value in range(0, int(highest) + 1, LINE_EVERY):
        x, y = place(0, value)
        yield f'<path d="M{x} {y}H{WIDTH - 10}" stroke="#ddd"/>'
        yield f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{value}</text>'
    for at in range(0, int(seconds) + 1, TICK_EVERY):
        x, y = place(at, 0)
        yield f'<text x="{x}" y="{y + 16}" text-anchor="middle">{at} s</text>'


def _curves(series: dict[str, list[tuple[float, float]]], place: Place) -> Iterator[str]:
    for number, (name, values) in enumerate(series.items()):
        colour = "#111" if name == "sum" else COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*each) for each in values))
        dashes = ' stroke-dasharray="5 3"' if name == "sum" else ""
        yield f'<polyline points="{points}" fill="none" stroke="{colour}"'
        yield f' stroke-width="2"{dashes}/>'
        x, y = LEFT + 90 * number, HEIGHT - 14
        yield f'<path d="M{x} {y - 4}h20" stroke="{colour}" stroke-width="2"{dashes}/>'
        yield f'<text x="{x + 26}" y="{y}">{name}</text>'


async def draw(graph: dict[str, list[list[float]]]) -> None:
    """Have Chromium draw the picture."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "graph.html"
        source.write_text(f'<body style="margin:0">{svg(graph)}')
        chromium = shutil.which("chromium") or "chromium"
        async with browser(chromium, Path(name) / "profile") as tab:
            await tab.open(source.as_uri(), width=WIDTH, height=HEIGHT)
            PICTURE.write_bytes(await tab.picture())


def main() -> None:
    """Write the page's table and logs, and the picture if a row has a graph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what make e2e-node wrote")
    parser.add_argument("--print", action="store_true", help="print the table, and write nothing")
    arguments = parser.parse_args()
    rows = rows_of(arguments.folder)
    day = time.strftime("%Y-%m-%d", time.gmtime((arguments.folder / "rows.jsonl").stat().st_mtime))
    if arguments.print:
        sys.stdout.write(table(rows, day) + "\n")
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    text = f"{before}{BEGIN}\n\n{table(rows, day)}\n\n{END}{after}"
    PAGE.write_text(with_logs(text, rows))
    if graphs := [row["graph"] for row in rows if row["graph"]]:
        asyncio.run(draw(graphs[-1]))


if __name__ == "__main__":
    main()
