"""A closed connection leaves nothing behind that only the garbage collector could find."""

import asyncio
import gc
import ssl
import sys
from weakref import WeakSet

import pytest
import trustme

from exporter.web.auth import WebAuth
from exporter.web.connection import Connection
from tests.web.test_auth import TLS, certify, write
from tests.web.test_neighbours import ASK, LIMIT, deaf, exposing

HALF_A_HANDSHAKE = b"\x16\x03\x01\x02\x00\x01"


@pytest.fixture
def made(monkeypatch):
    """Yield the connections that still exist, with the garbage collector switched off."""
    found, init = WeakSet(), Connection.__init__

    def remembered(self, *args):
        found.add(self)
        init(self, *args)

    monkeypatch.setattr(Connection, "__init__", remembered)
    gc.collect()
    gc.disable()
    yield found
    gc.enable()
    gc.collect()


async def is_gone(made, seen):
    """Wait until a connection was made, and until it is gone."""
    async with asyncio.timeout(LIMIT):
        while not made and not seen:  # noqa: ASYNC110 - a weak set tells nobody
            await asyncio.sleep(0.001)
        while made:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def talk(where, sent, tls=None, *, reads=True):
    """Send bytes, read what comes back, if anything, and hang up."""
    more = {} if tls is None else {"ssl": tls, "server_hostname": "localhost"}
    reader, writer = await asyncio.open_connection(*where, **more)
    writer.write(sent)
    if reads:
        await reader.read()
    writer.transport.abort()


def authority(folder):
    """Return the login of a server with a certificate, and what trusts it."""
    authority, tls = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(tls)
    certify(authority, folder, "localhost")
    return WebAuth(write(folder, TLS % "")), tls


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(ASK % b"", id="a scrape"),
        pytest.param(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", id="404"),
        pytest.param(b"\0\xff\r\n\r\n", id="no method"),
        pytest.param(b"GET / HTTP/1.1\r\n: x\r\n\r\n", id="no header"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost", id="half a request"),
        pytest.param(
            b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx", id="half a body"
        ),
    ],
)
async def test_whatever_was_sent(tmp_path, made, encrypted, sent):
    auth, tls = await asyncio.to_thread(authority, tmp_path) if encrypted else (None, None)
    times = {"head_seconds": 0.2, "body_seconds": 0.2, "linger_seconds": 0.2}
    async with exposing(auth, **times) as where:
        await talk(where, sent, tls)
        await is_gone(made, seen=True)


async def test_a_handshake_that_never_ends(tmp_path, made):
    auth, _ = await asyncio.to_thread(authority, tmp_path)
    async with exposing(auth, handshake_seconds=0.2) as where:
        await talk(where, HALF_A_HANDSHAKE)
        await is_gone(made, seen=True)


async def test_a_client_that_leaves_while_the_server_waits(made):
    async with exposing() as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost")
        async with asyncio.timeout(LIMIT):
            while not made:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        writer.transport.abort()
        await is_gone(made, seen=True)
        del reader


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_a_scraper_that_never_reads(tmp_path, made, encrypted):
    auth, tls = await asyncio.to_thread(authority, tmp_path) if encrypted else (None, None)
    times = {"stalled_seconds": 0.2, "linger_seconds": 0.2}
    async with exposing(auth, **times) as where, deaf(where, "127.0.0.1", tls):
        await is_gone(made, seen=False)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
async def test_many_connections_leave_only_what_asyncio_does(tmp_path, made, encrypted):
    auth, tls = await asyncio.to_thread(authority, tmp_path) if encrypted else (None, None)
    times = {"handshake_seconds": 0.5, "head_seconds": 0.5, "linger_seconds": 0.5}
    gc.collect()
    async with exposing(auth, **times) as where:
        for _ in range(5):
            await talk(where, ASK % b"", tls)
            await talk(where, b"\0\xff\r\n\r\n", tls)
            await talk(where, ASK % b"", tls, reads=False)
            await talk(where, b"GET /metrics HTTP/1.1\r\nHost", tls, reads=False)
            await talk(where, HALF_A_HANDSHAKE)
            # The server closes it, because nothing comes.
            reader, writer = await asyncio.open_connection(*where)
            await reader.read()
            writer.transport.abort()
            await is_gone(made, seen=True)
        del reader, writer
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        left = gc.garbage[:]
        gc.garbage.clear()
    # A transport of asyncio refers to itself. Each connection has one here and one at its client.
    assert {type(each) for each in left if type(each).__module__.startswith("exporter")} == set()
    assert sum(map(sys.getsizeof, left)) < 30 * 2 * 2500
