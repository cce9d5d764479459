"""The process of one exporter: signals, start, serving, stop."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from exporter import __version__
from exporter.commands.load import RuntimeConfig, load
from exporter.commands.refuse import refuse_reach
from exporter.commands.run.daemon import Daemon
from exporter.commands.run.generations import Ending, Generations
from exporter.commands.run.replica import replica_name
from exporter.commands.run.shard import ALL, Shard, own_shard
from exporter.commands.run.signals import extend, handled
from exporter.commands.run.state_directory import check_state_directory
from exporter.commands.run.threads import start_threads
from exporter.config.yaml_reader import SettingsError
from exporter.probe.drivers.driver import Driver
from exporter.web.app import serve
from exporter.web.auth import WebAuth
from exporter.web.entry import Entry

if TYPE_CHECKING:
    from exporter.apiserver.client import ApiClient

LAST_SCRAPE_SECONDS = 40.0
"""Longest wait of a leader that ends for one more scrape; most Prometheus come each 30 seconds."""

log = structlog.get_logger()


class ListenError(Exception):
    """The exporter cannot listen on an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line of `run`."""

    config_file: Path | None
    """None: everything is discovered in the local cluster."""
    cluster: str | None
    listen: tuple[tuple[str, int], ...]
    """Hosts and ports."""
    telemetry_path: str
    web_config: Path | None = None
    use_log_level: Callable[[str | None], None] = lambda _: None
    """Changes the least severe level that is logged; None stands for that of the command line."""
    lifecycle: bool = False
    """True if a request may reload the configuration."""
    hosts: tuple[str, ...] = ()
    """Further names of this server, for requests that make it do something."""
    kubeconfig: str | None = None
    context: str | None = None
    shard: Shard | None = ALL
    """None: the name of the pod tells."""
    pod: str = ""
    """The name of the pod that this process runs in."""
    uid: str = ""
    """Its UID; empty if it is not known."""
    stop_seconds: float | None = None
    """Time for an orderly end, after which the process is ended; None for no limit."""
    last_scrape: float = 0.0
    """Longest time in seconds that a leader which ends is still there for one more scrape."""


async def run(options: Options, driver: Driver) -> None:
    """
    Run one exporter until SIGTERM or SIGINT.

    Args:
        options: The command line.
        driver: Waits for the sockets of probes.

    Raises:
        SettingsError: If the configuration or the inventory is wrong at the start.
        ListenError: If the exporter cannot listen on an address.
        EndedError: If the exporter cannot continue.
    """
    ending, hangup = Ending(), asyncio.Event()
    read = partial(_read_configuration, options)
    signals = {signal.SIGTERM: ending.signal, signal.SIGINT: ending.signal, signal.SIGHUP: hangup}
    start_threads()
    with handled(signals, options.stop_seconds):
        loaded = await asyncio.to_thread(read)
        auth = await _web_auth(options)
        if auth is None or not auth.asks_api_server:
            refuse_reach(loaded, kubeconfig=options.kubeconfig, context=options.context)
        async with AsyncExitStack() as stack:
            client = await _open_client(stack, options, loaded)
            await _review_tokens(stack, options, client, auth)
            replica = partial(replica_name, options.pod, options.uid, loaded.state_directory)
            make = partial(
                Daemon,
                read=read,
                driver=driver,
                client=client,
                replica=await asyncio.to_thread(replica),
                shard=await _shard(client, options),
                auth=auth,
                hangup=hangup,
                use_log_level=options.use_log_level,
            )
            daemons = Generations(make, loaded, ending)
            await daemons.daemon.prepare()
            await _serve(daemons, options, auth)


def _read_configuration(options: Options) -> RuntimeConfig:
    loaded = load(options.config_file, options.cluster)
    if loaded.settings.state_directory is not None:
        check_state_directory(Path(loaded.settings.state_directory), os.environ)
    return loaded


async def _open_client(
    stack: AsyncExitStack, options: Options, loaded: RuntimeConfig
) -> "ApiClient | None":
    if loaded.settings.inventory.kubernetes is None:
        return None
    from exporter.apiserver.open_client import open_client  # noqa: PLC0415 - only in a cluster

    return await stack.enter_async_context(open_client(options.kubeconfig, options.context))


async def _web_auth(options: Options) -> WebAuth | None:
    if options.web_config is None:
        return None
    return await asyncio.to_thread(WebAuth, options.web_config)


async def _review_tokens(
    stack: AsyncExitStack, options: Options, client: "ApiClient | None", auth: WebAuth | None
) -> None:
    """Have the API server asked about tokens. A static inventory alone opens no client."""
    if auth is None or (client is None and not auth.asks_api_server):
        return
    from exporter.apiserver.open_client import open_client  # noqa: PLC0415 - only in a cluster
    from exporter.commands.run.token_review import reviewing  # noqa: PLC0415 - only in a cluster

    if client is None:
        opened = open_client(options.kubeconfig, options.context)
        client = await stack.enter_async_context(opened)
    auth.review_by(reviewing(client))


async def _shard(client: "ApiClient | None", options: Options) -> Shard:
    if options.shard is not None:
        return options.shard
    if client is None:
        msg = "--shard auto: needs inventory.kubernetes; write for example 0/3"
        raise SettingsError(msg)
    return await own_shard(client, options.pod)


def _tune_garbage_collector() -> None:
    # The objects that exist at the start stay. Looking for garbage among them again and again
    # would delay probes by 15 ms each time, with 10,000 series.
    gc.freeze()
    # Few objects are garbage in reference cycles: closed transports of asyncio, some errors. What
    # a collection looks at is bounded: it takes about 1 ms of new objects, and 5 ms of old ones.
    gc.set_threshold(2_000, 10, 10)


async def _serve(daemons: Generations, options: Options, auth: WebAuth | None) -> None:
    hosts = frozenset(host.lower() for host in options.hosts)
    entry = Entry(auth=auth, lifecycle=options.lifecycle, hosts=hosts)
    pages, path = daemons.pages(), options.telemetry_path
    _tune_garbage_collector()
    try:
        async with serve(pages, options.listen, telemetry_path=path, entry=entry) as addresses:
            await daemons.run(partial(_log_start, addresses))
            if options.last_scrape:
                extend(options.last_scrape + (options.stop_seconds or 0.0))
                await daemons.daemon.last_scrape(options.last_scrape)
    except OSError as error:
        wanted = " or ".join(_url_host(host, port) for host, port in options.listen)
        why = error.strerror or error
        msg = f"cannot listen on {wanted}: {why}; choose an address by --web.listen-address"
        raise ListenError(msg) from error
    daemons.ending.raise_error()


def _log_start(addresses: list[tuple[str, int]], daemon: Daemon) -> None:
    listen = ", ".join(_url_host(host, port) for host, port in addresses)
    log.info("started", version=__version__, cluster=daemon.monitor.local, listen=listen)


def _url_host(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
