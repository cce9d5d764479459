"""The configuration file as frozen values; a wrong value is a SettingsError."""

import re
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from exporter.config.label_selector import Requirement, parse_selector
from exporter.config.log_settings import AttributionSettings, LogSettings
from exporter.config.probe_settings import ProbeSettings
from exporter.config.require import default, require
from exporter.config.scalars import LABEL, Duration
from exporter.config.yaml_reader import SettingsError, parse_struct
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Lookup, Vantage

_URL = re.compile(r"https?://[!-~]+")


class KubernetesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the exporter discovers in the local cluster."""

    namespaces: Annotated[
        tuple[str, ...], Meta(description="Globs of the namespaces whose services are used.")
    ] = ("*",)
    watch_namespaces: Annotated[
        tuple[str, ...],
        Meta(
            max_length=100,
            description="Namespaces whose objects are listed and watched, so that Roles in them "
            "are enough; empty: all namespaces, which needs a ClusterRole.",
        ),
    ] = ()
    submariner_namespace: Annotated[
        str | None,
        Meta(
            description="Namespace of Submariner, read beside watch_namespaces; null: Submariner "
            "is not installed."
        ),
    ] = "submariner-operator"
    selector: Annotated[
        str, Meta(description="Label selector of the services used, such as team=shop.")
    ] = ""
    config_map: Annotated[
        str, Meta(description="The exporter's own ConfigMap, with Karmada's annotation.")
    ] = "clusterset-exporter"
    events: Annotated[
        bool,
        Meta(
            description="Write Kubernetes Events about Services: failovers, blackouts, leaks, and "
            "their end."
        ),
    ] = False
    lease: Annotated[
        str | None, Meta(description="Lease that elects the replica that works; null: no election.")
    ] = None

    def __post_init__(self) -> None:
        """Refuse what is no namespace, and a selector that cannot be read."""
        require(self.namespaces, 'namespaces is empty; write for example ["*"]')
        for each in (*self.watch_namespaces, *filter(None, (self.submariner_namespace,))):
            told = f"{each!r} should be the name of a namespace, such as shop, not a pattern"
            require(re.fullmatch(LABEL, each), told)
        require(self.submariner_namespace != "", "submariner_namespace is empty; write null")
        self.requirements()

    def requirements(self) -> tuple[Requirement, ...]:
        """Return the conditions of the selector."""
        try:
            return parse_selector(self.selector)
        except ValueError as error:
            msg = f"selector: {error}"
            raise SettingsError(msg) from error


class InventorySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the inventory comes from."""

    static: Annotated[str | None, Meta(description="Path of the inventory file.")] = None
    kubernetes: Annotated[
        KubernetesSettings | None, Meta(description="{}: it is discovered in the local cluster.")
    ] = None

    def __post_init__(self) -> None:
        """Require exactly one source."""
        told = "write one of static: inventory.yaml and kubernetes: {}"
        require((self.static is None) is not (self.kubernetes is None), told)
        require(self.static != "", "static is empty; write static: inventory.yaml")


class LimitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the process."""

    series: Annotated[int, Meta(ge=100, description="The most series that are kept.")] = 50_000


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration file."""

    cluster: Annotated[
        str | None, Meta(description="Id of the cluster that this exporter runs in.")
    ] = None
    clusterset_domain: Annotated[str, Meta(description="DNS zone of the clusterset names.")] = (
        "clusterset.local"
    )
    inventory: InventorySettings
    probe: ProbeSettings = default(ProbeSettings())
    logs: Annotated[tuple[LogSettings, ...], Meta(description="Access logs.")] = ()
    attribution: AttributionSettings = default(AttributionSettings())
    leak_grace: Annotated[
        Duration,
        Meta(description="Hits of another cluster count as no leak for so long after a change."),
    ] = default(Duration(30))
    export_grace: Annotated[
        Duration,
        Meta(description="Hits count as failover for so long after an export was removed."),
    ] = default(Duration(600))
    probe_key_file: Annotated[
        str | None,
        Meta(
            description="File with the keys of probes, one a line, the same for all exporters. "
            "The first one signs, all are valid."
        ),
    ] = None
    limits: LimitSettings = LimitSettings()
    state_directory: Annotated[
        str | None, Meta(description="Folder that keeps how far each log was read; null: not kept.")
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warn", "error"] | None,
        Meta(description="The least severe messages to log; null: as --log.level says."),
    ] = None
    log_probes: Annotated[
        str | None,
        Meta(description="Service, as namespace/name, of which each probe is logged; null: none."),
    ] = None
    dashboard_url: Annotated[
        str | None,
        Meta(
            description="URL of the Grafana dashboard of a service, for links on the status page."
        ),
    ] = None
    runbook_url: Annotated[
        str | None,
        Meta(description="URL of the folder of the runbooks, for links on the status page."),
    ] = None

    def __post_init__(self) -> None:
        """Refuse names that DNS would refuse, and settings that contradict each other."""
        told = f"cluster {self.cluster!r} should be a DNS label, such as east-1"
        require(self.cluster is None or re.fullmatch(LABEL, self.cluster), told)
        told = f"log_probes {self.log_probes!r} should be a service, such as shop/cart"
        require(self.log_probes is None or ServiceName.parse(self.log_probes), told)
        for name in ("dashboard_url", "runbook_url"):
            url = getattr(self, name)
            told = f"{name} {url!r} should begin with http:// or https://"
            require(url is None or _URL.fullmatch(url), told)
        told = f"clusterset_domain {self.clusterset_domain!r} should be a DNS name"
        require(re.fullmatch(rf"{LABEL}(\.{LABEL})*", self.clusterset_domain), told)
        pods = [entry for entry in self.logs if entry.pods is not None]
        require(
            not pods or self.inventory.kubernetes is not None,
            "logs: pods need inventory: {kubernetes: {}}",
        )
        plain = [entry for entry in pods if not entry.told_by_line]
        require(len(plain) <= 1, "logs: pods is given twice; keep one")
        by_pod = any(entry.by_pod for entry in self.logs)
        told = "logs: service: {pod: true} needs inventory: {kubernetes: {}}"
        require(not by_pod or self.inventory.kubernetes is not None, told)
        by_route = any(entry.by_route for entry in self.logs)
        told = "logs: service: {route: true} needs inventory: {kubernetes: {}}"
        require(not by_route or self.inventory.kubernetes is not None, told)

    @property
    def compared(self) -> tuple[tuple[Vantage, Lookup], ...]:
        """Return all ways in which plain names are looked up, with the server that is asked."""
        asked = self.probe.lighthouse
        found = self.inventory.kubernetes is not None if asked == "discovered" else bool(asked)
        return (
            (Vantage.RESOLVER, Lookup.A),
            *((Vantage.RESOLVER, lookup) for lookup in self.probe.lookups),
            *(((Vantage.LIGHTHOUSE, Lookup.A),) if found else ()),
        )


DISCOVERED = Settings(inventory=InventorySettings(kubernetes=KubernetesSettings()))
"""The settings without a configuration file."""


def parse_settings(text: str, *, source: str) -> Settings:
    """
    Read the text of a configuration file; its paths stay as they are written.

    Args:
        text: YAML.
        source: The name of the file, which begins each error message.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    return parse_struct(text, Settings, source=source, dec_hook=_decode)


def as_yaml(settings: Settings) -> str:
    """
    Return the configuration as YAML, with all defaults.

    It contains no secrets, only the paths of files with secrets.
    """
    plain = msgspec.to_builtins(settings, enc_hook=str)
    return yaml.safe_dump(plain, sort_keys=False, default_flow_style=None, width=100)


def _decode(kind: type, value: object) -> object:
    return kind.parse(value)  # type: ignore[attr-defined]
