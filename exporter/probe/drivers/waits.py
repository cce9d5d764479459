"""What a probe waits for: coroutines yield it, and what runs them sends the result back."""

import select
import socket
import time
from collections.abc import Coroutine, Generator, Sequence
from typing import Any, Self, TypeVar, cast

T = TypeVar("T")
Run = Coroutine[Any, Any, T]
"""A coroutine that waits for nothing but what is in this module."""
IN, OUT = select.EPOLLIN, select.EPOLLOUT


class Waits:
    """What else than a socket is waited for: others like it to end, or nothing but a turn."""

    __slots__ = ("_wanted",)

    def __init__(self, wanted: tuple[Run[Any], ...] | None) -> None:
        self._wanted = wanted

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self._wanted)


async def together(runs: Sequence[Run[T]]) -> list[T]:
    """Run all of *runs*, one at least, at once; return their results in order."""
    return cast("list[T]", await Waits(tuple(runs)))


class Socket(socket.SocketType):
    """
    A socket that does not block and is waited for until a point in time.

    Each method that waits raises TimeoutError if it would wait for longer.

    Args:
        family: AF_INET or AF_INET6.
        kind: SOCK_STREAM or SOCK_DGRAM.
        until: Seconds on the monotonic clock.
    """

    __slots__ = ("until", "wants", "watched")

    def __init__(self, family: int, kind: int, until: float) -> None:
        # The type below Python's own, which costs as much again and adds nothing that is used.
        super().__init__(family, kind | socket.SOCK_NONBLOCK)
        self.until = until
        self.wants = self.watched = 0
        """What is waited for, and what it is registered for with epoll."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __await__(self) -> Generator[Self]:
        """Wait until something happened that was not seen yet, of what it *wants*."""
        yield self

    async def turn(self) -> None:
        """Let others go on: who sends without end must not keep them, nor our limit, from it."""
        if time.monotonic() >= self.until:
            raise TimeoutError
        await Waits(None)

    async def open(self, address: tuple[str, int]) -> None:
        """Connect; OSError if that fails."""
        try:
            self.connect(address)
        except BlockingIOError:
            # For what comes next, too: then it need not be registered again.
            self.wants = IN | OUT
            await self
            code = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "cannot connect") from None

    async def receive(self, size: int) -> bytes:
        """Return what came, at most *size* bytes; none at the end of a stream."""
        while True:
            try:
                return self.recv(size)
            except BlockingIOError:
                self.wants = IN
                await self

    async def send_all(self, data: bytes) -> None:
        """Send all of *data*."""
        while True:
            try:
                data = data[self.send(data) :]
            except BlockingIOError:
                self.wants = OUT
                await self
            if not data:
                return
