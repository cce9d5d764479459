"""What discovery is to find, cut from the configuration."""

from typing import NamedTuple

from msgspec.structs import replace

from exporter.commands.load import RuntimeConfig
from exporter.config.settings import KubernetesSettings


class DiscoveryWanted(NamedTuple):
    """What discovery in the local cluster is to find. Another value begins it anew."""

    settings: KubernetesSettings
    local: str
    """The local cluster by the settings; empty if it is to be discovered."""
    told_hosts: frozenset[str] | None
    """See `RuntimeConfig.told_hosts`."""


def discovery_wanted(loaded: RuntimeConfig) -> DiscoveryWanted:
    """Return what discovery needs of *loaded*: it does not begin anew because events are wanted."""
    settings = loaded.settings.inventory.kubernetes or KubernetesSettings()
    return DiscoveryWanted(replace(settings, events=False), loaded.local, loaded.told_hosts)
