"""
Blocks of whole lines to counts, exact and fast.

Exact: every tuple takes at least one line feed and every line feed is taken once, so if there are
as many tuples as line feeds, each tuple is one line. Else a torn line was joined with the next,
and the block is read again line by line.
"""

import calendar
from collections.abc import Callable

from exporter.accesslog.format import PROBE, LogFormat
from exporter.model import Hits, LogCounts, ProbeHit

MAX_MEMO = 65_536
"""Client addresses remembered with their source."""
MAX_USER_AGENT = 512
_PROBE = PROBE.encode()
_TAIL = 2048
"""Where the last access line of a block is looked for first."""
_MONTHS = {name.encode(): n for n, name in enumerate(calendar.month_abbr) if n}

Block = bytes | bytearray | memoryview
SourceOf = Callable[[str, str], str]


class Counter:
    """
    Counts lines of one format.

    Args:
        log_format: How lines look.
        source_of: Says which source a client address, and what a proxy said, belong to.
    """

    def __init__(self, log_format: LogFormat, source_of: SourceOf) -> None:
        self._format = log_format
        self._source_of = source_of
        self._sums: dict[str, list[float]] = {}
        self._memo: dict[bytes | tuple[bytes, bytes], list[float]] = {}

    def forget(self) -> None:
        """Ask for every source anew from now on: the inventory changed."""
        self._memo.clear()

    def count(self, block: Block, into: LogCounts | None = None) -> LogCounts:
        """Count a *block* that ends with a line feed; return the counts, or add them to *into*."""
        counts = LogCounts() if into is None else into
        rows, lines = self._format.block.findall(block), _count_feeds(block)
        counts.read += lines
        if len(rows) != lines:
            counts.slow_blocks += 1
            rows = [self._split(line) for line in bytes(block).split(b"\n")[:-1]]
        odd = self._wide(rows, counts) if self._format.wide else self._narrow(rows, counts)
        counts.access += lines - odd
        if odd < lines:
            self._stamp(block, counts)
        for source, sums in self._sums.items():
            if sums[0]:
                hits = Hits(requests=int(sums[0]), failures=int(sums[1]), bytes=int(sums[2]))
                counts.clients.setdefault(source, Hits()).add(hits)
                sums[:] = (0, 0, 0.0)
        return counts

    def _narrow(self, rows: list[tuple[bytes, ...]], counts: LogCounts) -> int:
        """Count rows of five; return how many are no access lines."""
        memo, other = self._memo, 0
        for address, status, size, user_agent, line in rows:
            if user_agent or line:
                if user_agent:
                    self._special(address, b"", user_agent, counts)
                else:
                    other += 1
                continue
            try:
                sums = memo[address]
            except KeyError:
                if not address:  # an empty line: even its last group is empty
                    other += 1
                    continue
                sums = self._remember(address, address, b"")
            sums[0] += 1
            # float() reads bytes twice as fast as int() does.
            sums[2] += float(size)
            if status >= b"5":
                sums[1] += 1
        counts.other += other
        return other

    def _wide(self, rows: list[tuple[bytes, ...]], counts: LogCounts) -> int:
        """Count rows of seven; return how many are no access lines."""
        memo, other = self._memo, 0
        for address, path, status, size, user_agent, forwarded, line in rows:
            if line or not address:
                other += 1
            elif path:
                counts.ignored += 1
            elif user_agent:
                self._special(address, forwarded, user_agent, counts)
            else:
                key = (address, forwarded)
                sums = memo.get(key) or self._remember(key, address, forwarded)
                sums[0] += 1
                sums[2] += float(size)
                if status >= b"5":
                    sums[1] += 1
        counts.other += other
        return other

    def _split(self, line: bytes) -> tuple[bytes, ...]:
        matched = self._format.line.fullmatch(line)
        if matched is not None:
            return (*matched.groups(b""), b"")
        return (*([b""] * self._format.line.groups), line)

    def _special(
        self, address: bytes, forwarded: bytes, user_agent: bytes, counts: LogCounts
    ) -> None:
        if user_agent.startswith(_PROBE):
            source = self._source_of(_text(address), _text(forwarded))
            counts.probes.append(ProbeHit(source, _text(user_agent[:MAX_USER_AGENT])))
        else:
            counts.ignored += 1

    def _remember(
        self, key: bytes | tuple[bytes, bytes], address: bytes, forwarded: bytes
    ) -> list[float]:
        if len(self._memo) >= MAX_MEMO:
            self._memo.clear()
        source = self._source_of(_text(address), _text(forwarded))
        sums = self._memo[key] = self._sums.setdefault(source, [0, 0, 0.0])
        return sums

    def _stamp(self, block: Block, counts: LogCounts) -> None:
        """Note the time of the first and the last access line; nginx writes in order of time."""
        find = self._format.stamp
        tail = list(find.finditer(block, max(0, len(block) - _TAIL)))
        for matched in (find.search(block), *(tail or list(find.finditer(block)))[-1:]):
            at = None if matched is None else parse_time(matched[1])
            if at is not None:
                counts.first = at if counts.first is None else min(counts.first, at)
                counts.last = at if counts.last is None else max(counts.last, at)


def parse_time(stamp: bytes) -> float | None:
    """Return the unix seconds of nginx's $time_local, `07/Jul/2022:07:42:11 +0000`, or None."""
    try:
        day, month, year = int(stamp[:2]), _MONTHS[stamp[3:6]], int(stamp[7:11])
        hour, minute, second = int(stamp[12:14]), int(stamp[15:17]), int(stamp[18:20])
        zone = int(stamp[22:24]) * 3600 + int(stamp[24:26]) * 60
        local = calendar.timegm((year, month, day, hour, minute, second))
    except (ValueError, KeyError):
        return None
    return float(local + zone if stamp[21:22] == b"-" else local - zone)


def _count_feeds(block: Block) -> int:
    return bytes(block).count(b"\n") if isinstance(block, memoryview) else block.count(b"\n")


def _text(raw: bytes) -> str:
    return raw.decode("ascii", "replace")
