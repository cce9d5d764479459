"""Messages over real sockets."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.accesslog.readers import syslog
from exporter.accesslog.readers.syslog import Endpoint, Inbox, receive, text_of

LINE = b'10.1.0.1 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 6 "-" "c" "-"'


@pytest.mark.parametrize(
    ("message", "text"),
    [
        pytest.param(b"<190>Jul  7 07:42:11 web-1 nginx: " + LINE, LINE, id="nginx"),
        pytest.param(b"<190>Jul 17 07:42:11 nginx: " + LINE, LINE, id="nginx, nohostname"),
        pytest.param(b"<190>Jul 17 07:42:11 h nginx_a[31]: " + LINE + b"\n", LINE, id="with a pid"),
        pytest.param(
            b"<165>1 2022-07-07T07:42:11.003Z h nginx 31 ID47 - " + LINE, LINE, id="RFC 5424"
        ),
        pytest.param(
            b'<165>1 2022-07-07T07:42:11Z h nginx - - [a@1 b="c\\]" d="e"][f@2] \xef\xbb\xbf'
            + LINE,
            LINE,
            id="RFC 5424 with data and a BOM",
        ),
        pytest.param(LINE + b"\0", LINE, id="no head at all"),
        pytest.param(b"a\nb\n", b"a b", id="a line feed inside"),
    ],
)
def test_text(message, text):
    assert text_of(message) == text


@given(st.binary(max_size=200))
def test_any_message_is_one_line(message):
    assert b"\n" not in text_of(message)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("udp://127.0.0.1:5140", ("udp", "127.0.0.1", 5140, "")),
        ("tcp://[::1]:601", ("tcp", "::1", 601, "")),
        ("unix:///run/n.sock", ("unix", "", 0, "/run/n.sock")),
        ("unix-stream:///run/n.sock", ("unix-stream", "", 0, "/run/n.sock")),
    ],
)
def test_addresses(text, endpoint):
    assert Endpoint.parse(text) == endpoint


@pytest.mark.parametrize("text", ["", "udp://", "udp://h", "udp://h:x", "http://h:1", "unix://x"])
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match=r"write for example|should"):
        Endpoint.parse(text)


@asynccontextmanager
async def receiving(text):
    """Yield the address, and a function that waits for some lines."""
    inbox, lines, told = Inbox(), [], []
    came = asyncio.Event()

    def block(text):
        lines.extend(text.splitlines())
        came.set()

    async def wait(number):
        async with asyncio.timeout(10):
            while len(lines) < number:
                await came.wait()
                came.clear()
        return lines

    async with receive(Endpoint.parse(text), inbox) as address, asyncio.TaskGroup() as group:
        draining = group.create_task(inbox.drain(block, lambda *each: told.append(each)))
        yield address, wait, told
        draining.cancel()


async def test_udp():
    async with receiving("udp://127.0.0.1:0") as (address, wait, _):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(100):
                sock.sendto(b"<190>Jul  7 07:42:11 h nginx: " + LINE, address)
        assert await wait(100) == [LINE] * 100


async def test_a_unix_socket_and_one_left_behind(tmp_path):
    path = tmp_path / "n.sock"
    for _ in range(2):
        async with receiving(f"unix://{path}") as (_, wait, _):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.connect(str(path))
                sock.send(LINE)
            assert await wait(1) == [LINE]
        assert not path.exists()
        # As a process leaves it that was killed.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
            left.bind(str(path))


async def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "n.sock").write_text("precious")
    with pytest.raises(OSError, match="in use"):
        async with receiving(f"unix://{tmp_path}/n.sock"):
            pass


@pytest.mark.parametrize("kind", ["tcp", "unix-stream"])
async def test_streams_of_both_framings(tmp_path, kind):
    text = "tcp://127.0.0.1:0" if kind == "tcp" else f"unix-stream://{tmp_path}/n.sock"
    message = b"<190>Jul  7 07:42:11 h nginx: " + LINE
    async with receiving(text) as (address, wait, _):
        if kind == "tcp":
            _, writer = await asyncio.open_connection(*address)
        else:
            _, writer = await asyncio.open_unix_connection(address[0])
        writer.write(message + b"\n" + b"%d %s" % (len(message), message))
        for byte in message + b"\n":
            writer.write(bytes([byte]))
            await writer.drain()
        writer.write(message)
        writer.close()
        # The last one ends with the stream.
        assert await wait(4) == [LINE] * 4


async def test_a_message_without_end_costs_no_memory():
    async with receiving("tcp://127.0.0.1:0") as (address, wait, told):
        _, writer = await asyncio.open_connection(*address)
        for _ in range(40):
            writer.write(b"x" * 65536)
            await writer.drain()
        writer.write(b"\nnext\n")
        assert await wait(1) == [b"next"]
        writer.close()
    assert sum(truncated for _, truncated in told) >= 1


async def test_what_is_too_much_is_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(syslog, "MAX_QUEUED", 1000)
    inbox, blocks, told = Inbox(), [], []
    for _ in range(100):
        inbox.put(LINE)
    draining = asyncio.create_task(inbox.drain(blocks.append, lambda *each: told.append(each)))
    while not told:  # noqa: ASYNC110 - its end has no Event
        await asyncio.sleep(0)
    draining.cancel()
    ((dropped, truncated),) = told
    assert (dropped + blocks[0].count(b"\n"), truncated) == (100, 0)
    assert len(blocks[0]) <= 1000 + 100


async def test_large_queues_are_handed_over_in_blocks():
    inbox, blocks, told = Inbox(), [], []
    for _ in range(5_000):
        inbox.put(LINE)
    draining = asyncio.create_task(inbox.drain(blocks.append, lambda *each: told.append(each)))
    while not told:  # noqa: ASYNC110 - its end has no Event
        await asyncio.sleep(0)
    draining.cancel()
    assert len(blocks) > 2
    assert b"".join(blocks) == (LINE + b"\n") * 5_000


async def test_short_lines_are_not_more_in_memory_than_the_limit(monkeypatch):
    monkeypatch.setattr(syslog, "MAX_QUEUED", 10 * syslog.LINE_COST)
    inbox = Inbox()
    for _ in range(100):
        inbox.put(b"")
    assert inbox.dropped == 90
