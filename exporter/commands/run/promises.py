"""Promises that look broken: they wait until it is known whether they are."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from exporter.judge.failover import SETTLES
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.metrics.record import Metrics
from exporter.model.probes import Probe
from exporter.model.verdicts import ProbeVerdict, Rule

MAX_WAITING = 10_000
"""Probes that wait at once. Those above count as if they had checked nothing."""
BY_ANSWER = frozenset(
    {Rule.RESOLVES, Rule.LOCAL_FIRST, Rule.FAILS_OVER, Rule.CONNECTED_ONLY, Rule.PINS}
)
"""Rules about who should be answered, which a change of the inventory decides."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    probe: Probe
    rules: tuple[Rule, ...]


class Promises:
    """
    Holds back violated rules for `SETTLES` seconds.

    The name server hears of a change before this exporter does. So an answer that looks wrong may
    be right by a change that comes within moments. Then it counts neither as kept nor as violated.

    Args:
        verdicts: Knows what is right, and when that changed.
        metrics: Counts checks and violations.
        clock: Returns seconds of the monotonic clock.
    """

    def __init__(
        self, verdicts: ServiceVerdicts, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._verdicts, self._metrics, self._clock = verdicts, metrics, clock
        self._waiting: deque[_Doubt] = deque()

    def hold(self, probe: Probe, verdict: ProbeVerdict) -> ProbeVerdict:
        """Return *verdict* without the violations that wait from now on."""
        doubted = tuple(r for r, kept in verdict.checks if not kept and r in BY_ANSWER)
        if not doubted:
            return verdict
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(_Doubt(probe, doubted))
        sure = tuple(each for each in verdict.checks if each[0] not in doubted)
        return replace(verdict, checks=sure)

    def settle(self) -> None:
        """Count the violations that have waited long enough and still stand."""
        now = self._clock()
        while self._waiting and self._waiting[0].probe.ended <= now - SETTLES:
            doubt = self._waiting.popleft()
            if not self._verdicts.stands(doubt.probe, now):
                continue
            for rule in doubt.rules:
                self._metrics.checked(doubt.probe.question.service, rule, kept=False)
