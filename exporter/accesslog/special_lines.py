"""Access lines whose user agent is that of no client: of probes, and those to be ignored."""

from collections.abc import Callable

from exporter.accesslog.formats.log_format import FIELDS, PROBE
from exporter.accesslog.line_times import MAX_KEY, MAX_MEMO, Block, LineTimes
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import LogCounts, ProbeHit

MAX_USER_AGENT = 512
_PROBE, _STAMP = PROBE.encode(), FIELDS.index("stamp")
SourceOf = Callable[[str, str], str]
Named = tuple[ServiceName, bool]
ServiceOf = Callable[[str], Named | None]
Row = tuple[bytes, ...]
_Key = tuple[bytes, bytes, bytes]
_Asked = tuple[ServiceName, bool, str]
"""The service, whether the host names this cluster, and the source."""


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
        self._memo: dict[_Key, _Asked | None] = {}
        self._new: list[tuple[_Asked, Row]] = []
        """Probes of the block that is being read."""

    def forget(self) -> None:
        """Ask for every source and service anew from now on: the inventory changed."""
        self._memo.clear()

    def add(self, row: Row, counts: LogCounts) -> None:
        """Count the line of *row*, which is in the order of FIELDS; `settle` has to follow."""
        address, forwarded, host, *_, user_agent = row
        if not user_agent.startswith(_PROBE):
            counts.ignored += 1
            return
        key = (address, forwarded, host)
        asked = self._memo[key] if key in self._memo else self._remember(key)
        if asked is None:
            counts.foreign += 1
        else:
            self._new.append((asked, row))

    def settle(self, block: Block, counts: LogCounts) -> None:
        """Add the probes of *block* to *counts*, each with the time of its line."""
        if not self._new:
            return
        times, add = self._times, counts.probes.append
        untimed = ((row[-1][:MAX_USER_AGENT], row[-2]) for _, row in self._new if not row[_STAMP])
        found = times.of_texts(block, untimed)
        for (service, pinned, source), row in self._new:
            _, _, _, _, stamp, status, size, seconds, user_agent = row
            at = times.came(stamp, seconds) if stamp else next(found)
            place, spent = 0, 0.0
            if seconds:
                place, spent = times.spent.get(seconds) or times.read_spent(seconds)
            text, failed = text_of(user_agent[:MAX_USER_AGENT]), status >= b"5"
            number, took = int(float(size)) if size else 0, spent if place else None
            add(ProbeHit(service, source, text, at, pinned, failed, number, took))
        self._new.clear()

    def _asked(self, key: Row) -> _Asked | None:
        address, forwarded, host = key
        named = self._service_of(text_of(host))
        if named is None:
            return None
        return (*named, self._source_of(text_of(address), text_of(forwarded)))

    def _remember(self, key: _Key) -> _Asked | None:
        asked = self._asked(key)
        if len(self._memo) >= MAX_MEMO:
            self._memo.clear()
        if sum(map(len, key)) <= MAX_KEY:
            self._memo[key] = asked
        return asked


class ProbeTally(SpecialLines):
    """Only sums probes, by service and source: many times faster, for logs of the past."""

    def __init__(self, times: LineTimes, source_of: SourceOf, service_of: ServiceOf) -> None:
        super().__init__(times, source_of, service_of)
        self._tallies: dict[Row, list[int]] = {}
        self._sums: dict[_Asked | None, list[int]] = {}

    def add(self, row: Row, counts: LogCounts) -> None:
        """Count the line of *row*, which is in the order of FIELDS; `settle` has to follow."""
        if not row[-1].startswith(_PROBE):
            counts.ignored += 1
            return
        (self._tallies.get(row[:3]) or self._first(row[:3]))[0] += 1

    def settle(self, block: Block, counts: LogCounts) -> None:  # noqa: ARG002 - as the other
        """Add the sums to *counts*."""
        for asked, tally in self._sums.items():
            if asked is None:
                counts.foreign += tally[0]
            else:
                counts.probe_sums[asked] += tally[0]
            tally[0] = 0
        if len(self._sums) > MAX_MEMO:
            # Each block goes through all of them, so hosts from outside would make it slow.
            self._sums.clear()
            self._tallies.clear()

    def forget(self) -> None:
        """Ask for every source and service anew from now on: the inventory changed."""
        super().forget()
        self._tallies.clear()

    def _first(self, key: Row) -> list[int]:
        if len(self._tallies) >= MAX_MEMO:
            self._tallies.clear()
        tally = self._sums.setdefault(self._asked(key), [0])
        if sum(map(len, key)) <= MAX_KEY:
            self._tallies[key] = tally
        return tally


def text_of(raw: bytes) -> str:
    """Return text from outside; what is no ASCII is replaced."""
    return str(raw, "ascii", "replace")
