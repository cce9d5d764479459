"""The command `drill`: watches a rehearsed failover, and reports it."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import click

from exporter.cli.errors import mistakes
from exporter.cli.wanted_service import WantedService, of_a_service
from exporter.cli.words import duration
from exporter.commands.drill import report as text
from exporter.commands.drill.cluster import drill_in_cluster
from exporter.commands.drill.files import drill_with_file
from exporter.commands.drill.report import DrillReport
from exporter.commands.drill.watch import DrillOptions
from exporter.commands.run.log_output import no_log

Drilling = Callable[[asyncio.Event], Coroutine[Any, Any, DrillReport]]
INTERRUPTED = 130


@click.command(name="drill", short_help="Watch a rehearsed failover of a service, and report it.")
@of_a_service
@click.option(
    "--exec",
    "line",
    metavar="COMMAND",
    help="A line for /bin/sh that takes the cluster away and brings it back.",
)
@click.option(
    "--timeout",
    default="5m",
    show_default=True,
    help="Time limit for each step of the drill, and for the command.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def command(*, wanted: WantedService, line: str | None, timeout: str, as_json: bool) -> None:
    """
    Watch a service while a cluster is taken away and brought back, and report the failover.

    It changes nothing itself: you do, or the command of --exec does. It ends when all is as it
    was, when nothing happens for too long, or by Ctrl-C; the report says what was seen until
    then. Exit code 0 if another cluster took over and all is as before; 1 if not; 2 for wrong
    usage.
    """
    no_log()
    options = _options(line, timeout)
    try:
        with mistakes():
            name, loaded = wanted.name, wanted.load()
            if loaded.settings.inventory.kubernetes is not None:
                drilling: Drilling = partial(drill_in_cluster, loaded, name, wanted.reach, options)
            else:
                drilling = partial(drill_with_file, loaded, name, options)
            report = asyncio.run(_until_signal(drilling))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    click.echo(json.dumps(text.as_json(report), indent=1) if as_json else text.as_text(report))
    sys.exit(bool(report.findings))


def _options(line: str | None, timeout: str) -> DrillOptions:
    tell, limit = partial(click.echo, err=True), duration("--timeout", timeout) or 0.0
    return DrillOptions(
        command=line, timeout=limit, tell=tell, saw=lambda event: tell(text.line_of(event))
    )


async def _until_signal(drilling: Drilling) -> DrillReport:
    """Run a drill; SIGINT and SIGTERM end it with a report."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return await drilling(stop)
