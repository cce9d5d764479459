"""Whether each stage still works: it says so again and again, or it hangs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from exporter.model.stages import Pulse, StageName

USUAL_LIMIT = 120.0
"""Seconds for which a stage may be silent: many times what a read of a slow disk takes."""
LIMITS = {StageName.DISCOVERY: 300.0}
"""Other limits. Discovery may ask the API server in between, and load credentials for that."""
LONGEST_STEP = 1.0
"""Seconds that count at most between two turns of the event loop. If the process did not run for
longer, no stage could say anything."""


@dataclass(slots=True, eq=False)
class _Heart:
    """The pulse of one stage, by a clock that stands still while the process does not run."""

    name: StageName
    about: str
    clock: Callable[[], float]
    unix: Callable[[], float]
    since: float = field(init=False, default=0.0)
    since_unix: float = field(init=False, default=0.0)
    rests: bool = field(init=False, default=False)

    def beat(self) -> None:
        self.since, self.since_unix, self.rests = self.clock(), self.unix(), False

    def rest(self) -> None:
        self.beat()
        self.rests = True

    @property
    def limit(self) -> float:
        return LIMITS.get(self.name, USUAL_LIMIT)


class Heartbeats:
    """
    The pulses of all running stages.

    Silence is measured in seconds in which the event loop ran. So neither a suspended process nor
    a busy machine makes a stage look as if it hung.

    Args:
        unix: Returns the time in unix seconds.
    """

    def __init__(self, unix: Callable[[], float]) -> None:
        self._unix, self._awake = unix, 0.0
        self._hearts: set[_Heart] = set()

    def passed(self, seconds: float) -> None:
        """Take in that the event loop had its next turn after so many seconds."""
        self._awake += min(seconds, LONGEST_STEP)

    @contextmanager
    def pulse(self, name: StageName, about: str) -> Iterator[Pulse]:
        """Give the pulse of a stage for as long as it is kept at work."""
        heart = _Heart(name, about, lambda: self._awake, self._unix)
        heart.beat()
        self._hearts.add(heart)
        try:
            yield heart
        finally:
            self._hearts.discard(heart)

    def silent(self) -> str | None:
        """Return which stage has been silent for longer than its limit, and since when, or None."""
        late = [
            heart
            for heart in self._hearts
            if not heart.rests and self._awake - heart.since > heart.limit
        ]
        if not late:
            return None
        heart = min(late, key=lambda each: each.since)
        since = f"{datetime.fromtimestamp(heart.since_unix, UTC):%Y-%m-%dT%H:%M:%SZ}"
        what = f"{heart.name} ({heart.about})" if heart.about else heart.name
        more = f"; and {len(late) - 1} more" if len(late) > 1 else ""
        return f"stage {what} has been silent since {since}, limit {heart.limit:.0f} s{more}"
