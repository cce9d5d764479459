"""The fake API server, for tests that would also run on a real one, and time that does not pass."""

import asyncio

import pytest

from tests.fakes import certs
from tests.fakes.apiaccess import EXPORTER, USERS, Access
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.described import with_cart
from tests.fakes.virtual import VirtualLoop


class FakeAccess(Access):
    """Into the fake server, with what a test has to do to it from behind."""

    def __init__(self, server):
        super().__init__(server.url, certs.pem(certs.authority()))
        self.server = server
        server.tokens = dict(USERS)
        server.rules[USERS[EXPORTER]] = set()

    async def compact(self):
        self.server.store.compact()

    async def grant(self, *rules):
        """Allow the exporter these (verb, resource) of any group, and nothing else."""
        self.server.rules[USERS[EXPORTER]] = set(rules)

    async def account(self, name, *paths):
        """Make an account that may get these paths; return a token of it."""
        user = f"system:serviceaccount:mon:{name}"
        self.server.tokens[f"token-of-{name}"] = user
        self.server.urls[user] = {("get", path) for path in paths}
        return f"token-of-{name}"

    async def install(self, group, plural, kind, *versions):
        self.server.store.install(group, plural, kind, *versions)

    async def uninstall(self, group, plural):
        self.server.store.uninstall(group, plural)

    async def pod(self, namespace, name):
        """Make a pod with a container `app`; return its log."""
        pod = {"metadata": {"name": name}, "spec": {"containers": [{"name": "app"}]}}
        await self.done("POST", f"/api/v1/namespaces/{namespace}/pods", pod)
        return self.server.log(namespace, name)

    async def restart(self, namespace, name):
        """Start the container of a pod anew; return its log from now on."""
        key = ("", "pods", namespace, name)
        status = {"containerStatuses": [{"name": "app", "restartCount": 1}]}
        self.server.store.update(*key, self.server.store.get(*key) | {"status": status})
        self.server.logs[namespace, name, "app"] = log = self.server.log(namespace, name).renewed()
        return log


def pytest_asyncio_loop_factories(item):
    real = item.get_closest_marker("real_time")
    return {"real": asyncio.new_event_loop} if real else {"virtual": VirtualLoop}


@pytest.fixture
async def api():
    async with running(ApiServer(), tls=certs.server_context()) as server:
        yield FakeAccess(server)


@pytest.fixture
async def cart(api):
    async for uid in with_cart(api):
        yield uid
