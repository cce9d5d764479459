"""What is missing of logs of pods between the leader before this replica and this one."""

from collections.abc import Callable, Iterable, Mapping

from exporter.accesslog.pod_logs import LogKey
from exporter.accesslog.readers.gaps import Gaps
from exporter.apiserver.log_place import LogPlace, unix_of

HANDOVER = 60.0
"""Seconds that nobody followed after which reading begins with what is written from now on."""


def is_recent(begin: float | None, now: float) -> bool:
    """Return whether a leader before this one read until *begin*, not long before *now*."""
    return begin is not None and now - begin <= HANDOVER


class Unread:
    """
    Tells what nobody read, or what was counted and nobody got the counts of.

    Args:
        gaps: Takes what is missing.
        taken_over: Returns since when, in unix seconds, no other replica has read any line; None
            if there was no other replica.
        unread_since: Returns since when the leader before did not read, or nobody got its counts;
            None if it read until then, and somebody got them.
        unix: Tells the time.
    """

    def __init__(
        self,
        gaps: Gaps,
        taken_over: Callable[[], float | None],
        unread_since: Callable[[], float | None],
        unix: Callable[[], float],
    ) -> None:
        self._gaps, self._taken_over, self._since = gaps, taken_over, unread_since
        self._unix, self._told = unix, False

    def tell(self, title: str, logs: Iterable[LogKey], places: Mapping[LogKey, LogPlace]) -> None:
        """
        Tell what is missing of *logs*, which were there when this replica came to lead; once.

        Args:
            title: The log source.
            logs: What is read from now on.
            places: How far this replica had read some of them; nothing before that is missing.
        """
        begin, told, self._told = self._taken_over(), self._told, True
        if begin is None or told:
            return
        since, now = self._since(), self._unix()
        start = begin if since is None else since
        for key in logs:
            own = places.get(key)
            end = begin if own is not None or is_recent(begin, now) else now
            known = start if own is None else max(start, unix_of(own.stamp))
            if end > known:
                self._gaps.add(title, "/".join(key[:2]), known, end)
