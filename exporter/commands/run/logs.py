"""The sink of the readers of access logs: what they report is judged, counted and shown."""

from collections.abc import Callable, Iterable
from itertools import chain

import structlog

from exporter.accesslog.readers.open_file import Poll
from exporter.commands.run.clients import Clients
from exporter.commands.run.leaks import ClientHits, Leaks
from exporter.commands.run.log_formats import LogFormats
from exporter.commands.run.problems import ProblemGroup, Problems
from exporter.commands.run.upstreams import Upstreams
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.metrics import families as series
from exporter.metrics.record import Metrics
from exporter.model.moment import Moment, iso
from exporter.model.traffic import Client, Hits, LogCounts, ProbeHit

SECOND = 1.0
"""Seconds that a time in a log may be too early: nginx cuts fractions off."""
LONG = 2.0
"""Seconds above which lines that look like leaks are judged each at its own second."""
log = structlog.get_logger()


class LogMonitor:
    """
    What access logs say, and what hinders their reading: an `exporter.accesslog.sink.Sink`.

    Args:
        titles: The log sources that have to be looked at before this exporter is ready.
        verdicts: Knows how each cluster stood to each service over time.
        clients: Attributes requests to clusters and services.
        upstreams: Attributes what gateways sent.
        leaks: Counts client requests.
        metrics: Counts lines.
        problems: Shows what hinders reading.
        moment: Returns the time on both clocks.
        look: Called before anything is judged: notices that the process was paused.
    """

    def __init__(
        self,
        titles: Iterable[str],
        *,
        verdicts: ServiceVerdicts,
        clients: Clients,
        upstreams: Upstreams,
        leaks: Leaks,
        metrics: Metrics,
        problems: Problems,
        moment: Callable[[], Moment],
        look: Callable[[], None],
    ) -> None:
        self._verdicts, self._clients, self._leaks = verdicts, clients, leaks
        self._look = look
        self._formats = LogFormats(problems, lambda: moment().at)
        self._metrics, self._problems, self._moment = metrics, problems, moment
        self.unread = set(titles)
        self._pods_followed: dict[str, int] = {}
        """Sources that nobody has looked at yet."""
        self.lines: LogCounts | None = None
        """The lines of all sources since the start; None before the first."""
        self._fresh: set[str] = set()
        self.service_of, self.source_of = clients.service_of, clients.source_of
        self.sent_to = upstreams.sent_to
        self.problem, self.solved = problems.problem, problems.solved
        self.counting = clients.hosts.counting

    def logged(
        self, source: str, counts: LogCounts, by_second: Callable[[], LogCounts] = LogCounts
    ) -> None:
        """
        Judge and count the lines of a log source.

        Args:
            source: The title of the log source.
            counts: The counts of some lines.
            by_second: Counts the same lines again with the clients of each second apart. It is
                asked if something changed while they were written.
        """
        self._look()
        self._metrics.logged(source, counts)
        self._add_lines(counts)
        self._formats.counted(source, counts)
        now = self._moment()
        if counts.last is not None:
            self._fresh.add(source)
            lag = max(0.0, now.unix - counts.last)
            self._metrics.set_gauge(series.LOG_BEHIND_SECONDS, lag, (source,))
        clients, upstreams = counts.clients, counts.upstreams
        if not all(self._is_steady(each, counts, now) for each in chain(clients, upstreams)):
            seconds = by_second()
            clients, upstreams = seconds.clients or clients, seconds.upstreams or upstreams
        imitations = self._imitations(counts.probes, now)
        for client, hits in chain(clients.items(), upstreams.items(), imitations):
            if self._clients.is_known(client.service):
                start, end = _span(client, counts, now)
                self._leaks.add(ClientHits(client, hits, start, end, now.at))

    def _imitations(self, probes: Iterable[ProbeHit], now: Moment) -> Iterable[tuple[Client, Hits]]:
        """Count *probes*; return the requests that only claim to be some, as those of clients."""
        found: dict[Client, Hits] = {}
        for hit in probes:
            if not self._clients.probe_hit(hit, now):
                found.setdefault(hit.client, Hits()).add(hit.hits)
        return found.items()

    def polled(self, source: str, poll: Poll) -> None:
        """Count what one look at the files of a log source found."""
        self.unread.discard(source)
        self._formats.look(source)
        count = self._metrics.count
        if source not in self._fresh:
            self._metrics.set_gauge(series.LOG_BEHIND_SECONDS, 0, (source,))
        self._fresh.discard(source)
        self._metrics.set_gauge(series.LOG_BEHIND_BYTES, poll.behind, (source,))
        count(series.LOG_ROTATIONS, (source,), poll.rotations)
        count(series.LOG_TRUNCATIONS, (source,), poll.truncations)
        count(series.LOG_ERRORS, (source,), len(poll.errors))
        count(series.CHECKPOINT_FAILURES, (source,), 0)
        count(series.LOG_LINES, (source, "partial"), poll.partial)
        self.truncated(source, poll.truncated)
        for error in poll.errors:
            log.error("log cannot be read", error=error)
        if poll.troubled:
            self._problems.problem(f"log {source}", "; ".join(poll.troubled))
        else:
            self._problems.solved(f"log {source}")

    def received(self, source: str, dropped: int, truncated: int) -> None:
        """Count received messages that were lost, or cut because they were too long."""
        self.unread.discard(source)
        self._metrics.count(series.LOG_DROPS, (source,), dropped)
        self.truncated(source, truncated)

    def truncated(self, source: str, lines: int) -> None:
        """Count lines that were too long."""
        counts = LogCounts(read=lines, truncated=lines)
        self._metrics.logged(source, counts)
        self._add_lines(counts)

    def log_failed(self, source: str, message: str) -> None:
        """Show that a log source cannot be read at all."""
        self.unread.discard(source)
        log.error("log cannot be read", error=f"{source}: {message}")
        self._metrics.count(series.LOG_ERRORS, (source,))
        self._problems.problem(f"log {source}", message)

    def checkpoint_failed(self, source: str, message: str) -> None:
        """Show that the places in a log source cannot be saved or loaded."""
        if not self._problems.is_shown(f"checkpoint of {source}", message):
            log.error("checkpoint failed", error=message)
        self._metrics.count(series.CHECKPOINT_FAILURES, (source,))
        self._problems.problem(f"checkpoint of {source}", message)

    def pod_log_read(self, source: str, *, requests: int, repeated: int, unstamped: int) -> None:
        """Count what it took to follow a pod log since the last report."""
        self._metrics.pod_log_read(
            source, requests=requests, repeated=repeated, unstamped=unstamped
        )

    def log_gap(self, source: str, pod: str, start: float, end: float) -> None:
        """Count and log that lines may be missing between two times in unix seconds."""
        seconds = end - start
        log.warning(
            "log lines may be missing",
            log=source,
            pod=pod,
            **{"from": iso(start), "to": iso(end)},
            seconds=round(seconds, 3),
        )
        self._metrics.log_gap(source, seconds)

    def may_have_gaps(self, source: str) -> None:
        """Begin to count the gaps of a source at 0."""
        self._metrics.log_gap(source, None)

    def pods_followed(self, source: str, number: int) -> None:
        """Show how many logs of pods are followed now, of all sources."""
        self._pods_followed[source] = number
        self._metrics.set_gauge(series.PODS_FOLLOWED, sum(self._pods_followed.values()))

    def log_gone(self, source: str) -> None:
        """Forget a log source."""
        self.unread.discard(source)
        if source in self._pods_followed:
            self.pods_followed(source, 0)
            del self._pods_followed[source]
        self._metrics.log_gone(source)
        self._formats.gone(source)
        self._problems.solved(f"log {source}")
        self._problems.solved(f"checkpoint of {source}")

    def problem_group(self, what: str) -> ProblemGroup:
        """Return an empty group of problems that is shown as one problem called *what*."""
        return ProblemGroup(self._problems, what)

    def _is_steady(self, client: Client, counts: LogCounts, now: Moment) -> bool:
        """Return whether the verdict on requests of *client* is the same for all these lines."""
        start, end = _span(client, counts, now)
        if end - start > LONG and self._leaks.looks_like_leak(client, start, end):
            # It waits, and what is learned meanwhile may hold for the newest of these lines only.
            return False
        return self._verdicts.is_steady(client.service, client.source, start, end)

    def _add_lines(self, counts: LogCounts) -> None:
        self.lines = self.lines or LogCounts()
        for name in ("read", "access", "other", "ignored", "truncated"):
            setattr(self.lines, name, getattr(self.lines, name) + getattr(counts, name))


def _span(client: Client, counts: LogCounts, now: Moment) -> tuple[float, float]:
    """Return when a client's requests were served: the clock that wrote them may be ahead."""
    first = counts.first if client.at is None else client.at
    last = counts.last if client.at is None else client.at
    if first is None or last is None:
        return now.at, now.at
    offset = now.at - now.unix
    start, end = first + offset, last + offset + SECOND
    return min(start, now.at), min(end, now.at)
