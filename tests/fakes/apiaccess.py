"""Ways into an API server, the fake one or a real one, for tests that are run on both."""

import json
from contextlib import asynccontextmanager

import aiohttp

from exporter.apiserver.client import ApiClient
from exporter.apiserver.credentials import Credentials
from tests.fakes import certs

ADMIN, EXPORTER = "admintoken", "exptoken"
USERS = {ADMIN: "admin", EXPORTER: "system:serviceaccount:mon:exporter"}


class Fixed:
    """Credentials that are what they are; a test may put others in."""

    def __init__(self, server, *, token=None, ca=None, **more):
        self.loads = 0
        self.found = Credentials(
            server=server,
            origin="test",
            authorization=f"Bearer {token}" if token else None,
            ca=ca,
            **more,
        )

    async def load(self):
        self.loads += 1
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Access:
    """An API server at *url*, spoken to over TLS with a token."""

    def __init__(self, url, ca_pem):
        self.url, self.ca = url, ca_pem

    def client(self, token=ADMIN):
        return ApiClient(Fixed(self.url, token=token, ca=self.ca))

    @asynccontextmanager
    async def opened(self, method, path, body=None, *, token=ADMIN, **params):
        """Give a raw reply, as any other client would see it."""
        context = certs.ssl.create_default_context(cadata=self.ca)
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(
                method, self.url + path, json=body, params=params, ssl=context
            ) as reply,
        ):
            yield reply

    async def call(self, method, path, body=None, *, token=ADMIN, **params):
        """Return status and body: decoded if it is JSON."""
        async with self.opened(method, path, body, token=token, **params) as reply:
            text = await reply.text()
            isjson = reply.content_type == "application/json"
            return reply.status, json.loads(text) if isjson else text

    async def done(self, method, path, body=None, **params):
        """Return the body of a call that has to be well."""
        status, body = await self.call(method, path, body, **params)
        assert status in {200, 201, 202}, body
        return body

    async def events(self, path, *, token=ADMIN, **params):
        """Return status and all events of a watch until the server ends it."""
        async with self.opened("GET", path, token=token, watch="true", **params) as reply:
            text = await reply.text()
            return reply.status, [json.loads(line) for line in text.splitlines()]
