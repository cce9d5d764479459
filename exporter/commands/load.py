"""The configuration and the files it names; the plans of the stages are cut from it here."""

from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from exporter.accesslog.formats.log_format import FormatError
from exporter.accesslog.nginx_conf import NginxConfError, read_nginx_conf
from exporter.accesslog.readers.syslog import Endpoint
from exporter.accesslog.source import LogSource, PodMatch, compile_source
from exporter.commands.log_hosts import concerned, effect, is_hostless, remedy
from exporter.commands.probe_tls import tls_context
from exporter.config.log_settings import LogSettings
from exporter.config.paths import STDIN, resolve_paths
from exporter.config.scalars import HostPort
from exporter.config.settings import DISCOVERED, KubernetesSettings, Settings, parse_settings
from exporter.config.yaml_reader import SettingsError
from exporter.discover.resources import Scope
from exporter.discover.static import read_inventory
from exporter.files.small_file import read_text
from exporter.judge.named_services import plain_name
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.probes import Record
from exporter.model.verdicts import Policy
from exporter.probe.keys import parse_keys
from exporter.probe.nameservers import system_resolvers
from exporter.probe.plan import ProbePlan
from exporter.probe.resolve import Server
from exporter.probe.schedule import Pace

UNSURE = (
    "the format has no $host, so where another cluster exports a service, too, a request for its "
    "pinned name here counts as a leak"
)
"""What is wrong if it matters, which only the inventory of the cluster tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """A configuration and the files it names, read together so that any mistake stops all."""

    settings: Settings
    local: str
    """The cluster that this exporter runs in; empty if it has to be discovered."""
    probes: ProbePlan
    logs: tuple[LogSource, ...]

    def policy_of(self, service: ServiceName) -> Policy:
        """Return whether clients of *service* are meant to stay in their cluster."""
        return self.settings.probe.for_service(service).policy

    @property
    def told_hosts(self) -> frozenset[str] | None:
        """
        Return the hosts whose services all logs by HTTPRoutes and Ingresses are told.

        It is None if there is no such log, so that these objects are not needed.
        """
        told = [{name for name, _ in each.names} for each in self.logs if each.by_route]
        return frozenset(set.intersection(*told)) if told else None

    @property
    def inventory_file(self) -> Path:
        """Return the path of the inventory file."""
        return Path(self.settings.inventory.static or "")

    @property
    def state_directory(self) -> Path | None:
        """Return where state is kept over restarts; None: nowhere."""
        state = self.settings.state_directory
        return None if state is None else Path(state)


def scope_of(kubernetes: KubernetesSettings) -> Scope:
    """Return the namespaces that discovery reads."""
    return Scope(namespaces=kubernetes.watch_namespaces, submariner=kubernetes.submariner_namespace)


def read_settings(path: Path) -> Settings:
    """
    Read the configuration file; relative paths in it are relative to its folder.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    return resolve_paths(parse_settings(read_text(path), source=str(path)), path.parent)


def load(path: Path | None, cluster: str | None) -> RuntimeConfig:
    """
    Read the configuration and all the files it names, except the inventory.

    Args:
        path: The configuration file; None if everything is discovered in the local cluster.
        cluster: The cluster that this exporter runs in; overrides the one in the file.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    settings = DISCOVERED if path is None else read_settings(path)
    local = cluster or settings.cluster or ""
    if not local and settings.inventory.kubernetes is None:
        msg = (
            f"{path}: cluster: the cluster of this exporter is not known; set `cluster:` in the "
            "file, --cluster, or CLUSTER_NAME in the environment"
        )
        raise SettingsError(msg)
    return RuntimeConfig(
        settings=settings,
        local=local,
        probes=probe_plan(settings, str(path)),
        logs=_log_sources(settings, str(path)),
    )


def probe_plan(settings: Settings, source: str) -> ProbePlan:
    """
    Cut the plan of the probes from *settings*; reads the keys, certificates and resolv.conf.

    Args:
        settings: The configuration.
        source: The name of the configuration file, which begins error messages.

    Raises:
        SettingsError: If one of the files cannot be used.
    """
    probe = settings.probe
    given, address = probe.lighthouse, probe.source_address
    key_file = settings.probe_key_file
    return ProbePlan(
        domain=settings.clusterset_domain,
        for_service=probe.for_service,
        pinned=probe.pinned,
        record=Record(probe.record),
        lookups=probe.lookups,
        resolvers=_servers(probe.resolvers) or system_resolvers(),
        follow_resolv_conf=not probe.resolvers,
        lighthouse=None if isinstance(given, str) else _servers(given),
        source=None if address is None else address.address,
        keys=() if key_file is None else read_keys(key_file),
        tls={each: tls_context(each, source) for each in probe.tls_configs()},
        timeout=probe.timeout,
        pace=Pace(
            timeout=probe.timeout,
            fast_interval=probe.fast.interval,
            fast_for=probe.fast.for_,
            jitter=probe.jitter or 0.0,
            in_flight=probe.limits.in_flight,
            per_second=probe.limits.per_second,
        ),
    )


def _servers(given: tuple[HostPort, ...]) -> tuple[Server, ...]:
    return tuple(Server(*each.pair) for each in given)


def read_keys(file: str) -> tuple[bytes, ...]:
    """
    Read the keys of probes; the first one signs.

    Raises:
        SettingsError: With one line that names the file, and contains nothing of a key.
    """
    text = read_text(Path(file), wanted="a file with one key a line")
    return parse_keys(text, source=file)


def _log_sources(settings: Settings, source: str) -> tuple[LogSource, ...]:
    made = [
        _log_source(f"{source}: logs[{n}]", entry, settings)
        for n, entry in enumerate(settings.logs)
    ]
    titles = [each.title for each in made]
    for n, title in enumerate(titles):
        if title in titles[:n]:
            msg = f"{source}: logs[{n}]: {title} is given twice; keep one"
            raise SettingsError(msg)
    return tuple(made)


def _log_source(where: str, entry: LogSettings, settings: Settings) -> LogSource:
    try:
        made = _compiled(entry, settings)
    except FormatError as error:
        msg = f"{where}.format: {error}"
        raise SettingsError(msg) from error
    except (NginxConfError, ValueError) as error:
        msg = f"{where}: {error}"
        raise SettingsError(msg) from error
    return made


def _format_and_files(entry: LogSettings) -> tuple[str, tuple[str, ...]]:
    """Return the format of *entry* as text, and its files; nginx's configuration may name both."""
    if isinstance(entry.format, str):
        return entry.format, entry.files
    if entry.format.nginx_conf is None:
        return entry.format.map, entry.files
    found = read_nginx_conf(Path(entry.format.nginx_conf), entry.format.name)
    files = entry.files or found.files
    if not files and entry.syslog is None:
        msg = f"{entry.format.nginx_conf} writes no file in this format; name the files"
        raise SettingsError(msg)
    return found.format, files


def _compiled(entry: LogSettings, settings: Settings) -> LogSource:
    """Return the log source of *entry*, after its format was compiled once to find mistakes."""
    ignore, directory = settings.attribution.ignore, settings.state_directory
    endpoint = None if entry.syslog is None else Endpoint.parse(entry.syslog)
    form, files = _format_and_files(entry)
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
        match=_match(entry),
        by_pod=entry.by_pod,
        after_lease=entry.after_lease,
        names=tuple((plain_name(name), service) for name, service in entry.names),
        by_upstream=entry.by_upstream,
        by_route=entry.by_route,
        gateway=entry.told_by_line and not entry.by_pod,
        ignore_user_agents=ignore.user_agents,
        ignore_paths=ignore.paths,
        trusts_proxies=bool(settings.attribution.trusted_proxies),
        state_directory=None if directory is None else Path(directory),
    )
    compile_source(made)
    return made


def _match(entry: LogSettings) -> PodMatch | None:
    pods = entry.pods
    if pods is None or pods.namespace is None or pods.selector is None:
        return None
    return PodMatch(pods.namespace, pods.selector)


def check_config(path: Path | None, cluster: str | None) -> tuple[str, list[str]]:
    """
    Read the configuration and the inventory as `run` does.

    Returns:
        One line about them, and one for each log format that is worth a warning.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    loaded = load(path, cluster)
    sources = f"log sources: {len(loaded.logs)}{_missing_files(loaded.logs)}"
    if loaded.settings.inventory.kubernetes is not None:
        what = f"cluster {loaded.local}, services" if loaded.local else "cluster and services"
        hints = [_hint(each, UNSURE) for each in loaded.logs if is_hostless(each)]
        return f"OK: {what} to be discovered, {sources}", hints
    inventory = read_inventory(loaded.inventory_file, loaded.local)
    told = (
        f"OK: cluster {loaded.local} (1 of {len(inventory.clusters)}), "
        f"services: {len(inventory.services)}, {sources}"
    )
    return told, list(_hints(loaded, inventory))


def _hints(loaded: RuntimeConfig, inventory: Inventory) -> Iterator[str]:
    for rule in loaded.settings.probe.services:
        if not any(rule.matches(service) for service in inventory.services):
            yield f"probe.services: {rule.match} matches no service of the inventory"
    for source in loaded.logs:
        if source.service is not None and source.service not in inventory.services:
            known = ", ".join(map(str, inventory.services)) or "none"
            why = f"{source.service} is not in the inventory: not counted; known are {known}"
            yield f"log {source.title}: {why}"
        for name, service in source.names:
            if service not in inventory.services:
                yield f"log {source.title}: {name}: {service} is not in the inventory: not counted"
        if source.service is not None and is_hostless(source):
            services = concerned(inventory, [source.service], loaded.policy_of)
            if services:
                domain = loaded.settings.clusterset_domain
                yield _hint(source, effect(services, loaded.local, domain))


def _hint(source: LogSource, what: str) -> str:
    return f"log {source.title}: {what}; {remedy(source.form)}"


def _missing_files(sources: tuple[LogSource, ...]) -> str:
    """Name the log files that do not exist; that is no fault, because nginx may create them."""
    named = (name for source in sources for name in source.files if name != STDIN)
    missing = [name for name in named if not glob(name)]  # noqa: PTH207 - as they are followed
    return f"; no file yet for {', '.join(missing)}" if missing else ""
