"""The command line as a whole: run, demo, check, drill, analyze, report, config, probe-key."""

import errno
import os
import sys
from importlib import import_module
from typing import Any

import click

from exporter import __version__
from exporter.cli.errors import PROGRAM, CommandError

COMMANDS = ("run", "demo", "check", "drill", "analyze", "report", "config", "probe-key")
"""Each is the object `command` of the module of its name in this folder, with _ for -."""


CLOSED_PIPE, INTERRUPTED = 141, 130
"""Exit codes as after SIGPIPE and SIGINT, like those of other programs."""


class LazyCommands(click.Group):
    """Imports the module of a command only when it is used, because each needs other libraries."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name == "run":
            _import_structlog_alone()
        found: click.Command = import_module(f"exporter.cli.{cmd_name.replace('-', '_')}").command
        return found

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run the command; an output that ends early, or Ctrl-C, ends it without a traceback."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            _drop_output()
            ctx.exit(CLOSED_PIPE)
        except OSError as error:
            raise _full(error) from error


def _import_structlog_alone() -> None:
    """
    Import structlog without rich, which it loads for coloured tracebacks that nothing here prints.

    An exporter would hold 3 MB for it as long as it runs.
    """
    if "rich" in sys.modules:
        return
    # Python takes None for a module that is not there.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import_module("structlog")
    finally:
        del sys.modules["rich"]


def _full(error: OSError) -> CommandError:
    """Return the error to show if the disk of the output is full; raise *error* if it is not."""
    if error.errno != errno.ENOSPC:
        raise error
    _drop_output()
    return CommandError(f"standard output: {error.strerror}")


def _drop_output() -> None:
    """Send what is left to be written nowhere, because the flush at the exit would fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@click.group(
    cls=LazyCommands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """Measure who is served where in a Kubernetes clusterset, and whether that is right."""


def main() -> None:
    """Run the command line."""
    try:
        cli(prog_name=PROGRAM)
    except OSError as error:  # of --help and --version
        full = _full(error)
        full.show()
        sys.exit(full.exit_code)
