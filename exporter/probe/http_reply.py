"""One HTTP reply: read from a stream within limits, and parsed by httptools."""

from typing import Protocol

import httptools

from exporter.model.probes import Failure

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 10
"""Bytes of the body that are read; the rest of a longer body is not checked."""
MAX_RECEIVED = 1 << 20
"""Bytes of a whole reply: chunk headers can take more room than the body."""
MAX_SERVER = 64
_NO_BODY = frozenset({204, 304})
_INFORMAL, _SWITCHING = 200, 101


class TooLargeError(Exception):
    """The head or the whole of a reply is larger than its limit."""


class Stream(Protocol):
    """A connection from which a reply is read."""

    async def receive(self, size: int) -> bytes:
        """Return the bytes received, at most *size*; no bytes at the end."""

    async def turn(self) -> None:
        """Let other work run once; TimeoutError after the deadline."""


class HttpReply:
    """
    What a reply says; httptools calls the methods named on_*.

    Args:
        head_only: True if the request was HEAD, so that no body follows.
        keep: True if the body will be searched.
    """

    def __init__(self, *, head_only: bool, keep: bool) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.head_only = head_only
        self.version = ""
        self.status: int | None = None
        self.server = ""
        self.location: str | None = None
        self.received = 0
        """Bytes received."""
        self.head = 0
        """Bytes of header fields."""
        self.body = 0
        """Bytes of the body."""
        self.kept = bytearray() if keep else None
        """The first MAX_BODY bytes of the body."""
        self.headed = False
        """True if the head of the final reply is complete."""
        self.framed = False
        """True if the head says where the body ends."""
        self.done = False
        """True if no more bytes are needed."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Read one header field."""
        if self.done:  # bytes after the reply
            return
        name = name.lower()
        self.head += len(name) + len(value)
        self.framed |= name in {b"content-length", b"transfer-encoding"}
        if name == b"server":
            self.server = value[:MAX_SERVER].decode("latin-1")
        elif name == b"location":
            self.location = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Read the status."""
        if self.done:
            return
        status, self.version = self.parser.get_status_code(), self.parser.get_http_version()
        # The final reply follows a 1xx one.
        self.headed = status >= _INFORMAL or status == _SWITCHING
        if not self.headed:
            self.framed = False
            return
        self.status = status
        if self.head_only or status in _NO_BODY:
            self.done = True

    def on_body(self, body: bytes) -> None:
        """Count a part of the body, and keep it if that is wanted."""
        if self.kept is not None:
            self.kept += body[: MAX_BODY - self.body]
        self.body += len(body)
        if self.body >= MAX_BODY:
            self.done = True

    def on_message_complete(self) -> None:
        """Finish, unless this was a 1xx reply."""
        self.done = self.done or self.headed

    @property
    def cut_off(self) -> Failure:
        """Return the failure if the connection ends now."""
        if self.headed:
            return Failure.REPLY_CUT
        return Failure.REPLY_CLOSED if self.received else Failure.REPLY_EMPTY


async def read_reply(stream: Stream, reply: HttpReply) -> None:
    """
    Read from *stream* until *reply* is complete.

    Raises:
        EOFError: If the connection ends too early.
        TooLargeError: If the reply is larger than its limits.
        httptools.HttpParserError: If it is not HTTP.
        OSError: If the connection breaks; TimeoutError at the stream's deadline.
    """
    head = 0
    while True:
        part = await stream.receive(MAX_BODY)
        if not part:
            # Without a length the end of the connection is the end of the body.
            if reply.headed and not reply.framed:
                return
            raise EOFError
        reply.received += len(part)
        try:
            reply.parser.feed_data(part)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError:
            if not reply.done:
                raise
            return
        head += 0 if reply.headed else len(part)
        if max(head, reply.head) > MAX_HEAD or reply.received > MAX_RECEIVED:
            raise TooLargeError
        if reply.done:
            return
        # Bytes that are already here are read without a wait.
        await stream.turn()
