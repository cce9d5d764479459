"""The stages of an exporter: one task each, started and stopped as the configuration changes."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Hashable, Iterable
from functools import partial
from typing import NamedTuple

from exporter.model.stages import Keeper, Pulse, Stage, StageName


class WantedStage(NamedTuple):
    """A stage that the current configuration needs. A stage that returns has failed."""

    name: StageName
    run: Stage
    of: Hashable = None
    """With the name this describes the stage completely."""
    about: str = ""
    """Which one of its kind this is, for people."""

    @property
    def key(self) -> Hashable:
        """Return what makes it the same stage in another configuration."""
        return self.name, self.of


class Stages:
    """
    The tasks of the wanted stages.

    A stage with a known key goes on undisturbed.

    Args:
        wanted: Returns the stages that the current configuration needs.
        keeper: Keeps each of them at work.
    """

    def __init__(self, wanted: Callable[[], Iterable[WantedStage]], keeper: Keeper) -> None:
        self._wanted, self._keeper = wanted, keeper
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start the wanted stages as tasks of *group*."""
        self._group = group
        await self.arrange()

    def stop(self) -> None:
        """Cancel all stages; no stage starts afterwards."""
        self._group = None
        for task in self._tasks.values():
            task.cancel()

    async def arrange(self) -> None:
        """Cancel the stages that are no longer wanted, then start the new ones."""
        wanted = {stage.key: stage for stage in self._wanted()}
        gone = [self._tasks.pop(key) for key in self._tasks.keys() - wanted.keys()]
        for task in gone:
            task.cancel()
        if gone:
            # A log source whose settings change continues where it stopped, so it must stop first.
            await asyncio.wait(gone)
        for key in wanted.keys() - self._tasks.keys():
            if self._group is not None:
                self._tasks[key] = self._group.create_task(self._keep(wanted[key]))

    async def _keep(self, stage: WantedStage) -> None:
        await self._keeper.keep(stage.name, stage.about, partial(_endless, stage.run))


async def _endless(run: Stage, pulse: Pulse) -> None:
    await run(pulse)
    msg = "the stage ended by itself"
    raise RuntimeError(msg)


def on_event(event: asyncio.Event, act: Callable[[], Awaitable[object]]) -> Stage:
    """Return a stage that calls *act* each time that *event* is set."""

    async def run(pulse: Pulse) -> None:
        while True:
            pulse.rest()
            await event.wait()
            pulse.beat()
            event.clear()
            try:
                await act()
            except Exception:
                event.set()
                raise

    return run


def ticking(act: Callable[[AsyncIterable[None]], Awaitable[None]], seconds: float) -> Stage:
    """Return a stage that gives *act* a tick each time after *seconds*, the first at once."""

    async def run(pulse: Pulse) -> None:
        await act(every(seconds, pulse))

    return run


async def every(seconds: float, pulse: Pulse) -> AsyncIterator[None]:
    """Yield at once, and then each time after *seconds*. Each tick is a beat."""
    while True:
        pulse.beat()
        yield
        await asyncio.sleep(seconds)


LAG_CHECK = 0.5
"""Seconds between two measurements of the lag of the event loop."""


async def measure_lag(
    observe: Callable[[float], None], passed: Callable[[float], None], pulse: Pulse
) -> None:
    """
    Call *observe* with the seconds by which the event loop wakes a task too late.

    Args:
        observe: Takes the lag.
        passed: Called with the seconds since the turn before.
        pulse: Of this stage.
    """
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        await asyncio.sleep(LAG_CHECK)
        elapsed = clock() - began
        passed(elapsed)
        pulse.beat()
        observe(max(0.0, elapsed - LAG_CHECK))
