"""
Access logs that nginx sends by syslog: datagrams and streams to blocks of lines.

Source: ngx_syslog.c (`<PRI>Mon dd hh:mm:ss host tag: text`, the host may be left out); RFC 3164;
RFC 5424; RFC 6587 for streams (octets counted, or a line feed after each message).
"""

import asyncio
import re
import socket
import stat
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from exporter.accesslog.readers.syslog_stream import MessageSplitter
from exporter.model.stages import UNWATCHED, Pulse

BLOCK = 128 << 10
PART = 8 << 10
"""Bytes read of a stream between two turns of the event loop: they may be as many messages."""
MAX_QUEUED = 8 << 20
"""Bytes that wait to be counted; what comes beyond them is dropped and counted as such."""
LINE_COST = 64
"""Bytes of memory that a waiting line takes besides its text."""
MAX_LINE = 64 << 10
MAX_STREAMS = 100
KINDS = ("udp", "tcp", "unix", "unix-stream")
_BUFFER = 4 << 20

_OLD = re.compile(
    rb"<\d{1,3}>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:[^ ]+ )?[^ :\[]+(?:\[\d+\])?: "
)
_NEW = re.compile(
    rb"<\d{1,3}>1 [^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ "
    rb'(?:-|(?:\[[^ \]]+(?: [^ =]+="(?:[^"\\\]]|\\.)*")*\])+)(?: (?:\xef\xbb\xbf)?|$)'
)


class Endpoint(NamedTuple):
    """Where syslog messages are received."""

    kind: str
    """One of KINDS."""
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read `udp://127.0.0.1:5140` or `unix:///run/nginx.sock`; ValueError if it is none."""
        kind, colon, rest = text.partition("://")
        if not colon or kind not in KINDS:
            msg = f"{text!r} is no syslog address; write for example udp://127.0.0.1:5140"
            raise ValueError(msg)
        if kind.startswith("unix"):
            if not rest.startswith("/"):
                msg = f"{text!r} should name a whole path, as unix:///run/nginx.sock"
                raise ValueError(msg)
            return cls(kind, "", 0, rest)
        host, _, port = rest.rpartition(":")
        if not host or not (port.isascii() and port.isdigit() and 0 <= int(port) < 1 << 16):
            msg = f"{text!r} should end with host:port, as udp://127.0.0.1:5140"
            raise ValueError(msg)
        return cls(kind, host.strip("[]"), int(port), "")


def text_of(message: bytes) -> bytes:
    """Return the text of a syslog message: what follows its head, without its end."""
    message = message.rstrip(b"\n\0")
    head = _OLD.match(message) or _NEW.match(message)
    # A line feed inside would be two lines.
    return (message[head.end() :] if head else message).replace(b"\n", b" ")


class Inbox:
    """A bounded queue of lines."""

    def __init__(self) -> None:
        self.dropped = 0
        """Lines that came while the queue was full."""
        self.truncated = 0
        """Lines that were longer than MAX_LINE."""
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._came = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Add the text of a message."""
        text = text_of(message)
        if len(text) > MAX_LINE:
            self.truncated += 1
        elif self._size + len(text) + LINE_COST > MAX_QUEUED:
            self.dropped += 1
        else:
            self._lines.append(text + b"\n")
            self._size += len(text) + LINE_COST
        self._came.set()

    async def drain(
        self,
        block: Callable[[bytes], None],
        told: Callable[[int, int], None],
        pulse: Pulse = UNWATCHED,
    ) -> None:
        """
        Hand blocks of lines over as they come, with a turn for others between them, for ever.

        If *block* fails, its lines are lost, and all others wait for the next call.

        Args:
            block: Called with whole lines.
            told: Called after them with the lines dropped and truncated since the last call.
            pulse: Beats with each block.
        """
        while True:
            pulse.rest()
            await self._came.wait()
            pulse.beat()
            if self._lines:
                block(self._take())
            if self._lines and not self.dropped and not self.truncated:
                await asyncio.sleep(0)
                continue
            dropped, self.dropped = self.dropped, 0
            truncated, self.truncated = self.truncated, 0
            told(dropped, truncated)
            if not self._lines:
                self._came.clear()

    def _take(self) -> bytes:
        """Return the oldest lines, as many as one block holds."""
        held, size = [], 0
        while self._lines and size <= BLOCK:
            line = self._lines.popleft()
            held.append(line)
            size += len(line)
            self._size -= len(line) - 1 + LINE_COST
        return b"".join(held)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def datagram_received(self, data: bytes, _: object) -> None:
        self._inbox.put(data)


@asynccontextmanager
async def receive(endpoint: Endpoint, inbox: Inbox) -> AsyncIterator[tuple[str, int]]:
    """
    Receive messages into *inbox* for as long as this is open; yield the address.

    Raises:
        OSError: If the address cannot be listened on.
    """
    path = Path(endpoint.path)
    if endpoint.path:
        # One that was left behind by a process that is gone.
        with suppress(OSError):
            if stat.S_ISSOCK((await asyncio.to_thread(path.stat)).st_mode):
                await asyncio.to_thread(path.unlink)
    kind = _receive_datagrams if endpoint.kind in {"udp", "unix"} else _receive_streams
    async with AsyncExitStack() as stack:
        address = await kind(endpoint, inbox, stack)
        if endpoint.path:
            stack.push_async_callback(asyncio.to_thread, path.unlink, missing_ok=True)
        yield address


async def _receive_datagrams(
    endpoint: Endpoint, inbox: Inbox, stack: AsyncExitStack
) -> tuple[str, int]:
    if endpoint.path:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address: tuple[str, int] | str = endpoint.path
    else:
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        address = (endpoint.host, endpoint.port)
    stack.callback(sock.close)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    sock.bind(address)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(inbox), sock=sock)
    stack.callback(transport.close)
    return (endpoint.path, 0) if endpoint.path else sock.getsockname()[:2]


async def _receive_streams(
    endpoint: Endpoint, inbox: Inbox, stack: AsyncExitStack
) -> tuple[str, int]:
    streams = set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(streams) >= MAX_STREAMS:
            writer.close()
            return
        streams.add(task)
        try:
            await _read(reader, inbox)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the server below cancels what it owns
        finally:
            streams.discard(task)
            writer.close()

    if endpoint.path:
        server = await asyncio.start_unix_server(connected, endpoint.path, limit=MAX_LINE)
    else:
        server = await asyncio.start_server(connected, endpoint.host, endpoint.port, limit=MAX_LINE)

    async def close() -> None:
        server.close()
        for task in list(streams):
            task.cancel()
        if streams:
            await asyncio.wait(streams)

    stack.push_async_callback(close)
    return (endpoint.path, 0) if endpoint.path else server.sockets[0].getsockname()[:2]


async def _read(reader: asyncio.StreamReader, inbox: Inbox) -> None:
    """Read messages until the stream ends, with a turn for others after each part."""
    messages, told = MessageSplitter(2 * MAX_LINE), 0
    while part := await reader.read(PART):
        for message in messages.feed(part):
            inbox.put(message)
        inbox.truncated += messages.too_long - told
        told = messages.too_long
        await asyncio.sleep(0)
    if last := messages.finish():
        inbox.put(last)
