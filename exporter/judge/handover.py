"""
What a successor needs to know of each service, as a small JSON text.

It is what one exporter leaves for the next: after a restart, or for another replica. All moments in
it are unix seconds. Values that change with each probe are not in it, so that it changes rarely.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import msgspec

from exporter.judge.causes import Cause, Causes
from exporter.judge.changes import named_export
from exporter.judge.failover_states import State
from exporter.judge.locality import ExportState, Standings
from exporter.judge.service_track import ServiceTrack
from exporter.model.clusterset import Service, ServiceName
from exporter.model.verdicts import Locality, Mode, Reason

VERSION = 1
MAX_BYTES = 200 << 10
"""An annotation of the API may have 256 KiB, with all others of its object."""
RECENT = 3600.0
"""Seconds for which a change of a cluster's export or readiness may still matter."""
STALE_INTERVALS = 3
"""Probe intervals without a probe after which the last probe of a service says nothing more."""
_MAX_UNIX = 1e11


class HandoverError(Exception):
    """A text is not a snapshot that can be used; the message says why."""


class _Cause(msgspec.Struct, array_like=True):
    unix: float
    reason: Reason
    late: float


class _Standing(msgspec.Struct, array_like=True):
    exported: bool
    ready: bool
    since: float
    before: Locality
    was_exported: bool


class Memory(msgspec.Struct, omit_defaults=True):
    """What is remembered of one service."""

    name: str
    serving: str | None = None
    group: list[str] = []
    right: list[str] = []
    joined: dict[str, _Cause] = {}
    left: dict[str, _Cause] = {}
    failed: float | None = None
    """When the first probe failed since the serving cluster replied last."""
    sure: float | None = None
    """The first of them that a lost packet does not explain."""
    gap: float = 0.0
    failures: int = 0
    standings: dict[str, _Standing] = {}
    mode: Mode = Mode.UNKNOWN
    since: float | None = None
    gone: float | None = None
    """When the service went, if it is gone."""
    exported: list[str] = []
    """Who exported it when it went."""


class Departed(NamedTuple):
    """A service that went, and counts as itself if it comes back."""

    track: ServiceTrack
    exported: frozenset[str]
    """Who exported it when it went."""
    since: float


class _Handover(msgspec.Struct):
    version: int
    services: list[Memory]
    cluster: str = ""
    """The local cluster, as its series name it; empty from older versions."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Turns unix seconds into the monotonic clock of the successor."""

    now: float
    unix: float
    alive: float
    """Until when the predecessor was seen to work, on the monotonic clock."""

    def at(self, unix: float) -> float:
        """Return the moment; nothing that is remembered lies in the future."""
        known = unix if isfinite(unix) and abs(unix) < _MAX_UNIX else self.unix
        return min(self.now, self.now - self.unix + known)

    def at_or_none(self, unix: float | None) -> float | None:
        """Return the moment; None for None."""
        return None if unix is None else self.at(unix)


def snapshot(
    tracks: Iterable[ServiceTrack | Departed],
    now: float,
    unix: float,
    limit: int = MAX_BYTES,
    cluster: str = "",
) -> str:
    """Return what a successor needs, the most recently changed services first, bounded in size."""
    newest = sorted(tracks, key=_changed, reverse=True)
    parts, size = [], len(msgspec.json.encode(_Handover(VERSION, [], cluster)))
    for each in newest:
        part = msgspec.json.encode(_remember(each, now, unix - now))
        size += len(part) + 1
        if size > limit:
            break
        parts.append(part)
    of = b',"cluster":%s' % msgspec.json.encode(cluster) if cluster else b""
    return (b'{"version":%d,"services":[%s]%s}' % (VERSION, b",".join(parts), of)).decode()


def read(text: str, cluster: str = "") -> Mapping[ServiceName, Memory]:
    """Return what was remembered, by service; nothing if *text* is not a snapshot of ours."""
    try:
        return parse(text, cluster)
    except HandoverError:
        return {}


def parse(text: str, cluster: str = "") -> Mapping[ServiceName, Memory]:
    """
    Return what was remembered, by service.

    Args:
        text: The snapshot.
        cluster: The local cluster. What was remembered while it had another name is of no use,
            and nothing is returned then; empty if it is not known.

    Raises:
        HandoverError: If *text* is not a snapshot of ours.
    """
    try:
        found = msgspec.json.decode(text, type=_Handover)
    except (ValueError, RecursionError) as error:
        # Errors of msgspec, and of text that is not UTF-8, are ValueErrors.
        msg = f"is broken: {error}"
        raise HandoverError(msg) from error
    if found.version != VERSION:
        msg = f"is of version {found.version}; this exporter knows {VERSION}"
        raise HandoverError(msg)
    if cluster and found.cluster and found.cluster != cluster:
        return {}
    memories = {}
    for memory in found.services:
        namespace, _, name = memory.name.partition("/")
        if namespace and name:
            memories[ServiceName(namespace, name)] = memory
    return memories


def resume(track: ServiceTrack, memory: Memory, clock: Timeline) -> None:
    """Let *track* go on where *memory* ends. What it has seen itself since then is newer."""
    judge, own = track.failover, track.failover.causes
    if judge.state is not State.UNSEEN:
        return
    own_right = own.right
    joined = {c: _cause(each, memory, clock) for c, each in memory.joined.items()}
    left = {c: _cause(each, memory, clock) for c, each in memory.left.items()}
    right = frozenset(memory.right) if own_right is None else own_right
    judge.causes = Causes(right, joined | own.joined, left | own.left)
    if memory.serving is not None:
        judge.serving, judge.state = memory.serving, State.STEADY
        judge.group = frozenset(memory.group)
        # It worked until then, so its newest probe was not older than one interval.
        judge.looked_at = clock.alive - track.stale_after / STALE_INTERVALS
    outage = judge.clock
    outage.first, outage.first_sure = clock.at_or_none(memory.failed), clock.at_or_none(memory.sure)
    outage.gap = max(0.0, memory.gap) if isfinite(memory.gap) else 0.0
    outage.failures = max(0, min(memory.failures, judge.confirm))
    outage.counted_to = clock.alive
    if outage.first is None and memory.serving is not None:
        outage.served_at = judge.looked_at
    if clock.now - clock.alive > track.stale_after:
        # Nobody looked for so long that the times mean nothing.
        judge.observation_gap()
    else:
        track.mode.mode, track.mode.since = memory.mode, clock.at_or_none(memory.since)
    for cluster, standing in memory.standings.items():
        _restore_standing(track, cluster, standing, clock)


def reason_of(memory: Memory, moved: frozenset[str], service: Service) -> Reason:
    """Return why *moved* became right, or ceased to be so, while nobody looked."""
    for cluster in sorted(moved):
        before, export = memory.standings.get(cluster), named_export(service, cluster)
        was_right = cluster in memory.right
        if export is None and (was_right or (before is not None and before.exported)):
            return Reason.UNEXPORT
        exported = cluster in memory.exported or (before is not None and before.exported)
        if before is not None and export is not None and not exported:
            return Reason.EXPORT
        if export is not None and export.ready is not was_right:
            return Reason.READINESS
    return Reason.UNKNOWN


def _changed(each: ServiceTrack | Departed) -> float:
    """Return when something of a service changed last."""
    if isinstance(each, Departed):
        return each.since
    return max(each.settled, each.mode.since or 0.0, each.failover.clock.first or 0.0)


def _remember(found: ServiceTrack | Departed, now: float, offset: float) -> Memory:
    departed = found if isinstance(found, Departed) else None
    track = found.track if isinstance(found, Departed) else found
    judge, mode = track.failover, track.mode
    causes, outage = judge.causes, judge.clock
    standings = {
        cluster: _Standing(
            each.exported, each.ready, each.since + offset, each.before, each.was_exported
        )
        for cluster, all_ in track.standings.items()
        if now - (each := all_.now).since < RECENT
    }
    since = mode.since
    return Memory(
        name=str(track.name),
        serving=judge.serving,
        group=sorted(judge.group - {judge.serving or ""}),
        right=sorted(track.right),
        joined={c: _Cause(e.at + offset, e.reason, e.late) for c, e in causes.joined.items()},
        left={c: _Cause(e.at + offset, e.reason, e.late) for c, e in causes.left.items()},
        failed=None if outage.first is None else outage.first + offset,
        sure=None if outage.first_sure is None else outage.first_sure + offset,
        gap=outage.gap if outage.first is not None else 0.0,
        failures=min(outage.failures, judge.confirm),
        standings=standings,
        mode=mode.mode,
        since=None if since is None else since + offset,
        gone=None if departed is None else departed.since + offset,
        exported=[] if departed is None else sorted(departed.exported),
    )


def _cause(each: _Cause, memory: Memory, clock: Timeline) -> Cause:
    late = max(0.0, each.late) if isfinite(each.late) else 0.0
    return Cause(clock.at(each.unix), each.reason, frozenset(memory.right), late)


def _restore_standing(
    track: ServiceTrack, cluster: str, standing: _Standing, clock: Timeline
) -> None:
    own = track.standings.get(cluster)
    if own is not None and own.has_changed:
        # We followed it ourselves, and know more of the time before.
        return
    if own is not None and (own.now.exported, own.now.ready) != (standing.exported, standing.ready):
        return
    track.standings[cluster] = Standings(
        ExportState(
            exported=standing.exported,
            ready=standing.ready,
            since=clock.at(standing.since),
            before=standing.before,
            was_exported=standing.was_exported,
        )
    )
