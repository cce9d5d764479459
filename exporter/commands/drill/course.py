"""The course of a drill: who should serve, who does, and what moved."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Failure, Probe
from exporter.model.verdicts import Failover, Mode, ProbeVerdict, ServiceView

MAX_EVENTS = 1000
"""Events that are kept; a service that flaps has no end of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillEvent:
    """One change of what should be, or of what is."""

    unix: float
    expected: bool
    """It says what should be from now on; else what a probe saw."""
    text: str


@dataclass(frozen=True, slots=True)
class DrillMove:
    """A move of the service, and the clusters that should have served when it was over."""

    failover: Failover
    right: frozenset[str]


@dataclass(slots=True)
class DrillPhase:
    """A time in which the same clusters should serve."""

    right: frozenset[str]
    at: float
    served: str | None
    """The cluster that served the newest probe; None if nobody did."""
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Relapse:
    """Nobody served for a while, although somebody should have, and nobody took over."""

    cluster: str | None
    seconds: float


@dataclass(slots=True, kw_only=True)
class Course:
    """
    Follows one service. Times are seconds of the monotonic clock.

    Args:
        service: The service.
        confirm: Failed probes in a row that are more than a lost packet.
        tell: Called with each event.
    """

    service: ServiceName
    confirm: int
    tell: Callable[[DrillEvent], None]
    home: ServiceView | None = None
    """How the service stood before the drill; None until `begin`."""
    began: Moment | None = None
    events: list[DrillEvent] = field(default_factory=list)
    untold: int = 0
    """Events that were not kept."""
    phases: list[DrillPhase] = field(default_factory=list)
    moves: list[DrillMove] = field(default_factory=list)
    relapses: list[Relapse] = field(default_factory=list)
    probes: int = 0
    failed: Counter[Failure] = field(default_factory=Counter)
    outage: float = 0.0
    """Seconds without service in all."""
    changed_at: float = 0.0
    """When the newest event came."""
    _states: dict[str, str] = field(default_factory=dict)
    _shown: tuple[str | None, Failure | None] | None = None
    _failures: int = 0
    _failing_since: float = 0.0
    _failing_in: DrillPhase | None = None
    _served: str | None = None

    def begin(self, view: ServiceView, now: Moment) -> None:
        """Begin: the service stands as it should, as *view* shows."""
        self.home, self.began, self.changed_at = view, now, now.at
        self._served = view.serving
        self.phases.append(DrillPhase(view.expected, now.at, view.serving))
        standbys = " and ".join(sorted(view.standbys))
        self._add(now, f"{_names(view.expected)} serves; {standbys} would take over", expected=True)

    def set_inventory(self, inventory: Inventory, right: frozenset[str], now: Moment) -> None:
        """Take in an inventory by which the clusters *right* should serve."""
        states = dict(_states(inventory, self.service))
        before, self._states = self._states, states
        if self.home is None:
            return
        changes = [
            f"{cluster} {states.get(cluster, 'does not export it')}"
            for cluster in sorted(before.keys() | states.keys())
            if before.get(cluster) != states.get(cluster)
        ]
        if right != self.phases[-1].right:
            self.phases[-1].ended = now.at
            self.phases.append(DrillPhase(right, now.at, self._served))
            should = f"{_names(right)} should serve" if right else "nobody can serve"
            self._add(now, "; ".join([should, *changes]), expected=True)
        elif changes:
            self._add(now, "; ".join(changes), expected=True)

    def probed(self, probe: Probe, verdict: ProbeVerdict, now: Moment) -> None:
        """Take in a probe of the plain name."""
        if self.home is None or probe.failure is Failure.RESOURCE:
            return
        well = probe.failure in {None, Failure.NO_PORT}
        destination = verdict.destination
        self.probes += 1
        self.outage += verdict.outage
        if probe.failure is not None and not well:
            self.failed[probe.failure] += 1
        shown = (destination, None if well else probe.failure)
        if shown != self._shown:
            self._shown = shown
            at = Moment(at=now.at, unix=probe.unix)
            self._add(at, _seen(*shown), expected=False)
        self._follow(probe, destination if well else None)
        self.moved(verdict.failovers, now)

    def moved(self, failovers: Iterable[Failover], now: Moment) -> None:
        """Take in moves that are over."""
        for each in failovers if self.home is not None else ():
            self.moves.append(DrillMove(each, self.phases[-1].right))
            self._add(now, f"the move to {each.to_cluster} is confirmed", expected=False)

    @property
    def happened(self) -> bool:
        """Return whether anything happened that is more than a lost packet."""
        lasting = self._failures >= self.confirm
        return bool(len(self.phases) > 1 or self.moves or self.relapses or lasting)

    @property
    def taken_over(self) -> bool:
        """Return whether another cluster took over, or one of several that served was left."""
        before = self.phases[0].right if self.phases else frozenset()
        return bool(self.moves) or any(each.served in each.right & before for each in self.away)

    @property
    def away(self) -> list[DrillPhase]:
        """Return the phases in which other clusters should serve than before the drill."""
        return [phase for phase in self.phases if phase.right != self.phases[0].right]

    def is_home(self, mode: Mode) -> bool:
        """Return whether all is as it was at first; *mode* is that of the service now."""
        if self.home is None:
            return False
        newest = self.phases[-1]
        as_before = newest.right == self.home.expected and mode is self.home.mode
        return as_before and newest.served in newest.right

    def _follow(self, probe: Probe, served: str | None) -> None:
        phase = self.phases[-1]
        phase.served = served
        if served is None:
            if self._failures == 0:
                self._failing_since, self._failing_in = probe.at, phase
            self._failures += 1
            return
        by_itself = self._failing_in is phase and served == self._served
        if self._failures >= self.confirm and by_itself:
            self.relapses.append(Relapse(served, probe.ended - self._failing_since))
        self._failures, self._served = 0, served

    def _add(self, at: Moment, text: str, *, expected: bool) -> None:
        self.changed_at = at.at
        if len(self.events) >= MAX_EVENTS:
            self.untold += 1
            return
        event = DrillEvent(unix=at.unix, expected=expected, text=text)
        self.events.append(event)
        self.tell(event)


def _states(inventory: Inventory, name: ServiceName) -> Iterable[tuple[str, str]]:
    service = inventory.services.get(name)
    for export in () if service is None else service.exports:
        if not export.ready:
            yield export.cluster, "is not ready"
        elif export.cluster not in inventory.connected:
            yield export.cluster, "is not connected"
        else:
            yield export.cluster, "is ready"


def _seen(destination: str | None, failure: Failure | None) -> str:
    if failure is None:
        return f"served by {destination}"
    if destination is None:
        return f"no address ({failure})"
    return f"the name leads to {destination}, which does not serve ({failure})"


def _names(clusters: Iterable[str]) -> str:
    return " or ".join(sorted(clusters))
