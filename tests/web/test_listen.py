"""The HTTP server itself, byte by byte over real sockets."""

import asyncio
import ssl
from contextlib import aclosing, asynccontextmanager
from errno import EMFILE, ENFILE

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.web.app import MAX_BODY
from exporter.web.connection import Connection
from exporter.web.entry import origin_of, text
from exporter.web.limits import Limits, Place, Places
from exporter.web.listen import listening
from tests.fakes.depth import examples

LIMIT = 10.0
HELLO = b"GET /hello HTTP/1.1\r\nHost: here\r\n\r\n"
WAIT = HELLO.replace(b"hello", b"wait")


class Page:
    """Answers each request with what it was, and remembers it."""

    def __init__(self):
        self.asked = []
        self.here, self.go_on, self.gone = (asyncio.Event() for _ in range(3))
        self.closed = 0

    async def asked_for(self, number):
        """Wait until there were so many requests."""
        async with asyncio.timeout(LIMIT):
            while len(self.asked) < number:  # noqa: ASYNC110 - asked is a plain list
                await asyncio.sleep(0.01)

    async def answer(self, request):
        self.asked.append(request)
        if request.path == "/bug":
            msg = "a bug"
            raise ZeroDivisionError(msg)
        if request.path == "/wait":
            self.here.set()
            await self.go_on.wait()
        if request.path in {"/pieces", "/endless"}:
            return await self.stream(request)
        return text(f"{request.method} {request.path}\n", X_Told="yes")

    async def stream(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        if request.method != "HEAD":
            async with aclosing(self.pieces(request.path == "/endless")) as pieces:
                async for piece in pieces:
                    await response.write(piece)
        return response

    async def pieces(self, endless):
        try:
            yield b"one\n"
            yield b""
            while endless:
                yield b"x" * 65536
            yield b"two\n"
        finally:
            self.closed += 1
            self.gone.set()


@asynccontextmanager
async def open_to(page, **limits):
    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_route("*", "/{path:.*}", page.answer)
    where = [("127.0.0.1", 0)]
    health = frozenset({"/-/healthy"})
    async with listening(app, where, limits=Limits(**limits), health=health) as ((host, port),):
        yield host, port


async def say(where, sent, *, ends=True):
    """Send bytes and return all that comes back, until the server ends the connection."""
    reader, writer = await asyncio.open_connection(*where)
    try:
        writer.write(sent)
        if ends:
            writer.write_eof()
        async with asyncio.timeout(LIMIT):
            return await reader.read()
    finally:
        writer.close()


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
async def page():
    return Page()


async def test_a_request_and_its_answer(page):
    async with open_to(page) as where:
        said = await say(where, b"GET /a%20b?x=1&x=2&y= HTTP/1.1\r\nHost: h:1\r\nX-A: \xe4\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    rows = head.decode().split("\r\n")
    assert rows.pop(0) == "HTTP/1.1 200 OK"
    rows.sort()
    assert rows.pop(2).startswith("Date: ")
    assert rows == ["Content-Length: 9", "Content-Type: text/plain; charset=utf-8", "X-Told: yes"]
    assert body == b"GET /a b\n"
    (asked,) = page.asked
    assert {name: asked.query[name] for name in asked.query} == {"x": "1", "y": ""}
    assert [(name.lower(), asked.headers[name]) for name in asked.headers] == [
        ("host", "h:1"),
        ("x-a", "\udce4"),
    ]
    assert origin_of(asked) == "http://h:1"


async def test_requests_one_after_the_other_and_at_once(page):
    async with open_to(page) as where:
        said = await say(where, HELLO * 3)
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert len(page.asked) == 3


async def test_a_body_in_pieces(page):
    async with open_to(page) as where:
        modern = await say(where, b"GET /pieces HTTP/1.1\r\nHost: h\r\n\r\n")
        old = await say(where, b"GET /pieces HTTP/1.0\r\n\r\n", ends=False)
    assert modern.endswith(b"\r\n\r\n4\r\none\n\r\n4\r\ntwo\n\r\n0\r\n\r\n")
    assert b"Connection: close" in old
    assert old.endswith(b"\r\n\r\none\ntwo\n")
    assert page.closed == 2


@pytest.mark.parametrize("path", [b"/hello", b"/pieces"])
async def test_head_is_answered_without_the_body(page, path):
    async with open_to(page) as where:
        said = await say(where, b"HEAD " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK")
    assert said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"]
)
async def test_the_connection_ends_where_the_client_wants_it(page, head):
    async with open_to(page) as where:
        assert b"Connection: close" in await say(where, head, ends=False)


@pytest.mark.parametrize(
    "sent",
    [
        b"junk\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET http://[ HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nExpect: \xc7\r\n\r\n",
    ],
)
async def test_what_makes_no_sense_is_refused(page, sent):
    async with open_to(page) as where:
        assert (await say(where, sent, ends=False)).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert page.asked == []


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"x" * 40_000,
        b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 5_000,
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 40000\r\n\r\n" + b"x" * 39_999,
    ],
    ids=["path", "headers", "body"],
)
async def test_what_is_too_large_is_refused(page, sent):
    async with open_to(page) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(sent)
        async with asyncio.timeout(LIMIT):
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()
    assert page.asked == []


@pytest.mark.parametrize("sent", [b"", HELLO[:-1]], ids=["idle", "slow"])
async def test_who_asks_nothing_or_slowly_is_left(page, sent):
    async with open_to(page, head_seconds=0.05) as where:
        assert await say(where, sent, ends=False) == b""


async def test_who_reads_nothing_is_left(page):
    async with open_to(page, answer_seconds=0.1, linger_seconds=0.1) as where:
        reader, writer = await asyncio.open_connection(*where, limit=1024)
        writer.write(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")
        async with asyncio.timeout(LIMIT):
            await page.gone.wait()
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await reader.readexactly(1 << 30)
        writer.close()


async def test_a_bug_ends_its_own_connection_and_is_told(page):
    told = asyncio.Queue()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.put_nowait(context))
    async with open_to(page) as where:
        assert await say(where, b"GET /bug HTTP/1.1\r\nHost: h\r\n\r\n", ends=False) == b""
        assert b"200 OK" in await say(where, HELLO)
        async with asyncio.timeout(LIMIT):
            assert type((await told.get())["exception"]) is ZeroDivisionError
    assert told.empty()


async def test_one_connection_too_many_is_closed(page):
    async with open_to(page, connections=2, health_connections=0) as where, silent(where, 2, WAIT):
        await page.asked_for(2)
        assert await asks(where, b"/hello") is None


async def test_at_the_end_answers_under_way_are_given_and_idle_connections_closed(page):
    async with open_to(page) as where:
        waits, idle = [await asyncio.open_connection(*where) for _ in range(2)]
        waits[1].write(HELLO.replace(b"hello", b"wait"))
        async with asyncio.timeout(LIMIT):
            await page.here.wait()
        asyncio.get_running_loop().call_later(0.05, page.go_on.set)
    async with asyncio.timeout(LIMIT):
        assert (await waits[0].read()).endswith(b"GET /wait\n")
        assert await idle[0].read() == b""
    for _, writer in (waits, idle):
        writer.close()


async def test_at_the_end_nobody_is_waited_for_for_long_and_nothing_is_told(page):
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with asyncio.timeout(LIMIT):
        async with open_to(page, shutdown_seconds=0.05) as where:
            reader, writer = await asyncio.open_connection(*where)
            writer.write(HELLO.replace(b"hello", b"wait"))
            await page.here.wait()
        assert await reader.read() == b""
    writer.close()
    assert told == []


@given(
    sent=st.lists(
        st.sampled_from([HELLO, b"GET ", b"/", b" HTTP/1.1", b"\r\n", b"Host: h", b": ", b"\0"])
        | st.binary(max_size=20),
        max_size=12,
    ).map(b"".join)
)
@settings(max_examples=examples(60))
def test_no_bytes_do_it_harm(sent):
    async def run():
        page = Page()
        async with open_to(page) as where:
            said = await say(where, sent)
            assert not said or said.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
            assert (await say(where, HELLO)).endswith(b"GET /hello\n")

    asyncio.run(run())


def test_an_origin_is_that_of_the_scheme_that_is_spoken():
    asked = make_mocked_request("GET", "/", {"Host": "h"}, sslcontext=True)
    assert origin_of(asked) == "https://h"


async def asks(where, path, *, source="127.0.0.2"):
    """Ask for *path* from the address *source* and return the status, or None if refused."""
    reader, writer = await asyncio.open_connection(*where, local_addr=(source, 0))
    try:
        writer.write(b"GET %b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % path)
        async with asyncio.timeout(LIMIT):
            said = await reader.read()
        return int(said.split()[1]) if said else None
    except ConnectionResetError:
        return None
    finally:
        writer.close()


@asynccontextmanager
async def silent(where, number, sent=b"", source="127.0.0.1"):
    """Hold *number* connections open, each of which sends only *sent*."""
    held = [await asyncio.open_connection(*where, local_addr=(source, 0)) for _ in range(number)]
    for _, writer in held:
        writer.write(sent)
    yield held
    for _, writer in held:
        writer.close()


async def test_one_address_cannot_take_all_places(page):
    limits = {"connections": 10, "connections_by_address": 4, "health_connections": 2}
    async with open_to(page, **limits) as where, silent(where, 300):
        assert await asks(where, b"/hello") == 200


async def test_when_all_places_are_taken_health_is_answered_and_nothing_else(page):
    limits = {"connections": 4, "connections_by_address": 4, "health_connections_by_address": 1}
    async with open_to(page, **limits) as where, silent(where, 4, WAIT):
        await page.asked_for(4)
        async with silent(where, 296):
            assert await asks(where, b"/-/healthy") == 200
            assert await asks(where, b"/hello") == 503
            # The place for health is free again after each answer.
            assert await asks(where, b"/-/healthy") == 200
    assert [asked.path for asked in page.asked[4:]] == ["/-/healthy"] * 2


@pytest.mark.parametrize("sent", [b"", HELLO[:-1]], ids=["silent", "slow"])
@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"], ids=["same", "other"])
async def test_whoever_sends_no_request_keeps_nobody_out(page, source, sent):
    limits = {"connections": 4, "connections_by_address": 4, "health_connections": 0}
    limits |= {"silent_connections": 4, "silent_connections_by_address": 4}
    async with open_to(page, **limits) as where, silent(where, 60, sent) as held:
        for _ in range(3):
            assert await asks(where, b"/hello", source=source) == 200
            assert await asks(where, b"/-/healthy", source=source) == 200
        # The oldest left; the newest are still here.
        assert await held[0][0].read() == b""
        assert not held[-1][0].at_eof()
        held[-1][1].write(HELLO[len(sent) :])
        assert b"200 OK" in await held[-1][0].readline()


async def test_idle_connections_leave_after_those_that_never_asked(page):
    limits = {"connections_by_address": 3, "health_connections": 0, "fresh_seconds": 0.0}
    async with (
        open_to(page, **limits) as where,
        silent(where, 2, HELLO) as idle,
        silent(where, 1, HELLO[:-1]) as never,
    ):
        for reader, _ in idle:
            await reader.readuntil(b"/hello\n")
        async with silent(where, 1, WAIT):
            await page.asked_for(3)
            assert await never[0][0].read() == b""
            async with silent(where, 1, WAIT):
                await page.asked_for(4)
                assert await idle[0][0].read() == b""
                idle[1][1].write(HELLO)
                assert b"200 OK" in await idle[1][0].readline()


async def test_the_address_with_the_most_connections_makes_room(page):
    limits = {"connections": 5, "connections_by_address": 4, "health_connections": 0}
    async with (
        open_to(page, **limits) as where,
        silent(where, 1, HELLO[:-1], source="127.0.0.3") as one,
        silent(where, 4, HELLO[:-1]) as many,
    ):
        assert await asks(where, b"/hello") == 200
        assert await many[0][0].read() == b""
        one[0][1].write(HELLO[-1:])
        assert b"200 OK" in await one[0][0].readline()


async def test_the_places_of_closed_connections_are_free_again(page):
    """The time limit that closes them is of bodies, which those that come then do not have."""
    limits = {"connections": 4, "connections_by_address": 4, "health_connections": 0}
    half = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf"
    async with (
        open_to(page, body_seconds=0.05, **limits) as where,
        silent(where, 4, half) as held,
        asyncio.timeout(LIMIT),
    ):
        for reader, _ in held:
            assert await reader.read() == b""
        for _ in range(8):
            assert await asks(where, b"/hello", source="127.0.0.1") == 200


async def test_a_body_that_does_not_end_is_not_waited_for(page):
    sent = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf"
    async with open_to(page, body_seconds=0.05) as where:
        assert await say(where, sent, ends=False) == b""
    assert page.asked == []


async def test_a_second_request_that_comes_slowly_is_not_waited_for(page):
    async with open_to(page, head_seconds=0.05) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(HELLO)
        await reader.readuntil(b"/hello\n")
        writer.write(HELLO[:-1])
        async with asyncio.timeout(LIMIT):
            assert await reader.read() == b""
        writer.close()


async def test_an_idle_connection_is_closed(page):
    async with open_to(page, idle_seconds=0.05) as where:
        assert (await say(where, HELLO, ends=False)).endswith(b"GET /hello\n")


async def test_without_file_descriptors_it_waits_and_says_so_once(page, monkeypatch):
    loop, failures = asyncio.get_running_loop(), iter([EMFILE, ENFILE, EMFILE])
    accept = loop.sock_accept

    async def failing(sock):
        for number in failures:
            raise OSError(number, "Too many open files")
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", failing)
    with capture_logs() as logs:
        async with open_to(page, backoff_seconds=0.01) as where:
            assert b"200 OK" in await say(where, HELLO)
    assert [each["event"] for each in logs] == ["connections not accepted"]


class EncryptedWire(asyncio.Transport):
    """The transport of a TLS connection."""

    def get_extra_info(self, name, default=None):
        return object() if name == "sslcontext" else default

    def is_closing(self):
        return False

    def write(self, data):
        """Send nothing."""

    def set_write_buffer_limits(self, high=None, low=None):
        """Keep nothing."""

    def close(self):
        """Stay as it is."""


async def test_a_refused_connection_knows_that_it_is_a_tls_connection(page):
    # asyncio logs a line for each TLS connection that wants to stay half open.
    connection = Connection(web.Server(page.answer), Limits(), Place.ANY)
    connection.connection_made(EncryptedWire())
    connection.data_received(b"x" * (Limits().request + 1))
    assert connection.transport is None
    assert connection.eof_received() is False
    connection.connection_lost(None)


async def test_a_bug_while_a_connection_is_accepted_is_told_and_the_next_one_is_served(
    page, monkeypatch
):
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    enter, bugs = Places.enter, iter([ZeroDivisionError("a bug")])

    def failing(self, guest):
        for bug in bugs:
            raise bug
        return enter(self, guest)

    monkeypatch.setattr(Places, "enter", failing)
    async with open_to(page) as where:
        assert await say(where, b"", ends=False) == b""
        assert b"200 OK" in await say(where, HELLO)
    assert [type(each["exception"]) for each in told] == [ZeroDivisionError]


async def test_a_tls_connection_that_is_closing_keeps_nobody_out(page, authority):
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    limits = {"connections": 1, "connections_by_address": 1, "health_connections": 0}
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page.answer)
    where = [("127.0.0.1", 0)]
    async with listening(app, where, tls=lambda: server, limits=Limits(**limits)) as (address,):
        _, writer = await asyncio.open_connection(*address, ssl=client, server_hostname="localhost")
        # It reads nothing, so the closing connection stays for a while.
        writer.transport.pause_reading()
        writer.write(HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await page.asked_for(1)
        assert (await ask_until_answered(address, client)).endswith(b"/hello\n")
        writer.transport.abort()


async def ask_until_answered(address, context):
    """Ask over TLS again and again, until there is a place."""
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                reader, writer = await asyncio.open_connection(
                    *address, ssl=context, server_hostname="localhost"
                )
                writer.write(HELLO)
                said = await reader.readuntil(b"/hello\n")
            except (ConnectionError, EOFError):
                continue
            writer.close()
            return said
