"""How a service stands now, for those who show it."""

from collections.abc import Iterator

from exporter.judge.hazards import hazards
from exporter.judge.service_track import ServiceTrack
from exporter.model.clusterset import Inventory, Profile, Service
from exporter.model.verdicts import Mode, ServiceView


def view(
    inventory: Inventory,
    track: ServiceTrack,
    now: float,
    *,
    pinned: bool,
    overlapping: frozenset[str],
    hostless: bool,
) -> ServiceView:
    """
    Return how the service of *track*, one of *inventory*, stands at the moment *now*.

    See `exporter.judge.hazards.hazards` for the other arguments.
    """
    service = inventory.services[track.name]
    stale = track.is_stale(track.plain, now)
    named = pinned and inventory.profile is Profile.SUBMARINER
    mode = Mode.UNKNOWN if stale else track.mode.mode
    dark = mode in {Mode.BLACKOUT, Mode.UNKNOWN}
    serving = None if dark else track.failover.serving
    untested = frozenset(_untested_standbys(inventory, service)) - {serving}
    return ServiceView(
        service=service,
        policy=track.policy,
        mode=mode,
        since=None if stale else track.mode.since,
        serving=serving,
        expected=track.right,
        standbys=frozenset(c for c in untested if not named or track.answers(c, now)),
        hazards=hazards(
            inventory, service, overlapping, pinned=pinned, policy=track.policy, hostless=hostless
        ),
        pinned=track.pinned,
        plain=track.plain,
        share=None if stale else track.mode.share,
        starting=None if stale else track.mode.starting,
    )


def _untested_standbys(inventory: Inventory, service: Service) -> Iterator[str]:
    for export in service.exports:
        if export.ready and export.cluster in inventory.connected:
            yield export.cluster
