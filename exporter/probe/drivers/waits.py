"""What a probe can wait for: its coroutine yields the wait, and the runner resumes it later."""

import socket
import time
from collections.abc import Coroutine, Generator, Sequence
from typing import Any, Self, TypeVar, cast

T = TypeVar("T")
Run = Coroutine[Any, Any, T]
"""A probe's coroutine: it waits only for what this module defines."""
READ, WRITE = 1, 4
"""Kinds of readiness, as flags. POLLIN and POLLOUT have these values on every system."""
_NONBLOCK: int = getattr(socket, "SOCK_NONBLOCK", 0)


class Suspension:
    """
    A wait for something other than a socket.

    Args:
        runs: The coroutines whose results are awaited; None to let other work run once.
    """

    __slots__ = ("_runs",)

    def __init__(self, runs: tuple[Run[Any], ...] | None) -> None:
        self._runs = runs

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self._runs)


async def together(runs: Sequence[Run[T]]) -> list[T]:
    """Run all of *runs* at once, at least one; return their results in the same order."""
    return cast("list[T]", await Suspension(tuple(runs)))


class Socket(socket.SocketType):
    """
    A socket that never blocks and has a deadline.

    Each method that waits raises TimeoutError at the deadline.

    Args:
        family: AF_INET or AF_INET6.
        kind: SOCK_STREAM or SOCK_DGRAM.
        deadline: Seconds on the monotonic clock.
    """

    __slots__ = ("deadline", "wants", "watched")

    def __init__(self, family: int, kind: int, deadline: float) -> None:
        # The base class is the one below socket.socket: that one costs as much again, for
        # features that probes do not use.
        super().__init__(family, kind | _NONBLOCK)
        if not _NONBLOCK:
            self.setblocking(False)
        self.deadline = deadline
        self.wants = self.watched = 0
        """READ and WRITE flags: what the probe waits for, and what the driver has registered."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __await__(self) -> Generator[Self]:
        """Wait until the socket may be ready for one of the kinds it *wants*."""
        yield self

    async def turn(self) -> None:
        """
        Let other work run once.

        A peer that sends without end must not stop other work, nor our own deadline.
        """
        if time.monotonic() >= self.deadline:
            raise TimeoutError
        await Suspension(None)

    async def open(self, address: tuple[str, int]) -> None:
        """Connect; OSError if that fails."""
        try:
            self.connect(address)
        except BlockingIOError:
            # READ is for the next step: a driver that keeps registrations need not change this one.
            self.wants = READ | WRITE
            await self
            code = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, "cannot connect") from None

    async def receive(self, size: int) -> bytes:
        """Return the bytes received, at most *size*; no bytes at the end of a stream."""
        while True:
            try:
                return self.recv(size)
            except BlockingIOError:
                self.wants = READ
                await self

    async def send_all(self, data: bytes) -> None:
        """Send all of *data*."""
        while True:
            try:
                data = data[self.send(data) :]
            except BlockingIOError:
                self.wants = WRITE
                await self
            if not data:
                return
