"""
Blocks of whole lines to counts, exact and fast.

The count is exact. Every tuple contains at least one line feed, and no line feed belongs to two
tuples. If there are as many tuples as line feeds, each tuple is one line. Else a torn line was
joined with the next, and the block is read again line by line.
"""

from operator import itemgetter

from exporter.accesslog.formats.log_format import LogFormat
from exporter.accesslog.line_times import MAX_KEY, MAX_MEMO, MAX_PASSED, Block, LineTimes, SpanOf
from exporter.accesslog.special_lines import (
    ProbeTally,
    Row,
    ServiceOf,
    SourceOf,
    SpecialLines,
    text_of,
)
from exporter.model.probes import LATENCIES
from exporter.model.traffic import Client, Hits, LogCounts

MAX_SPANNED = 16_384
"""Clients that are remembered with a span of time. Spans pass, so more would only fill memory."""
# requests, failures, bytes, seconds, durations
_Sums = list[float]


class Counter:
    """
    Counts lines of one format.

    Args:
        log_format: How lines look.
        source_of: Says which source a client address, and what a proxy said, belong to.
        service_of: Says which service a host names, and whether it names this cluster; None for a
            host that is no service. Asked with an empty host for a format that logs none.
        span_of: Says in which span of time a moment lies, None outside of all; the format
            has to be compiled with stamps.
        by_arrival: Whether a request counts at the moment at which it came.
        sum_probes: Whether probes are only summed, instead of each being kept for a check.
    """

    def __init__(
        self,
        log_format: LogFormat,
        source_of: SourceOf,
        service_of: ServiceOf,
        span_of: SpanOf | None = None,
        *,
        by_arrival: bool = False,
        sum_probes: bool = False,
    ) -> None:
        self.log_format = log_format
        self._source_of = source_of
        self._service_of = service_of
        self._spanned = span_of is not None
        self._most = MAX_SPANNED if self._spanned else MAX_MEMO
        self._most_sums = MAX_PASSED if self._spanned else MAX_MEMO
        self._times = LineTimes(log_format, span_of, by_arrival=by_arrival)
        self._sums: dict[Client, _Sums] = {}
        self._foreign: _Sums = _empty()
        self._memo: dict[object, _Sums] = {}
        self._groups: dict[object, _Sums] = {}
        special = ProbeTally if sum_probes else SpecialLines
        self._special = special(self._times, source_of, service_of)

    @property
    def shortest(self) -> int:
        """Return how many bytes an access line has at least, its line feed included."""
        return self.log_format.shortest

    def forget(self) -> None:
        """Ask for every source and service anew from now on: the inventory changed."""
        self._memo.clear()
        self._groups.clear()
        self._special.forget()

    def count(self, block: Block, into: LogCounts | None = None) -> LogCounts:
        """Count a *block* that ends with a line feed; return the counts, or add them to *into*."""
        counts = LogCounts() if into is None else into
        odd, lines = self._block(block, counts)
        self._special.settle(block, counts)
        counts.read += lines
        counts.access += lines - odd
        if odd < lines:
            self._times.note(block, counts)
        self._settle(counts)
        return counts

    def _block(self, block: Block, counts: LogCounts) -> tuple[int, int]:
        """Count the lines of a block; return how many are no access lines, and how many all are."""
        form = self.log_format
        if form.rows is not None:
            rows = form.rows(bytes(block))
            other = self._full(rows, counts)
            self._times.note_rows(rows, counts)
            return other, len(rows)
        rows, lines = form.block.findall(block), _count_feeds(block)  # type: ignore[union-attr]
        if len(rows) != lines:
            counts.slow_blocks += 1
            rows = [self._split(line) for line in bytes(block).split(b"\n")[:-1]]
        elif form.strict:
            rows = [self._split(row[-1]) if row[-1] else row for row in rows]
        if form.order is None:
            return self._narrow(rows, counts), lines
        return self._full(list(map(itemgetter(*form.order), rows)), counts), lines

    def _settle(self, counts: LogCounts) -> None:
        """Move what was summed into *counts*."""
        for client, sums in self._sums.items():
            if sums[0]:
                requests, failures, size, seconds, *durations = sums
                hits = Hits(int(requests), int(failures), int(size), seconds)
                if any(durations):
                    hits.durations = [int(each) for each in durations]
                counts.clients.setdefault(client, Hits()).add(hits)
                sums[:] = _empty()
        counts.foreign += int(self._foreign[0])
        self._foreign[:] = _empty()
        if len(self._sums) > self._most_sums:
            self._sums.clear()
            self._groups.clear()
            self._memo.clear()

    def _narrow(self, rows: list[Row], counts: LogCounts) -> int:
        """Count rows of five; return how many are no access lines."""
        memo, other, source_of, groups = self._memo, 0, self._source_of, self._groups.get
        known = memo.get
        if len(memo) >= self._most:
            memo.clear()
        for address, status, size, user_agent, line in rows:
            if user_agent or line:
                if user_agent:
                    row = (address, b"", b"", b"", b"", status, size, b"", user_agent)
                    self._special.add(row, counts)
                else:
                    other += 1
                continue
            sums = known(address)
            if sums is None:
                if not address:  # an empty line: even its last group is empty
                    other += 1
                    continue
                source = source_of(str(address, "ascii", "replace"), "")
                sums = groups(source) or self._new_group(source, source, b"", None)
                if len(address) <= MAX_KEY:
                    memo[address] = sums
            sums[0] += 1
            # float() reads bytes twice as fast as int() does.
            if size:
                sums[2] += float(size)
            if status >= b"5":
                sums[1] += 1
        counts.other += other
        return other

    def _full(self, rows: list[Row], counts: LogCounts) -> int:  # noqa: C901 - no calls a line
        """Count rows in the order of FIELDS; return how many are no access lines."""
        memo, times, other, longest = self._memo, self._times, 0, 0.0
        known, span = times.spent, None
        for address, forwarded, host, path, stamp, status, size, seconds, agent, line in rows:
            if line or not address:
                other += 1
                continue
            if self._spanned:
                span = times.span(stamp, seconds)
                if span is None:
                    counts.foreign += 1
                    continue
            if path:
                counts.ignored += 1
                continue
            if agent:
                row = (address, forwarded, host, path, stamp, status, size, seconds, agent)
                self._special.add(row, counts)
                continue
            key = (address, forwarded, host, span)
            sums = memo.get(key) or self._remember(key, address, forwarded, host, span)
            sums[0] += 1
            if size:
                sums[2] += float(size)
            if status >= b"5":
                sums[1] += 1
            if seconds:
                bucket, spent = known.get(seconds) or times.read_spent(seconds)
                if bucket:
                    sums[bucket] += 1
                    sums[3] += spent
                    if spent > longest:  # noqa: PLR1730 - a call a line would take longer
                        longest = spent
        times.longest = longest
        counts.other += other
        return other

    def _split(self, line: bytes) -> Row:
        single = self.log_format.line
        matched = None if single is None else single.fullmatch(line)
        if matched is not None:
            return (*matched.groups(b""), b"")
        return (*([b""] * (0 if single is None else single.groups)), line)

    def _remember(
        self, key: object, address: bytes, forwarded: bytes, host: bytes, span: float | None
    ) -> _Sums:
        # A log may have a million addresses, so this has to be fast, too.
        source = self._source_of(text_of(address), text_of(forwarded) if forwarded else "")
        group = (source, host, span) if host or span is not None else source
        sums = self._groups.get(group) or self._new_group(group, source, host, span)
        if len(self._memo) >= self._most:
            self._memo.clear()
        if len(address) + len(forwarded) + len(host) <= MAX_KEY:
            self._memo[key] = sums
        return sums

    def _new_group(self, group: object, source: str, host: bytes, span: float | None) -> _Sums:
        named = self._service_of(text_of(host))
        if named is None:
            sums = self._foreign
        else:
            sums = self._sums.setdefault(Client(named[0], source, named[1], span), _empty())
        if len(self._groups) >= self._most:
            self._groups.clear()
        if len(host) <= MAX_KEY:
            self._groups[group] = sums
        return sums


def _empty() -> _Sums:
    return [0.0] * (4 + len(LATENCIES) + 1)


def _count_feeds(block: Block) -> int:
    return bytes(block).count(b"\n") if isinstance(block, memoryview) else block.count(b"\n")
