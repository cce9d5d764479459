"""
Plays Submariner's agents and its name server, beside a node.

Readiness is taken ten times a second from the EndpointSlices that Kubernetes makes of the Service.
The slice that stands for the local cluster's share and the answers of the name server follow.
"""

import asyncio
import sys
import time
from pathlib import Path

import yaml

from exporter.demo.lighthouse import Lighthouse, serve_dns
from tests.fakes.objects import Objects
from tests.node.kube import Kube, path_of
from tests.node.servers import NAME_SERVER

LOOK_EVERY, SPEAK_EVERY = 0.1, 5.0
NATIVE = (
    "/apis/discovery.k8s.io/v1/namespaces/nginx-test/endpointslices"
    "?labelSelector=kubernetes.io/service-name%3Dnginx"
)


def inventory(*, ready):
    """Return what Lighthouse knows, as a file."""
    exports = [
        {"cluster": "cluster1", "addresses": ["100.1.0.10"], "ready": ready},
        {"cluster": "cluster2", "addresses": ["100.2.0.10"], "ready": True},
    ]
    clusters = [
        {"id": "cluster1", "pod_cidrs": ["10.1.0.0/16"], "service_cidrs": ["100.1.0.0/16"]},
        {"id": "cluster2", "pod_cidrs": ["10.2.0.0/16"], "service_cidrs": ["100.2.0.0/16"]},
    ]
    ports = [{"name": "http", "port": 80}]
    service = {"namespace": "nginx-test", "name": "nginx", "ports": ports, "exports": exports}
    return yaml.safe_dump({"clusters": clusters, "services": [service]})


class Agents:
    """What Submariner runs in a cluster."""

    def __init__(self, kube, file):
        self._kube, self._file = kube, file
        self._scene = Objects("scene")
        self._ready, self._spoke = None, 0.0

    def look(self):
        """Let one round of both agents pass."""
        if time.monotonic() - self._spoke >= SPEAK_EVERY:
            gateway = self._scene.get("Gateway", "gw1")
            said = {"update-timestamp": str(int(time.time()))}
            self._kube.patch(path_of(gateway), {"metadata": {"annotations": said}})
            self._spoke = time.monotonic()
        slices = self._kube.items(NATIVE)
        points = [point for each in slices for point in each.get("endpoints") or ()]
        ready = any(point["conditions"].get("ready") for point in points)
        if ready != self._ready:
            share = self._scene.slice_of("cluster1")
            points = [{"addresses": ["100.1.0.10"], "conditions": {"ready": ready}}]
            self._kube.patch(path_of(share), {"endpoints": points})
            new = self._file.with_suffix(".new")
            new.write_text(inventory(ready=ready))
            new.rename(self._file)
            self._ready = ready


async def main(url, authority, folder):
    file = Path(folder) / "lighthouse.yaml"
    file.write_text(inventory(ready=False))
    agents = Agents(Kube(url, authority), file)
    server = Lighthouse(file, "cluster1", domain="clusterset.local", delay=0.0)
    async with serve_dns(server, NAME_SERVER, 53):
        while True:
            try:
                await asyncio.to_thread(agents.look)
            except (OSError, AssertionError) as error:
                print(error, flush=True)  # noqa: T201 - its log
            await asyncio.sleep(LOOK_EVERY)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
