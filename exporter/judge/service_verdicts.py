"""The verdicts on every service, put together from inventories and probes as they come."""

from collections.abc import Callable, Iterator

from exporter.judge.causes import Cause
from exporter.judge.changes import reach, reason
from exporter.judge.claims import overlapping_clusters
from exporter.judge.expect import expect, prefers_nobody
from exporter.judge.failover import FailoverJudge
from exporter.judge.hazards import hazards
from exporter.judge.locality import LEAKS, Graces, Standings, crossing, first_standing, locality
from exporter.judge.mode import ModeJudge
from exporter.judge.service_track import ServiceTrack
from exporter.judge.unseen import Unseen
from exporter.model.clusterset import Address, Inventory, Profile, Service, ServiceName
from exporter.model.probes import Failure, Probe, Question, Record
from exporter.model.verdicts import (
    Failover,
    Locality,
    Mode,
    Policy,
    ProbeVerdict,
    Reason,
    ServiceView,
)

MAX_GONE = 1000
"""Services that are remembered after they went."""


class ServiceVerdicts:
    """
    The verdicts on every service of one inventory after the other.

    Args:
        confirm: Probes in a row that make a change believed.
        pinned: Whether pinned names are probed, so that a standby can be put to the test.
        stale_after: Seconds after which a probe says nothing any more.
        graces_of: What is forgiven after a change.
        policy_of: Whether a service's clients are meant to stay in their cluster.
        record: What addresses are asked for by: those of another family count for nothing.
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
        self._tracks: dict[ServiceName, ServiceTrack] = {}
        self._gone: dict[ServiceName, tuple[ServiceTrack, Service, float]] = {}
        """Services that went, and until when they may come back as themselves."""
        self.configure(confirm=confirm, pinned=pinned, stale_after=stale_after, record=record)
        self._overlapping: frozenset[str] = frozenset()
        self.unseen = Unseen()
        self.inventory: Inventory | None = None
        self._explained: list[ServiceTrack] = []
        """Those for which a change may have completed a move."""

    def configure(
        self, *, confirm: int, pinned: bool, stale_after: float, record: Record = Record.A
    ) -> None:
        """Judge by other settings from now on; *confirm* holds for services that come new."""
        self._confirm, self._pinned, self._stale_after = confirm, pinned, stale_after
        self._record = record
        for track in self._tracks.values():
            track.stale_after = stale_after

    def set_inventory(self, inventory: Inventory, now: float) -> frozenset[ServiceName]:
        """Take in a new inventory; return the services for which something changed."""
        old, self.inventory = self.inventory, inventory
        if old is None or old.clusters != inventory.clusters:
            self._overlapping = overlapping_clusters(inventory)
        changed = {
            service.name
            for service in inventory.services.values()
            if self._update(old, inventory, service, now)
        }
        for gone in self._tracks.keys() - inventory.services.keys():
            self._let_go(gone, old, now)
        return frozenset(changed)

    def probed(self, probe: Probe, now: float) -> ProbeVerdict | None:
        """Judge one probe; None if its service is gone."""
        inventory, track = self.inventory, self._tracks.get(probe.question.service)
        if inventory is None or track is None:
            return None
        if probe.failure is Failure.RESOURCE:
            # Our own fault says nothing about the service.
            return ProbeVerdict(destination=None)
        shown = track.show(inventory, probe)
        # What should be is not known while a watch fails, so no promise can be held against it.
        checks = track.checks(shown, now) if self.unseen.since is None else ()
        pinned = probe.question.pinned
        if pinned is None:
            exported = self._exported_here(track, now)
            return track.judge_plain(probe, shown, checks, exported=exported, now=now)
        if inventory.services[probe.question.service].export_of(pinned) is not None:
            track.pinned[pinned] = probe
        return ProbeVerdict(destination=shown.destination, checks=checks)

    def owner(self, service: ServiceName, address: Address, now: float) -> str | None:
        """Return the cluster that *address* of *service* leads to, or None if nobody's."""
        track = self._tracks.get(service)
        known = None if self.inventory is None else self.inventory.services.get(service)
        return None if track is None or known is None else track.owners.owner(known, address, now)

    def right(self, service: ServiceName) -> frozenset[str]:
        """Return the clusters that should answer for *service* now."""
        track = self._tracks.get(service)
        return frozenset() if track is None else track.right

    def observation_gap(self, start: float, end: float) -> None:
        """Remember that changes from *start* to *end* were not seen when they happened."""
        self.unseen.gap(start, end)

    def settle(self) -> Iterator[Failover]:
        """Yield the moves that a change of the inventory explained after they were seen."""
        explained, self._explained = self._explained, []
        for track in explained:
            yield from track.failover.moves()

    def mode(self, service: ServiceName) -> Mode:
        """Return what clients here get now from *service*."""
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
        """Judge hits of *source* that were served here at some time from *start* to *end*."""
        track = self._tracks.get(service)
        end = start if end is None else end
        found = locality(
            source,
            "" if self.inventory is None else self.inventory.local,
            None if track is None else track.standings.get(source),
            start=start,
            end=end,
            pinned=pinned,
            spreads=track is not None and self._spreads(service, track.policy),
            graces=self._graces_of(service),
        )
        if found in LEAKS and self.unseen.overlaps(start, end):
            return Locality.UNKNOWN
        return found

    def is_steady(self, service: ServiceName, source: str, start: float, end: float) -> bool:
        """Return whether hits of *source* from *start* to *end* are all judged the same way."""
        track = self._tracks.get(service)
        standings = None if track is None else track.standings.get(source)
        if self.unseen.overlaps(start, end):
            return False
        return standings is None or standings.is_steady(start, end, self._graces_of(service))

    def views(self, now: float) -> Iterator[ServiceView]:
        """Yield how each service stands at the moment *now*."""
        inventory = self.inventory
        for name, track in list(self._tracks.items()):
            if inventory is not None and name in inventory.services:
                yield self._view(inventory, inventory.services[name], track, now)

    def _spreads(self, name: ServiceName, policy: Policy) -> bool:
        inventory = self.inventory
        if inventory is None or name not in inventory.services:
            return False
        return prefers_nobody(inventory, inventory.services[name], policy)

    def _update(self, old: Inventory | None, new: Inventory, service: Service, now: float) -> bool:
        policy = self._policy_of(service.name)
        right = expect(new, Question(service.name, None, self._record), policy).clusters
        track = self._tracks.get(service.name)
        before = None if old is None else old.services.get(service.name)
        if track is None:
            track, before = self._return(service.name, now)
        if track is None or before is None or old is None:
            self._tracks[service.name] = track = self._begin(service, policy, right, now)
            self._place(track, service, now, first=True)
            return True
        self._tracks[service.name] = track
        graces = self._graces_of(service.name)
        track.policy, track.leak_grace = policy, graces.leak
        track.shown.clear()
        track.owners.changed(before, service, now=now, keep=graces.export)
        self._place(track, service, now, first=False)
        if right != track.right:
            why = reason(track.right ^ right, before, service, old, new)
            self._turn(track, right, why, now)
        track.mode.reclassify(exported=self._exported_here(track, now), now=now)
        return before != service or reach(old, before) != reach(new, service)

    def _turn(self, track: ServiceTrack, right: frozenset[str], why: Reason, now: float) -> None:
        track.failover.changed(Cause(now, why, right, self.unseen.late(now)))
        self._explained.append(track)
        track.right, track.settled = right, now
        track.spread.clear()

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
            stale_after=self._stale_after,
        )

    def _let_go(self, name: ServiceName, old: Inventory | None, now: float) -> None:
        """Remember a service that went: an eviction may bring it back within moments."""
        track = self._tracks.pop(name)
        before = None if old is None else old.services.get(name)
        if before is None:
            return
        graces = self._graces_of(name)
        for standings in track.standings.values():
            standings.move(exported=False, ready=False, now=now, graces=graces)
        track.owners.changed(before, None, now=now, keep=graces.export)
        track.shown.clear()
        track.pinned.clear()
        self._turn(track, frozenset(), Reason.UNEXPORT, now)
        self._gone = {n: gone for n, gone in self._gone.items() if gone[2] > now}
        if len(self._gone) < MAX_GONE:
            bare = Service(name=name, headless=before.headless)
            self._gone[name] = (track, bare, now + graces.export)

    def _return(self, name: ServiceName, now: float) -> tuple[ServiceTrack | None, Service | None]:
        track, before, until = self._gone.pop(name, (None, None, 0.0))
        return (track, before) if until > now else (None, None)

    def _place(self, track: ServiceTrack, service: Service, now: float, *, first: bool) -> None:
        exports = {export.cluster: export for export in service.exports}
        graces = self._graces_of(service.name)
        for cluster in track.standings.keys() | exports.keys():
            export = exports.get(cluster)
            exported, ready = export is not None, export is not None and export.ready
            # A cluster that joins a service known already is known not to have exported it before.
            if cluster not in track.standings:
                track.standings[cluster] = Standings(
                    first_standing(exported=first and exported, ready=first and ready, now=now)
                )
            track.standings[cluster].move(exported=exported, ready=ready, now=now, graces=graces)
        for gone in track.pinned.keys() - exports.keys():
            del track.pinned[gone]

    def _exported_here(self, track: ServiceTrack, now: float) -> bool:
        standings = track.standings.get(track.mode.local)
        if standings is None:
            return False
        standing = standings.now
        return standing.exported or (
            crossing(standing, now=now, graces=self._graces_of(track.failover.service))
            is Locality.FAILOVER
        )

    def _view(
        self, inventory: Inventory, service: Service, track: ServiceTrack, now: float
    ) -> ServiceView:
        stale = track.is_stale(track.plain, now)
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
            hazards=hazards(inventory, service, self._overlapping, pinned=self._pinned),
            pinned=track.pinned,
            plain=track.plain,
            share=None if stale else track.mode.share,
        )
