"""A drill with the inventory of a file, which somebody changes meanwhile."""

import asyncio

from exporter.commands.check.service import targets_of
from exporter.commands.drill.report import DrillReport
from exporter.commands.drill.watch import Drill, DrillOptions
from exporter.commands.load import RuntimeConfig
from exporter.commands.run.stages import every
from exporter.discover.static import StaticInventory, read_inventory
from exporter.model.clusterset import ServiceName
from exporter.model.stages import UNWATCHED

LOOK_EVERY = 0.05
"""Seconds between two looks at the file: a change is seen that late."""


async def drill_with_file(
    loaded: RuntimeConfig, service: ServiceName, options: DrillOptions, stop: asyncio.Event
) -> DrillReport:
    """
    Watch a drill; see `Drill`.

    Raises:
        SettingsError: If the inventory is wrong at the start, or has no such service.
    """
    path, drill = loaded.inventory_file, Drill(loaded, service, options, stop)
    inventory = await asyncio.to_thread(read_inventory, path, loaded.local)
    targets_of(loaded, inventory, service)
    drill.set_inventory(inventory)
    watcher = StaticInventory(path, loaded.local, changed=drill.set_inventory, failed=options.tell)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watcher.watch(every(LOOK_EVERY, UNWATCHED)), name="inventory")
        report = await drill.run()
        watching.cancel()
    return report
