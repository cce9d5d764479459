"""One service over time: what is expected of it, how it stands, and what probes show."""

from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.judge.expect import Outcome, check, expect
from exporter.judge.failover import FailoverJudge
from exporter.judge.locality import Graces, Standings, crossing, first_standing
from exporter.judge.mode import ModeJudge, Serving
from exporter.judge.moves import ProbeObservation
from exporter.judge.spread import Spread
from exporter.model.clusterset import Inventory, Service
from exporter.model.probes import NameKind, Probe
from exporter.model.verdicts import Locality, Policy, ProbeVerdict, Rule

Checks = tuple[tuple[Rule, bool], ...]
"""Each promise that was checked, and whether it was kept."""


class Shown(NamedTuple):
    """What a probe showed. The same probe shows the same until the inventory changes."""

    what: tuple[object, ...]
    """The parts of the probe that the rest follows from."""
    destination: str | None
    checks: Checks
    chosen: bool
    """The name server had to choose one of several clusters."""


@dataclass(slots=True, kw_only=True)
class ServiceTrack:
    """One service over time."""

    policy: Policy
    mode: ModeJudge
    failover: FailoverJudge
    right: frozenset[str]
    """The clusters that should answer the plain name."""
    settled: float
    """When *right* last changed."""
    leak_grace: float
    shown: dict[str | None, Shown] = field(default_factory=dict)
    """What the newest probe of each name showed, by the cluster that the name is pinned to."""
    standings: dict[str, Standings] = field(default_factory=dict)
    """By cluster."""
    pinned: dict[str, Probe] = field(default_factory=dict)
    """The newest pinned probe of each exporting cluster."""
    plain: Probe | None = None
    """The newest plain probe."""
    served: str | None = None
    """The cluster that served it."""
    spread: Spread = field(default_factory=Spread)

    def place(self, service: Service, graces: Graces, now: float, *, first: bool) -> None:
        """Take in who exports *service* at the moment *now*; *first*: nothing was known before."""
        exports = {export.cluster: export for export in service.exports}
        for cluster in self.standings.keys() | exports.keys():
            export = exports.get(cluster)
            exported, ready = export is not None, export is not None and export.ready
            # A cluster that joins a known service certainly did not export it before.
            if cluster not in self.standings:
                self.standings[cluster] = Standings(
                    first_standing(exported=first and exported, ready=first and ready, now=now)
                )
            self.standings[cluster].move(exported=exported, ready=ready, now=now, graces=graces)
        for gone in self.pinned.keys() - exports.keys():
            del self.pinned[gone]

    def exported_here(self, graces: Graces, now: float) -> bool:
        """Return whether the local cluster exports the service, or did until a short time ago."""
        standings = self.standings.get(self.mode.local)
        if standings is None:
            return False
        standing = standings.now
        return standing.exported or crossing(standing, now=now, graces=graces) is Locality.FAILOVER

    def show(self, inventory: Inventory, probe: Probe) -> Shown:
        """Return what *probe* shows."""
        question, answer, reply = probe.question, probe.answer, probe.reply
        replied = (None, None) if reply is None else (reply.address, reply.failure)
        what = (question, answer.addresses, answer.failure, *replied)
        shown = self.shown.get(question.pinned)
        if shown is not None and shown.what == what:
            return shown
        destination = inventory.services[question.service].destination_of(answer.addresses)
        expected = expect(inventory, question, self.policy)
        # Only remote clusters take turns: where the local cluster is right, it is preferred.
        turns = expected.outcome is Outcome.ANSWER and not expected.whole
        chosen = turns and question.kind is NameKind.PLAIN and inventory.local not in self.right
        checks = tuple(check(inventory, expected, probe))
        shown = self.shown[question.pinned] = Shown(what, destination, checks, chosen)
        return shown

    def checks(self, shown: Shown, now: float) -> Checks:
        """Return the promises that *shown* keeps or breaks; none while a change is under way."""
        # Until the grace ends, caches may rightly answer the old way.
        if now - self.settled <= self.leak_grace:
            return ()
        if not shown.chosen:
            return shown.checks
        fair = self.spread.answered(shown.destination, self.right)
        return shown.checks if fair is None else (*shown.checks, (Rule.SPREADS, fair))

    def observation_gap(self) -> None:
        """Forget what was pending, because nobody probed for long."""
        self.failover.observation_gap()
        self.mode.observation_gap()

    def absorb_unchanged(self, probe: Probe, destination: str | None) -> bool:
        """Take in a plain probe if it changes nothing; return False if it does."""
        served = destination if probe.failure is None else None
        if self.mode.absorb_unchanged(served) and self.failover.absorb_unchanged(
            probe.at, destination, served, self.right
        ):
            self.plain = probe
            return True
        return False

    def observe(
        self, probe: Probe, destination: str | None, checks: Checks, *, exported: bool, now: float
    ) -> ProbeVerdict:
        """
        Take in a plain probe.

        Args:
            probe: The probe.
            destination: The cluster that its answer points to.
            checks: The promises that it keeps or breaks.
            exported: Whether the local cluster exports the service, or did until lately.
            now: Seconds, on the monotonic clock.
        """
        served, right = destination if probe.failure is None else None, self.right
        seen = ProbeObservation(
            at=probe.at,
            answered_at=probe.at + probe.answer.took,
            ended=probe.ended,
            unix=probe.unix + probe.ended - probe.at,
            answered=destination,
            served=served,
        )
        outage = self.failover.outage
        self.failover.probed(seen, right)
        self.mode.probed(Serving(probe.at, served), right=right, exported=exported)
        unstable = (
            self.plain is not None
            and served != self.served
            and not (served in right and self.served in right)
        )
        self.plain, self.served = probe, served
        return ProbeVerdict(
            destination=destination,
            checks=checks,
            failovers=tuple(self.failover.moves(now)),
            outage=self.failover.outage - outage,
            unstable=unstable,
        )
