"""The verdicts on every service, put together from inventories and probes as they come."""

from collections.abc import Callable, Iterator

from exporter.judge.claims import overlapping_clusters
from exporter.judge.expect import prefers_nobody
from exporter.judge.handover import MAX_BYTES, Timeline, read, snapshot
from exporter.judge.locality import LEAKS, Graces, locality
from exporter.judge.service_track import ServiceTrack
from exporter.judge.tracks import Tracks
from exporter.judge.unseen import Unseen
from exporter.judge.view import view
from exporter.model.clusterset import Address, Inventory, ServiceName
from exporter.model.probes import Failure, Probe, Record
from exporter.model.verdicts import Failover, Locality, Mode, Policy, ProbeVerdict, ServiceView


class ServiceVerdicts:
    """
    Verdicts on every service, over one inventory after the other.

    Args:
        confirm: Probes in a row that confirm a change.
        pinned: Whether pinned names are probed, so that standbys are tested.
        stale_after: Seconds after which a probe counts no more.
        graces_of: Returns the grace periods of a service after a change.
        policy_of: Returns whether the clients of a service should stay in their cluster.
        record: The type of record that is asked for. Addresses of the other family do not count.

    Attributes:
        unseen: When changes could not be seen.
        hostless: The services with a log here whose format has no host.
    """

    def __init__(
        self,
        *,
        confirm: int,
        pinned: bool,
        stale_after: float,
        graces_of: Callable[[ServiceName], Graces],
        policy_of: Callable[[ServiceName], Policy],
        record: Record = Record.A,
    ) -> None:
        self._graces_of, self.unseen = graces_of, Unseen()
        self._tracks = Tracks(graces_of=graces_of, policy_of=policy_of, unseen=self.unseen)
        self.configure(confirm=confirm, pinned=pinned, stale_after=stale_after, record=record)
        self._overlapping: frozenset[str] = frozenset()
        self.hostless: frozenset[ServiceName] = frozenset()
        self._active = False

    def configure(
        self, *, confirm: int, pinned: bool, stale_after: float, record: Record = Record.A
    ) -> None:
        """Judge by other settings from now on; *confirm* holds for services that come new."""
        self._pinned = pinned
        self._tracks.configure(confirm=confirm, stale_after=stale_after, record=record)

    @property
    def inventory(self) -> Inventory | None:
        """The inventory in use, or None before the first."""
        return self._tracks.inventory if self._active else None

    def observe(self, inventory: Inventory, now: float) -> None:
        """Follow when things change while another replica judges."""
        if not self._active:
            self._tracks.set_inventory(inventory, now)

    def snapshot(self, now: float, unix: float, limit: int = MAX_BYTES) -> str:
        """Return what a successor needs to know, as JSON of at most *limit* bytes."""
        local = self.inventory.local if self.inventory is not None else ""
        return snapshot(self._tracks.remembered(now), now, unix, limit, local)

    def restore(self, text: str, now: float, unix: float, alive: float, local: str = "") -> None:
        """
        Go on where a predecessor stopped. Call this before the first inventory is set.

        Args:
            text: Its snapshot. Anything else is ignored.
            now: The monotonic clock.
            unix: The same moment in unix seconds.
            alive: Until when the predecessor worked, in unix seconds.
            local: The local cluster. A snapshot of a cluster with another name is ignored.
        """
        memories = read(text, local)
        clock = Timeline(now, unix, Timeline(now, unix, now).at(alive))
        if memories and not self._tracks.by_name:
            # Nobody saw when something changed since then.
            self.unseen.gap(clock.alive, now)
        self._tracks.inherit(memories, clock)

    def unsettled(self) -> Iterator[ServiceName]:
        """Yield the services of which the mode is not known or something is under way."""
        for name, track in self._tracks.by_name.items():
            judge = track.failover
            known = track.mode.mode is not Mode.UNKNOWN and judge.serving in track.right
            if not known or judge.clock.failing:
                yield name

    def set_inventory(self, inventory: Inventory, now: float) -> frozenset[ServiceName]:
        """Take in a new inventory; return the services for which something changed."""
        old, first, self._active = self.inventory, not self._active, True
        if old is None or old.clusters != inventory.clusters:
            self._overlapping = overlapping_clusters(inventory)
        changed = self._tracks.set_inventory(inventory, now)
        return frozenset(inventory.services) if first else changed

    def probed(self, probe: Probe, now: float) -> ProbeVerdict | None:
        """Judge one probe; None if its service is gone."""
        inventory, track = self.inventory, self._tracks.by_name.get(probe.question.service)
        if inventory is None or track is None:
            return None
        if probe.failure is Failure.RESOURCE:
            # Our own fault says nothing about the service.
            return ProbeVerdict(destination=None)
        shown = track.show(inventory, probe)
        # What should be is not known while a watch fails, so no promise can be held against it.
        pinned = probe.question.pinned
        checks = track.checks(shown, probe, now) if self.unseen.since is None else ()
        if pinned is None:
            exported = track.exported_here(self._graces_of(track.name), now)
            return track.judge_plain(probe, shown, checks, exported=exported, now=now)
        if inventory.services[probe.question.service].export_of(pinned) is not None:
            track.pinned[pinned] = probe
        return ProbeVerdict(destination=shown.destination, checks=checks)

    def came_back(self, service: ServiceName, at: float) -> None:
        """Take in that the local logs contain a probe that this exporter made at *at*."""
        track = self._tracks.by_name.get(service)
        if track is not None:
            track.returned = at if track.returned is None else max(track.returned, at)

    def owner(self, service: ServiceName, address: Address, now: float) -> str | None:
        """Return the cluster that *address* of *service* leads to, or None if nobody's."""
        track = self._tracks.by_name.get(service)
        known = None if self.inventory is None else self.inventory.services.get(service)
        return None if track is None or known is None else track.owners.owner(known, address, now)

    def right(self, service: ServiceName) -> frozenset[str]:
        """Return the clusters that should answer for *service* now."""
        track = self._tracks.by_name.get(service)
        return frozenset() if track is None else track.right

    def stands(self, probe: Probe, until: float) -> bool:
        """Return whether what *probe* should show had held for long, and holds still at *until*."""
        track = self._tracks.by_name.get(probe.question.service)
        if track is None or self.unseen.overlaps(probe.at, until):
            return False
        return track.is_settled(probe.question.pinned, probe.at)

    def observation_gap(self, start: float, end: float) -> None:
        """Remember that changes from *start* to *end* were not seen when they happened."""
        self.unseen.gap(start, end)

    def settle(self) -> Iterator[Failover]:
        """Yield the moves that a change of the inventory explained after they were seen."""
        for track in self._tracks.explained():
            yield from track.failover.moves()

    def track(self, service: ServiceName) -> ServiceTrack | None:
        """Return what is known of *service* over time, to be read; None if it is not known."""
        return self._tracks.by_name.get(service)

    def mode(self, service: ServiceName) -> Mode:
        """Return what clients here get now from *service*."""
        track = self._tracks.by_name.get(service)
        return Mode.UNKNOWN if track is None else track.mode.mode

    def locality(
        self,
        service: ServiceName,
        source: str,
        start: float,
        end: float | None = None,
        *,
        pinned: bool = False,
        destination: str = "",
    ) -> Locality:
        """Judge hits of *source* from *start* to *end*, served here or sent to *destination*."""
        track = self._tracks.by_name.get(service)
        end = start if end is None else end
        found = locality(
            source,
            destination or ("" if self.inventory is None else self.inventory.local),
            None if track is None else track.standings.get(source),
            start=start,
            end=end,
            pinned=pinned,
            spreads=track is not None and _spreads(self.inventory, service, track.policy),
            graces=self._graces_of(service),
        )
        if found in LEAKS and self.unseen.overlaps(start, end):
            return Locality.UNKNOWN
        return found

    def is_steady(self, service: ServiceName, source: str, start: float, end: float) -> bool:
        """Return whether hits of *source* from *start* to *end* are all judged the same way."""
        track = self._tracks.by_name.get(service)
        standings = None if track is None else track.standings.get(source)
        if self.unseen.overlaps(start, end):
            return False
        return standings is None or standings.is_steady(start, end, self._graces_of(service))

    def views(self, now: float) -> Iterator[ServiceView]:
        """Yield how each service stands at the moment *now*."""
        inventory = self.inventory
        for name, track in list(self._tracks.by_name.items()):
            if inventory is not None and name in inventory.services:
                yield view(
                    inventory,
                    track,
                    now,
                    pinned=self._pinned,
                    overlapping=self._overlapping,
                    hostless=name in self.hostless,
                )


def _spreads(inventory: Inventory | None, name: ServiceName, policy: Policy) -> bool:
    if inventory is None or name not in inventory.services:
        return False
    return prefers_nobody(inventory, inventory.services[name], policy)
