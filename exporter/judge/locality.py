"""How right it is that a client of another cluster was served here."""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.model.clusterset import EXTERNAL, NOT_CLUSTERS
from exporter.model.verdicts import Locality

LEAKS = frozenset({Locality.LEAK, Locality.PINNED})
MAX_PAST = 64
"""Changes of a source's standing that are remembered. Hits older than that are unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graces:
    """For how long after a change the old ways are forgiven, in seconds."""

    leak: float
    """Covers DNS TTLs, propagation and connections kept alive."""
    export: float
    """Karmada evicts by taking the ServiceExport away first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a source cluster stands to a service, and since when."""

    exported: bool
    ready: bool
    since: float
    before: Locality
    """What its clients' hits on another cluster counted as, up to *since*."""
    was_exported: bool = False
    """It exported the service until *since*, or until lately before that."""


def first_standing(*, exported: bool, ready: bool, now: float) -> Standing:
    """Return the standing of a cluster seen for the first time: nothing is known of before."""
    before = Locality.UNKNOWN if exported else Locality.REMOTE
    return Standing(exported=exported, ready=ready, since=now, before=before)


def move(
    standing: Standing, *, exported: bool, ready: bool, now: float, graces: Graces
) -> Standing:
    """Return the standing after the inventory said so at the moment *now*."""
    if (standing.exported, standing.ready) == (exported, ready):
        return standing
    before = crossing(standing, now=now, graces=graces)
    was_exported = standing.exported or (
        standing.was_exported and now - standing.since < graces.export
    )
    return Standing(
        exported=exported, ready=ready, since=now, before=before, was_exported=was_exported
    )


def crossing(standing: Standing, *, now: float, graces: Graces) -> Locality:
    """Judge a hit that came from the cluster with this *standing* to another one."""
    age = now - standing.since
    if not standing.exported:
        evicted = standing.was_exported and age < graces.export
        return Locality.FAILOVER if evicted else Locality.REMOTE
    if not standing.ready:
        return Locality.FAILOVER
    if age > graces.leak:
        return Locality.LEAK
    # A cluster that has just begun to export may have clients that were served elsewhere so far.
    return standing.before


class Standings:
    """
    How a source cluster stood to a service over time: bounded, the newest changes are kept.

    Args:
        first: Its standing when it was seen first; nothing is known of the time before.
    """

    __slots__ = ("_past",)

    def __init__(self, first: Standing) -> None:
        # Nearly always this one alone: a deque would take 600 bytes for it, thousands of times.
        self._past: tuple[Standing, ...] = (first,)

    @property
    def now(self) -> Standing:
        """Return the newest standing."""
        return self._past[-1]

    def move(self, *, exported: bool, ready: bool, now: float, graces: Graces) -> None:
        """Take in what the inventory says at the moment *now*."""
        moved = move(self.now, exported=exported, ready=ready, now=now, graces=graces)
        if moved is not self.now:
            self._past = (*self._past, moved)[-MAX_PAST:]

    def is_steady(self, start: float, end: float, graces: Graces) -> bool:
        """Return whether the verdict on a crossing did not change after *start* up to *end*."""
        ends = (0.0, graces.leak, graces.export)
        return not any(
            start < standing.since + grace <= end for standing in self._past for grace in ends
        )

    def crossings(self, start: float, end: float, graces: Graces) -> Iterator[Locality]:
        """Yield the verdicts on hits on another cluster from *start* to *end*, newest first."""
        for standing in reversed(self._past):
            if standing.since <= end:
                # As early as can be: what is forgiven after a change is forgiven.
                yield crossing(standing, now=max(start, standing.since), graces=graces)
            if standing.since <= start:
                return
        # Older than what is known.
        yield Locality.UNKNOWN


def locality(
    source: str,
    local: str,
    standings: Standings | None,
    *,
    start: float,
    end: float,
    pinned: bool = False,
    spreads: bool = False,
    graces: Graces,
) -> Locality:
    """
    Judge the hits of *source* on the cluster *local*, served at some time from *start* to *end*.

    A leak is what is one at any time of that; else the newest other verdict holds, since a false
    leak is worse than none.

    Args:
        source: A cluster id, or one of `exporter.model.clusterset.NOT_CLUSTERS`.
        local: The cluster that served the hits.
        standings: How *source* stood to the service; None if it never exported it.
        start: Seconds on the clock of *standings*.
        end: Not before *start*.
        pinned: Whether they asked for *local* by name.
        spreads: Whether the name server prefers no cluster, so that crossing is by design.
        graces: What is forgiven after a change.
    """
    if source in NOT_CLUSTERS:
        return Locality.EXTERNAL if source == EXTERNAL else Locality.UNKNOWN
    if source == local:
        return Locality.LOCAL
    if standings is None:
        return Locality.REMOTE
    verdicts = standings.crossings(start, end, graces)
    found = next((each for each in verdicts if each is not Locality.LEAK), Locality.LEAK)
    if found is not Locality.LEAK:
        return found
    return Locality.PINNED if pinned else Locality.SPREAD if spreads else found
