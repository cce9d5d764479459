"""What look-ups show of each single name server: one that is stuck, and two that disagree."""

from collections import defaultdict
from collections.abc import Callable, Iterator

import structlog

from exporter.commands.run.monitor_settings import Current
from exporter.commands.run.problems import Problems
from exporter.discover.findings import Finding, FindingKind
from exporter.judge.replicas import ReplicaJudge, StuckReplica
from exporter.judge.resolvers import ResolverJudge
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.probes import Failure, Lookup, Probe, Vantage

SOURCE = "name servers"
NAMES_NONE = frozenset({None, Failure.NODATA, Failure.NXDOMAIN})
"""Outcomes that say which clusters a name server knows. A lost packet says nothing."""
log = structlog.get_logger()


class NameServers:
    """
    Follows each replica of the clusterset's name server, and each name server of the system.

    Only look-ups count that were made while nothing changed for longer than `leak_grace`.

    Args:
        current: The settings in use.
        verdicts: Knows what is right, and when that changed.
        problems: Shows the findings.
        clock: Returns seconds of the monotonic clock.
    """

    def __init__(
        self,
        current: Current,
        verdicts: ServiceVerdicts,
        problems: Problems,
        clock: Callable[[], float],
    ) -> None:
        self._current, self._verdicts = current, verdicts
        self._problems, self._clock = problems, clock
        confirm = current.settings.confirm
        self._replicas, self._resolvers = ReplicaJudge(confirm), ResolverJudge(confirm)
        self._seen: dict[str, float] = {}
        """When each name server was last asked, by its host:port."""
        self._stuck: frozenset[str] = frozenset()
        self._kept: object = None
        """The name servers and services that both judges know."""

    def looked_up(self, probe: Probe, destination: str | None) -> None:
        """Take in a look-up whose answer points to *destination*; None without an address."""
        answer, service = probe.answer, probe.question.service
        wanted = probe.lookup is Lookup.A and probe.question.pinned is None
        if not wanted or answer.failure not in NAMES_NONE:
            return
        self._seen[answer.resolver] = probe.ended
        self._replicas.confirm = self._resolvers.confirm = self._current.settings.confirm
        if not self._verdicts.stands(probe, probe.ended):
            self._replicas.interrupt(service)
            self._resolvers.forget(service)
            return
        named, right = destination or "", self._verdicts.right(service)
        if probe.vantage is Vantage.LIGHTHOUSE:
            self._replicas.answered(answer.resolver, service, named, right=right, at=probe.at)
        else:
            self._resolvers.answered(answer.resolver, service, named, right=right)

    def settle(self) -> None:
        """Forget what is not asked any more, and show what is wrong now."""
        inventory = self._verdicts.inventory
        oldest = self._clock() - self._current.settings.stale_after
        self._seen = {server: at for server, at in self._seen.items() if at >= oldest}
        services = frozenset() if inventory is None else frozenset(inventory.services)
        known = frozenset(self._seen), services
        if known != self._kept:
            # Both hold something of each service, and this is done twice a second.
            self._kept = known
            self._replicas.keep(*known)
            self._resolvers.keep(*known)
        stuck: dict[str, list[StuckReplica]] = defaultdict(list)
        for each in self._replicas.stuck():
            stuck[each.replica].append(each)
        findings = [*self._stuck_findings(stuck), *self._disagreements()]
        self._problems.set_findings(SOURCE, findings)
        for replica in sorted(stuck.keys() - self._stuck):
            service, answers = stuck[replica][0].service, stuck[replica][0].answers
            log.warning(
                "name server is stuck", replica=replica, service=str(service), answers=answers
            )
        for replica in sorted(self._stuck - stuck.keys()):
            log.info("name server is no longer stuck", replica=replica)
        self._stuck = frozenset(stuck)

    def _stuck_findings(self, stuck: dict[str, list[StuckReplica]]) -> Iterator[Finding]:
        for replica, services in stuck.items():
            first = services[0]
            right = " or ".join(sorted(self._verdicts.right(first.service)))
            more = f", and {len(services) - 1} more services" if services[1:] else ""
            text = (
                f"this replica of the clusterset's name server answers {first.answers or 'nobody'}"
                f" for {first.service} where {right} is right{more}; restart it"
            )
            yield Finding(FindingKind.STUCK_NAME_SERVER, replica, text)

    def _disagreements(self) -> Iterator[Finding]:
        for service, answers in self._resolvers.disagreements():
            text = " and ".join(
                f"{server} answers {named or 'nobody'}" for server, named in answers
            )
            yield Finding(FindingKind.RESOLVERS_DISAGREE, str(service), text)
