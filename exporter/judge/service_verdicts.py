"""What is known of every service, put together from inventories and probes as they come."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.judge.changes import reach, reason
from exporter.judge.claims import overlapping_clusters
from exporter.judge.expect import Outcome, check, expect
from exporter.judge.failover import FailoverJudge
from exporter.judge.hazards import hazards
from exporter.judge.locality import LEAKS, Graces, Standings, crossing, first_standing, locality
from exporter.judge.mode import ModeJudge, Serving
from exporter.judge.moves import Cause, ProbeObservation
from exporter.judge.spread import Spread
from exporter.model.clusterset import UNKNOWN, Inventory, Profile, Service, ServiceName
from exporter.model.probes import Failure, NameKind, Probe, Question, Record
from exporter.model.verdicts import (
    Failover,
    Locality,
    Mode,
    Policy,
    ProbeVerdict,
    Rule,
    ServiceView,
)

MAX_BLIND = 64
"""Times of blindness that are remembered."""


class _Shown(NamedTuple):
    """What a probe showed, and shows again while nothing changes."""

    what: tuple[object, ...]
    """All that the rest follows from, beside the inventory."""
    destination: str | None
    checks: tuple[tuple[Rule, bool], ...]
    chosen: bool
    """One of several clusters was to be chosen."""


@dataclass(slots=True, kw_only=True)
class ServiceTrack:
    """One service over time."""

    policy: Policy
    mode: ModeJudge
    failover: FailoverJudge
    right: frozenset[str]
    settled: float
    """When *right* last changed."""
    leak_grace: float
    shown: dict[str | None, _Shown] = field(default_factory=dict)
    """By the newest probe of each name, told apart by the cluster in it."""
    standings: dict[str, Standings] = field(default_factory=dict)
    pinned: dict[str, Probe] = field(default_factory=dict)
    plain: Probe | None = None
    served: str | None = None
    spread: Spread = field(default_factory=Spread)


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
        self.configure(confirm=confirm, pinned=pinned, stale_after=stale_after, record=record)
        self._tracks: dict[ServiceName, ServiceTrack] = {}
        self._overlapping: frozenset[str] = frozenset()
        self._blind: deque[tuple[float, float]] = deque(maxlen=MAX_BLIND)
        self.inventory: Inventory | None = None

    def configure(
        self, *, confirm: int, pinned: bool, stale_after: float, record: Record = Record.A
    ) -> None:
        """Judge by other settings from now on; *confirm* holds for services that come new."""
        self._confirm, self._pinned, self._stale_after = confirm, pinned, stale_after
        self._record = record

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
            del self._tracks[gone]
        return frozenset(changed)

    def probed(self, probe: Probe, now: float) -> ProbeVerdict | None:
        """Judge one probe; None if its service is gone."""
        inventory, track = self.inventory, self._tracks.get(probe.question.service)
        if inventory is None or track is None:
            return None
        failure = probe.failure
        if failure is Failure.RESOURCE:
            # Our own fault says nothing about the service.
            return ProbeVerdict(destination=None)
        shown = self._show(inventory, track, probe)
        checks = self._checks(track, shown, now)
        pinned = probe.question.pinned
        if pinned is None:
            return self._plain(track, shown.destination, checks, probe, now)
        if inventory.services[probe.question.service].export_of(pinned) is not None:
            track.pinned[pinned] = probe
        return ProbeVerdict(destination=shown.destination, checks=checks)

    def observation_gap(self, start: float, end: float) -> None:
        """Remember that changes from *start* to *end* were not seen when they happened."""
        self._blind.append((start, end))

    def settle(self, now: float) -> Iterator[Failover]:
        """Yield the moves that waited to be explained, and will wait no longer."""
        for track in self._tracks.values():
            yield from track.failover.moves(now)

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
            graces=self._graces_of(service),
        )
        unseen = any(start < to and since < end for since, to in self._blind)
        return Locality.UNKNOWN if unseen and found in LEAKS else found

    def is_steady(self, service: ServiceName, source: str, start: float, end: float) -> bool:
        """Return whether *source* stood to *service* the same way all the time."""
        track = self._tracks.get(service)
        standings = None if track is None else track.standings.get(source)
        return standings is None or standings.is_steady(start, end)

    def views(self, now: float) -> Iterator[ServiceView]:
        """Yield how each service stands at the moment *now*."""
        inventory = self.inventory
        for name, track in list(self._tracks.items()):
            if inventory is not None and name in inventory.services:
                yield self._view(inventory, inventory.services[name], track, now)

    def _update(self, old: Inventory | None, new: Inventory, service: Service, now: float) -> bool:
        policy = self._policy_of(service.name)
        right = expect(new, Question(service.name, None, self._record), policy).clusters
        track = self._tracks.get(service.name)
        before = None if old is None else old.services.get(service.name)
        if track is None or old is None or before is None:
            self._tracks[service.name] = track = self._begin(service, policy, right, now)
            self._place(track, service, now, first=True)
            return True
        track.policy, track.leak_grace = policy, self._graces_of(service.name).leak
        track.shown.clear()
        self._place(track, service, now, first=False)
        if right != track.right:
            why = reason(track.right ^ right, before, service, old, new)
            track.failover.changed(Cause(now, why, right))
            track.right, track.settled = right, now
            track.spread.clear()
        track.mode.reclassify(exported=self._exported_here(track, now), now=now)
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

    def _show(self, inventory: Inventory, track: ServiceTrack, probe: Probe) -> _Shown:
        question, answer, reply = probe.question, probe.answer, probe.reply
        replied = (None, None) if reply is None else (reply.address, reply.failure)
        what = (question, answer.addresses, answer.failure, *replied)
        shown = track.shown.get(question.pinned)
        if shown is not None and shown.what == what:
            return shown
        destination, local = None, inventory.local
        if answer.addresses:
            service = inventory.services[question.service]
            destination = service.owner_of(answer.addresses[0]) or UNKNOWN
        expected = expect(inventory, question, track.policy)
        # Only remote clusters take turns: the local one, where it is right, is always preferred.
        turns = expected.outcome is Outcome.ANSWER and not expected.whole
        chosen = turns and question.kind is NameKind.PLAIN and local not in track.right
        checks = tuple(check(inventory, expected, probe))
        shown = track.shown[question.pinned] = _Shown(what, destination, checks, chosen)
        return shown

    def _checks(
        self, track: ServiceTrack, shown: _Shown, now: float
    ) -> tuple[tuple[Rule, bool], ...]:
        # While a change is under way caches may still be right to answer the old way.
        if now - track.settled <= track.leak_grace:
            return ()
        if not shown.chosen:
            return shown.checks
        fair = track.spread.answered(shown.destination, track.right)
        return shown.checks if fair is None else (*shown.checks, (Rule.SPREADS, fair))

    def _plain(
        self,
        track: ServiceTrack,
        destination: str | None,
        checks: tuple[tuple[Rule, bool], ...],
        probe: Probe,
        now: float,
    ) -> ProbeVerdict:
        served, right = destination if probe.failure is None else None, track.right
        if self._is_stale(track.plain, probe.at):
            track.failover.observation_gap()
            track.mode.observation_gap()
        if track.mode.absorb_unchanged(served) and track.failover.absorb_unchanged(
            probe.at, destination, served, right
        ):
            track.plain = probe
            return ProbeVerdict(destination=destination, checks=checks)
        seen = ProbeObservation(
            at=probe.at,
            answered_at=probe.at + probe.answer.took,
            ended=probe.ended,
            unix=probe.unix + probe.ended - probe.at,
            answered=destination,
            served=served,
        )
        outage = track.failover.outage
        track.failover.probed(seen, right)
        track.mode.probed(
            Serving(probe.at, served), right=right, exported=self._exported_here(track, now)
        )
        unstable = (
            track.plain is not None
            and served != track.served
            and not (served in right and track.served in right)
        )
        track.plain, track.served = probe, served
        return ProbeVerdict(
            destination=destination,
            checks=checks,
            failovers=tuple(track.failover.moves(now)),
            outage=track.failover.outage - outage,
            unstable=unstable,
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
