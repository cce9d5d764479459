"""The commands `config check`, `config schema` and `config show`."""

import json
from pathlib import Path

import click

from exporter.cli import options
from exporter.cli.errors import mistakes
from exporter.commands import load
from exporter.config import settings
from exporter.config.schema import config_schema
from exporter.discover.inventory_schema import inventory_schema


@click.group(name="config")
def command() -> None:
    """Check, describe and show the configuration."""


@command.command(short_help="Read the configuration and all files that it names.")
@options.config_required
@options.cluster
def check(config_file: Path, cluster: str | None) -> None:
    """Read the configuration and all files that it names; exit code 2 if there is a mistake."""
    with mistakes():
        found, hints = load.check_config(config_file, cluster)
    click.echo(f"{config_file}: {found}")
    for hint in hints:
        click.echo(f"{config_file}: {hint}")


@command.command()
@click.option("--inventory", is_flag=True, help="That of the static inventory instead.")
def schema(inventory: bool) -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    made = inventory_schema() if inventory else config_schema()
    click.echo(json.dumps(made, indent=2))


@command.command()
@options.config_required
def show(config_file: Path) -> None:
    """Print the configuration as it takes effect, with all defaults."""
    with mistakes():
        click.echo(settings.as_yaml(load.read_settings(config_file)), nl=False)
