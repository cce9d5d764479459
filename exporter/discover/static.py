"""The inventory as a YAML file, read again whenever it changes."""

import asyncio
from collections.abc import AsyncIterable, Callable
from pathlib import Path

from exporter.config.yaml_reader import SettingsError
from exporter.discover.inventory_file import InventoryFile
from exporter.files.small_file import read_struct
from exporter.files.stamp import FileStamp
from exporter.model.clusterset import Inventory

_PATIENCE = 2
"""Looks in a row at which the file must be missing before that is reported: editors rename."""


def read_inventory(path: Path, local: str) -> Inventory:
    """
    Read the inventory as the cluster *local* sees it.

    Raises:
        SettingsError: With one line that says what is wrong, where, and what would work.
    """
    read = read_struct(path, InventoryFile)
    clusters = {entry.id: entry.noun() for entry in read.clusters}
    if local not in clusters:
        msg = f"{path}: clusters: has no {local}, the cluster this is for; known are " + ", ".join(
            clusters
        )
        raise SettingsError(msg)
    services = [entry.noun() for entry in read.services]
    by_name = {service.name: service for service in services}
    return Inventory(
        local=local,
        clusters=clusters,
        services=by_name,
        profile=read.profile,
        version=read.version(),
    )


class StaticInventory:
    """
    Watches an inventory file.

    Args:
        path: The file. A symlink is followed, so a link to another file counts as a change.
        local: The local cluster.
        changed: Called with each new inventory.
        failed: Called once for each version of the file that cannot be used.
    """

    def __init__(
        self,
        path: Path,
        local: str,
        *,
        changed: Callable[[Inventory], None],
        failed: Callable[[str], None],
    ) -> None:
        self._path = path
        self._local = local
        self._changed = changed
        self._failed = failed
        self._stamp: FileStamp | None = None
        self._away = 0

    async def watch(self, ticks: AsyncIterable[object]) -> None:
        """Look at the file at each of *ticks*."""
        async for _ in ticks:
            await self.look()

    async def look(self) -> None:
        """Look once; read the file if it is not the one seen last."""
        stamp = await asyncio.to_thread(FileStamp.take, self._path)
        if stamp is None:
            self._away += 1
            if self._away == _PATIENCE:
                self._failed(f"{self._path}: is gone or cannot be looked at")
            return
        was_away, self._away = self._away >= _PATIENCE, 0
        if stamp == self._stamp and not was_away:
            return
        self._stamp = stamp
        try:
            inventory = await asyncio.to_thread(read_inventory, self._path, self._local)
        except SettingsError as error:
            self._failed(str(error))
        else:
            self._changed(inventory)
