"""The command line as a whole: run, demo, check, drill, analyze, report, config, probe-key."""

from importlib import import_module

import click

from exporter import __version__
from exporter.cli.errors import PROGRAM

COMMANDS = ("run", "demo", "check", "drill", "analyze", "report", "config", "probe-key")
"""Each is the object `command` of the module of its name in this folder, with _ for -."""


class LazyCommands(click.Group):
    """Imports the module of a command only when it is used, because each needs other libraries."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"exporter.cli.{cmd_name.replace('-', '_')}").command
        return found


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """Measure who is served where in a Kubernetes clusterset, and whether that is right."""


def main() -> None:
    """Run the command line."""
    cli(prog_name=PROGRAM)
