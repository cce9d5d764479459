"""
Notices that Submariner is being installed in a cluster that only Karmada has named until now.

Submariner may give the cluster another name. Its CRDs, its objects and the slices of Lighthouse
appear one after the other. An inventory made in between would report services under the name that
Karmada uses, for as long as a minute.
"""

from collections.abc import Sequence

from exporter.discover.api_types import ImportedSlice, ServiceExport
from exporter.discover.identity import Identity, IdentitySource
from exporter.discover.parse_submariner import LIGHTHOUSE_MANAGER
from exporter.discover.resources import Found
from exporter.discover.watched_resource import WatchedResource
from exporter.model.watches import WatchState

NAMED_WITHIN = 60.0
"""Seconds for which a new inventory waits for Submariner's name, after the first sign of it."""
LOOKED_WITHIN = 5.0
"""Seconds for which it waits until all resources have been looked for again."""
LOOK_EVERY = 3.0
"""Seconds between two looks meanwhile."""
_GROUP = "submariner.io"
_ABSENT = frozenset({WatchState.NOT_INSTALLED, WatchState.LISTING})


class Arrival:
    """
    What is known of an installation of Submariner that is under way.

    Args:
        watched: All watched resources. Those that are not installed are listed again at once when
            another one appears.
    """

    def __init__(self, watched: Sequence[WatchedResource]) -> None:
        self._watched = watched
        self._installed: frozenset[str] | None = None
        """Names of the installed resources at the last look; None before the first."""
        self._objects: tuple[bool, bool] | None = None
        self._named_by = self._looked_by = self._next_look = 0.0

    def must_wait(self, identity: Identity, found: Found, now: float) -> bool:
        """
        Return whether a new inventory has to wait, because a better name may come.

        Args:
            identity: Which cluster this is as far as is known.
            found: The objects of now.
            now: Seconds on the clock of the event loop.
        """
        appeared, (slices, exports) = self._appeared(), self._objects_appeared(found)
        if identity.source is not IdentitySource.KARMADA:
            return False
        if appeared or slices or exports:
            self._looked_by, self._next_look = now + LOOKED_WITHIN, now
        if slices or any(each.wanted.group == _GROUP for each in appeared):
            self._named_by = now + NAMED_WITHIN
        waits = now < max(self._named_by, self._looked_by)
        if waits and now >= self._next_look:
            self._next_look = now + LOOK_EVERY
            for each in self._watched:
                each.look_again()
        looks = any(each.looking for each in self._watched)
        return now < self._named_by or (now < self._looked_by and looks)

    def _appeared(self) -> list[WatchedResource]:
        """Return what is installed since the last call; nothing at the first call."""
        before = self._installed
        there = [each for each in self._watched if each.state not in _ABSENT]
        self._installed = frozenset(each.wanted.name for each in there)
        return [each for each in there if before is not None and each.wanted.name not in before]

    def _objects_appeared(self, found: Found) -> tuple[bool, bool]:
        """Return whether there are slices of Lighthouse, and exports, and were none before."""
        before = self._objects
        slices = found.of(ImportedSlice, "imported_slices")
        lighthouse = any(each.manager == LIGHTHOUSE_MANAGER for each in slices)
        self._objects = lighthouse, bool(found.of(ServiceExport, "serviceexports"))
        if before is None:
            return False, False
        return self._objects[0] and not before[0], self._objects[1] and not before[1]
