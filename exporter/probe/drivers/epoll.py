"""
The driver for Linux: an event loop that serves the sockets of probes in its own selector.

With little to do, a round of asyncio costs more than the work of a probe: at each wake-up its code
must come back into the processor's caches. So this selector serves probes while asyncio waits in
it. Everything else is asyncio's own event loop, unchanged.
"""

import asyncio
import select
import selectors
from collections import deque
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import TypeVarTuple

from exporter.probe.drivers.driver import MAX_STALL, NEVER, Clock, Resume
from exporter.probe.drivers.waits import Socket

Ts = TypeVarTuple("Ts")
MAX_EVENTS = 64
"""Sockets served at once before other work gets its turn."""
_BEAT = 0.01
"""Seconds between two checks for a busy event loop, while a socket is waited for."""


class _Alarm:
    """An alarm that the selector looks at after each wake-up."""

    __slots__ = ("_alarms", "act", "when")

    def __init__(self, act: Callable[[], object], alarms: "list[_Alarm]") -> None:
        self.act, self._alarms = act, alarms
        self.when = NEVER
        alarms.append(self)

    def set(self, when: float) -> None:
        self.when = when

    def close(self) -> None:
        self._alarms.remove(self)


class EpollDriver(selectors.EpollSelector, Clock):
    """The selector of a ProbeLoop: serves the sockets of probes while asyncio waits in it."""

    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        # All file descriptors of asyncio are behind this one.
        self._theirs = self.fileno()
        self._epoll = select.epoll()
        self._epoll.register(self._theirs, select.EPOLLIN)
        self._waiting: dict[int, tuple[Socket, Resume]] = {}
        self._alarms: list[_Alarm] = []
        self._expires = _Alarm(self._expire, self._alarms)
        self._soon: deque[Callable[[], object]] = deque()
        self._woke = monotonic()
        self.stalled_at = -NEVER
        self.called = False
        """True if a probe gave asyncio something to do."""

    def close(self) -> None:
        """Close both epoll file descriptors."""
        self._epoll.close()
        super().close()

    def wait(self, sock: Socket, resume: Resume) -> None:
        """Call *resume* once: when *sock* may be ready for what it wants, or at its deadline."""
        file = sock.fileno()
        if not sock.watched:
            sock.watched = sock.wants
            self._epoll.register(file, sock.watched | select.EPOLLET)
        elif sock.wants & ~sock.watched:
            sock.watched |= sock.wants
            self._epoll.modify(file, sock.watched | select.EPOLLET)
        self._waiting[file] = sock, resume
        self._expires.when = min(self._expires.when, sock.deadline)

    def forget(self, sock: Socket) -> None:
        """End the wait for *sock* without calling anything, if there is one."""
        self._waiting.pop(sock.fileno(), None)

    def soon(self, act: Callable[[], object]) -> None:
        """Call *act* after other work had its turn."""
        self._soon.append(act)

    def alarm(self, act: Callable[[], object]) -> _Alarm:
        """Return an alarm that calls *act*; it is not set yet."""
        return _Alarm(act, self._alarms)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the events that asyncio waits for, and serve probes until there are some."""
        now = monotonic()
        ends = NEVER if timeout is None else now + timeout
        self.called = False
        while not self._serve(now, ends):
            now = monotonic()
        return super().select(0)

    def _serve(self, now: float, ends: float) -> bool:
        """Serve the next events until *ends*; return True if asyncio has something to do."""
        if now - self._woke > MAX_STALL:
            self.stalled_at = now
        due = max(now, self._due(now, ends))
        # epoll rounds up to whole milliseconds, so nothing is ever early.
        events = self._epoll.poll(None if due == NEVER else due - now, MAX_EVENTS)
        self._woke = woke = monotonic()
        if woke - due > MAX_STALL - _BEAT:
            self.stalled_at = woke
        theirs = False
        for file, _ in events:
            # Only the probe that waits for a socket closes it, so this event belongs to the socket
            # that is registered under this number now.
            wait = self._waiting.pop(file, None)
            if wait is not None:
                wait[1](None)
            elif file == self._theirs:
                theirs = True
        if self._soon:
            for _ in range(len(self._soon)):
                self._soon.popleft()()
        for alarm in self._alarms:
            if alarm.when <= woke:
                alarm.when = NEVER
                alarm.act()
        return theirs or self.called or woke >= ends

    def _due(self, now: float, ends: float) -> float:
        if self._soon:
            return now
        for alarm in self._alarms:
            ends = min(ends, alarm.when)
        return min(ends, now + _BEAT) if self._waiting else ends

    def _expire(self) -> None:
        """End the waits whose deadline has passed."""
        now = monotonic()
        late = [file for file, (sock, _) in self._waiting.items() if sock.deadline <= now]
        for file in late:
            wait = self._waiting.pop(file, None)
            if wait is not None:
                wait[1](TimeoutError())
        deadlines = (sock.deadline for sock, _ in self._waiting.values())
        self._expires.when = min(deadlines, default=NEVER)


class ProbeLoop(asyncio.SelectorEventLoop):
    """asyncio's event loop with that selector."""

    def __init__(self) -> None:
        self.driver = EpollDriver()
        self.driver.loop = self
        super().__init__(self.driver)

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call *callback* soon: the selector must return to asyncio."""
        self.driver.called = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call *callback* at *when*: asyncio must tell the selector how long to wait now."""
        self.driver.called = True
        return super().call_at(when, callback, *args, context=context)
