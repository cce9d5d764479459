"""How a service stands now, for those who show it."""

from exporter.judge.hazards import hazards
from exporter.judge.service_track import ServiceTrack
from exporter.model.clusterset import Inventory, Profile
from exporter.model.verdicts import Mode, ServiceView


def view(
    inventory: Inventory,
    track: ServiceTrack,
    now: float,
    *,
    pinned: bool,
    overlapping: frozenset[str],
) -> ServiceView:
    """Return how the service of *track*, one of *inventory*, stands at the moment *now*."""
    service = inventory.services[track.name]
    stale = track.is_stale(track.plain, now)
    named = pinned and inventory.profile is Profile.SUBMARINER
    mode = Mode.UNKNOWN if stale else track.mode.mode
    dark = mode in {Mode.BLACKOUT, Mode.UNKNOWN}
    serving = None if dark else track.failover.serving
    standbys = frozenset(
        export.cluster
        for export in service.exports
        if export.cluster != serving
        and export.ready
        and export.cluster in inventory.connected
        and (not named or track.answers(export.cluster, now))
    )
    return ServiceView(
        service=service,
        policy=track.policy,
        mode=mode,
        since=None if stale else track.mode.since,
        serving=serving,
        expected=track.right,
        standbys=standbys,
        hazards=hazards(inventory, service, overlapping, pinned=pinned),
        pinned=track.pinned,
        plain=track.plain,
        share=None if stale else track.mode.share,
    )
