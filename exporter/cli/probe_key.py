"""The command `probe-key`: the Secret with the key of probes, made once."""

import asyncio
from contextlib import aclosing

import click

from exporter.apiserver.errors import ApiError
from exporter.apiserver.open_client import open_client
from exporter.cli import options
from exporter.cli.errors import CommandError, mistakes
from exporter.commands.probe_key import ensure_key
from exporter.commands.run.log_output import no_log


@click.command(name="probe-key")
@options.kubeconfig
@options.context
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    help="A namespace that needs the Secret; may be given more than once. Default: that of the "
    "credentials.",
)
@click.argument("secret", metavar="SECRET")
def command(
    *, kubeconfig: str | None, context: str | None, namespaces: tuple[str, ...], secret: str
) -> None:
    """
    Create a Secret with a new key for probes, unless it exists.

    A Secret that exists is never changed. All namespaces get the key of the first one.
    """
    no_log()
    with mistakes():
        try:
            asyncio.run(_ensure(kubeconfig, context, namespaces, secret))
        except ApiError as error:
            raise CommandError(error.message) from error


async def _ensure(
    kubeconfig: str | None, context: str | None, namespaces: tuple[str, ...], secret: str
) -> None:
    async with (
        open_client(kubeconfig, context) as client,
        aclosing(ensure_key(client, secret, namespaces or (client.namespace,))) as lines,
    ):
        async for line in lines:
            click.echo(line)
