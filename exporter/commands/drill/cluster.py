"""A drill with the inventory of the local cluster's API server."""

import asyncio

from exporter.apiserver.open_client import open_client
from exporter.commands.check.cluster import Newest, Reach, following
from exporter.commands.check.service import targets_of
from exporter.commands.drill.report import DrillReport
from exporter.commands.drill.watch import Drill, DrillOptions
from exporter.commands.load import RuntimeConfig
from exporter.model.clusterset import ServiceName


async def drill_in_cluster(
    loaded: RuntimeConfig,
    service: ServiceName,
    reach: Reach,
    options: DrillOptions,
    stop: asyncio.Event,
) -> DrillReport:
    """
    Watch a drill while the API server's changes are followed; see `Drill`.

    Raises:
        SettingsError: If the cluster cannot be asked, or has no such service.
    """
    drill = Drill(loaded, service, options, stop)
    newest = Newest(
        changed=drill.set_inventory, became_stale=drill.became_stale, recovered=drill.recovered
    )

    async def use(newest: Newest) -> DrillReport:
        targets_of(loaded, newest.found.inventory, service)
        return await drill.run()

    async with open_client(reach.kubeconfig, reach.context) as client:
        return await following(client, loaded, use, newest)
