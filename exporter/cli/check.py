"""The command `check`: one service, looked at now."""

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import click

from exporter.cli.errors import mistakes
from exporter.cli.wanted_service import WantedService, of_a_service
from exporter.commands.check import cluster as checkcluster
from exporter.commands.check import service as checking
from exporter.commands.check import text
from exporter.commands.check.watch import Change, Watched, watch_service
from exporter.commands.run.log_output import no_log

Watching = Callable[
    [Callable[[Change], None], Callable[[Watched], None]], Coroutine[Any, Any, None]
]
INTERRUPTED = 130


@click.command(name="check", short_help="Check now if a service is served where it should be.")
@of_a_service
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON, with every step of each probe; with --watch a line for each change.",
)
@click.option(
    "--watch", "watches", is_flag=True, help="Probe again and again, and print each change."
)
def command(*, wanted: WantedService, as_json: bool, watches: bool) -> None:
    """
    Check now whether a service is served where it should be from here, and explain why.

    It uses the inventory of the configuration file, or else the API server of the local cluster,
    which is diagnosed as well. Exit code 0 if all is well, perhaps with warnings; 1 if it is
    not; 2 for wrong usage.
    """
    no_log()
    try:
        with mistakes():
            name, loaded, reach = wanted.name, wanted.load(), wanted.reach
            if loaded.settings.inventory.kubernetes is not None:
                if watches:
                    _watch(partial(checkcluster.watch_in_cluster, loaded, name, reach), as_json)
                look = asyncio.run(checkcluster.look_in_cluster(loaded, name, reach))
            else:
                read = partial(checking.read_files, wanted.config_file, wanted.cluster)
                if watches:
                    _watch(partial(watch_service, read, name), as_json)
                look = asyncio.run(checking.look(*read(), name))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    made = text.as_json(look)
    click.echo(json.dumps(made, indent=1) if as_json else text.as_text(look.report, _columns()))
    sys.exit(look.report.level == "fail")


def _columns() -> int | None:
    """Return how wide the terminal is; None if the output is not one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _watch(watching: Watching, as_json: bool) -> None:
    """Watch until interrupted, on a terminal with a live view, else with a line for each change."""
    if as_json:
        asyncio.run(watching(lambda change: click.echo(change.json()), lambda _: None))
        return
    from rich.console import Console  # noqa: PLC0415 - only --watch needs it
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        asyncio.run(watching(lambda change: click.echo(change.line()), lambda _: None))
        return
    with Live(console=console, auto_refresh=False) as live:

        def show(watched: Watched) -> None:
            live.update(Text(text.live(watched, console.width)), refresh=True)

        def tell(change: Change) -> None:
            console.print(change.line(), markup=False)

        asyncio.run(watching(tell, show))
