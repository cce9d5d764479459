"""
An event loop that serves the sockets of probes by itself, without a round of asyncio's for each.

On a machine with little to do a round of asyncio costs more than what a probe does in it: at every
wake-up its code has to come back into the caches of the processor. So probes are served while
asyncio waits for something to happen, in its selector. Nothing else differs from asyncio's own.
"""

import asyncio
import select
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from time import monotonic
from typing import Any, TypeVar, TypeVarTuple

from exporter.probe.drivers.waits import Socket

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
MAX_EVENTS = 64
"""Sockets served at once, before anybody else gets a turn."""
MAX_HELD_UP = 0.05
"""Seconds for which the loop may be held up before what was measured meanwhile says nothing."""
NEVER = float("inf")
_BEAT = 0.01
"""Seconds after which somebody looks whether the loop is held up, while a socket is waited for."""
Told = Callable[[TimeoutError | None], object]


class Alarm:
    """
    What is to be done once it is time, which may be set and set back.

    Args:
        act: What is called; it must not raise.
    """

    __slots__ = ("act", "when")

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act
        self.when = NEVER
        """On the monotonic clock."""


class Poller(selectors.EpollSelector):
    """asyncio's selector, and what serves the sockets of probes while asyncio waits."""

    def __init__(self) -> None:
        super().__init__()
        # All of asyncio's own is behind one file descriptor.
        self._theirs = self.fileno()
        self._epoll = select.epoll()
        self._epoll.register(self._theirs, select.EPOLLIN)
        self._waiting: dict[int, tuple[Socket, Told]] = {}
        self._expires = Alarm(self._expire)
        self._alarms = [self._expires]
        self._soon: deque[Callable[[], object]] = deque()
        self._woke = monotonic()
        self.held_up = -NEVER
        """When the loop was last found to have been held up, on the monotonic clock."""
        self.called = False
        """Whether asyncio was given something to do."""

    def close(self) -> None:
        """Close both."""
        self._epoll.close()
        super().close()

    def wait(self, sock: Socket, told: Told) -> None:
        """
        Call *told* once: when something that *sock* wants happens, or with a TimeoutError.

        It must not raise.
        """
        file = sock.fileno()
        if not sock.watched:
            sock.watched = sock.wants
            self._epoll.register(file, sock.watched | select.EPOLLET)
        elif sock.wants & ~sock.watched:
            sock.watched |= sock.wants
            self._epoll.modify(file, sock.watched | select.EPOLLET)
        self._waiting[file] = sock, told
        self._expires.when = min(self._expires.when, sock.until)

    def forget(self, sock: Socket) -> None:
        """Call nobody when something happens on *sock*."""
        self._waiting.pop(sock.fileno(), None)

    def soon(self, act: Callable[[], object]) -> None:
        """Call *act* when everybody else had a turn; it must not raise."""
        self._soon.append(act)

    def add(self, alarm: Alarm) -> None:
        """Heed *alarm*."""
        self._alarms.append(alarm)

    def remove(self, alarm: Alarm) -> None:
        """Heed it no longer."""
        self._alarms.remove(alarm)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what asyncio waits for, and serve probes until there is something."""
        now = monotonic()
        ends = NEVER if timeout is None else now + timeout
        self.called = False
        while not self._serve(now, ends):
            now = monotonic()
        return super().select(0)

    def _serve(self, now: float, ends: float) -> bool:
        """Serve what happens next until *ends*; return whether asyncio has something to do."""
        if now - self._woke > MAX_HELD_UP:
            self.held_up = now
        due = max(now, self._due(now, ends))
        # Rounded up to milliseconds there: nothing is ever too early.
        events = self._epoll.poll(None if due == NEVER else due - now, MAX_EVENTS)
        self._woke = woke = monotonic()
        if woke - due > MAX_HELD_UP - _BEAT:
            self.held_up = woke
        theirs = False
        for file, _ in events:
            # A socket is closed only by who waits for it: what is told here of a file descriptor
            # is true of that socket.
            waits = self._waiting.pop(file, None)
            if waits is not None:
                waits[1](None)
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
        """End the waits that took too long."""
        now = monotonic()
        late = [file for file, (sock, _) in self._waiting.items() if sock.until <= now]
        for file in late:
            waits = self._waiting.pop(file, None)
            if waits is not None:
                waits[1](TimeoutError())
        self._expires.when = min((sock.until for sock, _ in self._waiting.values()), default=NEVER)


class ProbeLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with that selector."""

    def __init__(self) -> None:
        self.poller = Poller()
        super().__init__(self.poller)

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Call *callback* soon, so wait no longer."""
        self.poller.called = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call *callback* at *when*, so wait no longer than that."""
        self.poller.called = True
        return super().call_at(when, callback, *args, context=context)


def poller() -> Poller:
    """Return what waits in the running loop; TypeError if that is not a ProbeLoop."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, ProbeLoop):
        msg = f"probes run in a ProbeLoop, not in a {type(loop).__name__}"
        raise TypeError(msg)
    return loop.poller


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* in a loop of its own, as asyncio.run does."""
    with asyncio.Runner(loop_factory=ProbeLoop) as runner:
        return runner.run(main)
