"""The command `demo`: a clusterset on this machine, and its story."""

import asyncio
import sys
from collections.abc import Sequence

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from exporter.demo.compare import ComparedRow
from exporter.demo.play import play


class ConsoleNarrator:
    """Tells the story on a terminal or in a file."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def title(self, title: str, text: str = "") -> None:
        """Print *title* in bold, and *text* after it."""
        self._console.print(f"\n[bold]{title}[/bold] {text}".rstrip(), soft_wrap=True)

    def say(self, text: str) -> None:
        """Print *text*."""
        self._console.print(text, soft_wrap=True)

    def compare(self, rows: Sequence[ComparedRow]) -> None:
        """Print a table of what was staged and what was reported."""
        table = Table(
            "exporter",
            "what",
            "staged",
            "reported",
            "equal",
            box=SIMPLE,
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        for row in rows:
            verdict = "yes" if row.equal else "[bold]NO[/bold]"
            table.add_row(row.exporter, row.what, row.staged, row.reported, verdict)
        self._console.print(table)


@click.command(name="demo", short_help="Build a clusterset on this machine, break it, and compare.")
@click.option(
    "--clusters",
    type=click.IntRange(2, 3),
    default=2,
    show_default=True,
    help="The number of clusters.",
)
@click.option(
    "--keep", is_flag=True, help="Keep it running afterwards and print the URLs; Ctrl-C ends it."
)
@click.option(
    "--prometheus", is_flag=True, help="Also start prometheus (from PATH), which scrapes all."
)
def command(*, clusters: int, keep: bool, prometheus: bool) -> None:
    """
    Play failovers, a leak, a stuck name server and a blackout here, and check what is reported.

    It needs no Kubernetes and no root. Each cluster is a real nginx, a DNS server that answers
    like Submariner's Lighthouse, and this exporter, on addresses of the loopback network.
    The exit code is 0 if the exporters reported exactly what was staged.
    """
    narrator = ConsoleNarrator(Console(highlight=False))
    played = play(clusters=clusters, keep=keep, prometheus=prometheus, narrator=narrator)
    sys.exit(asyncio.run(played))
