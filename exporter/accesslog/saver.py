"""
When it is saved how far logs were read: with the counts that a scrape exposes.

Counters begin at 0 in each process. What a process counted after its last scrape is known to nobody
if it is killed. So the next one reads on from where that scrape was, and sums over both are whole.
What a scrape brings is marked when its text is made, and saved when that was sent.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Generic, Protocol, TypeVar

from exporter.accesslog.checkpoint import Checkpoint, CheckpointError
from exporter.model.stages import UNWATCHED, Pulse

SAVE_EVERY = 1.0
"""Seconds between two savings while lines come and nobody scrapes."""
SCRAPED = 300.0
"""Seconds after a scrape in which only scrapes save."""
TOUCH_EVERY = 60.0
"""Seconds between two touches of what was saved, so that its age tells when reading ended."""
PATIENCE = 0.5
"""Seconds for which a scrape waits for places to be saved."""

T = TypeVar("T")


class Exposed(Protocol):
    """What is told of each scrape."""

    def mark(self) -> None:
        """Take note of what was counted until now, because a scrape will bring it."""

    async def expose(self) -> None:
        """Take in that what was marked last was brought."""


class Exposures:
    """Tells of each scrape those who save places."""

    def __init__(self) -> None:
        self._told: dict[str, Exposed] = {}

    def tell(self, one: Exposed, name: str) -> None:
        """Tell *one* of each scrape from now on, and no more who had this *name* before."""
        self._told[name] = one

    def forget(self, name: str) -> None:
        """Tell whoever has this *name* of no more scrapes."""
        self._told.pop(name, None)

    def mark(self) -> None:
        """Have all take note of what was counted until now, because a scrape will bring it."""
        for one in tuple(self._told.values()):
            one.mark()

    async def expose(self) -> None:
        """Have what was marked saved, because it was sent. A slow disk holds nothing up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                for one in tuple(self._told.values()):
                    await one.expose()


class Saver(Generic[T]):
    """
    Saves places while they change, beside the event loop.

    Args:
        keeper: Where; None to save nothing.
        failed: Called with what went wrong.
        exposures: Tell of scrapes while this runs.
        places: Returns how far was counted until now; None: as far as was noted last.
        add_new: Returns the first places with those of the second that the first does not know;
            called between scrapes. None: reading of what is not known begins at its beginning.
        name: What is saved. One with the same name takes the place of one that ended.
    """

    def __init__(
        self,
        keeper: Checkpoint[T] | None,
        failed: Callable[[str], None],
        exposures: Exposures,
        places: Callable[[], T] | None = None,
        add_new: Callable[[T, T], T] | None = None,
        name: str = "",
    ) -> None:
        self._keeper, self._exposures, self._places = keeper, exposures, places
        self._failed, self._add_new, self._name = failed, add_new, name or str(id(self))
        self._newest: T | None = None
        self._chosen: T | None = None
        """What was to be saved last."""
        self._saved: T | None = None
        self._marked: T | None = None
        """What the next scrape to be sent brings; None if that is saved."""
        self._turn = 0
        self._exposed = -inf

    def is_due(self, *, counted: bool) -> bool:
        """Return whether places are to be noted again, if lines were *counted* or not."""
        return self._keeper is not None and (counted or self._newest is self._saved)

    def note(self, newest: T) -> None:
        """Take note of how far was counted."""
        if newest != self._saved:
            self._newest = newest

    async def run(self, pulse: Pulse = UNWATCHED) -> None:
        """Save what is new with each scrape, else every SAVE_EVERY seconds, until cancelled."""
        self._exposures.tell(self, self._name)
        clock, touched = asyncio.get_running_loop().time, -inf
        try:
            while True:
                await asyncio.sleep(SAVE_EVERY)
                pulse.beat()
                if self._keeper is not None and clock() - touched >= TOUCH_EVERY:
                    touched = clock()
                    await asyncio.to_thread(self._keeper.touch)
                if clock() - self._exposed > SCRAPED:
                    await self.save()
                else:
                    await self._save_new()
        finally:
            self._exposures.forget(self._name)

    def mark(self) -> None:
        """Take note of what was counted until now, because a scrape will bring it."""
        if self._places is not None:
            self.note(self._places())
        self._marked = self._newest

    async def expose(self) -> None:
        """Save what was marked, because a scrape brought it. A process after this goes on there."""
        self._exposed = asyncio.get_running_loop().time()
        marked, self._marked = self._marked, None
        await self._replace(marked)

    async def save(self) -> None:
        """Save now, if there is something new."""
        if self._places is not None:
            self.note(self._places())
        await self._replace(self._newest)

    async def end(self) -> None:
        """
        Save at the end of reading what a scrape has brought, or all if nobody scrapes.

        The next process counts again what no scrape has brought. A leader that ends waits for one
        more scrape, so places are still saved with scrapes.
        """
        if asyncio.get_running_loop().time() - self._exposed > SCRAPED:
            await self.save()
        else:
            self._exposures.tell(self, self._name)

    async def _save_new(self) -> None:
        """Save where to begin with what came after the newest scrape."""
        if self._places is not None and self._add_new is not None and self._chosen is not None:
            await self._replace(self._add_new(self._chosen, self._places()))

    async def _replace(self, places: T | None) -> None:
        if self._keeper is None or places is None or places == self._saved:
            return
        self._turn += 1
        self._chosen = places
        try:
            # Cancelled, the thread goes on; the turn keeps it from undoing what comes after.
            await asyncio.to_thread(self._keeper.save, places, turn=self._turn)
        except CheckpointError as error:
            self._failed(str(error))
        self._saved = places
