"""Which services there are, and what changes about each from one inventory to the next."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from exporter.judge.causes import Cause
from exporter.judge.changes import reach, reason
from exporter.judge.expect import expect
from exporter.judge.failover import SETTLES, FailoverJudge
from exporter.judge.handover import Departed, Memory, Timeline, reason_of, resume
from exporter.judge.locality import Graces
from exporter.judge.mode import ModeJudge
from exporter.judge.service_track import ServiceTrack
from exporter.judge.unseen import Unseen
from exporter.model.clusterset import Inventory, Service, ServiceName
from exporter.model.probes import Question, Record
from exporter.model.verdicts import Mode, Policy, Reason

MAX_GONE = 1000
"""Services that are remembered after they went."""


class _Gone(NamedTuple):
    """A service that went, and may come back."""

    track: ServiceTrack
    service: Service
    """As it was before."""
    since: float
    until: float
    """When it counts as another service of the same name."""


class Tracks:
    """
    The track of each service of the newest inventory.

    Args:
        graces_of: What is forgiven after a change.
        policy_of: Whether a service's clients are meant to stay in their cluster.
        unseen: When changes could not be seen.
    """

    def __init__(
        self,
        *,
        graces_of: Callable[[ServiceName], Graces],
        policy_of: Callable[[ServiceName], Policy],
        unseen: Unseen,
    ) -> None:
        self._graces_of, self._policy_of, self._unseen = graces_of, policy_of, unseen
        self.inventory: Inventory | None = None
        self.by_name: dict[ServiceName, ServiceTrack] = {}
        self._gone: dict[ServiceName, _Gone] = {}
        """Services that may come back as themselves."""
        self._explained: list[ServiceTrack] = []
        self._memories: dict[ServiceName, Memory] = {}
        """What a predecessor left, of services that are not known yet."""
        self._clock = Timeline(0.0, 0.0, 0.0)

    def inherit(self, memories: Mapping[ServiceName, Memory], clock: Timeline) -> None:
        """Go on with what a predecessor left."""
        self._clock, self._memories = clock, dict(memories)
        for name, track in self.by_name.items():
            if (memory := self._memories.pop(name, None)) is not None:
                resume(track, memory, clock)
        for name, gone in self._gone.items():
            if (memory := self._memories.pop(name, None)) is not None:
                resume(gone.track, memory, clock)

    def remembered(self, now: float) -> Iterator[ServiceTrack | Departed]:
        """Yield what a successor needs to know of, also services that may come back."""
        yield from self.by_name.values()
        for gone in self._gone.values():
            if gone.until > now:
                exported = frozenset(each.cluster for each in gone.service.exports if each.named)
                yield Departed(gone.track, exported, gone.since)

    def configure(self, *, confirm: int, stale_after: float, record: Record) -> None:
        """Use other settings from now on; *confirm* holds for services that come new."""
        self._confirm, self._stale_after, self._record = confirm, stale_after, record
        for track in self.by_name.values():
            track.stale_after = stale_after

    def set_inventory(self, inventory: Inventory, now: float) -> frozenset[ServiceName]:
        """Take in a new inventory; return the services for which something changed."""
        old, self.inventory = self.inventory, inventory
        changed = {
            service.name
            for service in inventory.services.values()
            if self._update(old, inventory, service, now)
        }
        for gone in self.by_name.keys() - inventory.services.keys():
            self._let_go(gone, old, now)
        return frozenset(changed)

    def explained(self) -> list[ServiceTrack]:
        """Return the tracks for which a change may have completed a move, since the last call."""
        explained, self._explained = self._explained, []
        return explained

    def _update(self, old: Inventory | None, new: Inventory, service: Service, now: float) -> bool:
        policy = self._policy_of(service.name)
        right = expect(new, Question(service.name, None, self._record), policy).clusters
        track = self.by_name.get(service.name)
        before = None if old is None else old.services.get(service.name)
        late = self._unseen.late(now)
        if track is None and (gone := self._return(service.name, now)) is not None:
            # Nobody saw when it changed, while it was away.
            track, before, late = gone.track, gone.service, max(late, now - gone.since)
        if track is None or before is None or old is None:
            self.by_name[service.name] = track = self._begin(service.name, policy, right, now)
            memory = self._inherited(service.name, now)
            if memory is not None:
                resume(track, memory, self._clock)
            track.place(service, self._graces_of(service.name), now, first=True)
            self._catch_up(track, memory, service, now)
            return True
        self.by_name[service.name] = track
        graces = self._graces_of(service.name)
        track.policy, track.leak_grace = policy, graces.leak
        track.shown.clear()
        track.owners.changed(before, service, now=now, keep=graces.export)
        track.place(service, graces, now, first=False)
        if right != track.right:
            why = reason(track.right ^ right, before, service, old, new)
            self._turn(track, right, why, now, late)
        track.mode.reclassify(
            exported=track.exported_here(self._graces_of(track.name), now), now=now
        )
        return before != service or reach(old, before) != reach(new, service)

    def _begin(
        self, name: ServiceName, policy: Policy, right: frozenset[str], now: float
    ) -> ServiceTrack:
        local = self.inventory.local if self.inventory else ""
        return ServiceTrack(
            policy=policy,
            mode=ModeJudge(local=local, confirm=self._confirm),
            failover=FailoverJudge(service=name, confirm=self._confirm),
            right=right,
            settled=now,
            leak_grace=self._graces_of(name).leak,
            stale_after=self._stale_after,
        )

    def _catch_up(
        self, track: ServiceTrack, memory: Memory | None, service: Service, now: float
    ) -> None:
        """Take in what changed while nobody looked; without *memory*, begin with what is right."""
        causes, right = track.failover.causes, track.right
        if memory is not None and causes.right is not None and causes.right != right:
            why = reason_of(memory, causes.right ^ right, service)
            # A service that was gone changed unseen since it went.
            seen = self._clock.alive if memory.gone is None else self._clock.at(memory.gone)
            late = max(self._unseen.late(now), now - min(self._clock.alive, seen))
            track.failover.changed(Cause(now, why, right, late))
            self._explained.append(track)
        causes.right = right

    def _turn(
        self, track: ServiceTrack, right: frozenset[str], why: Reason, now: float, late: float
    ) -> None:
        track.mode.explained(now - late - SETTLES)
        mixed = track.mode.mode is Mode.MIXED
        track.failover.changed(Cause(now, why, right, late), mixed=mixed)
        self._explained.append(track)
        track.right, track.settled = right, now
        track.spread.clear()

    def _let_go(self, name: ServiceName, old: Inventory | None, now: float) -> None:
        """Remember a service that went: an eviction may bring it back within moments."""
        track = self.by_name.pop(name)
        before = None if old is None else old.services.get(name)
        if before is None:
            return
        graces = self._graces_of(name)
        for standings in track.standings.values():
            standings.move(exported=False, ready=False, now=now, graces=graces)
        track.owners.changed(before, None, now=now, keep=graces.export)
        track.shown.clear()
        track.pinned.clear()
        self._gone = {n: gone for n, gone in self._gone.items() if gone.until > now}
        if len(self._gone) < MAX_GONE:
            self._gone[name] = _Gone(track, before, now, now + graces.export)

    def _inherited(self, name: ServiceName, now: float) -> Memory | None:
        """Return what a predecessor left of a service, unless that was another of its name."""
        memory = self._memories.pop(name, None)
        if memory is None or memory.gone is None:
            return memory
        until = self._clock.at(memory.gone) + self._graces_of(name).export
        return memory if until > now else None

    def _return(self, name: ServiceName, now: float) -> _Gone | None:
        gone = self._gone.pop(name, None)
        return None if gone is None or gone.until <= now else gone
