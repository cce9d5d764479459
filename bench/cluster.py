"""What discovery costs: memory, start, delay and stalls; the API server is another process."""

import asyncio
import json
import multiprocessing
import socket
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

from measure import Bars, Live, machine

from exporter.apiserver.client import ApiClient
from exporter.config.label_selector import EVERYTHING
from exporter.discover.kubernetes import KubernetesInventory
from tests.fakes import certs
from tests.fakes.apiaccess import Fixed
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.apistore import Store
from tests.fakes.members import PLURALS, Member
from tests.fakes.objects import Objects

SLICES, EXPORTED, BURST, MANY = 5_000, 55, 10_000, 50_000
LABEL = "kubernetes.io/service-name"


def slice_of(name):
    """Return a slice of a Service as Kubernetes writes it, with what we do not need."""
    return {
        "metadata": {
            "name": f"{name}-x7k2p",
            "namespace": "shop",
            "labels": {LABEL: name, "app": name},
            "ownerReferences": [{"kind": "Service", "name": name, "uid": "0" * 36}],
            "managedFields": [{"manager": "kube-controller-manager", "fieldsV1": {"f:a": {}}}] * 2,
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [f"10.1.{n}.{n}"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": "worker",
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"{name}-{n}"},
            }
            for n in range(2)
        ],
    }


def exported(store, scene, number):
    """Export the scene's service under many names."""
    for n in range(number):
        for found in scene.all:
            if found["metadata"].get("namespace") != "nginx-test":
                continue
            text = json.dumps(found).replace("nginx", f"web-{n}")
            made = json.loads(text)
            group, _, plural = PLURALS[made["kind"]]
            namespace = made["metadata"]["namespace"]
            if ("private" not in made["metadata"]["name"]) and made["kind"] != "Node":
                store.create(group, plural, namespace, made)


def full(slices, exports):
    """Return a store with so many slices and exported services."""
    store, scene = Store(history=2 * BURST), Objects("scene")
    for kind, (group, version, plural) in PLURALS.items():
        if (group, plural) not in store.kinds:
            store.install(group, plural, kind, version)
    now = str(int(time.time()))
    for found in scene.all:
        if found["kind"] == "Gateway":
            found["metadata"]["annotations"]["update-timestamp"] = now
        group, _, plural = PLURALS[found["kind"]]
        store.create(group, plural, found["metadata"].get("namespace", ""), found)
    exported(store, scene, exports)
    for n in range(slices):
        store.create("discovery.k8s.io", "endpointslices", "shop", slice_of(f"svc-{n}"))
    return store


def serve(pipe, slices, exports):
    """Serve such a store, and change it when told."""

    async def main():
        server = ApiServer(full(slices, exports))
        async with running(server, tls=certs.server_context()) as started:
            pipe.send((started.url, certs.pem(certs.authority())))
            loop = asyncio.get_running_loop()
            while (told := await loop.run_in_executor(None, pipe.recv)) != "end":
                if told == "flip":
                    flip(server.store)
                    pipe.send(time.monotonic())
                else:
                    for n in range(BURST):
                        found = slice_of(f"svc-{n % slices}")
                        found["endpoints"][0]["conditions"]["ready"] = bool(n // slices % 2)
                        name = found["metadata"]["name"]
                        store = server.store
                        store.update("discovery.k8s.io", "endpointslices", "shop", name, found)
                        if n % 100 == 0:
                            await asyncio.sleep(0.01)
                    pipe.send("done")

    asyncio.run(main())


def flip(store):
    """Change the readiness of the scene's service in the other cluster."""
    found = store.get("discovery.k8s.io", "endpointslices", "nginx-test", "nginx-bbbbb")
    endpoint = found["endpoints"][0]
    ready = not endpoint["conditions"]["ready"]
    changed = found | {"endpoints": [endpoint | {"conditions": {"ready": ready}}]}
    store.update("discovery.k8s.io", "endpointslices", "nginx-test", "nginx-bbbbb", changed)


class Server:
    """An API server in a process of its own."""

    def __init__(self, slices, exports):
        self.pipe, other = multiprocessing.Pipe()
        self._process = multiprocessing.Process(target=serve, args=(other, slices, exports))

    def __enter__(self):
        self._process.start()
        self.url, self.ca = self.pipe.recv()
        return self

    def __exit__(self, *_):
        self.pipe.send("end")
        self._process.join(5)
        self._process.kill()


class Way:
    """What `tests.fakes.members.Member` needs of a way into a server, to write a kubeconfig."""

    def __init__(self, server):
        self.url, self.ca = server.url, server.ca


async def stalls(server):
    """Return ms from a readiness change to the inventory, and the longest stall of a burst."""
    seen, waits, worst = asyncio.Event(), [], 0.0

    async def changed(_):
        seen.set()

    async def beat():
        nonlocal worst
        while True:
            due = time.monotonic() + 0.001
            await asyncio.sleep(0.001)
            worst = max(worst, time.monotonic() - due)

    async with ApiClient(Fixed(server.url, token="x", ca=server.ca)) as client:
        discovery = KubernetesInventory(
            client,
            setting="",
            config_map="none",
            selection=EVERYTHING,
            unix=time.time,
            changed=changed,
        )
        running_ = asyncio.create_task(discovery.run())
        await seen.wait()
        await asyncio.sleep(2)
        for _ in range(10):
            seen.clear()
            server.pipe.send("flip")
            began = await asyncio.to_thread(server.pipe.recv)
            await seen.wait()
            waits.append(1000 * (time.monotonic() - began))
            await asyncio.sleep(0.3)
        beating = asyncio.create_task(beat())
        server.pipe.send("burst")
        await asyncio.to_thread(server.pipe.recv)
        await asyncio.sleep(2)
        beating.cancel()
        running_.cancel()
    return waits, 1000 * worst


def start(server, folder):
    """Start an exporter; return it, its URL, and the seconds until it was ready."""
    config = folder / "config.yaml"
    config.write_text(
        "inventory: {kubernetes: {}}\n"
        'probe: {interval: 15s, timeout: 500ms, resolvers: ["127.0.0.1:1"]}\n'
    )
    member = Member(Way(server), folder)
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    began = time.monotonic()
    live = Live(
        [
            *(sys.executable, "-m", "exporter", "run", "--config.file", str(config)),
            *("--kubeconfig", str(member.kubeconfig()), "--web.listen-address"),
            f"127.0.0.1:{port}",
        ]
    )
    while time.monotonic() - began < 120:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready") as reply:
                if reply.status == 200:
                    return live, f"http://127.0.0.1:{port}", time.monotonic() - began
        except OSError:
            time.sleep(0.01)
    raise TimeoutError


def scrape(url):
    with urllib.request.urlopen(f"{url}/metrics") as reply:
        return reply.read().decode()


def main():
    bars = Bars()
    print(machine())
    with Server(SLICES, EXPORTED) as server, tempfile.TemporaryDirectory() as name:
        live, url, took = start(server, Path(name))
        with live:
            bars.tell(f"ready with {SLICES:,} slices", f"{took:.2f} s")
            time.sleep(20)
            for _ in range(5):
                text = scrape(url)
                time.sleep(0.5)
            number = sum(not line.startswith("#") for line in text.splitlines())
            rss = live.rss_mb()
            what = f"memory with {SLICES:,} slices and {number:,} series"
            bars.show(what, f"{rss:.0f} MB", "< 80 MB", well=rss < 80)
        waits, worst = asyncio.run(stalls(server))
        told = f"{median(waits):.0f} ms, most {max(waits):.0f}"
        bars.tell("a readiness change reaches the inventory", told)
        bars.tell(f"stall in a burst of {BURST:,} events", f"{worst:.0f} ms")
    with Server(MANY, EXPORTED) as server, tempfile.TemporaryDirectory() as name:
        live, _, took = start(server, Path(name))
        with live:
            time.sleep(5)
            print(f"  {MANY:,} slices: ready after {took:.1f} s, {live.rss_mb():.0f} MB")
    bars.end()


if __name__ == "__main__":
    main()
