"""How right it is that a client of another cluster was served here."""

from dataclasses import dataclass

from exporter.model import EXTERNAL, NOT_CLUSTERS, Locality


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
    return Standing(exported=exported, ready=ready, since=now, before=before)


def crossing(standing: Standing, *, now: float, graces: Graces) -> Locality:
    """Judge a hit that came from the cluster with this *standing* to another one."""
    age = now - standing.since
    if not standing.exported:
        evicted = standing.before is not Locality.REMOTE and age < graces.export
        return Locality.FAILOVER if evicted else Locality.REMOTE
    if not standing.ready:
        return Locality.FAILOVER
    if age > graces.leak:
        return Locality.LEAK
    return standing.before


def locality(
    source: str,
    local: str,
    standing: Standing | None,
    *,
    pinned: bool = False,
    now: float,
    graces: Graces,
) -> Locality:
    """
    Judge the hits of *source* on the cluster *local*.

    Args:
        source: A cluster id, or one of `exporter.model.NOT_CLUSTERS`.
        local: The cluster that served the hits.
        standing: How *source* stands to the service; None if it never exported it.
        pinned: Whether they asked for *local* by name.
        now: Seconds on the clock of *standing*.
        graces: What is forgiven after a change.
    """
    if source in NOT_CLUSTERS:
        return Locality.EXTERNAL if source == EXTERNAL else Locality.UNKNOWN
    if source == local:
        return Locality.LOCAL
    crossed = Locality.REMOTE if standing is None else crossing(standing, now=now, graces=graces)
    return Locality.PINNED if pinned and crossed is Locality.LEAK else crossed
