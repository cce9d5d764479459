"""Requests against real servers, well-behaved and hostile."""

import asyncio
import gc
import gzip
import os
import re
import resource
import socket
import time
from ipaddress import ip_address

import pytest

from exporter.model.probes import Failure
from exporter.probe import http_reply
from exporter.probe.drivers.runner import run_alone
from exporter.probe.drivers.waits import Socket
from exporter.probe.http import Request, get
from exporter.probe.http_reply import MAX_BODY, MAX_HEAD, HttpReply
from tests.fakes.servers import HOST, open_files, tcp

NAME = "nginx.nginx-test.svc.clusterset.local"
AGENT = "clusterset-exporter/0 (test)"
OK = frozenset(range(200, 400))
WELL = b"HTTP/1.1 200 OK\r\nServer: nginx/1.25\r\nContent-Length: 2\r\n\r\nhi"


def says(*parts, hold=False):
    """Return a server that reads a request and then says this, byte strings one after the other."""

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if hold:
            await asyncio.sleep(60)

    return talk


def asking(port, *, within=30.0, source=None, user_agent=lambda: AGENT, **request):
    return get(
        ip_address(HOST),
        port,
        request=Request(**{"expected": OK} | request),
        name=NAME,
        user_agent=user_agent,
        within=within,
        source=source,
    )


async def ask(port, **words):
    return await run_alone(asking(port, **words))


async def replied(talk, **words):
    async with tcp(talk) as port:
        return await ask(port, **words)


async def test_a_reply():
    began = time.monotonic()
    reply = await replied(says(WELL))
    assert (reply.status, reply.server, reply.failure) == (200, "nginx/1.25", None)
    assert reply.connect > 0
    assert reply.took > 0
    assert reply.connect + reply.took <= time.monotonic() - began


@pytest.mark.parametrize(
    ("request_words", "line", "host"),
    [
        ({}, "GET / HTTP/1.1", f"{NAME}:%d"),
        ({"method": "HEAD", "path": "/healthz?x=1"}, "HEAD /healthz?x=1 HTTP/1.1", f"{NAME}:%d"),
        ({"host": "shop.example"}, "GET / HTTP/1.1", "shop.example"),
    ],
)
async def test_what_is_asked(request_words, line, host):
    heard = []

    async def talk(reader, writer):
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(WELL)

    async with tcp(talk) as port:
        assert (await ask(port, **request_words)).failure is None
    first, *headers = heard[0].strip().split("\r\n")
    assert first == line
    assert headers == [
        f"Host: {host % port if '%d' in host else host}",
        f"User-Agent: {AGENT}",
        "Accept: */*",
        "Connection: close",
    ]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([bytes([byte]) for byte in WELL], id="byte by byte"),
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"],
            id="chunked",
        ),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n", WELL], id="after 100"),
        pytest.param([b"HTTP/1.1 204 No Content\r\n\r\n"], id="204 without a length"),
        pytest.param([b"HTTP/1.1 200 OK\r\n\r\n", b"until the end"], id="ended by hanging up"),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\nold"], id="1.0"),
        pytest.param([WELL + b"HTTP/1.1 500 No\r\n\r\n"], id="more than asked"),
    ],
)
async def test_what_counts_as_a_whole_reply(parts):
    reply = await replied(says(*parts))
    assert reply.failure is None
    assert reply.status in {200, 204}


async def test_a_long_body_is_good_as_far_as_it_was_read():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"
    reply = await replied(says(head, b"x" * (2 * MAX_BODY), hold=True))
    assert (reply.status, reply.failure) == (200, None)


async def test_head_has_no_body():
    reply = await replied(
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", hold=True), method="HEAD"
    )
    assert reply.failure is None


@pytest.mark.parametrize(
    ("talk", "failure"),
    [
        pytest.param(
            says(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), Failure.REPLY_STATUS, id="503"
        ),
        pytest.param(says(hold=True), Failure.REPLY_TIMEOUT, id="silence"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nContent-Le", hold=True),
            Failure.REPLY_TIMEOUT,
            id="half a head",
        ),
        pytest.param(says(), Failure.REPLY_EMPTY, id="hangs up"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
            Failure.REPLY_CUT,
            id="half a body",
        ),
        pytest.param(says(b"SSH-2.0-OpenSSH_9.2\r\n"), Failure.REPLY_MALFORMED, id="no HTTP"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
            Failure.REPLY_MALFORMED,
            id="a length below 0",
        ),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MAX_HEAD, hold=True),
            Failure.REPLY_TOO_LARGE,
            id="endless head",
        ),
        pytest.param(
            says(b"HTTP/1.1 100 Continue\r\n\r\n" * 9), Failure.REPLY_CLOSED, id="only 100"
        ),
    ],
)
async def test_each_failure_has_its_reason(talk, failure):
    reply = await replied(talk, within=0.3 if failure is Failure.REPLY_TIMEOUT else 30.0)
    assert reply.failure is failure
    assert reply.connect is not None


def moved(location, status=302):
    head = f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    return head.encode("latin-1")


def by_path(**replies):
    """Return a server that says what stands for the path, and the paths it was asked for."""
    asked = []

    async def talk(reader, writer):
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        asked.append(path)
        writer.write(replies[path.strip("/").partition("?")[0] or "root"])

    return talk, asked


async def test_each_request_has_a_user_agent_of_its_own():
    """A log that has the same probe twice would have a forgery."""
    talk, _ = by_path(root=moved("/a"), a=WELL)
    made = iter("12")
    reply = await replied(talk, user_agent=lambda: next(made), redirects=3)
    assert (reply.failure, reply.redirects, list(made)) == (None, 1, [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_on_the_same_host_if_asked(status):
    talk, asked = by_path(root=moved("/a?x=1", status), a=moved("b", status), b=WELL)
    reply = await replied(talk, redirects=3)
    assert (reply.failure, reply.status, reply.redirects) == (None, 200, 2)
    assert asked == ["/", "/a?x=1", "/b"]


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        f"https://{NAME}/",
        f"http://{NAME}:1/",
        "//other.example/",
        "gopher://x/",
        "http://[",
        "/caf\xe9",
    ],
)
async def test_a_redirect_to_anywhere_else_is_refused(location):
    talk, asked = by_path(root=moved(location))
    reply = await replied(talk, redirects=3)
    assert (reply.failure, reply.status) == (Failure.REPLY_REDIRECT, 302)
    assert asked == ["/"]


async def test_redirects_in_a_circle_end():
    talk, asked = by_path(root=moved("/"))
    assert (await replied(talk, redirects=3)).failure is Failure.REPLY_REDIRECT
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("pattern", "failure"),
    [(rb"^x+end$", Failure.REPLY_BODY), (rb"^x+$", None), (rb"(?i)OK", Failure.REPLY_BODY)],
)
async def test_the_body_is_looked_at_as_far_as_it_is_read(pattern, failure):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 200003\r\n\r\n"
    reply = await replied(says(head, b"x" * 200_000, b"end"), body=re.compile(pattern))
    assert (reply.failure, reply.status) == (failure, 200)


async def test_headers_are_sent_as_given():
    heard = []

    async def talk(reader, writer):
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(WELL)

    await replied(talk, headers=("X-Probe: yes", "Accept-Language: de"))
    assert b"\r\nX-Probe: yes\r\nAccept-Language: de\r\n" in heard[0]


async def test_ipv6():
    async with tcp(says(WELL), host="::1") as port:
        reply = await run_alone(
            get(
                ip_address("::1"),
                port,
                request=Request(expected=OK),
                name=NAME,
                user_agent=lambda: AGENT,
                within=30.0,
            )
        )
    assert (reply.failure, reply.status) == (None, 200)


async def test_the_kernel_tells_the_round_trip():
    reply = await replied(says(WELL))
    assert 0 < reply.rtt < reply.connect


@pytest.mark.parametrize(
    ("talk", "failure"),
    [
        pytest.param(
            says(b"HTTP/1.1 100 Continue\r\n\r\n" * 9000, hold=True),
            Failure.REPLY_TOO_LARGE,
            id="a flood of 1xx",
        ),
        pytest.param(says(b"HTTP/1.1 20\r\n\r\n"), Failure.REPLY_MALFORMED, id="half a status"),
        pytest.param(says(b"HTTP/0.9 200\r\n\r\n"), Failure.REPLY_MALFORMED, id="0.9"),
        pytest.param(says(b"<html>hello</html>"), Failure.REPLY_MALFORMED, id="0.9 without a head"),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\nX-\xff\xfe: \xe9\r\n\r\n"),
            Failure.REPLY_MALFORMED,
            id="a name that is not ASCII",
        ),
        pytest.param(
            says(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * (1 << 20), hold=True),
            Failure.REPLY_TOO_LARGE,
            id="a header of 1 MB",
        ),
    ],
)
async def test_what_is_no_http_is_told(talk, failure):
    assert (await replied(talk, within=30.0)).failure is failure


async def test_a_drip_ends_in_time():
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(b"H")
            await asyncio.sleep(0.02)

    # The drip has no end: that there is a reply shows that the probe has one.
    reply = await replied(talk, within=0.3)
    assert reply.failure in {Failure.REPLY_TIMEOUT, Failure.REPLY_MALFORMED}


async def test_chunks_without_a_body_end(monkeypatch):
    monkeypatch.setattr("exporter.probe.http_reply.MAX_RECEIVED", 1 << 40)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"
    flood = head + b"x" * (16 << 20)
    loop, turns = asyncio.get_running_loop(), 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    class Endless(Socket):
        """As much as is asked for, at once, for ever."""

        sent = 0

        async def receive(self, size):
            part = flood[self.sent : self.sent + size] or b"x" * size
            self.sent += size
            return part

    counting = asyncio.create_task(count())
    began = loop.time()
    with Endless(socket.AF_INET, socket.SOCK_STREAM, time.monotonic() + 0.2) as endless:
        reading = http_reply.read_reply(endless, HttpReply(head_only=False, keep=False))
        with pytest.raises(TimeoutError):
            await run_alone(reading)
    assert loop.time() - began < 1.0
    assert turns > 10
    counting.cancel()


async def test_nothing_waits_for_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            await replied(says(WELL))
        await replied(says(b"what is this"))
        assert not [each for each in gc.get_objects() if isinstance(each, HttpReply)]
    finally:
        gc.enable()


async def test_a_reply_has_a_largest_size():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;"
    reply = await replied(says(head, b"x" * (4 << 20), hold=True))
    assert reply.failure is Failure.REPLY_TOO_LARGE


async def test_no_body_is_unpacked():
    bomb = gzip.compress(bytes(50 << 20), 9)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reply = await replied(says(head, bomb), body=re.compile(b"^\x1f\x8b"))
    assert reply.failure is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


async def test_out_of_file_descriptors_is_our_own_fault():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def among_many(run):
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        return await run

    try:
        reply = await run_alone(among_many(asking(1)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert reply.failure is Failure.RESOURCE


async def test_a_redirect_is_not_followed():
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n"
    assert (await replied(says(moved))).status == 302


async def test_a_reset_before_the_reply_is_an_empty_one():
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        linger = b"\1\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    assert (await replied(talk)).failure is Failure.REPLY_EMPTY


async def test_a_closed_port_is_refused():
    async with tcp(says(WELL)) as port:
        pass
    reply = await ask(port)
    assert (reply.failure, reply.connect, reply.took) == (Failure.CONNECT_REFUSED, None, None)


async def test_a_full_backlog_is_a_connect_timeout():
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind((HOST, 0))
        full.listen(0)
        for each in (one, two):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        reply = await ask(full.getsockname()[1], within=0.2)
    assert reply.failure is Failure.CONNECT_TIMEOUT


async def test_a_server_header_is_cut():
    long = b"HTTP/1.1 200 OK\r\nServer: " + b"s" * 500 + b"\r\nContent-Length: 0\r\n\r\n"
    assert (await replied(says(long))).server == "s" * 64


async def test_garbage_ends_in_a_reason():
    for n in range(40):
        garbage = (b"HTTP/1.1 200 OK\r\n" if n % 2 else b"") + os.urandom(200)
        reply = await replied(says(garbage), within=0.5)
        assert reply.failure is None or reply.failure in set(Failure)


async def test_nothing_is_left_open():
    heard = asyncio.Semaphore(0)

    async def talk(reader, _):
        await reader.readuntil(b"\r\n\r\n")
        heard.release()
        await asyncio.sleep(60)

    async with tcp(talk) as port:
        await ask(port, within=0.05)
        await heard.acquire()
        before, tasks = open_files(), len(asyncio.all_tasks())
        for _ in range(5):
            await ask(port, within=0.05)
            await heard.acquire()
        asking = asyncio.create_task(ask(port))
        await heard.acquire()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        # The server's ends are its own.
        assert len(asyncio.all_tasks()) - tasks == open_files() - before == 6


async def test_a_source_address_is_used():
    peers = []

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        peers.append(writer.get_extra_info("peername")[0])
        writer.write(WELL)

    await replied(talk, source=ip_address("127.9.8.7"))
    assert peers == ["127.9.8.7"]
