"""Verdicts on every service, made from inventories and probes in the order they arrive."""

from collections import deque
from collections.abc import Callable, Iterator

from exporter.judge.changes import reach, reason
from exporter.judge.claims import overlapping_clusters
from exporter.judge.expect import expect
from exporter.judge.failover import FailoverJudge
from exporter.judge.hazards import hazards
from exporter.judge.locality import LEAKS, Graces, locality
from exporter.judge.mode import ModeJudge
from exporter.judge.moves import Cause
from exporter.judge.service_track import Checks, ServiceTrack
from exporter.model.clusterset import Inventory, Profile, Service, ServiceName
from exporter.model.probes import Failure, Probe, Question, Record
from exporter.model.verdicts import Failover, Locality, Mode, Policy, ProbeVerdict, ServiceView

MAX_GAPS = 64
"""Observation gaps that are remembered."""


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
        self._policy_of = policy_of
        self._graces_of = graces_of
        self.configure(confirm=confirm, pinned=pinned, stale_after=stale_after, record=record)
        self._tracks: dict[ServiceName, ServiceTrack] = {}
        self._overlapping: frozenset[str] = frozenset()
        self._gaps: deque[tuple[float, float]] = deque(maxlen=MAX_GAPS)
        self.inventory: Inventory | None = None

    def configure(
        self, *, confirm: int, pinned: bool, stale_after: float, record: Record = Record.A
    ) -> None:
        """Use other settings from now on. The new *confirm* applies to new services only."""
        self._confirm, self._pinned, self._stale_after = confirm, pinned, stale_after
        self._record = record

    def set_inventory(self, inventory: Inventory, now: float) -> frozenset[ServiceName]:
        """Take in a new inventory, and return the services that changed."""
        old, self.inventory = self.inventory, inventory
        if old is None or old.clusters != inventory.clusters:
            self._overlapping = overlapping_clusters(inventory)
        changed = {
            service.name
            for service in inventory.services.values()
            if self._update(old, inventory, service, now)
        }
        for gone in self._tracks.keys() - inventory.services.keys():
            del self._tracks[gone]
        return frozenset(changed)

    def probed(self, probe: Probe, now: float) -> ProbeVerdict | None:
        """Judge one probe; return None if its service is gone."""
        inventory, track = self.inventory, self._tracks.get(probe.question.service)
        if inventory is None or track is None:
            return None
        if probe.failure is Failure.RESOURCE:
            # A failure of this process says nothing about the service.
            return ProbeVerdict(destination=None)
        shown = track.show(inventory, probe)
        checks = track.checks(shown, now)
        pinned = probe.question.pinned
        if pinned is None:
            return self._plain(track, shown.destination, checks, probe, now)
        if inventory.services[probe.question.service].export_of(pinned) is not None:
            track.pinned[pinned] = probe
        return ProbeVerdict(destination=shown.destination, checks=checks)

    def _plain(
        self, track: ServiceTrack, destination: str | None, checks: Checks, probe: Probe, now: float
    ) -> ProbeVerdict:
        if self._is_stale(track.plain, probe.at):
            track.observation_gap()
        if track.absorb_unchanged(probe, destination):
            return ProbeVerdict(destination=destination, checks=checks)
        exported = track.exported_here(self._graces_of(probe.question.service), now)
        return track.observe(probe, destination, checks, exported=exported, now=now)

    def observation_gap(self, start: float, end: float) -> None:
        """Remember that changes between *start* and *end* were not seen when they happened."""
        self._gaps.append((start, end))

    def settle(self, now: float) -> Iterator[Failover]:
        """Yield the moves that waited for a cause and wait no longer at the moment *now*."""
        for track in self._tracks.values():
            yield from track.failover.moves(now)

    def mode(self, service: ServiceName) -> Mode:
        """Return what clients in the local cluster get from *service* now."""
        track = self._tracks.get(service)
        return Mode.UNKNOWN if track is None else track.mode.mode

    def locality(
        self,
        service: ServiceName,
        source: str,
        start: float,
        end: float | None = None,
        *,
        pinned: bool = False,
    ) -> Locality:
        """Judge hits of *source* that the local cluster served between *start* and *end*."""
        track = self._tracks.get(service)
        end = start if end is None else end
        found = locality(
            source,
            "" if self.inventory is None else self.inventory.local,
            None if track is None else track.standings.get(source),
            start=start,
            end=end,
            pinned=pinned,
            graces=self._graces_of(service),
        )
        unseen = any(start < to and since < end for since, to in self._gaps)
        return Locality.UNKNOWN if unseen and found in LEAKS else found

    def is_steady(self, service: ServiceName, source: str, start: float, end: float) -> bool:
        """Return whether the standing of *source* did not change between *start* and *end*."""
        track = self._tracks.get(service)
        standings = None if track is None else track.standings.get(source)
        return standings is None or standings.is_steady(start, end)

    def views(self, now: float) -> Iterator[ServiceView]:
        """Yield the state of each service at the moment *now*."""
        inventory = self.inventory
        for name, track in list(self._tracks.items()):
            if inventory is not None and name in inventory.services:
                yield self._view(inventory, inventory.services[name], track, now)

    def _update(self, old: Inventory | None, new: Inventory, service: Service, now: float) -> bool:
        policy, graces = self._policy_of(service.name), self._graces_of(service.name)
        right = expect(new, Question(service.name, None, self._record), policy).clusters
        track = self._tracks.get(service.name)
        before = None if old is None else old.services.get(service.name)
        if track is None or old is None or before is None:
            self._tracks[service.name] = track = self._begin(service, policy, right, now)
            track.place(service, graces, now, first=True)
            return True
        track.policy, track.leak_grace = policy, graces.leak
        track.shown.clear()
        track.place(service, graces, now, first=False)
        if right != track.right:
            why = reason(track.right ^ right, before, service, old, new)
            track.failover.changed(Cause(now, why, right))
            track.right, track.settled = right, now
            track.spread.clear()
        track.mode.reclassify(exported=track.exported_here(graces, now), now=now)
        return before != service or reach(old, before) != reach(new, service)

    def _begin(
        self, service: Service, policy: Policy, right: frozenset[str], now: float
    ) -> ServiceTrack:
        local = self.inventory.local if self.inventory else ""
        return ServiceTrack(
            policy=policy,
            mode=ModeJudge(local=local, confirm=self._confirm),
            failover=FailoverJudge(service=service.name, confirm=self._confirm),
            right=right,
            settled=now,
            leak_grace=self._graces_of(service.name).leak,
        )

    def _is_stale(self, probe: Probe | None, now: float) -> bool:
        return probe is not None and now - probe.ended > self._stale_after

    def _answers(self, pinned: Probe | None, now: float) -> bool:
        return pinned is not None and pinned.failure is None and not self._is_stale(pinned, now)

    def _view(
        self, inventory: Inventory, service: Service, track: ServiceTrack, now: float
    ) -> ServiceView:
        stale = self._is_stale(track.plain, now)
        named = self._pinned and inventory.profile is Profile.SUBMARINER
        mode = Mode.UNKNOWN if stale else track.mode.mode
        dark = mode in {Mode.BLACKOUT, Mode.UNKNOWN}
        serving = None if dark else track.failover.serving
        standbys = frozenset(
            export.cluster
            for export in service.exports
            if export.cluster != serving
            and export.ready
            and export.cluster in inventory.connected
            and (not named or self._answers(track.pinned.get(export.cluster), now))
        )
        return ServiceView(
            service=service,
            policy=track.policy,
            mode=mode,
            since=None if stale else track.mode.since,
            serving=serving,
            expected=track.right,
            standbys=standbys,
            hazards=hazards(inventory, service, self._overlapping, pinned=self._pinned),
            pinned=track.pinned,
            plain=track.plain,
        )
