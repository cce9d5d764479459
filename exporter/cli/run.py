"""The command `run`: the exporter itself."""

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
import structlog

from exporter.cli import options, words
from exporter.cli.errors import CommandError, mistakes
from exporter.commands.run import process
from exporter.commands.run.generations import EndedError
from exporter.commands.run.log_output import log_to_stderr
from exporter.commands.run.signals import STOP_SECONDS
from exporter.probe.drivers import choose
from exporter.web.app import PAGES

log = structlog.get_logger()


@click.command(name="run")
@options.config_optional
@options.cluster
@options.kubeconfig
@options.context
@click.option(
    "--shard",
    metavar="I/N",
    envvar="CLUSTERSET_EXPORTER_SHARD",
    show_envvar=True,
    help="The part of the services that this exporter probes: 0/3 is the first of three; auto in a "
    "StatefulSet.",
)
@click.option(
    "--web.listen-address",
    "listen",
    multiple=True,
    default=[":9877"],
    show_default=True,
    envvar="CLUSTERSET_EXPORTER_WEB_LISTEN_ADDRESS",
    show_envvar=True,
    help="Address to listen on, host:port; may be given more than once.",
)
@click.option(
    "--web.telemetry-path",
    "telemetry_path",
    default="/metrics",
    show_default=True,
    envvar="CLUSTERSET_EXPORTER_WEB_TELEMETRY_PATH",
    show_envvar=True,
    help="Path of the metrics.",
)
@click.option(
    "--web.config.file",
    "web_config",
    type=click.Path(path_type=Path),
    envvar="CLUSTERSET_EXPORTER_WEB_CONFIG_FILE",
    show_envvar=True,
    help="File with TLS, client certificates and passwords, in exporter-toolkit's format.",
)
@click.option(
    "--web.enable-lifecycle",
    "lifecycle",
    is_flag=True,
    envvar="CLUSTERSET_EXPORTER_WEB_ENABLE_LIFECYCLE",
    show_envvar=True,
    help="Let POST /-/reload read the configuration again, as SIGHUP does.",
)
@click.option(
    "--web.allowed-host",
    "hosts",
    metavar="NAME",
    multiple=True,
    envvar="CLUSTERSET_EXPORTER_WEB_ALLOWED_HOST",
    show_envvar=True,
    help="Further host name that /probe and /-/reload answer to; may be given more than once.",
)
@click.option(
    "--log.level",
    "log_level",
    type=click.Choice(["debug", "info", "warn", "error"]),
    default="info",
    show_default=True,
    envvar="CLUSTERSET_EXPORTER_LOG_LEVEL",
    show_envvar=True,
    help="The least severe messages to log.",
)
@click.option(
    "--log.format",
    "log_format",
    type=click.Choice(["logfmt", "json"]),
    default="logfmt",
    show_default=True,
    envvar="CLUSTERSET_EXPORTER_LOG_FORMAT",
    show_envvar=True,
    help="The format of messages, on standard error.",
)
def command(
    config_file: Path | None,
    cluster: str | None,
    kubeconfig: str | None,
    context: str | None,
    shard: str | None,
    listen: Sequence[str],
    telemetry_path: str,
    web_config: Path | None,
    hosts: Sequence[str],
    log_level: str,
    log_format: str,
    *,
    lifecycle: bool,
) -> None:
    """Run the exporter until SIGTERM or SIGINT. SIGHUP reads the configuration again."""
    use_log_level = log_to_stderr(log_level, log_format)
    with logged():
        given = process.Options(
            config_file=config_file,
            use_log_level=use_log_level,
            cluster=cluster,
            listen=tuple(words.host_port("--web.listen-address", each) for each in listen),
            telemetry_path=words.telemetry_path("--web.telemetry-path", telemetry_path, PAGES),
            web_config=web_config,
            lifecycle=lifecycle,
            hosts=tuple(hosts),
            kubeconfig=kubeconfig,
            context=context,
            shard=words.shard("--shard", shard),
            pod=os.environ.get("POD_NAME") or platform.node(),
            uid=os.environ.get("POD_UID", ""),
            stop_seconds=STOP_SECONDS,
            last_scrape=process.LAST_SCRAPE_SECONDS if os.environ.get("POD_NAME") else 0.0,
        )
        with mistakes():
            choose.run(partial(process.run, given))


@contextmanager
def logged() -> Iterator[None]:
    """End the command after an error with a log event as the last line on standard error."""
    try:
        yield
    except (CommandError, process.ListenError, EndedError) as error:
        log.error("exporter ended", error=str(error))  # noqa: TRY400 - one line
        sys.exit(getattr(error, "exit_code", 1))
    except Exception:
        log.exception("exporter failed")
        sys.exit(1)
