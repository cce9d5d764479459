"""A reflector at work on a fake API server."""

import asyncio
import itertools
from contextlib import asynccontextmanager

from exporter.apiserver.client import ApiClient
from exporter.apiserver.reflector import Reflector, Resource
from tests.fakes.apiaccess import Fixed
from tests.fakes.virtual import until

CORE = ("", "configmaps")
MAPS = Resource(version="v1", plural="configmaps")


def put(server, name, value, namespace="shop"):
    """Make or change a ConfigMap."""
    store = server.store
    found = {"metadata": {"name": name}, "data": {"value": value}}
    if (namespace, name) in store.objects[CORE]:
        return store.update(*CORE, namespace, name, found)
    return store.create(*CORE, namespace, found)


def remove(server, name, namespace="shop"):
    return server.store.delete(*CORE, namespace, name)


def trimmed(found):
    return found["data"]["value"]


def truth(server, resource=MAPS):
    """Return what a reflector should hold."""
    found = server.store.truth(resource.group, resource.plural)
    return {name: trimmed(each) for name, each in found.items()}


class Watched(Reflector):
    """A reflector that counts how often it says that something changed."""

    def __init__(self, server, client, resource, **more):
        self.server, self.said = server, 0
        super().__init__(client, resource, **({"trim": trimmed, "changed": self._note} | more))

    def _note(self):
        self.said += 1

    async def until_true(self, within=60.0):
        """Wait until the objects are those of the server."""
        try:
            await until(lambda: self.objects == truth(self.server, self.resource), within=within)
        except TimeoutError:
            # Say in which way it is not.
            assert self.objects == truth(self.server, self.resource), self._place

    async def until_state(self, state, within=60.0):
        await until(lambda: self.state is state, within=within)


@asynccontextmanager
async def watching(server, resource=MAPS, **more):
    async with ApiClient(Fixed(server.url)) as client, asyncio.TaskGroup() as group:
        watched = Watched(server, client, resource, **more)
        task = group.create_task(watched.run())
        yield watched
        task.cancel()


def rounds(server, plural):
    """Return when a resource was asked for, but for the further pages of a list."""
    return [
        asked.at
        for asked in server.asked
        if asked.plural == plural and "continue" not in asked.query
    ]


def check_pace(times):
    """Never more than one a second; but the very first list and the watch after it, at once."""
    for one, other in itertools.pairwise(times[1:]):
        assert other - one >= 0.999, f"two requests in {other - one} s"
