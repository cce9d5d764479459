"""All faults at once, by seed: in the end the objects are the server's, nor was it pestered."""

import asyncio
import json
import random

import pytest

from exporter.apiserver.reflector import Resource, WatchState
from tests.fakes import apifaults as faults
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.apistore import Store
from tests.fakes.reflecting import check_pace, rounds, truth, watching
from tests.fakes.virtual import until

pytestmark = pytest.mark.slow
MINUTES = 10
THINGS = Resource(group="multicluster.x-k8s.io", version="v1alpha1", plural="serviceexports")
RESOURCES = [
    Resource(version="v1", plural="configmaps"),
    Resource(version="v1", plural="services"),
    Resource(group="discovery.k8s.io", version="v1", plural="endpointslices"),
    THINGS,
]
STRANGE = json.dumps({"type": "SURPRISE", "object": None}).encode() + b"\n"
ODD = json.dumps({"type": "ADDED", "object": {"metadata": None}}).encode() + b"\n"
KINDS = [
    faults.hang,
    faults.hang_after_headers,
    faults.reset,
    faults.close,
    faults.status(500),
    faults.status(502, html=True),
    faults.status(401, reason="Unauthorized"),
    faults.status(403, reason="Forbidden"),
    faults.status(410, reason="Expired"),
    faults.status(429, headers={"Retry-After": "2"}),
    faults.status(429, headers={"Retry-After": "1000000000"}),
    faults.ok(b""),
    faults.ok(b"<html>", content_type="text/html"),
    faults.zipped(),
    faults.late(5),
    faults.cut(),
    faults.cut(2),
    faults.tear(1),
    faults.expire(),
    faults.expire(2),
    faults.twice(),
    faults.swapped(),
    faults.stall(1),
    faults.drip(50, 0.2),
    faults.before_each(STRANGE),
    faults.before_each(ODD),
    faults.before_each(b"garbage\n\n"),
    faults.instead_of(0, b'{"type":"ADDED","object":\n'),
]


class Life:
    """What happens to the objects of a server, and to itself."""

    def __init__(self, server, seed):
        self.server, self.store, self.chance = server, server.store, random.Random(seed)

    def change(self):
        """Make, change or remove an object."""
        resource, name = self.chance.choice(RESOURCES), f"n{self.chance.randrange(30)}"
        key = (resource.group, resource.plural)
        if key not in self.store.kinds:
            return
        found = {"metadata": {"name": name}, "data": {"value": str(self.chance.random())}}
        if ("shop", name) not in self.store.objects[key]:
            self.store.create(*key, "shop", found)
        elif self.chance.random() < 0.3:
            self.store.delete(*key, "shop", name)
        else:
            self.store.update(*key, "shop", name, found)

    def harm(self):
        """Do one of what a server and a network do."""
        chance, key = self.chance, (THINGS.group, THINGS.plural)
        match chance.randrange(4):
            case 0:
                self.store.forget()
            case 1:
                self.store.compact()
            case 2:
                for asked in self.server.asked[-20:]:
                    if asked.request.transport is not None:
                        asked.request.transport.abort()
            case 3 if key in self.store.kinds:
                self.store.uninstall(*key)
            case 3:
                self.store.install(*key, "ServiceExport", "v1alpha1")
            case _:
                plural = chance.choice(["", *(resource.plural for resource in RESOURCES)])
                verb = chance.choice(["", "list", "watch", "watch"])
                times = chance.randrange(1, 8)
                self.server.faults.append(Fault(chance.choice(KINDS), verb, plural, times))
                del self.server.faults[:-4]

    async def live(self, seconds):
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            for _ in range(self.chance.randrange(5)):
                self.change()
            if self.chance.random() < 0.3:
                self.harm()
            await asyncio.sleep(self.chance.uniform(0, 3))


@pytest.mark.parametrize("seed", range(4))
async def test_in_the_end_the_objects_are_those_of_the_server(seed):
    async with (
        running(ApiServer(Store(history=40))) as server,
        watching(server, RESOURCES[0]) as one,
        watching(server, RESOURCES[1]) as two,
        watching(server, RESOURCES[2]) as three,
        watching(server, THINGS) as four,
    ):
        life, all_of_them = Life(server, seed), (one, two, three, four)
        server.bookmarks = 15
        await life.live(MINUTES * 60)
        server.faults = []
        if (THINGS.group, THINGS.plural) not in server.store.kinds:
            server.store.install(THINGS.group, THINGS.plural, "ServiceExport", "v1alpha1")
        life.change()
        # The longest that any fault is waited for: what we were forbidden.
        await until(
            lambda: all(each.state is WatchState.SYNCED for each in all_of_them), within=301
        )
        for each in all_of_them:
            # A watch that hangs is noticed when it should have ended.
            await each.until_true(within=700)
            assert each.objects == truth(server, each.resource)
            assert each.problem == ""
        for resource in RESOURCES:
            check_pace(rounds(server, resource.plural))
        assert sum(each.failures for each in all_of_them) > 20
        assert sum(each.relists for each in all_of_them) > 1
        assert len(asyncio.all_tasks()) < 40
