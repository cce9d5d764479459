"""A member cluster for tests: its API server holds a scene, and an exporter runs in it."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

from tests.fakes.objects import Objects
from tests.fakes.process import exporter

PLURALS = {
    "Submariner": ("submariner.io", "v1alpha1", "submariners"),
    "Gateway": ("submariner.io", "v1", "gateways"),
    "Cluster": ("submariner.io", "v1", "clusters"),
    "Endpoint": ("submariner.io", "v1", "endpoints"),
    "ServiceExport": ("multicluster.x-k8s.io", "v1alpha1", "serviceexports"),
    "ServiceImport": ("multicluster.x-k8s.io", "v1alpha1", "serviceimports"),
    "EndpointSlice": ("discovery.k8s.io", "v1", "endpointslices"),
    "Service": ("", "v1", "services"),
    "Node": ("", "v1", "nodes"),
}
CUSTOM = [kind for kind, (group, *_) in PLURALS.items() if group.startswith(("sub", "multi"))]
LIMIT = 20.0
SPEAKS_EVERY = 5.0
"""Seconds: a gateway that is silent for 20 seconds counts no more."""
# What an exporter needs, and nothing else: verb and resource.
RULES = [
    *(
        (verb, plural)
        for plural in dict.fromkeys(plural for *_, plural in PLURALS.values())
        for verb in ("list", "watch")
    ),
    ("get", "pods"),
    ("get", "pods/log"),
]
CONFIG = """\
inventory: {kubernetes: {KUBERNETES}}
probe: {interval: 1s, timeout: 500ms, resolvers: ["127.0.0.1:1"]}
logs: [{pods: {}, format: main}]
"""


def path_of(found, *, name=True):
    """Return where an API server has an object, or its collection."""
    group, version, plural = PLURALS[found["kind"]]
    meta = found["metadata"]
    base = f"/apis/{group}/{version}" if group else f"/api/{version}"
    where = f"/namespaces/{meta['namespace']}" if meta.get("namespace") else ""
    return f"{base}{where}/{plural}" + (f"/{meta['name']}" if name else "")


class Member:
    """The API server of a member, and the objects that it was given."""

    def __init__(self, api, folder, scene="scene"):
        self.api, self.folder = api, folder
        self.objects = Objects(scene)
        self._stamped()

    def _stamped(self):
        """Let the gateways tell the time; return them."""
        gateways = [each for each in self.objects.all if each["kind"] == "Gateway"]
        for each in gateways:
            each["metadata"]["annotations"]["update-timestamp"] = str(int(time.time()))
        return gateways

    async def fill(self):
        """Give the server all objects, and the kinds and namespaces that they need."""
        for kind in CUSTOM:
            await self.install(kind)
        for namespace in sorted({e["metadata"].get("namespace", "") for e in self.objects.all}):
            if namespace:
                body = {"metadata": {"name": namespace}}
                await self.api.call("POST", "/api/v1/namespaces", body)
        for each in self.objects.all:
            await self.api.done("POST", path_of(each, name=False), each)

    async def install(self, kind):
        """Have the server know this kind."""
        group, version, plural = PLURALS[kind]
        if (await self.api.call("GET", f"/apis/{group}/{version}/{plural}"))[0] != 200:
            await self.api.install(group, plural, kind, version)

    async def uninstall(self, kind):
        group, version, plural = PLURALS[kind]
        await self.api.uninstall(group, plural)
        async with asyncio.timeout(LIMIT):
            while (await self.api.call("GET", f"/apis/{group}/{version}/{plural}"))[0] != 404:  # noqa: ASYNC110 - a server has no Event
                await asyncio.sleep(0.05)

    async def empty(self):
        """Take all objects away again, as far as they are there."""
        for each in self.objects.all:
            assert (await self.api.call("DELETE", path_of(each)))[0] in {200, 202, 404}

    async def change(self, found):
        """Write an object that was changed in place."""
        known = await self.api.done("GET", path_of(found))
        version = {"resourceVersion": known["metadata"]["resourceVersion"]}
        body = found | {"metadata": found["metadata"] | version}
        await self.api.done("PUT", path_of(found), body)

    async def speak(self):
        """Say that the gateways are alive: one that is silent for 20 seconds counts no more."""
        for each in self._stamped():
            await self.change(each)

    @asynccontextmanager
    async def gateways_speak(self):
        """Let the gateways speak all the time."""

        async def speak():
            while True:
                await self.speak()
                await asyncio.sleep(SPEAKS_EVERY)

        task = asyncio.create_task(speak())
        try:
            yield
        finally:
            task.cancel()

    async def remove(self, found):
        await self.api.done("DELETE", path_of(found))

    def kubeconfig(self, token="admintoken", url=""):
        """Write a kubeconfig file for the server, which may have another URL; return its path."""
        ca = self.folder / "ca.pem"
        ca.write_text(self.api.ca)
        path = self.folder / "kubeconfig"
        cluster = {"server": url or self.api.url, "certificate-authority": str(ca)}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "users": [{"name": "u", "user": {"token": token}}],
                    "contexts": [
                        {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "mon"}}
                    ],
                    "current-context": "x",
                }
            )
        )
        return path

    @asynccontextmanager
    async def exporter(
        self, *arguments, kubernetes="", config=CONFIG, token="admintoken", url="", before=""
    ):
        """Run an exporter in the cluster; first the Python code *before*."""
        path = self.folder / "config.yaml"
        path.write_text(config.replace("KUBERNETES", kubernetes))
        command = ("--kubeconfig", str(self.kubeconfig(token, url)), *arguments)
        async with exporter(path, *command, before=before) as running:
            yield running
