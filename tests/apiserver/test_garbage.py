"""A reply that broke leaves nothing behind that only the garbage collector could find."""

import gc
from contextlib import suppress
from weakref import WeakSet

import aiohttp
import pytest

from exporter.apiserver.client import ApiClient
from exporter.apiserver.errors import ApiError
from tests.fakes import apifaults as faults
from tests.fakes.apiaccess import Fixed
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.podscene import make_pod

PODS = "/api/v1/pods"


@pytest.fixture
def replies(monkeypatch):
    """Yield the replies that still exist, with the garbage collector switched off."""
    found, init = WeakSet(), aiohttp.ClientResponse.__init__

    def remembered(self, *args, **words):
        found.add(self)
        init(self, *args, **words)

    monkeypatch.setattr(aiohttp.ClientResponse, "__init__", remembered)
    gc.collect()
    gc.disable()
    yield found
    gc.enable()
    gc.collect()


@pytest.mark.parametrize(
    "fault", [faults.cut(1), faults.tear(1)], ids=["ended in a line", "reset in a line"]
)
async def test_a_watch_that_broke(replies, fault):
    async with running(ApiServer()) as server, ApiClient(Fixed(server.url)) as client:
        for name in ("a", "b", "c"):
            make_pod(server, name)
        server.faults = [Fault(fault)]
        asked = {"watch": "true", "resourceVersion": "0"}
        with suppress(ApiError):
            async with client.stream(PODS, asked, within=30, silence=30, json=True) as chunks:
                assert len(replies) == 1
                async for _ in chunks:
                    pass
        del chunks
        assert len(replies) == 0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.status(500), id="500"),
        pytest.param(faults.ok(b"["), id="half a document"),
        pytest.param(faults.hang_after_headers, id="no body"),
        pytest.param(faults.reset, id="reset"),
    ],
)
async def test_a_request_that_failed(replies, fault):
    async with running(ApiServer()) as server, ApiClient(Fixed(server.url)) as client:
        server.faults = [Fault(fault)]
        with pytest.raises(ApiError):
            await client.read(PODS, within=0.5)
        assert len(replies) == 0
