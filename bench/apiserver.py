"""
A reflector beside an API server of many objects: start, a burst of events, memory, loop stalls.

Prints one line for each. The server is the tests' own, in a process of its own, so that it is no
part of what is measured; how fast it can send bounds the burst.
"""

import asyncio
import multiprocessing
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from exporter.apiserver.client import ApiClient
from exporter.apiserver.reflector import Reflector, Resource
from tests.fakes.apiaccess import Fixed
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.apistore import Store

SLICES = Resource(group="discovery.k8s.io", version="v1", plural="endpointslices")
KEY = (SLICES.group, SLICES.plural)
BURST = 10_000


def endpoint_slice(number, ready):
    endpoint = {
        "addresses": [f"10.1.{number >> 8 & 255}.{number & 255}"],
        "conditions": {"ready": ready, "serving": ready, "terminating": False},
        "nodeName": f"node-{number % 100}",
        "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"web-{number}", "uid": "u" * 36},
        "zone": "a",
    }
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "u" * 36}
    labels = {"kubernetes.io/service-name": f"web-{number}", "app": "web"}
    meta = {"name": f"web-{number}", "labels": labels, "ownerReferences": [owner]}
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    return {"metadata": meta, "endpoints": [endpoint] * 5, "ports": ports}


def trim(found):
    ready = tuple(each["conditions"]["ready"] for each in found["endpoints"])
    return found["metadata"]["labels"]["kubernetes.io/service-name"], ready


def serve(pipe, count):
    async def main():
        server = ApiServer(Store(history=2 * BURST))
        for number in range(count):
            server.store.create(*KEY, "shop", endpoint_slice(number, ready=True))
        async with running(server):
            pipe.send(server.url)
            await asyncio.to_thread(pipe.recv)
            for number in range(BURST):
                name = number % count
                found = endpoint_slice(name, ready=number >= BURST - count)
                server.store.update(*KEY, "shop", f"web-{name}", found)
            await asyncio.to_thread(pipe.recv)

    asyncio.run(main())


def rss(what="VmRSS"):
    """Return megabytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise LookupError(what)


class Stalls:
    """The longest time for which the loop did not come round."""

    def __init__(self):
        self.worst = 0.0

    async def watch(self):
        clock = asyncio.get_running_loop().time
        while True:
            before = clock()
            await asyncio.sleep(0.001)
            self.worst = max(self.worst, clock() - before - 0.001)


async def measure(url, pipe, count):
    clock, stalls, before = asyncio.get_running_loop().time, Stalls(), rss()
    async with ApiClient(Fixed(url)) as client, asyncio.TaskGroup() as group:
        watched = Reflector(client, SLICES, trim=trim, changed=lambda: None)
        tasks = [group.create_task(stalls.watch())]
        began = clock()
        tasks.append(group.create_task(watched.run()))
        await watched.settled.wait()
        took, worst, stalls.worst = clock() - began, stalls.worst, 0.0
        print(
            f"{count} objects: synced in {took:.2f} s, stall {worst * 1000:.1f} ms, "
            f"RSS {before:.0f} -> {rss():.0f} MB (peak {rss('VmHWM'):.0f})"
        )
        await asyncio.sleep(0.5)
        began = clock()
        pipe.send("burst")
        while watched.store.events["MODIFIED"] < BURST:  # noqa: ASYNC110 - no Event tells
            await asyncio.sleep(0.01)
        took = clock() - began
        print(
            f"{BURST} events: taken in {took:.2f} s ({BURST / took:.0f}/s), "
            f"stall {stalls.worst * 1000:.1f} ms, RSS {rss():.0f} MB"
        )
        for task in tasks:
            task.cancel()


def main():
    for count in (5_000, 50_000):
        context = multiprocessing.get_context("spawn")
        pipe, other = context.Pipe()
        server = context.Process(target=serve, args=(other, count))
        server.start()
        asyncio.run(measure(pipe.recv(), pipe, count))
        pipe.send("end")
        server.join(30)


if __name__ == "__main__":
    main()
