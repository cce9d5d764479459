"""
What the exporter of a soak depends on, and how it fails.

It is an API server whose services come and go, a name server, and servers behind the services. All
listen on loopback addresses.
"""

import asyncio
import json
import re
import time
from contextlib import AsyncExitStack
from ipaddress import ip_address

from exporter.probe.dns.message import decode_query, encode_response
from exporter.probe.dns.name import MalformedError
from tests.fakes import apifaults, certs, servers
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.apistore import Store
from tests.fakes.members import PLURALS
from tests.fakes.objects import Objects
from tests.fakes.podscene import make_pod

NAMES = 500
"""Different names of services that come and go. Caches by name are full after a while."""
PRESENT, REPLACED = 40, 10
"""Services that are there at a time, and how many are replaced at each change."""
CHURN_EVERY = 3.0
HERE, THERE = "127.0.1.1", "127.0.2.1"
"""Where the services of both clusters are."""


class World:
    """
    The surroundings of one exporter.

    Args:
        rng: Chooses what fails.
        port: Where the services listen.
    """

    def __init__(self, rng, port):
        self._rng, self._port = rng, port
        self.api = ApiServer(Store(history=2000))
        self._stack, self._api = AsyncExitStack(), AsyncExitStack()
        self._context = certs.server_context()
        self.dns_port = 0
        self._fill()

    def _fill(self):
        store = self.api.store
        for kind, (group, version, plural) in PLURALS.items():
            if (group, plural) not in store.kinds:
                store.install(group, plural, kind, version)
        self._scene = Objects("scene").all
        for found in self._scene:
            if found["metadata"].get("namespace") != "nginx-test":
                self._create(found)
        for name in ("nginx", *(f"churn-{n}" for n in range(PRESENT))):
            for found in self._objects(name):
                self._create(found)
        make_pod(self.api, "nginx-7d-abcde")
        self.speak()

    def _objects(self, name):
        """Return the objects of a service."""
        for found in self._scene:
            meta = found["metadata"]
            if meta.get("namespace") == "nginx-test" and "private" not in meta["name"]:
                text = json.dumps(found).replace("100.1.0.10", HERE).replace("100.2.0.10", THERE)
                text = text.replace('"port": 80,', f'"port": {self._port},')
                made = json.loads(re.sub("nginx(?!-test)", name, text))
                # Only one service has pods whose logs are read.
                if "targetRef" not in text or name == "nginx":
                    yield made

    def _create(self, found):
        group, _, plural = PLURALS[found["kind"]]
        namespace = found["metadata"].get("namespace", "")
        if (namespace, found["metadata"]["name"]) not in self.api.store.objects[group, plural]:
            self.api.store.create(group, plural, namespace, found)

    def _delete(self, found):
        group, _, plural = PLURALS[found["kind"]]
        key = found["metadata"].get("namespace", ""), found["metadata"]["name"]
        if key in self.api.store.objects[group, plural]:
            self.api.store.delete(group, plural, *key)

    def speak(self):
        """Let the gateways say that they are alive."""
        store = self.api.store
        for (namespace, name), found in list(store.objects["submariner.io", "gateways"].items()):
            notes = {"update-timestamp": str(int(time.time()))}
            changed = found | {"metadata": found["metadata"] | {"annotations": notes}}
            store.update("submariner.io", "gateways", namespace, name, changed)

    async def start(self):
        """Start all servers."""
        await self._api.enter_async_context(running(self.api, tls=self._context))
        port, _ = await self._stack.enter_async_context(servers.udp(self._answer))
        self.dns_port = port
        for host in (HERE, THERE):
            talk = servers.tcp(self._talk, port=self._port, host=host)
            await self._stack.enter_async_context(talk)

    def _answer(self, data):
        """Answer a question, nearly always well."""
        try:
            query = decode_query(data)
        except MalformedError:
            return []
        chosen = self._rng.random()
        if chosen < 0.02:
            return []
        if chosen < 0.04:
            return [self._rng.randbytes(60), data[:2] + self._rng.randbytes(200)]
        if chosen < 0.05:
            return [encode_response(query, self._rng.choice([2, 3, 5]))]
        if query.type != 1:
            return [encode_response(query, 0)]
        pinned = query.name.split(".")[0]
        address = {"cluster1": HERE, "cluster2": THERE}.get(pinned, HERE)
        return [encode_response(query, 0, [ip_address(address)], ttl=5)]

    async def _talk(self, reader, writer):
        """Answer a request, nearly always well."""
        await reader.readuntil(b"\r\n\r\n")
        chosen = self._rng.random()
        if chosen < 0.01:
            writer.write(self._rng.randbytes(5000))
        elif chosen < 0.02:
            writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000)
        elif chosen < 0.025:
            await asyncio.sleep(5)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async def _gateways(self):
        """Let the gateways be alive, for ever."""
        while True:
            await asyncio.sleep(5)
            self.speak()

    async def _churn(self):
        """Let services go and others come, for ever, and readiness change."""
        present = [f"churn-{n}" for n in range(PRESENT)]
        while True:
            await asyncio.sleep(CHURN_EVERY)
            fresh = [f"churn-{n}" for n in self._rng.sample(range(NAMES), 3 * REPLACED)]
            for name in [each for each in fresh if each not in present][:REPLACED]:
                for found in self._objects(present.pop(0)):
                    self._delete(found)
                for found in self._objects(name):
                    self._create(found)
                present.append(name)
            self._flip(self._rng.choice(present))

    def _flip(self, name):
        """Change the readiness of a service in the other cluster."""
        key = "discovery.k8s.io", "endpointslices", "nginx-test", f"{name}-bbbbb"
        found = self.api.store.get(*key)
        ready = self._rng.random() < 0.5
        endpoint = found["endpoints"][0] | {"conditions": {"ready": ready}}
        self.api.store.update(*key, found | {"endpoints": [endpoint]})

    async def _pod_log(self):
        """Write the log of a pod, for ever."""
        while True:
            await asyncio.sleep(1)
            log = self.api.log("nginx-test", "nginx-7d-abcde")
            del log.lines[:-100]
            for _ in range(5):
                log.write(b'10.1.0.9 - - [x] "GET / HTTP/1.1" 200 1 "-" "c" "-"', time.time())

    async def _trouble(self):
        """Let the API server fail in all ways, and stop it at times, for ever."""
        ways = (
            apifaults.status(500),
            apifaults.status(429, headers={"Retry-After": "1"}),
            apifaults.ok(b'{"metadata":{"resourceVersion":"9"},"items":[' + b"[" * 10_000),
            apifaults.ok(b"<html>", content_type="text/html"),
            apifaults.reset,
            apifaults.tear(1),
            apifaults.expire(2),
            apifaults.before_each(b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}\n'),
            apifaults.before_each(b'{"type":"ADDED","object":' + b"9" * 5000 + b"}\n"),
        )
        while True:
            await asyncio.sleep(self._rng.uniform(2, 10))
            times = self._rng.randint(1, 5)
            self.api.faults[:] = [apifaults.Fault(self._rng.choice(ways), times=times)]

    async def _restarts(self):
        """Stop the API server and start it again, for ever; it may have forgotten its history."""
        port = self.api.port
        while True:
            await asyncio.sleep(self._rng.uniform(30, 90))
            await self._api.aclose()
            if self._rng.random() < 0.5:
                self.api.store.forget()
            await asyncio.sleep(self._rng.uniform(1, 8))
            await self._api.enter_async_context(running(self.api, tls=self._context, port=port))

    @property
    def works(self):
        """Return all that goes on for ever."""
        return (self._gateways, self._churn, self._pod_log, self._trouble, self._restarts)
