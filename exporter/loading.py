"""The configuration and all that it names."""

from dataclasses import dataclass
from pathlib import Path

from exporter import settings
from exporter.discover.static import read_inventory
from exporter.probe.resolve import Server, system_resolvers
from exporter.settings import Settings
from exporter.yamlfile import SettingsError, read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration and what it names, read together so that a mistake in any stops all."""

    settings: Settings
    local: str
    key: bytes | None
    """What probes are signed with."""
    resolvers: tuple[Server, ...]

    @property
    def inventory_file(self) -> Path:
        """Return where the inventory is."""
        return Path(self.settings.inventory.static or "")


def load(path: Path, cluster: str | None) -> Loaded:
    """
    Read the configuration, and all that it names but the inventory.

    Args:
        path: The configuration file.
        cluster: The cluster that this is for; goes before the one in the file.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    read = settings.load(path)
    local = cluster or read.cluster
    if local is None:
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
    return Loaded(settings=read, local=local, key=key, resolvers=resolvers)


def check(path: Path, cluster: str | None) -> str:
    """Read the configuration and the inventory as `run` would; return what was found, in a line."""
    loaded = load(path, cluster)
    inventory = read_inventory(loaded.inventory_file, loaded.local)
    return (
        f"well: cluster {loaded.local} (1 of {len(inventory.clusters)}), "
        f"services: {len(inventory.services)}, log sources: {len(loaded.settings.logs)}"
    )
