"""Those who ask and never read the answer, beside those who do."""

import asyncio
import gzip
import random
import socket
import ssl
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trustme

from exporter.web import memory
from exporter.web.app import Pages, serve
from exporter.web.auth import WebAuth
from exporter.web.entry import Entry
from exporter.web.limits import Limits
from exporter.web.scrapes import Scrapes
from exporter.web.send import PIECE
from tests.web.test_auth import TLS, certify, write

LIMIT = 60.0
BODY = random.Random(1).randbytes(300_000).hex().encode()
"""More than the buffers of a connection, also when it is compressed."""
ASK = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n"


@asynccontextmanager
async def exposing(auth=None, body=BODY, **limits):
    async def metrics(_):
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    async def nothing():
        return {}

    pages = Pages(
        metrics=metrics, status=nothing, page=lambda _: "", not_ready=lambda: None, reload=nothing
    )
    entry = Entry(auth=auth)
    listen = [("127.0.0.1", 0)]
    options = {"telemetry_path": "/metrics", "entry": entry, "limits": Limits(**limits)}
    async with serve(pages, listen, **options) as ((host, port),):
        yield host, port


@asynccontextmanager
async def deaf(where, source, tls=None):
    """Ask for the metrics, and never read the answer."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.bind((source, 0))
    await asyncio.get_running_loop().sock_connect(sock, where)
    more = {} if tls is None else {"ssl": tls, "server_hostname": "localhost"}
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024, **more)
    writer.transport.pause_reading()
    writer.write(ASK % b"")
    yield reader, writer
    writer.transport.abort()


async def scrape(where, source, tls=None, headers=b""):
    """Return the head and the body of a whole answer."""
    more = {} if tls is None else {"ssl": tls, "server_hostname": "localhost"}
    async with asyncio.timeout(LIMIT):
        reader, writer = await asyncio.open_connection(*where, local_addr=(source, 0), **more)
        writer.write(ASK % headers)
        answer = await reader.read()
    writer.close()
    return answer.split(b"\r\n\r\n", 1)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("source", ["127.0.0.2", "127.0.0.1"], ids=["other", "same"])
async def test_a_hundred_scrapers_that_never_read_keep_no_good_one_out(tmp_path, encrypted, source):
    auth = tls = None
    if encrypted:
        authority, tls = trustme.CA(), ssl.create_default_context()
        authority.configure_trust(tls)
        certify(authority, tmp_path, "localhost")
        auth = await asyncio.to_thread(WebAuth, write(tmp_path, TLS % ""))
    # They may stall for as long as they like: only those who need their places end them.
    times = {"stalled_seconds": LIMIT, "answer_seconds": LIMIT, "slow_seconds": 0.0}
    async with exposing(auth, **times) as where, AsyncExitStack() as stack:
        for n in range(100):
            deaf_one = deaf(where, f"127.1.0.{n % 50 + 1}" if n < 50 else "127.0.0.1", tls)
            await stack.enter_async_context(deaf_one)
        for headers in (b"", b"Accept-Encoding: gzip\r\n"):
            head, body = await scrape(where, source, tls, headers)
            assert head.startswith(b"HTTP/1.1 200")
            assert (gzip.decompress(body) if headers else body) == BODY


async def test_scrapers_that_never_read_hold_few_bytes_each():
    times = {"stalled_seconds": LIMIT, "answer_seconds": LIMIT}
    async with exposing(**times) as where, AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(deaf(where, "127.0.0.1"))
        # By the time this one has its answer, the others have as much as they can take.
        assert (await scrape(where, "127.0.0.2"))[1] == BODY
        held = [
            task.get_coro().cr_frame.f_locals["self"]._wire.get_write_buffer_size()
            for task in connections()
        ]
    assert len(held) >= 20
    assert 0 < max(held) <= Limits().unread + 2 * PIECE


async def test_with_tls_the_transport_below_holds_few_bytes_too(tmp_path):
    authority, tls = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(tls)
    certify(authority, tmp_path, "localhost")
    auth = await asyncio.to_thread(WebAuth, write(tmp_path, TLS % ""))
    times = {"stalled_seconds": LIMIT, "answer_seconds": LIMIT}
    async with exposing(auth, **times) as where, deaf(where, "127.0.0.1", tls):
        assert (await scrape(where, "127.0.0.2", tls))[1] == BODY
        wires = [task.get_coro().cr_frame.f_locals["self"]._wire for task in connections()]
        held = [wire for wire in wires if wire is not None and not wire.is_closing()]
        assert held
        for wire in held:
            below = wire._ssl_protocol._transport
            assert wire.get_write_buffer_limits()[1] == Limits().unread
            assert below.get_write_buffer_limits()[1] == Limits().unread
            assert below.get_write_buffer_size() <= Limits().unread + 2 * PIECE


async def test_a_scrape_with_a_place_for_health_takes_that_of_one_that_has_not_asked():
    async with exposing(connections=1, fresh_seconds=LIMIT) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(ASK[:-1] % b"")
        async with asyncio.timeout(LIMIT):
            while not connections():  # noqa: ASYNC110 - tasks of the server tell nobody
                await asyncio.sleep(0.001)
            head, body = await scrape(where, "127.0.0.2")
            assert head.startswith(b"HTTP/1.1 200")
            assert body == BODY
            assert await reader.read() == b""
        writer.close()


def connections():
    """Return the connections that are open at the server."""
    tasks = asyncio.all_tasks()
    return [task for task in tasks if task.get_coro().__qualname__ == "Connection.start"]


async def test_who_reads_none_of_the_answer_for_long_is_cut_off():
    times = {"stalled_seconds": 0.05, "answer_seconds": LIMIT}
    async with exposing(**times) as where, deaf(where, "127.0.0.1"), asyncio.timeout(LIMIT):
        while not connections():  # noqa: ASYNC110 - tasks of the server tell nobody
            await asyncio.sleep(0.001)
        while connections():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_who_reads_slowly_but_reads_gets_all():
    async with exposing(answer_seconds=LIMIT) as where:
        reader, writer = await asyncio.open_connection(*where, limit=1024)
        writer.write(ASK % b"")
        got = b""
        async with asyncio.timeout(LIMIT):
            while part := await reader.read(8192):
                got += part
                await asyncio.sleep(0)
        writer.close()
    assert got.endswith(BODY)


async def test_a_small_text_and_an_empty_one_are_sent_whole():
    for body in (b"x 1\n", b""):
        async with exposing(body=body) as where:
            for headers in (b"", b"Accept-Encoding: gzip\r\n"):
                head, got = await scrape(where, "127.0.0.1", headers=headers)
                assert b"Content-Length: %d\r\n" % len(got) in head + b"\r\n"
                assert (gzip.decompress(got) if headers else got) == body


async def test_who_asks_while_a_text_is_made_gets_the_next_one_also_if_the_first_gives_up():
    begun, go_on = [], asyncio.Event()

    async def make():
        begun.append(None)
        await go_on.wait()
        yield b"%d" % len(begun)

    scrapes = Scrapes(make)
    first = asyncio.create_task(scrapes.get())
    await asyncio.sleep(0)
    later = [asyncio.create_task(scrapes.get()) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    go_on.set()
    texts = await asyncio.gather(*later)
    assert [b"".join(text.unpacked()) for text in texts] == [b"2"] * 5
    assert len({id(text) for text in texts}) == 1
    assert b"".join((await scrapes.get()).unpacked()) == b"3"


async def test_when_a_crowd_has_left_its_memory_goes_back(monkeypatch):
    given = asyncio.Event()
    monkeypatch.setattr("exporter.web.listen.give_back_memory", given.set)
    async with exposing() as where:
        crowd = [await asyncio.open_connection(*where) for _ in range(100)]
        await scrape(where, "127.0.0.2")
        assert not given.is_set()
        for _, writer in crowd:
            writer.close()
        async with asyncio.timeout(LIMIT):
            await given.wait()
    memory.give_back_memory()
