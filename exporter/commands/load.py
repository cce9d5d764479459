"""The configuration and all that it names."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from exporter.accesslog.formats.nginx import FormatError
from exporter.accesslog.nginx_conf import NginxConfError, read_nginx_conf
from exporter.accesslog.readers.syslog import Endpoint
from exporter.accesslog.source import LogSource, compile_source
from exporter.config.http_settings import TlsSettings
from exporter.config.log_settings import LogSettings
from exporter.config.paths import STDIN, resolve_paths
from exporter.config.settings import DISCOVERED, Settings, parse_settings
from exporter.config.yaml_reader import SettingsError
from exporter.discover.static import read_inventory
from exporter.files.small_file import read_text
from exporter.probe.nameservers import system_resolvers
from exporter.probe.resolve import Server
from exporter.probe.tls import make_context


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """A configuration and what it names, read together so that a mistake in any stops all."""

    settings: Settings
    local: str
    """The cluster; empty if it is to be discovered."""
    key: bytes | None
    """What probes are signed with."""
    resolvers: tuple[Server, ...]
    lighthouse: tuple[Server, ...] | None = ()
    """None: those that are discovered."""
    tls: Mapping[TlsSettings, ssl.SSLContext] = field(default_factory=dict)
    """What https is spoken with."""
    logs: tuple[LogSource, ...]

    @property
    def inventory_file(self) -> Path:
        """Return where the inventory is."""
        return Path(self.settings.inventory.static or "")


def read_settings(path: Path) -> Settings:
    """
    Read the configuration file; relative paths in it are relative to its folder.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    return resolve_paths(parse_settings(read_text(path), source=str(path)), path.parent)


def load(path: Path | None, cluster: str | None) -> RuntimeConfig:
    """
    Read the configuration, and all that it names but the inventory.

    Args:
        path: The configuration file; None for what is discovered in the local cluster.
        cluster: The cluster that this is for; goes before the one in the file.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    read = DISCOVERED if path is None else read_settings(path)
    local = cluster or read.cluster or ""
    if not local and read.inventory.kubernetes is None:
        msg = (
            f"{path}: cluster: it is not said which cluster this is; set `cluster:` in the file, "
            "--cluster, or CLUSTER_NAME in the environment"
        )
        raise SettingsError(msg)
    key = None
    if read.probe_key_file is not None:
        key = read_text(Path(read.probe_key_file)).strip().encode()
        if not key:
            msg = f"{read.probe_key_file}: is empty; write the key that all exporters share"
            raise SettingsError(msg)
    resolvers = tuple(Server(*each.pair) for each in read.probe.resolvers) or system_resolvers()
    logs = tuple(_source(f"{path}: logs[{n}]", entry, read) for n, entry in enumerate(read.logs))
    titles = [source.title for source in logs]
    for n, title in enumerate(titles):
        if title in titles[:n]:
            msg = f"{path}: logs[{n}]: {title} is given twice; keep one"
            raise SettingsError(msg)
    return RuntimeConfig(
        settings=read,
        local=local,
        key=key,
        resolvers=resolvers,
        lighthouse=_lighthouse(read),
        tls={each: _tls_context(path, each) for each in read.probe.tls_configs()},
        logs=logs,
    )


def _lighthouse(read: Settings) -> tuple[Server, ...] | None:
    given = read.probe.lighthouse
    return None if isinstance(given, str) else tuple(Server(*each.pair) for each in given)


def refuse_reach(loaded: RuntimeConfig, *, kubeconfig: str | None, context: str | None) -> None:
    """
    Refuse to be told how to reach an API server that is not asked.

    Raises:
        SettingsError: If the inventory is a file.
    """
    given = "--kubeconfig" if kubeconfig is not None else "--context"
    if loaded.settings.inventory.kubernetes is None and (kubeconfig or context) is not None:
        msg = (
            f"{given}: the inventory is {loaded.inventory_file}, so no API server is asked; leave "
            f"{given} out, or write inventory: {{kubernetes: {{}}}}"
        )
        raise SettingsError(msg)


def refuse_change(before: RuntimeConfig, after: RuntimeConfig, *, local: str) -> None:
    """
    Refuse a configuration that only a restart can take into use.

    Args:
        before: The configuration in use.
        after: The new one.
        local: The cluster that this runs in.

    Raises:
        SettingsError: With what cannot change.
    """
    old, new = before.settings.inventory.kubernetes, after.settings.inventory.kubernetes
    if (old is None) is not (new is None):
        msg = "inventory: cannot change between static and kubernetes; restart"
        raise SettingsError(msg)
    if after.local not in {before.local, local}:
        msg = f"cluster: cannot change from {local} to {after.local or 'another word'}; restart"
        raise SettingsError(msg)
    if old is not None and new is not None and old.lease != new.lease:
        change = f"from {old.lease or 'none'} to {new.lease or 'none'}"
        msg = f"inventory.kubernetes.lease: cannot change {change}; restart"
        raise SettingsError(msg)


def _tls_context(path: Path | None, wanted: TlsSettings) -> ssl.SSLContext:
    files = {
        name: None if file is None else Path(file)
        for name, file in (
            ("ca_file", wanted.ca_file),
            ("cert_file", wanted.cert_file),
            ("key_file", wanted.key_file),
        )
    }
    try:
        return make_context(verify=not wanted.insecure_skip_verify, **files)
    except OSError as error:
        told = ", ".join(f"{name} {file}" for name, file in files.items() if file is not None)
        msg = f"{path}: tls_config: {told} cannot be used: {error.strerror or error}"
        raise SettingsError(msg) from error


def _source(where: str, entry: LogSettings, read: Settings) -> LogSource:
    files, form = entry.files, entry.format
    try:
        endpoint = None if entry.syslog is None else Endpoint.parse(entry.syslog)
        if not isinstance(form, str):
            found = read_nginx_conf(Path(form.nginx_conf), form.name)
            form, files = found.format, files or found.files
            if not files and endpoint is None:
                msg = f"{entry.format} writes no file; name the files"
                raise SettingsError(msg)
        if STDIN in files and len(files) > 1:
            msg = "- is standard input, a source of its own; write another entry for the files"
            raise SettingsError(msg)
        made = LogSource(
            files=() if endpoint else files,
            syslog=endpoint,
            form=form,
            wrapper=entry.wrapper,
            service=entry.service_name,
            pods=None if entry.pods is None else entry.pods.limit,
            by_pod=entry.by_pod,
            ignore_user_agents=read.attribution.ignore.user_agents,
            ignore_paths=read.attribution.ignore.paths,
            trusts_proxies=bool(read.attribution.trusted_proxies),
            state_directory=None if read.state_directory is None else Path(read.state_directory),
        )
        compile_source(made)
    except FormatError as error:
        msg = f"{where}.format: {error}"
        raise SettingsError(msg) from error
    except (NginxConfError, ValueError) as error:
        msg = f"{where}: {error}"
        raise SettingsError(msg) from error
    return made


def _not_there_yet(sources: tuple[LogSource, ...]) -> str:
    """Name the files that there are none of; nginx may make them later, so that is no fault."""
    named = (name for source in sources for name in source.files if name != STDIN)
    missing = [name for name in named if not glob(name)]  # noqa: PTH207 - as they are followed
    return f"; no file yet for {', '.join(missing)}" if missing else ""


def check(path: Path | None, cluster: str | None) -> str:
    """Read the configuration and the inventory as `run` would; return what was found, in a line."""
    loaded = load(path, cluster)
    sources = f"log sources: {len(loaded.settings.logs)}{_not_there_yet(loaded.logs)}"
    if loaded.settings.inventory.kubernetes is not None:
        return f"well: cluster {loaded.local or 'and services'} to be discovered, {sources}"
    inventory = read_inventory(loaded.inventory_file, loaded.local)
    return (
        f"well: cluster {loaded.local} (1 of {len(inventory.clusters)}), "
        f"services: {len(inventory.services)}, {sources}"
    )
