"""The interface through which readers of access logs report what they read and what failed."""

from collections.abc import Callable, Collection, Hashable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from exporter.accesslog.readers.open_file import Poll
from exporter.accesslog.source import LogSource
from exporter.accesslog.upstream_counter import Sent
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import LogCounts


class LogProblems(Protocol):
    """The problems of several logs, shown as one."""

    def set_message(self, key: Hashable, message: str) -> None:
        """Show why *key* cannot be read; an empty *message* shows nothing for it."""

    def keep(self, keys: Collection[Hashable]) -> None:
        """Forget all but these."""


class Sink(Protocol):
    """What readers of access logs report to; *source* is always the title of a log source."""

    def service_of(
        self,
        host: str,
        fixed: ServiceName | None,
        names: Mapping[str, ServiceName],
        *,
        by_upstream: bool,
        by_route: bool,
    ) -> tuple[ServiceName, bool] | None:
        """
        Return the service that a request was for, and whether its host names this cluster.

        Args:
            host: The request's host, empty if it was not logged; or the name of the upstream.
            fixed: The service that the log belongs to; None if the host has to tell.
            names: Services by hosts, or by names of upstreams.
            by_upstream: Whether *host* is the name of an upstream.
            by_route: Whether HTTPRoutes and Ingresses tell the service of a host.
        """

    def sent_to(
        self,
        host: str,
        server: str,
        fixed: ServiceName | None,
        names: Mapping[str, ServiceName],
        *,
        by_upstream: bool,
        by_route: bool,
    ) -> Sent | None:
        """
        Return which service a gateway was asked for, and the cluster of the server that it asked.

        Args:
            host: As above, and so are those that follow the next one.
            server: The address of that server.
            fixed: The service that the log belongs to.
            names: Services by names.
            by_upstream: Whether *host* is the name of an upstream.
            by_route: Whether HTTPRoutes and Ingresses tell the service of a host.
        """

    def source_of(self, remote: str, forwarded: str) -> str:
        """Return the cluster that a client address, or what a proxy forwarded, belongs to."""

    def counting(self, source: LogSource, *, has_host: bool) -> AbstractContextManager[None]:
        """
        Take in that lines are counted until the end of the context.

        Args:
            source: The log source; of a pod's log with the service and the format of that pod.
            has_host: Whether the format has the host of a request.
        """

    def logged(self, source: str, counts: LogCounts, by_second: Callable[[], LogCounts]) -> None:
        """
        Take in the counts of some lines.

        Args:
            source: The title of the log source.
            counts: The counts.
            by_second: Counts the same lines again with the clients of each second apart.
        """

    def polled(self, source: str, poll: Poll) -> None:
        """Take in what one look at the files of a source found."""

    def received(self, source: str, dropped: int, truncated: int) -> None:
        """Take in how many received messages were lost, or cut because they were too long."""

    def truncated(self, source: str, lines: int) -> None:
        """Take in how many lines were too long."""

    def log_failed(self, source: str, message: str) -> None:
        """Report that a source cannot be read at all."""

    def checkpoint_failed(self, source: str, message: str) -> None:
        """Report that the places in a source cannot be saved or loaded."""

    def log_gone(self, source: str) -> None:
        """Forget a source."""

    def pods_followed(self, source: str, number: int) -> None:
        """Take in how many logs of pods of a source are followed now."""

    def pod_log_read(self, source: str, *, requests: int, repeated: int, unstamped: int) -> None:
        """
        Take in what it took to follow a pod log since the last report.

        Args:
            source: The title of the log source.
            requests: How often the API server was asked for the log.
            repeated: Lines left out because they had been read before.
            unstamped: Lines left out because they have no time stamp.
        """

    def log_gap(self, source: str, pod: str, start: float, end: float) -> None:
        """
        Take in that lines may be missing.

        Args:
            source: The title of the log source.
            pod: Whose log it is.
            start: The first moment that may be missing, in unix seconds.
            end: The last one.
        """

    def may_have_gaps(self, source: str) -> None:
        """Take in that gaps of a source would be reported."""

    def problem(self, what: str, message: str) -> None:
        """Show a problem until it is solved."""

    def solved(self, what: str) -> None:
        """Stop showing a problem."""

    def problem_group(self, what: str) -> LogProblems:
        """Return an empty group of problems that is shown as one problem called *what*."""
