"""Judges whether a client of another cluster should have been served here."""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.model.clusterset import EXTERNAL, NOT_CLUSTERS
from exporter.model.verdicts import Locality

LEAKS = frozenset({Locality.LEAK, Locality.PINNED})
MAX_PAST = 64
"""Changes of a standing that are remembered. Older hits are unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graces:
    """Seconds after a change in which the old behaviour is forgiven."""

    leak: float
    """Covers DNS TTLs, propagation and keep-alive connections."""
    export: float
    """Karmada removes the ServiceExport first when it evicts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportState:
    """Whether a source cluster exports a service and is ready, and since when."""

    exported: bool
    ready: bool
    since: float
    before: Locality
    """The verdict on its clients' hits on another cluster, up to *since*."""
    was_exported: bool = False
    """It exported the service until *since*, or until a short time before that."""


def first_export_state(*, exported: bool, ready: bool, now: float) -> ExportState:
    """Return the first standing of a cluster. Nothing is known of the time before."""
    before = Locality.UNKNOWN if exported else Locality.REMOTE
    return ExportState(exported=exported, ready=ready, since=now, before=before)


def move(
    standing: ExportState, *, exported: bool, ready: bool, now: float, graces: Graces
) -> ExportState:
    """Return the standing after an inventory that came at the moment *now*."""
    if (standing.exported, standing.ready) == (exported, ready):
        return standing
    before = crossing(standing, now=now, graces=graces)
    was_exported = standing.exported or (
        standing.was_exported and now - standing.since < graces.export
    )
    return ExportState(
        exported=exported, ready=ready, since=now, before=before, was_exported=was_exported
    )


def crossing(standing: ExportState, *, now: float, graces: Graces) -> Locality:
    """Judge a hit on another cluster from the cluster with this *standing*."""
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
    The standings of a source cluster over time. Only the newest changes are kept.

    Args:
        first: Its first standing. Nothing is known of the time before.
    """

    __slots__ = ("_past",)

    def __init__(self, first: ExportState) -> None:
        # There is nearly always only one. A deque would take 600 bytes, thousands of times.
        self._past: tuple[ExportState, ...] = (first,)

    @property
    def now(self) -> ExportState:
        """Return the newest standing."""
        return self._past[-1]

    @property
    def has_changed(self) -> bool:
        """Return whether more than the first standing is known."""
        return len(self._past) > 1

    def move(self, *, exported: bool, ready: bool, now: float, graces: Graces) -> None:
        """Take in an inventory that came at the moment *now*."""
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
                # The earliest moment counts, so that what a grace forgives stays forgiven.
                yield crossing(standing, now=max(start, standing.since), graces=graces)
            if standing.since <= start:
                return
        # The hits are older than the known standings.
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
    Judge the hits of *source* on the cluster *local*, served between *start* and *end*.

    They are a leak only if they are one at each moment. Otherwise the newest other verdict holds,
    because a false leak is worse than a missed one.

    Args:
        source: A cluster id, or one of `exporter.model.clusterset.NOT_CLUSTERS`.
        local: The cluster that served them, or that a gateway sent them to: or of NOT_CLUSTERS.
        standings: Those of *source*; None if it never exported the service.
        start: Seconds on the clock of *standings*.
        end: Not before *start*.
        pinned: Whether the requests named *local* in their host.
        spreads: Whether the name server prefers no cluster, so that crossing is by design.
        graces: The grace periods after a change.
    """
    for each in (source, local):
        if each in NOT_CLUSTERS:
            return Locality.EXTERNAL if each == EXTERNAL else Locality.UNKNOWN
    if source == local:
        return Locality.LOCAL
    if standings is None:
        return Locality.REMOTE
    verdicts = standings.crossings(start, end, graces)
    found = next((each for each in verdicts if each is not Locality.LEAK), Locality.LEAK)
    if found is not Locality.LEAK:
        return found
    return Locality.PINNED if pinned else Locality.SPREAD if spreads else found
