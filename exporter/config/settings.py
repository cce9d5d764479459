"""What an operator may set: frozen, strict, with one error type."""

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta, Struct, field

from exporter.config.label_selector import Requirement, parse_selector
from exporter.config.probe_settings import FastSettings, ProbeSettings
from exporter.config.scalars import SCHEMAS, Cidr, Duration
from exporter.config.yaml_reader import SettingsError, read_struct
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Lookup, Vantage

_URL = re.compile(r"https?://[!-~]+")


def _wants(condition: object, message: str) -> None:
    if not condition:
        raise SettingsError(message)


def _default(value: Any, name: str | None = None) -> Any:  # noqa: ANN401 - as msgspec's field
    # A factory, since msgspec cannot write a default of our own types into a schema; ours can.
    return field(default_factory=lambda: value, name=name)


class KubernetesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is discovered in the local cluster."""

    namespaces: Annotated[
        tuple[str, ...], Meta(description="Globs of the namespaces whose services are wanted.")
    ] = ("*",)
    selector: Annotated[
        str, Meta(description="Label selector of the services wanted, such as team=shop.")
    ] = ""
    config_map: Annotated[
        str, Meta(description="The exporter's own ConfigMap; Karmada's annotation on it is read.")
    ] = "clusterset-exporter"
    lease: Annotated[
        str | None,
        Meta(description="Lease that elects which of several replicas works; null: this one does."),
    ] = None

    def __post_init__(self) -> None:
        """Refuse a selector that is none."""
        _wants(self.namespaces, 'namespaces is empty; write for example ["*"]')
        self.requirements()

    def requirements(self) -> tuple[Requirement, ...]:
        """Return the selector as it is applied."""
        try:
            return parse_selector(self.selector)
        except ValueError as error:
            msg = f"selector: {error}"
            raise SettingsError(msg) from error


class InventorySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the inventory comes from."""

    static: Annotated[str | None, Meta(description="Path of the inventory file.")] = None
    kubernetes: Annotated[
        KubernetesSettings | None, Meta(description="{}: discovered in the local cluster.")
    ] = None

    def __post_init__(self) -> None:
        """Want one source."""
        told = "want one of static: inventory.yaml and kubernetes: {}"
        _wants((self.static is None) is not (self.kubernetes is None), told)
        _wants(self.static != "", "static is empty; write static: inventory.yaml")


class NginxFormat(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A format out of an nginx configuration."""

    nginx_conf: Annotated[str, Meta(description="Such as /etc/nginx/nginx.conf.")]
    name: Annotated[
        str | None, Meta(description="Of the log_format; null: the only one, else combined.")
    ] = None


class ToldService(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The service is told by the lines, or by who wrote them."""

    host: Annotated[bool, Meta(description="By the host that each request names.")] = False
    pod: Annotated[
        bool, Meta(description="By the pod that the name of a node's log file names.")
    ] = False

    def __post_init__(self) -> None:
        """Refuse what says nothing."""
        told = "want one of host: true and pod: true; or write namespace/name instead"
        _wants(self.host is not self.pod, told)


class PodLogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The logs of the pods behind exported services, by the API server."""

    limit: Annotated[int, Meta(ge=1, le=900, description="Pods that are followed at once.")] = 200


class LogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source of access logs."""

    files: Annotated[
        tuple[str, ...], Meta(description="Paths and globs; - is standard input.")
    ] = ()
    syslog: Annotated[
        str | None,
        Meta(description="udp://host:port, tcp://host:port, unix:///path or unix-stream:///path."),
    ] = None
    pods: Annotated[
        PodLogSettings | None,
        Meta(description="{}: those behind exported services; wants inventory.kubernetes."),
    ] = None
    format: Annotated[
        str | NginxFormat,
        Meta(description="combined, main, json, a log_format string, or {nginx_conf: path}."),
    ] = "main"
    wrapper: Annotated[str, Meta(description="What is around each line: none, cri or docker.")] = (
        "none"
    )
    service: Annotated[
        str | ToldService | None,
        Meta(
            description="namespace/name that the logs belong to, {host: true}, or {pod: true} for "
            "the files of a node; null for pods, which tell."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        from_conf = isinstance(self.format, NginxFormat)
        given = [
            name
            for name, holds in (
                ("files", self.files),
                ("syslog", self.syslog),
                ("pods", self.pods is not None),
            )
            if holds
        ]
        _wants(given or from_conf, "files is missing; write files: [/var/log/nginx/access.log]")
        _wants(len(given) <= 1, f"{' and '.join(given)} are two sources; write two")
        if self.pods is None:
            _wants(self.service is not None, "service is missing; write service: namespace/name")
        else:
            _wants(self.service is None, "service: pods tell theirs; leave it out")
            _wants(self.wrapper == "none", "wrapper: pods have none; leave it out")
        wrappers = {"none", "cri", "docker"}
        told = f"wrapper {self.wrapper!r} should be none, cri or docker"
        _wants(self.wrapper in wrappers, told)
        if self.by_pod:
            _wants(self.files and "-" not in self.files, "service: {pod: true} is for files")
            _wants(self.wrapper != "none", "wrapper is missing; write wrapper: cri, or docker")
        if isinstance(self.service, str):
            parts = self.service.split("/")
            named = len(parts) == 2 and all(parts)  # noqa: PLR2004
            _wants(named, f"service {self.service!r} should be namespace/name")

    @property
    def by_pod(self) -> bool:
        """Return whether the names of the files tell which pods wrote them."""
        return isinstance(self.service, ToldService) and self.service.pod

    @property
    def service_name(self) -> ServiceName | None:
        """Return the service that the logs belong to; None if the host tells."""
        if not isinstance(self.service, str):
            return None
        namespace, _, name = self.service.partition("/")
        return ServiceName(namespace, name)


class IgnoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests that are no client traffic."""

    user_agents: Annotated[tuple[str, ...], Meta(description="Beginnings of user agents.")] = (
        "kube-probe/",
    )
    paths: Annotated[tuple[str, ...], Meta(description="Exact paths.")] = ()


class AttributionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a client is told."""

    trusted_proxies: Annotated[
        tuple[Cidr, ...], Meta(description="Networks whose X-Forwarded-For is believed.")
    ] = ()
    ignore: IgnoreSettings = IgnoreSettings()


class LimitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of the process."""

    series: Annotated[int, Meta(ge=100, description="Series that may be held.")] = 50_000


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration file."""

    cluster: Annotated[str | None, Meta(description="Id of the cluster this runs in.")] = None
    clusterset_domain: Annotated[str, Meta(description="Zone of the clusterset names.")] = (
        "clusterset.local"
    )
    inventory: InventorySettings
    probe: ProbeSettings = _default(ProbeSettings())
    logs: Annotated[tuple[LogSettings, ...], Meta(description="Access logs.")] = ()
    attribution: AttributionSettings = _default(AttributionSettings())
    leak_grace: Annotated[
        Duration, Meta(description="Clients may be served elsewhere for so long after a change.")
    ] = _default(Duration(30))
    export_grace: Annotated[
        Duration, Meta(description="Hits count as failover for so long after an export vanished.")
    ] = _default(Duration(600))
    probe_key_file: Annotated[
        str | None, Meta(description="Key that signs probes, the same for all exporters.")
    ] = None
    limits: LimitSettings = LimitSettings()
    state_directory: Annotated[
        str | None, Meta(description="Where to keep how far logs were read; null: nowhere.")
    ] = None
    dashboard_url: Annotated[
        str | None,
        Meta(description="Of Grafana's board of a service; the status page links to it."),
    ] = None

    def __post_init__(self) -> None:
        """Refuse names that are none."""
        label = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
        told = f"cluster {self.cluster!r} should be a DNS label, such as east-1"
        _wants(self.cluster is None or re.fullmatch(label, self.cluster), told)
        url_ok = self.dashboard_url is None or _URL.fullmatch(self.dashboard_url)
        told = f"dashboard_url {self.dashboard_url!r} should begin with http:// or https://"
        _wants(url_ok, told)
        told = f"clusterset_domain {self.clusterset_domain!r} should be a DNS name"
        _wants(re.fullmatch(rf"{label}(\.{label})*", self.clusterset_domain), told)
        pods = [entry for entry in self.logs if entry.pods is not None]
        _wants(not pods or self.inventory.kubernetes is not None, "logs: pods want kubernetes")
        _wants(len(pods) <= 1, "logs: pods is given twice; keep one")
        by_pod = any(entry.by_pod for entry in self.logs)
        told = "logs: service: {pod: true} wants inventory: {kubernetes: {}}"
        _wants(not by_pod or self.inventory.kubernetes is not None, told)

    @property
    def compared(self) -> tuple[tuple[Vantage, Lookup], ...]:
        """Return all ways in which plain names are looked up, and who is asked."""
        asked = self.probe.lighthouse
        found = self.inventory.kubernetes is not None if asked == "discovered" else bool(asked)
        return (
            (Vantage.RESOLVER, Lookup.A),
            *((Vantage.RESOLVER, lookup) for lookup in self.probe.lookups),
            *(((Vantage.LIGHTHOUSE, Lookup.A),) if found else ()),
        )


DISCOVERED = Settings(inventory=InventorySettings(kubernetes=KubernetesSettings()))
"""What holds without a configuration file."""


def load(path: Path) -> Settings:
    """
    Read the configuration file; paths in it are relative to its folder.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    settings = read_struct(path, Settings, dec_hook=_decode)
    folder = path.parent

    def beside(name: str) -> str:
        return str(folder / name)

    def log_beside(entry: LogSettings) -> LogSettings:
        form = entry.format
        if isinstance(form, NginxFormat):
            form = msgspec.structs.replace(form, nginx_conf=beside(form.nginx_conf))
        files = tuple(name if name == "-" else beside(name) for name in entry.files)
        return msgspec.structs.replace(entry, files=files, format=form)

    key, state = settings.probe_key_file, settings.state_directory
    return msgspec.structs.replace(
        settings,
        inventory=(
            InventorySettings(static=beside(settings.inventory.static))
            if settings.inventory.static
            else settings.inventory
        ),
        probe=settings.probe.beside(beside),
        logs=tuple(map(log_beside, settings.logs)),
        probe_key_file=None if key is None else beside(key),
        state_directory=None if state is None else beside(state),
    )


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file."""
    made = msgspec.json.schema(Settings, schema_hook=SCHEMAS.__getitem__)
    parts = made["$defs"]
    for kind in (Settings, ProbeSettings, FastSettings):
        for each in msgspec.structs.fields(kind):
            if each.default_factory is not msgspec.NODEFAULT:
                default = msgspec.to_builtins(each.default_factory(), enc_hook=str)
                parts[kind.__name__]["properties"][each.encode_name]["default"] = default
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def show(settings: Settings) -> str:
    """Return the configuration as YAML, with all defaults; it has no secrets, only their paths."""
    plain = msgspec.to_builtins(settings, enc_hook=str)
    return yaml.safe_dump(plain, sort_keys=False, default_flow_style=None, width=100)


def _decode(kind: type, value: object) -> object:
    return kind.parse(value)  # type: ignore[attr-defined]
