"""
When each name is probed: exact, spread over its interval, never bunched, never twice at once.

A target's place in the interval is a step of the golden ratio from that of the one that came
before it, which spreads any number of them evenly and leaves those that stay where they were.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Protocol

from exporter.model import Lookup, Probe, ServiceName, Skip
from exporter.probe.once import MAX_ADDRESSES, Get, Key, Resolve, Target, Times, probe_once

GOLDEN = 0.6180339887498949
MAX_HURRIED = 50
"""Services probed at the fast interval at once: 250 names a second and kind at 200 ms."""
BURST = 0.1
"""Seconds by whose share the bound on starts a second may be passed at once."""
IDLE = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, in seconds, and how much at once."""

    timeout: float
    fast_interval: float
    fast_for: float
    jitter: float = 0.0
    """Each start is put off by up to this, at random."""
    in_flight: int = 512
    """Connections and look-ups at once."""
    per_second: int = 1000
    """Probes started."""


class Clock(Times, Protocol):
    """Tells the time and waits."""

    async def sleep(self, seconds: float, early: asyncio.Event) -> None: ...  # noqa: D102


class Lag(Protocol):
    """Tells whether the event loop was held up."""

    def begin(self) -> None: ...  # noqa: D102
    def end(self, began: float) -> bool: ...  # noqa: D102


class LoopClock:
    """The event loop's monotonic clock."""

    def time(self) -> float:
        """Return monotonic seconds."""
        return asyncio.get_running_loop().time()

    def unix(self) -> float:
        """Return unix seconds."""
        return time.time()

    async def sleep(self, seconds: float, early: asyncio.Event) -> None:
        """Wait for *seconds*, or until *early* is set."""
        timer = asyncio.get_running_loop().call_later(seconds, early.set)
        try:
            await early.wait()
        finally:
            timer.cancel()


@dataclass(slots=True, eq=False)
class _Slot:
    """A target's place in time."""

    target: Target
    place: float
    """Between 0 and 1: where in the interval it starts."""
    due: float = 0.0
    planned: float = 0.0
    """The same without jitter: on the grid."""
    step: float = 0.0
    """The interval that *planned* was reckoned with."""
    running: bool = False
    gone: bool = False
    turn: int = 0
    weight: int = 1
    """Connections at once that it is expected to need."""


class Schedule:
    """
    Probes targets for ever.

    Args:
        pace: How often.
        resolve: Looks a name up.
        get: Asks an address.
        emit: Called with each probe.
        skipped: Called with the reason when a probe is not made.
        delayed: Called with how much too late each probe started, in seconds.
        lag: Tells whether the event loop was held up.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        pace: Pace,
        *,
        resolve: Resolve,
        get: Get,
        emit: Callable[[Probe], None],
        skipped: Callable[[Skip], None],
        delayed: Callable[[float], None],
        lag: Lag,
        clock: Clock | None = None,
    ) -> None:
        self._emit, self._skipped, self._delayed = emit, skipped, delayed
        self._lag, self._clock = lag, clock or LoopClock()
        self.configure(pace, resolve=resolve, get=get)
        self._slots: dict[Key, _Slot] = {}
        self._heap: list[tuple[float, int, _Slot]] = []
        self._hurried: dict[ServiceName, float] = {}
        self._arrivals = self._pushes = self._in_flight = 0
        self._free_at = 0.0
        """When the next probe may start for the sake of *per_second*."""
        self._early = asyncio.Event()

    def configure(self, pace: Pace, *, resolve: Resolve, get: Get) -> None:
        """Go on in another way; every target keeps its place."""
        self._pace, self._resolve, self._get = pace, resolve, get

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Replace the targets; those that stay keep their place."""
        now, wanted = self._clock.time(), {target.key: target for target in targets}
        for key in self._slots.keys() - wanted.keys():
            self._slots.pop(key).gone = True
        for key, target in wanted.items():
            slot = self._slots.get(key)
            if slot is None:
                self._arrivals += 1
                slot = self._slots[key] = _Slot(target, self._arrivals * GOLDEN % 1)
                self._push(slot, now)
            elif slot.target.interval != target.interval:
                slot.target = target
                self._push(slot, now)
            slot.target = target

    def hurry(self, service: ServiceName) -> None:
        """
        Probe the names of *service* faster for a while, from now on.

        Look-ups as clients make them stay at their pace: at a fast one they would be the cause of
        what they are there to see.
        """
        now = self._clock.time()
        self._hurried = {name: until for name, until in self._hurried.items() if until > now}
        begun = service in self._hurried
        if not begun and len(self._hurried) >= MAX_HURRIED:
            return
        self._hurried[service] = now + self._pace.fast_for
        for slot in () if begun else list(self._slots.values()):
            if slot.target.question.service == service and slot.target.lookup is Lookup.A:
                self._push(slot, now)

    async def run(self) -> None:
        """Start probes when they are due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                now = self._clock.time()
                next_ = max(self._heap[0][0], self._free_at) if self._heap else now + IDLE
                if next_ > now:
                    self._early.clear()
                    await self._clock.sleep(next_ - now, self._early)
                    continue
                due, _, slot = heappop(self._heap)
                if not slot.gone and due == slot.due:
                    self._start(slot, group, now)

    def _start(self, slot: _Slot, group: asyncio.TaskGroup, now: float) -> None:
        if slot.running:
            self._skipped(Skip.OVERRUN)
        elif self._in_flight + slot.weight > max(self._pace.in_flight, slot.weight):
            self._skipped(Skip.IN_FLIGHT)
        else:
            self._delayed(now - slot.due)
            slot.running = True
            self._in_flight += slot.weight
            self._free_at = max(self._free_at, now - BURST) + 1 / self._pace.per_second
            group.create_task(self._probe(slot, slot.weight), name=slot.target.name)
        planned, step = slot.planned, slot.step
        self._push(slot, now)
        if step == slot.step:
            for _ in range(round((slot.planned - planned) / step) - 1):
                self._skipped(Skip.LATE)

    def _push(self, slot: _Slot, now: float) -> None:
        """Plan the next start after *now*: on a fixed grid, so that delays never add up."""
        target = slot.target
        until = self._hurried.get(target.question.service, 0.0)
        fast = until > now and target.lookup is Lookup.A
        step = min(self._pace.fast_interval, target.interval) if fast else target.interval
        start = slot.place * step
        planned = start + ((now - start) // step + 1) * step
        # With jitter the start before may have come after its place in the grid.
        if step == slot.step and planned <= slot.planned:
            planned = slot.planned + step
        # Division of floats may land on now itself, and once more would be twice at once.
        slot.planned = planned if planned > now else planned + step
        slot.step = step
        slot.due = slot.planned + random.random() * min(self._pace.jitter, step)  # noqa: S311
        self._pushes += 1
        heappush(self._heap, (slot.due, self._pushes, slot))
        if self._heap[0][2] is slot:
            self._early.set()

    async def _probe(self, slot: _Slot, weight: int) -> None:
        self._lag.begin()
        began = self._clock.time()
        try:
            probe = await probe_once(
                slot.target,
                resolve=self._resolve,
                get=self._get,
                within=self._pace.timeout,
                clock=self._clock,
                turn=slot.turn,
            )
        finally:
            slot.running = False
            self._in_flight -= weight
            lagged = self._lag.end(began)
        slot.turn += 1
        slot.weight = min(MAX_ADDRESSES, max(1, len(probe.more) + 1))
        if not slot.gone:
            self._emit(replace(probe, lagged=True) if lagged else probe)
