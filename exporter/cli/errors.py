"""Errors of the command line, each with its exit code and one line on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from exporter.config.yaml_reader import SettingsError

PROGRAM = "clusterset-exporter"


class CommandError(click.ClickException):
    """The command failed: exit code 1, one line."""

    def show(self, file: Any = None) -> None:  # noqa: ANN401 - click's own signature
        """Print the message after the name of the program, as compilers do."""
        click.echo(f"{PROGRAM}: {self.format_message()}", file=file or sys.stderr)


class UsageMistakeError(CommandError):
    """The command line or a file cannot be used as written: exit code 2, one line."""

    exit_code = 2


@contextmanager
def mistakes(*more: type[Exception]) -> Iterator[None]:
    """Turn a SettingsError, or an error of one of the types in *more*, into exit code 2."""
    expected: tuple[type[Exception], ...] = (SettingsError, *more)
    try:
        yield
    except expected as error:
        raise UsageMistakeError(str(error)) from error
