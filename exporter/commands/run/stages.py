"""The stages of an exporter: one task each, started and stopped as the configuration changes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable

Stage = Callable[[], Awaitable[None]]
"""Runs until it is cancelled. A stage that returns is a bug and ends the process."""


class Stages:
    """
    The tasks of the wanted stages.

    A key describes a stage completely, so a stage with a known key goes on undisturbed.

    Args:
        wanted: Returns the stages that the current configuration needs, with their keys.
    """

    def __init__(self, wanted: Callable[[], Iterable[tuple[Hashable, Stage]]]) -> None:
        self._wanted = wanted
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
        wanted = dict(self._wanted())
        gone = [self._tasks.pop(key) for key in self._tasks.keys() - wanted.keys()]
        for task in gone:
            task.cancel()
        if gone:
            # A log source whose settings change continues where it stopped, so it must stop first.
            await asyncio.wait(gone)
        for key in wanted.keys() - self._tasks.keys():
            if self._group is not None:
                self._tasks[key] = self._group.create_task(_endless(wanted[key], str(key)))


async def _endless(stage: Stage, name: str) -> None:
    await stage()
    msg = f"stage {name} ended by itself"
    raise RuntimeError(msg)


async def on_event(event: asyncio.Event, act: Callable[[], Awaitable[object]]) -> None:
    """Call *act* each time that *event* is set, until cancelled."""
    while True:
        await event.wait()
        event.clear()
        await act()


async def every(seconds: float) -> AsyncIterator[None]:
    """Yield at once, and then each time after *seconds*."""
    while True:
        yield
        await asyncio.sleep(seconds)


LAG_CHECK = 0.5
"""Seconds between two measurements of the lag of the event loop."""


async def measure_lag(observe: Callable[[float], None]) -> None:
    """Call *observe* with the seconds by which the event loop wakes a task too late."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + LAG_CHECK
        await asyncio.sleep(LAG_CHECK)
        observe(max(0.0, clock() - due))
