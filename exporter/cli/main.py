"""The command line: run, demo, check, analyze, config."""

import asyncio
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporter import __version__

if TYPE_CHECKING:
    from exporter.commands.check.service import Watched
    from exporter.commands.run.shard import Shard

PROGRAM = "clusterset-exporter"


class Failed(click.ClickException):
    """What the user asked for did not work: exit code 1, one line."""

    def show(self, file: Any = None) -> None:  # noqa: ANN401 - click's own signature
        """Print the message the way compilers and linters do."""
        click.echo(f"{PROGRAM}: {self.format_message()}", file=file or sys.stderr)


class Usage(Failed):
    """What the user asked for cannot be done as written: exit code 2, one line."""

    exit_code = 2


_config_option = click.option(
    "--config.file",
    "config_file",
    required=True,
    type=click.Path(path_type=Path),
    envvar="CLUSTERSET_EXPORTER_CONFIG_FILE",
    show_envvar=True,
    help="The configuration file; docs/configuration.md describes it.",
)
_optional_config = click.option(
    "--config.file",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="CLUSTERSET_EXPORTER_CONFIG_FILE",
    show_envvar=True,
    help="The configuration file; without it all is discovered in the local cluster.",
)
_kubeconfig_option = click.option(
    "--kubeconfig",
    envvar="CLUSTERSET_EXPORTER_KUBECONFIG",
    show_envvar=True,
    help="How to reach the API server; default: as a pod, else as kubectl.",
)
_context_option = click.option(
    "--context",
    envvar="CLUSTERSET_EXPORTER_CONTEXT",
    show_envvar=True,
    help="The context of the kubeconfig.",
)
_cluster_option = click.option(
    "--cluster",
    envvar=["CLUSTERSET_EXPORTER_CLUSTER", "CLUSTER_NAME"],
    show_envvar=True,
    help="Id of the cluster this runs in; goes before `cluster:` in the file.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """Measure who is served where in a Kubernetes clusterset, and whether that is right."""


@cli.command()
@_optional_config
@_cluster_option
@_kubeconfig_option
@_context_option
@click.option(
    "--shard",
    metavar="I/N",
    envvar="CLUSTERSET_EXPORTER_SHARD",
    show_envvar=True,
    help="The part of the services that this is for: 0/3 is the first of three; auto in a "
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
    help="Address to serve on, host:port; may be given more than once.",
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
    help="TLS, client certificates and passwords, as exporter-toolkit's web configuration says.",
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
    help="How to write messages, on standard error.",
)
def run(
    config_file: Path | None,
    cluster: str | None,
    kubeconfig: str | None,
    context: str | None,
    shard: str | None,
    listen: Sequence[str],
    telemetry_path: str,
    web_config: Path | None,
    log_level: str,
    log_format: str,
) -> None:
    """
    Run the exporter until SIGTERM or SIGINT.

    SIGHUP and POST /-/reload read the configuration again.
    """
    from exporter.commands.run import process  # noqa: PLC0415 - analyze starts without it
    from exporter.commands.run.log_output import log_to_stderr  # noqa: PLC0415
    from exporter.config.yaml_reader import SettingsError  # noqa: PLC0415
    from exporter.probe.drivers import choose  # noqa: PLC0415

    log_to_stderr(log_level, log_format)
    options = process.Options(
        config_file=config_file,
        cluster=cluster,
        listen=tuple(_host_port(each) for each in listen),
        telemetry_path=telemetry_path,
        web_config=web_config,
        kubeconfig=kubeconfig,
        context=context,
        shard=_shard(shard),
        pod=os.environ.get("POD_NAME") or platform.node(),
    )
    try:
        choose.run(partial(process.run, options))
    except SettingsError as error:
        raise Usage(str(error)) from error
    except (process.ListenError, process.EndedError) as error:
        raise Failed(str(error)) from error


@cli.command()
@click.option(
    "--clusters", type=click.IntRange(2, 3), default=2, show_default=True, help="How many."
)
@click.option("--keep", is_flag=True, help="Stay up afterwards and print the URLs; Ctrl-C ends it.")
@click.option("--prometheus", is_flag=True, help="Also start prometheus (from PATH), scraping all.")
def demo(*, clusters: int, keep: bool, prometheus: bool) -> None:
    """
    Play a failover, a leak and a blackout on this machine, and check what is reported.

    Needs no Kubernetes and no root: each cluster is a real nginx, a DNS server that answers as
    Submariner's Lighthouse does, and this exporter, on addresses of the loopback network.
    The exit code is 0 if the exporters reported exactly what was staged.
    """
    from rich.console import Console  # noqa: PLC0415 - analyze starts without it

    from exporter.demo import story  # noqa: PLC0415

    played = story.play(
        clusters=clusters, keep=keep, prometheus=prometheus, console=Console(highlight=False)
    )
    sys.exit(asyncio.run(played))


@cli.command()
@click.option(
    "--inventory",
    "inventory_file",
    required=True,
    type=click.Path(path_type=Path),
    help="The static inventory: which addresses belong to which cluster.",
)
@click.option(
    "--cluster",
    "clusters",
    metavar="ID[=FILE]",
    multiple=True,
    required=True,
    help="The cluster that the logs come from; or, once for each file, ID=FILE (globs too).",
)
@click.option(
    "--service", metavar="NS/NAME", help="The service that the logs belong to, unless $host tells."
)
@click.option(
    "--format",
    "log_format",
    default="main",
    show_default=True,
    help="combined, main (of the nginx docker image), json, or a log_format string.",
)
@click.option(
    "--nginx-conf",
    type=click.Path(path_type=Path),
    help="Take the log_format called --format from this nginx configuration.",
)
@click.option(
    "--wrapper",
    type=click.Choice(["none", "cri", "docker"]),
    default="none",
    show_default=True,
    help="What is around each line.",
)
@click.option("--since", metavar="TIME", help="Only requests from then on, as 2022-07-07T07:42:00.")
@click.option("--until", metavar="TIME", help="Only requests before then; UTC unless it says so.")
@click.option("--every", metavar="DURATION", help="Also their course over time, in steps as 5m.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.argument("files", metavar="[FILE]...", nargs=-1)
def analyze(
    inventory_file: Path,
    clusters: Sequence[str],
    service: str | None,
    log_format: str,
    nginx_conf: Path | None,
    wrapper: str,
    since: str | None,
    until: str | None,
    every: str | None,
    as_json: bool,
    files: Sequence[str],
) -> None:
    """
    Say who was served from where, by the access logs in FILE...

    With logs of several clusters: who was served by whom, and when that changed. Files may be
    compressed with gzip; - is standard input.
    """
    from exporter.accesslog.nginx_conf import NginxConfError, read_nginx_conf  # noqa: PLC0415
    from exporter.accesslog.readers.past import ReadError  # noqa: PLC0415
    from exporter.commands.analyze import report as analysis  # noqa: PLC0415 - run starts without it
    from exporter.config.yaml_reader import SettingsError  # noqa: PLC0415

    try:
        if nginx_conf is not None:
            chosen = click.get_current_context().get_parameter_source("log_format")
            named = log_format if chosen is click.core.ParameterSource.COMMANDLINE else None
            log_format = read_nginx_conf(nginx_conf, named).format
        report = analysis.analyze(
            analysis.Asked(
                inventory_file=inventory_file,
                logs=_logs(clusters, files),
                service=service,
                form=log_format,
                wrapper=wrapper,
                since=_moment("--since", since),
                until=_moment("--until", until),
                every=_duration("--every", every),
            )
        )
    except (SettingsError, ReadError, NginxConfError) as error:
        raise Usage(str(error)) from error
    if as_json:
        click.echo(json.dumps(report, indent=1))
        return
    from exporter.cli.tables import table  # noqa: PLC0415 - slow to import, and JSON needs none of it

    table(report)


def _logs(clusters: Sequence[str], files: Sequence[str]) -> dict[str, list[str]]:
    """Return the files of each cluster."""
    if len(clusters) == 1 and "=" not in clusters[0]:
        if not files:
            msg = "FILE is missing; name the access logs, - for standard input"
            raise Usage(msg)
        return {clusters[0]: list(files)}
    logs: dict[str, list[str]] = {}
    for each in clusters:
        cluster, equals, name = each.partition("=")
        if not equals or not cluster or not name or files:
            msg = "with logs of several clusters name each file as --cluster ID=FILE"
            raise Usage(msg)
        logs.setdefault(cluster, []).extend(sorted(glob(name)) or [name])  # noqa: PTH207 - as typed
    return logs


def _moment(flag: str, text: str | None) -> float | None:
    try:
        at = None if text is None else datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{flag}: {text!r} is no time; write for example 2022-07-07T07:42:00"
        raise Usage(msg) from error
    return None if at is None else (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _duration(flag: str, text: str | None) -> float | None:
    from exporter.config.scalars import Duration  # noqa: PLC0415

    try:
        return None if text is None else Duration.parse(text)
    except ValueError as error:
        msg = f"{flag}: {error}"
        raise Usage(msg) from error


@cli.command(name="check")
@_optional_config
@_cluster_option
@_kubeconfig_option
@_context_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, each probe with every step.")
@click.option("--watch", is_flag=True, help="Go on, and print each change; Ctrl-C ends it.")
@click.argument("service", metavar="NS/NAME")
def check_service(
    *,
    config_file: Path | None,
    cluster: str | None,
    kubeconfig: str | None,
    context: str | None,
    as_json: bool,
    watch: bool,
    service: str,
) -> None:
    """
    Ask now whether a service is served where it should be from here, and say why.

    By the inventory of the configuration file, else by the API server of the local cluster, which
    is diagnosed on the way. Exit code 0 if all is well, maybe with warnings; 1 if it is not; 2 for
    wrong usage.
    """
    from exporter.commands import load as loading  # noqa: PLC0415
    from exporter.commands.check import cluster as checkcluster  # noqa: PLC0415
    from exporter.commands.check import service as checking  # noqa: PLC0415 - run starts without it
    from exporter.commands.refuse import refuse_reach  # noqa: PLC0415
    from exporter.config.yaml_reader import SettingsError  # noqa: PLC0415

    try:
        asked = checking.service_name(service)
        loaded = loading.load(config_file, cluster)
        refuse_reach(loaded, kubeconfig=kubeconfig, context=context)
        if loaded.settings.inventory.kubernetes is not None:
            reach = checkcluster.Reach(kubeconfig=kubeconfig, context=context)
            if watch:
                _watch(partial(checkcluster.watch, loaded, asked, reach))
            seen = asyncio.run(checkcluster.look(loaded, asked, reach))
        else:
            again = partial(checking.read, config_file, cluster)
            if watch:
                _watch(partial(checking.watch, again, asked))
            seen = asyncio.run(checking.look(*again(), asked))
    except SettingsError as error:
        raise Usage(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(130)
    made = checking.as_json(seen)
    click.echo(json.dumps(made, indent=1) if as_json else checking.text(seen.report))
    sys.exit(seen.report.level == "fail")


def _watch(watching: "Callable[[Callable[[str], None], Callable[[Watched], None]], Any]") -> None:
    from rich.console import Console  # noqa: PLC0415 - a look needs none of it
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from exporter.commands.check import service as checking  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    # Elsewhere than on a terminal the changes alone are told, line by line.
    if not console.is_terminal:
        asyncio.run(watching(click.echo, lambda _: None))
        return
    with Live(console=console, auto_refresh=False) as live:

        def shown(seen: checking.Watched) -> None:
            live.update(Text(checking.live(seen)), refresh=True)

        asyncio.run(watching(partial(console.print, markup=False), shown))


@cli.group()
def config() -> None:
    """Check, describe and show the configuration."""


@config.command()
@_config_option
@_cluster_option
def check(config_file: Path, cluster: str | None) -> None:
    """Read the configuration and all that it names; exit code 2 if there is a mistake."""
    from exporter.commands import load as loading  # noqa: PLC0415
    from exporter.config.yaml_reader import SettingsError  # noqa: PLC0415

    try:
        found = loading.check(config_file, cluster)
    except SettingsError as error:
        raise Usage(str(error)) from error
    click.echo(f"{config_file}: {found}")


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from exporter.config import settings  # noqa: PLC0415

    click.echo(json.dumps(settings.schema(), indent=2))


@config.command()
@_config_option
def show(config_file: Path) -> None:
    """Print the configuration as it takes effect, defaults and all."""
    from exporter.commands.load import read_settings  # noqa: PLC0415
    from exporter.config import settings  # noqa: PLC0415
    from exporter.config.yaml_reader import SettingsError  # noqa: PLC0415

    try:
        click.echo(settings.show(read_settings(config_file)), nl=False)
    except SettingsError as error:
        raise Usage(str(error)) from error


def _shard(text: str | None) -> "Shard | None":
    from exporter.commands.run.shard import ALL, parse_shard  # noqa: PLC0415

    try:
        return ALL if text is None else None if text == "auto" else parse_shard(text)
    except ValueError as error:
        msg = f"--shard: {error}"
        raise Usage(msg) from error


def _host_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65535:  # noqa: PLR2004 - ports are 16 bits
        msg = f"--web.listen-address: {text!r} is not host:port; for example :9877 or [::1]:9877"
        raise Usage(msg)
    return host.strip("[]"), int(port)


def main() -> None:
    """Run the command line."""
    cli(prog_name=PROGRAM)
