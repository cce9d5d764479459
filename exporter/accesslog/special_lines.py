"""Access lines whose user agent is that of no client: of probes, and those to be ignored."""

from collections.abc import Callable

from exporter.accesslog.formats.log_format import PROBE
from exporter.accesslog.line_times import Block, LineTimes
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import LogCounts, ProbeHit

MAX_USER_AGENT = 512
_PROBE = PROBE.encode()
SourceOf = Callable[[str, str], str]
Named = tuple[ServiceName, bool]
ServiceOf = Callable[[str], Named | None]
Row = tuple[bytes, ...]


class SpecialLines:
    """
    Counts such lines of one format.

    Args:
        times: Reads the times of the format.
        source_of: Says which source a client address, and what a proxy said, belong to.
        service_of: Says which service a host names, and whether it names this cluster.
    """

    def __init__(self, times: LineTimes, source_of: SourceOf, service_of: ServiceOf) -> None:
        self._times, self._source_of, self._service_of = times, source_of, service_of
        self._untimed: dict[int, tuple[bytes, bytes]] = {}
        """Probes whose time is not read yet, by their number: user agent and request time."""

    def add(self, row: Row, counts: LogCounts) -> None:
        """Count the line of *row*, which is in the order of FIELDS."""
        address, forwarded, host, _, stamp, status, size, seconds, user_agent = row
        if not user_agent.startswith(_PROBE):
            counts.ignored += 1
            return
        named = self._service_of(text_of(host))
        if named is None:
            counts.foreign += 1
            return
        times, place, spent = self._times, 0, 0.0
        if seconds:
            place, spent = times.spent.get(seconds) or times.read_spent(seconds)
        hit = ProbeHit(
            service=named[0],
            source=self._source_of(text_of(address), text_of(forwarded)),
            user_agent=text_of(user_agent[:MAX_USER_AGENT]),
            at=times.came(stamp, seconds) if stamp else None,
            pinned=named[1],
            failed=status >= b"5",
            bytes=int(float(size)) if size else 0,
            seconds=spent if place else None,
        )
        if not stamp:
            self._untimed[len(counts.probes)] = user_agent[:MAX_USER_AGENT], seconds
        counts.probes.append(hit)

    def settle(self, block: Block, counts: LogCounts) -> None:
        """Find the times of the probes of *block* that were just added to *counts*."""
        if not self._untimed:
            return
        moments = self._times.of_texts(block, self._untimed.values())
        for number, at in zip(self._untimed, moments, strict=True):
            counts.probes[number] = counts.probes[number]._replace(at=at)
        self._untimed.clear()


def text_of(raw: bytes) -> str:
    """Return text from outside; what is no ASCII is replaced."""
    return raw.decode("ascii", "replace")
