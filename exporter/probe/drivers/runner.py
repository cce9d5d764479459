"""
Runs probes: coroutines that wait for sockets, without a task of asyncio's for each.

A task, its futures and its limits of time cost several times what a probe itself does. Here a
coroutine waits by yielding its socket, and goes on in the very call that tells of it.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from time import time as wall
from typing import Any, Self, TypeVar

from exporter.probe.drivers.epoll import Alarm, Poller, poller
from exporter.probe.drivers.waits import Run, Socket

T = TypeVar("T")


class LoopClock:
    """The clocks of probes: seconds on the monotonic clock, and unix seconds."""

    time = staticmethod(monotonic)
    unix = staticmethod(wall)


class _Running:
    """A coroutine that has not ended."""

    __slots__ = ("coroutine", "done", "engine", "sock")

    def __init__(self, engine: "Engine", run: Run[Any], done: Callable[[Any], object]) -> None:
        self.engine, self.coroutine, self.done = engine, run, done
        self.sock: Socket | None = None
        """What it waits for."""

    def step(self, error: TimeoutError | None = None, told: object = None) -> None:
        """Go on, and break the engine if that fails."""
        engine = self.engine
        try:
            try:
                run = self.coroutine
                wanted = run.send(told) if error is None else run.throw(error)
            except StopIteration as stop:
                engine.running.discard(self)
                self.done(stop.value)
                return
            if isinstance(wanted, Socket):
                self.sock = wanted
                engine.poller.wait(wanted, self.step)
            elif wanted is None:
                engine.poller.soon(self.turn)
            else:
                self._fork(wanted)
        except BaseException as broken:  # noqa: BLE001 - raised by `ended`
            engine.fail(broken)

    def turn(self) -> None:
        """Go on, if that is still wanted."""
        if self in self.engine.running:
            self.step()

    def _fork(self, runs: tuple[Run[Any], ...]) -> None:
        results: dict[int, Any] = {}

        def done(n: int, result: object) -> None:
            results[n] = result
            if len(results) == len(runs):
                self.step(told=[results[n] for n in range(len(runs))])

        for n, run in enumerate(runs):
            self.engine.start(run, partial(done, n))


class Engine(LoopClock):
    """
    Runs probes in a ProbeLoop while its context is open; those left at the end are closed.

    A probe tells by its result what went wrong at the other side. An exception that leaves a
    probe, or what is done with its result, is a fault of ours and breaks the engine.
    """

    poller: Poller

    def __enter__(self) -> Self:
        self.poller = poller()
        self.running: set[_Running] = set()
        self._alarms: list[Alarm] = []
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return self

    def __exit__(self, *_: object) -> None:
        left, self.running = self.running, set()
        for each in left:
            if each.sock is not None:
                self.poller.forget(each.sock)
            each.coroutine.close()
        for alarm in self._alarms:
            self.poller.remove(alarm)
        self._end.cancel()

    async def ended(self) -> None:
        """Wait until it was stopped, or is broken, which is raised."""
        await self._end

    def stop(self) -> None:
        """Let those who wait for its end go on."""
        if not self._end.done():
            self._end.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Raise *error* where its end is waited for."""
        if not self._end.done():
            self._end.set_exception(error)

    def start(self, run: Run[T], done: Callable[[T], object]) -> None:
        """Start *run*, and call *done* with its result."""
        running = _Running(self, run, done)
        self.running.add(running)
        running.step()

    def alarm(self, act: Callable[[], object]) -> Alarm:
        """Return what calls *act* at the times that are set there."""

        def guarded() -> None:
            try:
                act()
            except BaseException as broken:  # noqa: BLE001 - raised by `ended`
                self.fail(broken)

        alarm = Alarm(guarded)
        self._alarms.append(alarm)
        self.poller.add(alarm)
        return alarm

    def held_up(self) -> float:
        """Return when the loop was last found to have been held up, on the monotonic clock."""
        return self.poller.held_up


async def alone(run: Run[T]) -> T:
    """Run *run* by itself and return its result."""
    results: list[T] = []
    with Engine() as engine:

        def done(result: T) -> None:
            results.append(result)
            engine.stop()

        engine.start(run, done)
        await engine.ended()
    return results[0]
