"""
Which services have a log here whose format has no host.

That is a hazard of such a service. Once leaks of it are counted, it is a problem on the page.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from exporter.accesslog.source import LogSource
from exporter.commands.log_hosts import concerned, effect, remedy
from exporter.commands.run.monitor_settings import Current
from exporter.commands.run.problems import Problems
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.clusterset import ServiceName

PODS = "pods"


class _Log(NamedTuple):
    """A log without host that is read now."""

    title: str
    service: ServiceName
    form: str


class LogHosts:
    """
    Follows which logs are read without the host of a request.

    Args:
        current: The settings in use and the local cluster.
        verdicts: Holds the inventory in use, and is told which services have such a log.
        problems: Shows logs whose leaks may be requests for pinned names.
    """

    def __init__(self, current: Current, verdicts: ServiceVerdicts, problems: Problems) -> None:
        self._current, self._verdicts, self._problems = current, verdicts, problems
        self._read: Counter[_Log] = Counter()
        self._leaking: set[tuple[ServiceName, str]] = set()
        """Services, and the clusters whose clients' newest requests count as leaks."""
        self._shown: set[str] = set()

    @contextmanager
    def counting(self, source: LogSource, *, has_host: bool) -> Iterator[None]:
        """Know that requests in *source* are counted until the end of the context."""
        if has_host or source.service is None:
            yield
            return
        log = _Log(source.title or PODS, source.service, source.form)
        self._add(log, 1)
        try:
            yield
        finally:
            self._add(log, -1)

    def leaks(self, service: ServiceName, source: str, *, leaking: bool) -> None:
        """Take in whether the newest requests of the clients in *source* count as leaks."""
        known = (service, source) in self._leaking
        if known != leaking:
            (self._leaking.add if leaking else self._leaking.discard)((service, source))
            self.look()

    def look(self) -> None:
        """Show of which logs the leaks may be none, by the inventory in use."""
        inventory, current = self._verdicts.inventory, self._current
        self._verdicts.hostless = frozenset(log.service for log in self._read)
        if inventory is None:
            return
        by_title: dict[str, list[_Log]] = {}
        for log in sorted(self._read):
            by_title.setdefault(log.title, []).append(log)
        shown = set()
        for title, logs in by_title.items():
            names = {log.service: log.form for log in logs}
            leaking = {service for service, _ in self._leaking}
            services = concerned(inventory, names.keys() & leaking, current.policy_of)
            if services:
                what = f"log format of {title}"
                why = effect(services, current.local, current.settings.domain)
                self._problems.problem(what, f"{why}; {remedy(names[services[0]])}")
                shown.add(what)
        for what in self._shown - shown:
            self._problems.solved(what)
        self._shown = shown

    def _add(self, log: _Log, number: int) -> None:
        known = log in self._read
        self._read[log] += number
        if not self._read[log]:
            del self._read[log]
        if known != (log in self._read):
            self.look()
