"""Readers of pods' logs beside a fake API server that knows the pods."""

import asyncio
import time
from contextlib import asynccontextmanager

from exporter.accesslog.readers.nodes import NodeReader
from exporter.accesslog.readers.pod_readers import PodReaders
from exporter.accesslog.readers.pods import PodReader
from exporter.accesslog.readers.reader import Reader
from exporter.accesslog.readers.workloads import Workloads
from exporter.apiserver.client import ApiClient
from exporter.commands.load import load
from exporter.metrics import families as series
from exporter.model.clusterset import Workload
from tests.fakes import scenes
from tests.fakes.apiaccess import Fixed
from tests.fakes.files import line
from tests.fakes.nouns import NGINX
from tests.fakes.turns import whole
from tests.fakes.virtual import until

LINE = line("10.1.0.9", end="")
CONFIG = "inventory: {kubernetes: {}}\nlogs: [{pods: {limit: 5}}]\n"


class PodScene:
    """What one process knows and reads; another one is another life of it."""

    def __init__(
        self, server, client, loaded, taken_over=None, unix=time.time, unread=None, ends=None
    ):
        self.server, self.loaded = server, loaded
        (self.source,) = self.loaded.logs
        scene = scenes.Scene()
        scene.inventory()
        self.page_data, self.store, sink = scene.page_data, scene.parts.store, scene.logs
        # As a daemon says it: not ready before each log was looked at.
        sink.unread.add(self.source.title)
        self.workloads = Workloads(client, sink, time.time)
        self.reader = reader = Reader(sink)
        self.pods = PodReader(
            client,
            self.workloads,
            sink,
            reader,
            unix,
            taken_over=lambda: taken_over,
            unread_since=lambda: unread,
            ends=ends,
        )
        self.gateways = PodReaders(
            client,
            self.workloads,
            sink,
            unix,
            lambda pods: PodReader(client, pods, sink, reader, unix),
        )
        self.nodes = NodeReader(client, self.workloads, sink, reader)

    def want(self, *pods, **more):
        """Say which pods stand behind nginx."""
        work = [Workload(service=NGINX, pods=pods, ports=(8080,), **more)] if pods else []
        self.workloads.want(work)

    def run(self):
        reader = self.gateways if self.source.match else self.pods
        reader = self.nodes if self.source.by_pod else reader
        return reader.read(self.source)

    @property
    def problems(self):
        return {
            each["what"]: each["message"] for each in whole(self.page_data.status())["problems"]
        }

    def counted(self, outcome="access"):
        return self.store.series[series.LOG_LINES].get((self.source.title, outcome))

    async def until_counted(self, lines, outcome="access"):
        try:
            await until(lambda: self.counted(outcome) == lines, within=10)
        except TimeoutError:
            assert self.counted(outcome) == lines


def make_pod(
    server,
    name,
    *containers,
    notes=None,
    restarts=0,
    namespace="nginx-test",
    labels=None,
    phase="Running",
):
    """Make a pod; each container serves 8080, but it is `app` if none is named."""
    names = containers or ("app",)
    store = server.store
    meta = {"name": name, "annotations": {f"clusterset-exporter/{k}": v for k, v in notes or ()}}
    meta["labels"] = labels or {}
    found = {
        "metadata": meta,
        "spec": {"containers": [{"name": each} for each in names]},
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": each, "restartCount": restarts} for each in names],
        },
    }
    if (namespace, name) in store.objects["", "pods"]:
        return store.update("", "pods", namespace, name, found)
    return store.create("", "pods", namespace, found)


@asynccontextmanager
async def pod_scene(server, config, *, taken_over=None, unix=time.time, unread=None, ends=None):
    """Begin one life; its reader runs after `begin`, and ends in order with the block."""
    loaded = await asyncio.to_thread(load, config, "a")
    async with ApiClient(Fixed(server.url)) as client, asyncio.TaskGroup() as group:
        scene = PodScene(server, client, loaded, taken_over, unix, unread, ends)
        tasks = []
        scene.begin = lambda: tasks.append(group.create_task(scene.run()))

        async def stop():
            tasks[-1].cancel()
            await asyncio.wait(tasks)

        scene.stop = stop
        yield scene
        for task in tasks:
            task.cancel()
