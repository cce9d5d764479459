"""The paths in a configuration: relative ones are relative to the folder of its file."""

from pathlib import PurePath

from msgspec.structs import replace

from exporter.config.http_settings import HttpChange, HttpSettings, TlsSettings
from exporter.config.log_settings import FormatSettings, LogSettings
from exporter.config.probe_settings import ProbeSettings, ServiceRule
from exporter.config.settings import InventorySettings, Settings

STDIN = "-"
"""Among the files of a log source: standard input, which is not a path."""


def resolve_paths(settings: Settings, folder: PurePath) -> Settings:
    """Return *settings* with each relative path joined to *folder*; absolute paths stay."""
    inventory = settings.inventory
    if inventory.static is not None:
        inventory = InventorySettings(static=str(folder / inventory.static))
    return replace(
        settings,
        inventory=inventory,
        probe=_probe(settings.probe, folder),
        logs=tuple(_log(entry, folder) for entry in settings.logs),
        probe_key_file=_path(settings.probe_key_file, folder),
        state_directory=_path(settings.state_directory, folder),
    )


def _path(name: str | None, folder: PurePath) -> str | None:
    return None if name is None else str(folder / name)


def _log(entry: LogSettings, folder: PurePath) -> LogSettings:
    form = entry.format
    if isinstance(form, FormatSettings) and form.nginx_conf is not None:
        form = replace(form, nginx_conf=str(folder / form.nginx_conf))
    files = tuple(name if name == STDIN else str(folder / name) for name in entry.files)
    return replace(entry, files=files, format=form)


def _probe(probe: ProbeSettings, folder: PurePath) -> ProbeSettings:
    http = probe.http
    if isinstance(http, HttpSettings):
        http = replace(http, tls_config=_tls(http.tls_config, folder))
    return replace(probe, http=http, services=tuple(_rule(rule, folder) for rule in probe.services))


def _rule(rule: ServiceRule, folder: PurePath) -> ServiceRule:
    change = rule.http
    if not isinstance(change, HttpChange) or not isinstance(change.tls_config, TlsSettings):
        return rule
    return replace(rule, http=replace(change, tls_config=_tls(change.tls_config, folder)))


def _tls(tls: TlsSettings, folder: PurePath) -> TlsSettings:
    return replace(
        tls,
        ca_file=_path(tls.ca_file, folder),
        cert_file=_path(tls.cert_file, folder),
        key_file=_path(tls.key_file, folder),
    )
