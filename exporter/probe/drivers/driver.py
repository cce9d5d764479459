"""The interface between probes and an event loop: everything that a driver must do."""

import asyncio
from collections.abc import Callable
from time import monotonic
from time import time as unix_time
from typing import Protocol

from exporter.probe.drivers.waits import Socket

NEVER = float("inf")
MAX_STALL = 0.05
"""Seconds that the event loop may be busy before the times measured meanwhile are worthless."""
Resume = Callable[[TimeoutError | None], object]
"""Continues a probe, with a TimeoutError if its deadline passed. It must not raise."""


class Clock:
    """The clocks of probes."""

    time = staticmethod(monotonic)
    """Return seconds on the monotonic clock."""
    unix = staticmethod(unix_time)
    """Return Unix seconds."""


class Alarm(Protocol):
    """Calls a function once at a time that can be changed."""

    def set(self, when: float) -> None:
        """Call the function at *when* on the monotonic clock, and not at the time set before."""

    def close(self) -> None:
        """Do not call the function any more."""


class Driver(Protocol):
    """
    Waits for the sockets of probes in one event loop.

    Functions given to a driver are called from the event loop and must not raise.
    """

    loop: asyncio.AbstractEventLoop
    """The event loop in which it waits."""
    stalled_at: float
    """
    When the event loop was last found busy for more than MAX_STALL, on the monotonic clock.

    Looked for while a probe waits; -NEVER if it never was.
    """

    def time(self) -> float:
        """Return seconds on the monotonic clock."""

    def unix(self) -> float:
        """Return Unix seconds."""

    def wait(self, sock: Socket, resume: Resume) -> None:
        """Call *resume* once: when *sock* may be ready for what it wants, or at its deadline."""

    def forget(self, sock: Socket) -> None:
        """End the wait for *sock* without calling anything, if there is one."""

    def soon(self, act: Callable[[], object]) -> None:
        """Call *act* after other work had its turn."""

    def alarm(self, act: Callable[[], object]) -> Alarm:
        """Return an alarm that calls *act*; it is not set yet."""
