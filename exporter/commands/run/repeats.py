"""Leaves out log events that come again and again, so that no cause fills a log."""

import threading
from collections import Counter
from collections.abc import Callable, MutableMapping
from math import inf
from typing import Any

import structlog

from exporter.commands.run.probe_log import EVENT

WINDOW = 10.0
"""Seconds in which an event about the same thing is written once."""
MOST = 10
"""Events of one kind about different things that are written in a window."""
MAX_KEPT = 1000
"""Events that are remembered."""
EACH = frozenset({EVENT})
"""Events that are written each time, because somebody asked for them."""

Key = tuple[str, ...]


class Repeats:
    """
    A processor of structlog: it passes an event on, or drops and counts it.

    Two events are about the same thing if they have the same kind and the same texts; numbers may
    differ. The next event that is written says how many about its thing were left out
    (`left_out`), and how many of its kind about other things (`others_left_out`).

    Args:
        clock: Returns seconds of the monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._written: dict[Key, float] = {}
        """When each event was written last."""
        self._left: Counter[Key] = Counter()
        self._windows: dict[str, tuple[float, int]] = {}
        """Of each kind: when its window began, and how many events were written in it."""
        self._others: Counter[str] = Counter()
        # Some events come from threads.
        self._lock = threading.Lock()

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Return *event*; structlog.DropEvent if it is left out."""
        kind = str(event["event"])
        if kind in EACH:
            return event
        texts = sorted((name, value) for name, value in event.items() if isinstance(value, str))
        key = (kind, *(each for pair in texts for each in pair))
        with self._lock:
            now = self._clock()
            self._refuse_repeated(kind, key, now)
            self._written[key] = now
            left, others = self._left.pop(key, 0), self._others.pop(kind, 0)
            if len(self._written) > MAX_KEPT:
                self._forget(now)
        counts = {"left_out": left, "others_left_out": others}
        event.update({name: number for name, number in counts.items() if number})
        return event

    def _refuse_repeated(self, kind: str, key: Key, now: float) -> None:
        if now - self._written.get(key, -inf) < WINDOW:
            self._left[key] += 1
            raise structlog.DropEvent
        began, number = self._windows.get(kind, (-inf, 0))
        if now - began >= WINDOW:
            began, number = now, 0
        if number >= MOST:
            self._others[kind] += 1
            raise structlog.DropEvent
        self._windows[kind] = began, number + 1

    def _forget(self, now: float) -> None:
        """Forget what was written long ago; what was left out since then is not forgotten."""
        for key in [key for key, at in self._written.items() if now - at >= WINDOW]:
            del self._written[key]
            self._others[key[0]] += self._left.pop(key, 0)
