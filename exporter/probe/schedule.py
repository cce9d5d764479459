"""
When each name is probed: exact, spread over the interval, never bunched, never twice at once.

A target's place in the interval is a step of the golden ratio from that of the one that came
before it, which spreads any number of them evenly and leaves those that stay where they were.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

from exporter.model import Address, Answer, Failure, Probe, Question, Reply, ServiceName
from exporter.model import Protocol as Speaks
from exporter.probe.http import Request

GOLDEN = 0.6180339887498949
MAX_IN_FLIGHT = 512
MAX_HURRIED = 50
"""Services probed at the fast interval at once: 250 names a second and kind at 200 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One name to probe."""

    question: Question
    name: str
    """The absolute DNS name."""
    port: int | None
    """Of the service; None if it is not known."""
    request: Request | None
    """None: DNS only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, in seconds."""

    interval: float
    timeout: float
    fast_interval: float
    fast_for: float


class Resolve(Protocol):
    """Looks a name up."""

    def __call__(self, name: str, *, within: float) -> Awaitable[Answer]: ...  # noqa: D102


class Get(Protocol):
    """Asks an address over HTTP."""

    def __call__(  # noqa: D102
        self,
        address: Address,
        port: int,
        *,
        request: Request,
        name: str,
        within: float,
        question: Question,
    ) -> Awaitable[Reply]: ...


class Clock(Protocol):
    """Tells the time and waits."""

    def time(self) -> float: ...  # noqa: D102
    def unix(self) -> float: ...  # noqa: D102
    async def sleep(self, seconds: float, early: asyncio.Event) -> None: ...  # noqa: D102


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
        try:
            async with asyncio.timeout(seconds):
                await early.wait()
        except TimeoutError:
            pass


@dataclass(slots=True, eq=False)
class _Slot:
    """A target's place in time."""

    target: Target
    place: float
    """Between 0 and 1: where in the interval it starts."""
    due: float = 0.0
    fast: bool = False
    running: bool = False
    gone: bool = False


class Schedule:
    """
    Probes targets for ever.

    Args:
        pace: How often.
        resolve: Looks a name up.
        get: Asks an address.
        emit: Called with each probe.
        skipped: Called when a probe is not started: the one before runs, or too many do.
        delayed: Called with how much too late each probe started, in seconds.
        clock: Tells the time and waits.
    """

    def __init__(
        self,
        pace: Pace,
        *,
        resolve: Resolve,
        get: Get,
        emit: Callable[[Probe], None],
        skipped: Callable[[], None],
        delayed: Callable[[float], None],
        clock: Clock | None = None,
    ) -> None:
        self._pace, self._resolve, self._get = pace, resolve, get
        self._emit, self._skipped, self._delayed = emit, skipped, delayed
        self._clock = clock or LoopClock()
        self._slots: dict[Question, _Slot] = {}
        self._heap: list[tuple[float, int, _Slot]] = []
        self._hurried: dict[ServiceName, float] = {}
        self._arrivals = self._pushes = self._in_flight = 0
        self._early = asyncio.Event()

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Replace the targets; those that stay keep their place."""
        now, wanted = self._clock.time(), {target.question: target for target in targets}
        for question in self._slots.keys() - wanted.keys():
            self._slots.pop(question).gone = True
        for question, target in wanted.items():
            slot = self._slots.get(question)
            if slot is None:
                self._arrivals += 1
                slot = self._slots[question] = _Slot(target, self._arrivals * GOLDEN % 1)
                self._push(slot, self._next(slot, now))
            slot.target = target

    def hurry(self, service: ServiceName) -> None:
        """Probe the names of *service* faster for a while, from now on."""
        now = self._clock.time()
        self._hurried = {name: until for name, until in self._hurried.items() if until > now}
        if service not in self._hurried and len(self._hurried) >= MAX_HURRIED:
            return
        self._hurried[service] = now + self._pace.fast_for
        for slot in self._slots.values():
            if slot.target.question.service == service and not slot.fast:
                slot.fast = True
                self._push(slot, now + slot.place * self._pace.fast_interval)

    async def run(self) -> None:
        """Start probes when they are due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                wait = self._heap[0][0] - self._clock.time() if self._heap else 3600.0
                if wait > 0:
                    self._early.clear()
                    await self._clock.sleep(wait, self._early)
                    continue
                due, _, slot = heappop(self._heap)
                if not slot.gone and due == slot.due:
                    self._start(slot, group)

    def _start(self, slot: _Slot, group: asyncio.TaskGroup) -> None:
        now = self._clock.time()
        if slot.running or self._in_flight >= MAX_IN_FLIGHT:
            self._skipped()
        else:
            self._delayed(now - slot.due)
            slot.running = True
            self._in_flight += 1
            group.create_task(self._probe(slot), name=slot.target.name)
        self._push(slot, self._next(slot, now))

    def _next(self, slot: _Slot, now: float) -> float:
        """Return the next start after *now*: on a fixed grid, so that delays never add up."""
        until = self._hurried.get(slot.target.question.service, 0.0)
        slot.fast = until > now
        step = self._pace.fast_interval if slot.fast else self._pace.interval
        start = slot.place * step
        due = start + ((now - start) // step + 1) * step
        # Division of floats may land on now itself, and once more would be twice at once.
        return due if due > now else due + step

    def _push(self, slot: _Slot, due: float) -> None:
        slot.due = due
        self._pushes += 1
        heappush(self._heap, (due, self._pushes, slot))
        if self._heap[0][2] is slot:
            self._early.set()

    async def _probe(self, slot: _Slot) -> None:
        try:
            probe = await probe_once(
                slot.target,
                resolve=self._resolve,
                get=self._get,
                within=self._pace.timeout,
                clock=self._clock,
            )
        finally:
            slot.running = False
            self._in_flight -= 1
        if not slot.gone:
            self._emit(probe)


async def probe_once(
    target: Target, *, resolve: Resolve, get: Get, within: float, clock: Clock
) -> Probe:
    """Look a target's name up and ask the address answered, in at most *within* seconds."""
    at, unix, request = clock.time(), clock.unix(), target.request
    answer, reply = await resolve(target.name, within=within), None
    if request is not None and answer.addresses and answer.failure is None:
        address = answer.addresses[0]
        if target.port is None:
            reply = Reply(address=address, port=0, failure=Failure.NO_PORT)
        else:
            reply = await get(
                address,
                target.port,
                request=request,
                name=target.name,
                within=max(0.001, within - (clock.time() - at)),
                question=target.question,
            )
    return Probe(
        question=target.question,
        at=at,
        ended=clock.time(),
        unix=unix,
        answer=answer,
        reply=reply,
        protocol=Speaks.DNS if request is None else Speaks.HTTP,
    )
