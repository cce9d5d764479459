"""
Runs the coroutines of probes by means of a driver, without an asyncio task for each.

A task, its futures and a time limit for each step cost several times the work of a probe. Here a
coroutine yields the socket that it waits for, and the driver's call resumes it directly.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Self, TypeVar

from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from exporter.probe.drivers.driver import Alarm, Driver
from exporter.probe.drivers.waits import Run, Socket

T = TypeVar("T")


class _Running:
    """A coroutine that has not ended."""

    __slots__ = ("coroutine", "done", "runner", "sock")

    def __init__(self, runner: "Runner", run: Run[Any], done: Callable[[Any], object]) -> None:
        self.runner, self.coroutine, self.done = runner, run, done
        self.sock: Socket | None = None
        """The socket that it waits for."""

    def step(self, error: TimeoutError | None = None, value: object = None) -> None:
        """Resume the coroutine until its next wait; an exception breaks the runner."""
        runner = self.runner
        try:
            try:
                run = self.coroutine
                wanted = run.send(value) if error is None else run.throw(error)
            except StopIteration as stop:
                runner.running.discard(self)
                self.done(stop.value)
                return
            if isinstance(wanted, Socket):
                self.sock = wanted
                runner.driver.wait(wanted, self.step)
            elif wanted is None:
                runner.driver.soon(self.turn)
            else:
                self._fork(wanted)
        except BaseException as broken:  # noqa: BLE001 - raised by `ended`
            runner.fail(broken)

    def turn(self) -> None:
        """Resume the coroutine after other work ran, unless the runner has ended."""
        if self in self.runner.running:
            self.step()

    def _fork(self, runs: tuple[Run[Any], ...]) -> None:
        results: dict[int, Any] = {}

        def done(n: int, result: object) -> None:
            results[n] = result
            if len(results) == len(runs):
                self.step(value=[results[n] for n in range(len(runs))])

        for n, run in enumerate(runs):
            self.runner.start(run, partial(done, n))


class Runner:
    """
    Runs probes while its context is open, and closes those that are left at the end.

    A probe returns a failure of the other side as its result. An exception from a probe, or from
    the function that takes its result, is a bug of ours: it breaks the runner.

    Args:
        driver: Waits for sockets, and tells the time.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.time, self.unix = driver.time, driver.unix

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self.driver.loop is not loop:
            msg = "the driver of these probes waits in another event loop"
            raise RuntimeError(msg)
        self.running: set[_Running] = set()
        self._alarms: list[Alarm] = []
        self._end: asyncio.Future[None] = loop.create_future()
        return self

    def __exit__(self, *_: object) -> None:
        left, self.running = self.running, set()
        for each in left:
            if each.sock is not None:
                self.driver.forget(each.sock)
            each.coroutine.close()
        for alarm in self._alarms:
            alarm.close()
        self._end.cancel()

    async def ended(self, within: float | None = None) -> bool:
        """
        Wait until `stop` was called, but at most *within* seconds; return whether it was.

        An exception that broke the runner is raised.
        """
        done, _ = await asyncio.wait([self._end], timeout=within)
        if done:
            self._end.result()
        return bool(done)

    def stop(self) -> None:
        """Let `ended` return."""
        if not self._end.done():
            self._end.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Let `ended` raise *error*."""
        if not self._end.done():
            self._end.set_exception(error)

    def start(self, run: Run[T], done: Callable[[T], object]) -> None:
        """Start *run*, and call *done* with its result."""
        running = _Running(self, run, done)
        self.running.add(running)
        running.step()

    def alarm(self, act: Callable[[], object]) -> Alarm:
        """Return an alarm that calls *act*; an exception from it breaks the runner."""

        def guarded() -> None:
            try:
                act()
            except BaseException as broken:  # noqa: BLE001 - raised by `ended`
                self.fail(broken)

        alarm = self.driver.alarm(guarded)
        self._alarms.append(alarm)
        return alarm

    def stalled_at(self) -> float:
        """Return when the event loop was last found stalled, on the monotonic clock."""
        return self.driver.stalled_at


async def run_alone(run: Run[T], driver: Driver | None = None) -> T:
    """Run one coroutine and return its result; without a driver, by the one for every system."""
    results: list[T] = []
    with Runner(driver or AsyncioDriver()) as runner:

        def done(result: T) -> None:
            results.append(result)
            runner.stop()

        runner.start(run, done)
        await runner.ended()
    return results[0]
