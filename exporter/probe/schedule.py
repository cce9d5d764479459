"""
When each name is probed: exact, spread over its interval, never bunched, never twice at once.

The place of a target in the interval is a step of the golden ratio after that of the previous
target. This spreads any number of targets evenly, and does not move the others when one goes.

A look-up for comparison starts at a random moment of a window, in whose middle the plain name of
its service starts. So either may come first, each time by chance. In a fixed order a name server
that alternates strictly between clusters would answer each plain probe the same one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING

from exporter.model.clusterset import ServiceName
from exporter.model.probes import Probe, Skip
from exporter.probe.drivers.runner import Runner
from exporter.probe.probe import CHANCE, MAX_ADDRESSES, Get, Resolve, Target, TargetKey, probe_once

if TYPE_CHECKING:
    from exporter.probe.drivers.driver import Alarm

GOLDEN = 0.6180339887498949
MAX_ACCELERATED = 50
"""Services probed at the fast interval at once: 250 names a second and kind at 200 ms."""
STARTS_A_TURN = 20
"""Probes started between two turns of the event loop: a few milliseconds of work."""
BURST = 0.1
"""Seconds: as many starts as *per_second* allows in this time may be made at once."""

WINDOW = 0.9
"""The part of its interval in which a comparison may start. The rest keeps a late one out of the
next interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often probes are made, in seconds, and how many at once."""

    timeout: float
    fast_interval: float
    fast_for: float
    jitter: float = 0.0
    """Each start is delayed at random, by up to this."""
    in_flight: int = 512
    """Connections and look-ups at once."""
    per_second: int = 1000
    """Probes started."""


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
    """The interval from which *planned* was computed."""
    running: bool = False
    gone: bool = False
    turn: int = 0
    weight: int = 1
    """The connections at once that its next probe may need."""


class Schedule:
    """
    Probes targets repeatedly after `begin`.

    Args:
        runner: Runs the probes.
        pace: How often.
        resolve: Looks up a name.
        get: Sends a request to an address.
        emit: Called with each probe.
        skipped: Called with the reason when a probe is not made.
        delayed: Called with the seconds by which each probe started too late.
        chance: Chooses when comparisons start, and which address is asked first.
    """

    def __init__(
        self,
        runner: Runner,
        pace: Pace,
        *,
        resolve: Resolve,
        get: Get,
        emit: Callable[[Probe], None],
        skipped: Callable[[Skip], None],
        delayed: Callable[[float], None],
        chance: Random = CHANCE,
    ) -> None:
        self._emit, self._skipped, self._delayed = emit, skipped, delayed
        self._runner, self._chance = runner, chance
        self.configure(pace, resolve=resolve, get=get)
        self._slots: dict[TargetKey, _Slot] = {}
        self._heap: list[tuple[float, int, _Slot]] = []
        self._accelerated: dict[ServiceName, float] = {}
        self._places: dict[ServiceName, float] = {}
        """Where the first name of each service starts."""
        self._arrivals = self._pushes = self._in_flight = 0
        self._free_at = 0.0
        """The earliest start of the next probe that keeps to *per_second*."""
        self._alarm: Alarm | None = None

    def configure(self, pace: Pace, *, resolve: Resolve, get: Get) -> None:
        """Use another pace and other functions from now on; every target keeps its place."""
        self._pace, self._resolve, self._get = pace, resolve, get

    def set_targets(self, targets: Iterable[Target]) -> None:
        """Replace the targets; those that stay keep their place."""
        now, wanted = self._runner.time(), {target.key: target for target in targets}
        for key in self._slots.keys() - wanted.keys():
            self._slots.pop(key).gone = True
        services = {target.question.service for target in wanted.values()}
        self._places = {name: place for name, place in self._places.items() if name in services}
        for key, target in wanted.items():
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = _Slot(target, self._place(target))
                self._push(slot, now)
            elif slot.target.interval != target.interval:
                slot.target = target
                self._push(slot, now)
            slot.target = target

    def accelerate(self, service: ServiceName) -> None:
        """
        Probe the names of *service* faster for a while, from now on.

        Look-ups for comparison keep their pace. Fast ones would cause the failures that they
        detect, and take turns that a name server would have given to the probes that decide.
        """
        now = self._runner.time()
        self._accelerated = {
            name: until for name, until in self._accelerated.items() if until > now
        }
        begun = service in self._accelerated
        if not begun and len(self._accelerated) >= MAX_ACCELERATED:
            return
        self._accelerated[service] = now + self._pace.fast_for
        for slot in () if begun else list(self._slots.values()):
            if slot.target.question.service == service and slot.target.decides:
                self._push(slot, now)

    def begin(self) -> None:
        """Start probes when they are due, from now on."""
        self._alarm = self._runner.alarm(self._on_time)
        self._on_time()

    def end(self) -> None:
        """Start no more probes; those that run give no result."""
        self._alarm = None
        for slot in self._slots.values():
            slot.running = False
        self._in_flight = 0

    def overdue(self) -> float:
        """Return by how many seconds the next start is late; negative if it is not yet due."""
        if not self._heap:
            return -1.0
        return self._runner.time() - max(self._heap[0][0], self._free_at)

    def _on_time(self) -> None:
        for _ in range(STARTS_A_TURN):
            now = self._runner.time()
            if not self._heap or max(self._heap[0][0], self._free_at) > now:
                break
            due, _, slot = heappop(self._heap)
            if not slot.gone and due == slot.due:
                self._start(slot, now)
        self._set_alarm()

    def _set_alarm(self) -> None:
        if self._alarm is not None and self._heap:
            self._alarm.set(max(self._heap[0][0], self._free_at))

    def _start(self, slot: _Slot, now: float) -> None:
        due, planned, step = slot.due, slot.planned, slot.step
        self._push(slot, now)
        if step == slot.step:
            for _ in range(round((slot.planned - planned) / step) - 1):
                self._skipped(Skip.LATE)
        if slot.running:
            self._skipped(Skip.OVERRUN)
        elif self._in_flight + slot.weight > max(self._pace.in_flight, slot.weight):
            self._skipped(Skip.IN_FLIGHT)
        else:
            self._delayed(now - due)
            slot.running = True
            self._in_flight += slot.weight
            self._free_at = max(self._free_at, now - BURST) + 1 / self._pace.per_second
            run = probe_once(
                slot.target,
                resolve=self._resolve,
                get=self._get,
                within=self._pace.timeout,
                clock=self._runner,
                chance=self._chance,
                turn=slot.turn,
            )
            self._runner.start(run, partial(self._ended, slot, slot.weight, now))

    def _push(self, slot: _Slot, now: float) -> None:
        """Plan the next start after *now*: on a fixed grid, so that delays never add up."""
        target = slot.target
        accelerated = self._accelerated
        until = accelerated.get(target.question.service, 0.0) if accelerated else 0.0
        fast = until > now and target.decides
        step = min(self._pace.fast_interval, target.interval) if fast else target.interval
        start = slot.place * step
        planned = start + ((now - start) // step + 1) * step
        # With jitter the previous start may have been later than its place in the grid.
        if step == slot.step and planned <= slot.planned:
            planned = slot.planned + step
        # Rounding of floats may give *now* itself, which would start the probe twice.
        slot.planned = planned if planned > now else planned + step
        slot.step = step
        slot.due = slot.planned
        late = min(self._pace.jitter, step) if target.decides else step * WINDOW
        if late:
            slot.due += self._chance.random() * late
        self._pushes += 1
        heappush(self._heap, (slot.due, self._pushes, slot))
        if self._heap[0][2] is slot:
            self._set_alarm()

    def _place(self, target: Target) -> float:
        service = target.question.service
        if not target.decides and service in self._places:
            return (self._places[service] - WINDOW / 2) % 1
        self._arrivals += 1
        place = self._arrivals * GOLDEN % 1
        self._places.setdefault(service, place)
        return place

    def _ended(self, slot: _Slot, weight: int, began: float, probe: Probe) -> None:
        slot.running = False
        self._in_flight -= weight
        slot.turn += 1
        slot.weight = min(MAX_ADDRESSES, max(1, len(probe.more) + 1))
        if not slot.gone:
            lagged = self._runner.stalled_at() > began
            self._emit(replace(probe, lagged=True) if lagged else probe)
