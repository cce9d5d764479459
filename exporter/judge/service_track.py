"""One service over time: what each probe of it shows, put beside what should be."""

from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.judge.expect import Outcome, check, expect
from exporter.judge.failover import SETTLES, FailoverJudge, ProbeObservation
from exporter.judge.locality import Graces, Standings, crossing, first_export_state
from exporter.judge.mode import ModeJudge, Serving
from exporter.judge.owners import Owners
from exporter.judge.spread import Spread
from exporter.model.clusterset import UNKNOWN, Address, Inventory, Service, ServiceName
from exporter.model.probes import Failure, NameKind, Probe
from exporter.model.verdicts import Locality, Mode, Policy, ProbeVerdict, Rule

LOST = frozenset(
    {Failure.TIMEOUT, Failure.CONNECT_TIMEOUT, Failure.TLS_TIMEOUT, Failure.REPLY_TIMEOUT}
)
"""Failures that a lost packet explains."""
RESTLESS_FOR = 60.0
"""Seconds for which answers that go to and fro are worth a closer look."""

Checks = tuple[tuple[Rule, bool], ...]


class Shown(NamedTuple):
    """What a probe showed, and shows again while nothing changes."""

    what: tuple[object, ...]
    """All that the rest follows from, beside the inventory."""
    destination: str | None
    checks: Checks
    chosen: bool
    """One of several clusters was to be chosen."""
    also: frozenset[str] = frozenset()
    """Of a headless service: all clusters in the answer."""


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
    stale_after: float
    shown: dict[str | None, Shown] = field(default_factory=dict)
    """By the newest probe of each name, told apart by the cluster in it."""
    standings: dict[str, Standings] = field(default_factory=dict)
    owners: Owners = field(default_factory=Owners)
    pinned: dict[str, Probe] = field(default_factory=dict)
    plain: Probe | None = None
    served: str | None = None
    spread: Spread = field(default_factory=Spread)
    returned: float | None = None
    """When the newest probe that the local cluster's logs contain was made by this exporter."""

    def show(self, inventory: Inventory, probe: Probe) -> Shown:
        """Return what *probe* shows by the *inventory* of this moment."""
        question, answer, reply = probe.question, probe.answer, probe.reply
        replied = (None, None) if reply is None else (reply.address, reply.failure)
        what = (question, answer.addresses, answer.failure, *replied)
        shown = self.shown.get(question.pinned)
        if shown is not None and shown.what == what:
            return shown
        destination, also, local = None, frozenset[str](), inventory.local
        if answer.addresses:
            # Of several addresses, that which was asked: clients choose one, too.
            address = answer.addresses[0] if reply is None else reply.address
            service = inventory.services[question.service]
            destination = self._owner(service, address, probe)
            if service.headless:
                also = frozenset(self._owner(service, each, probe) for each in answer.addresses)
        expected = expect(inventory, question, self.policy)
        # Only remote clusters take turns: the local one, where it is right, is always preferred.
        turns = expected.outcome is Outcome.ANSWER and not expected.whole
        chosen = turns and question.kind is NameKind.PLAIN and local not in self.right
        checks = tuple(check(inventory, expected, probe))
        shown = self.shown[question.pinned] = Shown(what, destination, checks, chosen, also)
        return shown

    def checks(self, shown: Shown, probe: Probe, now: float) -> Checks:
        """Return the promises that *probe*, which showed *shown*, can check at the moment *now*."""
        # While a change is under way caches may still be right to answer the old way.
        if not self.is_settled(probe.question.pinned, now):
            return ()
        if not shown.chosen:
            return shown.checks
        fair = self.spread.answered(
            shown.destination, self.right, at=probe.at, ttl=probe.answer.ttl or 0.0
        )
        return shown.checks if fair is None else (*shown.checks, (Rule.SPREADS, fair))

    def judge_plain(
        self, probe: Probe, shown: Shown, checks: Checks, *, exported: bool, now: float
    ) -> ProbeVerdict:
        """Judge a plain probe that showed *shown*."""
        destination = shown.destination
        # Without a port there is nothing to ask: the answer is all that clients are promised.
        well = probe.failure in {None, Failure.NO_PORT}
        served, right = destination if well else None, self.right
        if self.is_stale(self.plain, probe.at):
            self.failover.observation_gap()
            self.mode.observation_gap()
        if self.mode.absorb_unchanged(served) and self.failover.absorb_unchanged(
            probe.at, destination, served, right
        ):
            self.plain = probe
            return ProbeVerdict(destination=destination, checks=checks)
        alive = served is None and self._another_serves(destination, now)
        outage = self.failover.outage
        self.failover.probed(_observation(probe, destination, served, partial=alive), right)
        self.mode.probed(
            Serving(probe.at, served, destination, alive, shown.also, self._returned(now)),
            right=right,
            exported=exported,
            changing=self.is_changing(now),
        )
        unstable = self._is_unstable(served, now)
        self.plain, self.served = probe, served
        return ProbeVerdict(
            destination=destination,
            checks=checks,
            failovers=tuple(self.failover.moves()),
            outage=self.failover.outage - outage,
            unstable=unstable,
        )

    @property
    def name(self) -> ServiceName:
        """Return the service's name."""
        return self.failover.service

    def place(self, service: Service, graces: Graces, now: float, *, first: bool) -> None:
        """Take in how each cluster stands to *service*; *first* if nothing was known before."""
        exports = {export.cluster: export for export in service.exports}
        for cluster in self.standings.keys() | exports.keys():
            export = exports.get(cluster)
            exported, ready = export is not None, export is not None and export.ready
            # A cluster that joins a service known already is known not to have exported it before.
            if cluster not in self.standings:
                self.standings[cluster] = Standings(
                    first_export_state(exported=first and exported, ready=first and ready, now=now)
                )
            self.standings[cluster].move(exported=exported, ready=ready, now=now, graces=graces)
        for gone in self.pinned.keys() - exports.keys():
            del self.pinned[gone]

    def exported_here(self, graces: Graces, now: float) -> bool:
        """Return whether the local cluster exports the service, or did until lately."""
        standings = self.standings.get(self.mode.local)
        if standings is None:
            return False
        standing = standings.now
        evicted = crossing(standing, now=now, graces=graces) is Locality.FAILOVER
        return standing.exported or evicted

    def is_settled(self, pinned: str | None, at: float) -> bool:
        """Return whether at *at* nothing had changed for long that matters to the name *pinned*."""
        settled = self.settled
        if pinned is not None and (standings := self.standings.get(pinned)) is not None:
            settled = max(settled, standings.now.since)
        return at - settled > self.leak_grace

    def is_changing(self, now: float) -> bool:
        """
        Return whether an old answer may still be right after a change.

        A name server may hear of the change a little later, and caches keep its old answer.
        """
        return now - self.settled <= SETTLES + self.leak_grace

    def is_stale(self, probe: Probe | None, now: float) -> bool:
        """Return whether *probe* says nothing any more."""
        return probe is not None and now - probe.ended > self.stale_after

    def answers(self, cluster: str, now: float) -> bool:
        """Return whether the newest pinned probe of *cluster* was answered well."""
        pinned = self.pinned.get(cluster)
        return pinned is not None and pinned.failure is None and not self.is_stale(pinned, now)

    def _returned(self, now: float) -> bool:
        return self.returned is not None and now - self.returned <= self.stale_after

    def _owner(self, service: Service, address: Address, probe: Probe) -> str:
        return self.owners.owner(service, address, probe.ended) or UNKNOWN

    def _another_serves(self, destination: str | None, now: float) -> bool:
        """Return whether clients that get another answer than *destination* are served."""
        if destination not in self.right or destination == UNKNOWN:
            return False
        return any(
            self.answers(cluster, now) or self.mode.serves(cluster)
            for cluster in self.right - {destination}
        )

    def _is_unstable(self, served: str | None, now: float) -> bool:
        if self.plain is None or served == self.served:
            return False
        if served in self.right and self.served in self.right:
            return False
        since = self.mode.since
        lasting = since is not None and now - since > RESTLESS_FOR
        return not (lasting and self.mode.mode in {Mode.MIXED, Mode.DEGRADED})


def _observation(
    probe: Probe, answered: str | None, served: str | None, *, partial: bool
) -> ProbeObservation:
    return ProbeObservation(
        at=probe.at,
        answered_at=probe.at + probe.answer.took,
        ended=probe.ended,
        unix=probe.unix + probe.ended - probe.at,
        answered=answered,
        served=served,
        lost=probe.failure in LOST,
        partial=partial,
    )
