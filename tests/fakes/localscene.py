"""All that an exporter does with its cluster's API server, in this process and its loop's time."""

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as families

from exporter.accesslog.readers.reader import Reader
from exporter.commands.load import load
from exporter.commands.run.cluster import LocalCluster
from exporter.commands.run.discovery_wanted import discovery_wanted
from exporter.commands.run.handover import Handover
from exporter.commands.run.monitor_settings import monitor_settings
from exporter.commands.run.parts import Parts
from exporter.metrics import families as series
from exporter.model.moment import Moment
from exporter.model.stages import UNKEPT, UNWATCHED
from tests.fakes.virtual import until

CONFIG = "inventory: {kubernetes: {}}\nlogs: [{pods: {}}]\n"
UNIX = 1_800_000_000.0


class Local:
    """An exporter's knowledge of its cluster, and what it takes of the machine."""

    def __init__(self, client, loaded, group, unix, *, kept=False):
        self.loaded, self.group, self.ends = loaded, group, []
        loop = asyncio.get_running_loop()

        def moment():
            return Moment(at=loop.time(), unix=unix + loop.time())

        self.accelerated = []
        parts = Parts(
            monitor_settings(loaded.settings),
            local="",
            moment=moment,
            accelerate=self.accelerated.append,
        )
        self.keeper = parts.supervisor if kept else UNKEPT
        self.verdicts = parts.verdicts
        self.handover = Handover(parts.verdicts, moment, self.accelerated.append, None)
        self.monitor, self.store = parts.monitor, parts.store
        self.unseen = parts.verdicts.unseen
        self.cluster = LocalCluster(
            client,
            replica=f"exporter-{len(self.ends)}-{id(self)}",
            learns=self.monitor,
            staleness=parts.staleness,
            handover=self.handover,
            sink=parts.logs,
            reader=Reader(parts.logs, self.keeper),
            keeper=self.keeper,
            changed=self.monitor.inventory_changed,
            arrange=self._arrange,
            end=self.ends.append,
        )
        self.page_data = parts.page_data(self.cluster)
        self.render = parts.scrape(self.cluster).render
        stages = self.cluster.stages(discovery_wanted(loaded))
        self.tasks = [
            group.create_task(self.keeper.keep(stage.name, stage.about, stage.run))
            for stage in stages
        ]

    def _arrange(self):
        (source,) = self.loaded.logs
        self.tasks.append(self.group.create_task(self.cluster.read(source, UNWATCHED)))

    def ready(self):
        """Return which clusters have the service ready, as far as this knows."""
        if self.monitor.inventory is None:
            return None
        (service,) = self.monitor.inventory.services.values()
        return {each.cluster for each in service.exports if each.ready}

    def troubled(self):
        well = {"synced", "not_installed"}
        return [each.resource for each in self.cluster.watches() if each.state not in well]

    def lines(self):
        return self.store.series[series.LOG_LINES].get(("pods", "access"))

    async def metrics(self):
        """Return what a scrape brings, parsed."""
        text = b"".join([piece async for piece in self.render(False)]).decode()
        return {family.name: family for family in families(text)}

    async def until_ready(self, *clusters, within):
        await until(lambda: self.ready() == set(clusters), within=within)


@asynccontextmanager
async def local(api, folder, *, config=CONFIG, unix=UNIX, kept=False):
    path = folder / "config.yaml"
    path.write_text(config)
    loaded = await asyncio.to_thread(load, path, None)
    async with api.client() as client, asyncio.TaskGroup() as group:
        made = Local(client, loaded, group, unix, kept=kept)
        yield made
        for task in made.tasks:
            task.cancel()


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def resident():
    """Return the bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
