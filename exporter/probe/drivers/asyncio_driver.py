"""The driver for every system: waits for sockets by means of any asyncio event loop."""

import asyncio
from collections.abc import Callable
from time import monotonic

from exporter.probe.drivers.driver import MAX_STALL, NEVER, Clock, Resume
from exporter.probe.drivers.waits import READ, WRITE, Socket

_BEAT = 0.02
"""Seconds between two checks for a busy event loop, while a socket is waited for."""


class _Alarm:
    """An alarm that is a timer of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, act: Callable[[], object]) -> None:
        self._loop, self._act, self._when = loop, act, NEVER
        self._timer: asyncio.TimerHandle | None = None

    def set(self, when: float) -> None:
        if when != self._when:
            self.close()
            self._when = when
            self._timer = self._loop.call_later(when - monotonic(), self._ring)

    def close(self) -> None:
        self._when = NEVER
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        when, self._when = self._when, NEVER
        # The timers of some event loops are early by up to a millisecond.
        if monotonic() < when:
            self.set(when)
        else:
            self._act()


class AsyncioDriver(Clock):
    """Waits in the event loop that runs where it is made."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.stalled_at = -NEVER
        self._waiting: dict[int, tuple[Socket, Resume]] = {}
        self._timer = _Alarm(self.loop, self._on_time)
        self._due = NEVER
        """When the timer is due."""

    def wait(self, sock: Socket, resume: Resume) -> None:
        """Call *resume* once: when *sock* may be ready for what it wants, or at its deadline."""
        file = sock.fileno()
        self._waiting[file] = sock, resume
        if sock.wants & READ:
            self.loop.add_reader(file, self._ready, sock)
        if sock.wants & WRITE:
            self.loop.add_writer(file, self._ready, sock)
        if self._due == NEVER or sock.deadline < self._due:
            self._set_timer(min(sock.deadline, monotonic() + _BEAT))

    def forget(self, sock: Socket) -> None:
        """End the wait for *sock* without calling anything, if there is one."""
        self._remove(sock)

    def soon(self, act: Callable[[], object]) -> None:
        """Call *act* after other work had its turn."""
        self.loop.call_soon(act)

    def alarm(self, act: Callable[[], object]) -> _Alarm:
        """Return an alarm that calls *act*; it is not set yet."""
        return _Alarm(self.loop, act)

    def _remove(self, sock: Socket) -> Resume | None:
        file = sock.fileno()
        found = self._waiting.pop(file, None)
        if found is None:
            return None
        if sock.wants & READ:
            self.loop.remove_reader(file)
        if sock.wants & WRITE:
            self.loop.remove_writer(file)
        if not self._waiting:
            # A timer that is due while nothing waits would wake the process for nothing.
            self._due = NEVER
            self._timer.close()
        return found[1]

    def _ready(self, sock: Socket) -> None:
        self._notice_stall(monotonic())
        resume = self._remove(sock)
        if resume is not None:
            resume(None)

    def _set_timer(self, when: float) -> None:
        self._due = when
        self._timer.set(when)

    def _notice_stall(self, now: float) -> None:
        # The timer is never due later than a beat after the stall began.
        if now - self._due > MAX_STALL - _BEAT:
            self.stalled_at = now

    def _on_time(self) -> None:
        now = monotonic()
        self._notice_stall(now)
        for sock in [sock for sock, _ in self._waiting.values() if sock.deadline <= now]:
            resume = self._remove(sock)
            if resume is not None:
                resume(TimeoutError())
        if self._waiting:
            deadlines = (sock.deadline for sock, _ in self._waiting.values())
            self._set_timer(min(now + _BEAT, *deadlines))
