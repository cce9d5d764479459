"""When lines were written, when their requests came, and how long those took."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence

from exporter.accesslog.formats.log_format import FIELDS, LogFormat
from exporter.model.probes import LATENCIES
from exporter.model.traffic import LogCounts

MAX_MEMO = 65_536
"""Clients that are remembered with what they mean."""
MAX_TIMES = 2048
"""The same of times that requests took."""
MAX_PASSED = 256
"""The same of moments. They pass and do not come again, so more would only fill the memory."""
MAX_KEY = 512
"""Bytes of the longest key that is remembered: lines from outside cannot fill the memory."""
MAX_SPENT = 86_400.0
"""Seconds that a request may take at most; what is longer is no time."""
_STAMP = FIELDS.index("stamp")
_ENDS = 20
"""Rows in which the first and the last access line of a block are looked for."""
_TAIL = 2048
"""Where the last access line of a block is looked for first."""
_NUMBER = re.compile(rb"\d{1,18}(?:\.\d{1,9})?")

Block = bytes | bytearray | memoryview
SpanOf = Callable[[float], float | None]


class LineTimes:
    """
    Reads the times of one format, each distinct one once.

    Args:
        log_format: How lines look.
        span_of: Says in which span of time a moment lies, None outside of all.
        by_arrival: Whether the moment of a line is that at which its request came: the time stamp,
            which nginx writes at the end of the answer, less the request time.
    """

    def __init__(self, log_format: LogFormat, span_of: SpanOf | None, *, by_arrival: bool) -> None:
        self._format, self._span_of = log_format, span_of
        self._exact, self._arrives = by_arrival, by_arrival and log_format.came
        self.spent: dict[bytes, tuple[int, float]] = {}
        self._spans: dict[tuple[bytes, bytes], float | None] = {}
        self._stamps: dict[bytes, float | None] = {}
        self.longest = 0.0
        """Seconds of the longest request since the last `note`."""

    def read_spent(self, text: bytes) -> tuple[int, float]:
        """Return the place of a time in the sums, 0 for one that was not spent, and its seconds."""
        if len(self.spent) >= MAX_TIMES:
            self.spent.clear()
        # One number a try; `-` where no server was asked.
        numbers = [float(number) for number in _NUMBER.findall(text)]
        spent = sum(numbers) / self._format.unit
        known = numbers and spent <= MAX_SPENT
        place = 4 + bisect_left(LATENCIES, spent) if known else 0
        found = place, spent if known else 0.0
        if len(text) <= MAX_KEY:
            self.spent[text] = found
        return found

    def span(self, stamp: bytes, seconds: bytes) -> float | None:
        """Return the span of time that a line belongs to, None for none."""
        key = (stamp, seconds if self._arrives else b"")
        try:
            return self._spans[key]
        except KeyError:
            pass
        if len(self._spans) >= MAX_PASSED:
            self._spans.clear()
        at = self.came(stamp, seconds)
        span = None if at is None or self._span_of is None else self._span_of(at)
        if len(stamp) + len(seconds) <= MAX_KEY:
            self._spans[key] = span
        return span

    def came(self, stamp: bytes, seconds: bytes) -> float | None:
        """Return the moment of a line with these texts, None if it cannot be told."""
        at = self._time(stamp)
        if at is not None and seconds and self._arrives:
            at -= (self.spent.get(seconds) or self.read_spent(seconds))[1]
        return at

    def note(self, block: Block, counts: LogCounts) -> None:
        """
        Note the first and the last moment of the access lines in *block*.

        Where verdicts hang on them they are exact, in whatever order several workers wrote the
        lines; else those of the first and the last line will do.
        """
        find = self._format.stamp
        if find is None:
            return
        if self._exact:
            self.note_all(set(find.findall(block)), counts)
            return
        tail = list(find.finditer(block, max(0, len(block) - _TAIL)))
        ends = (find.search(block), *(tail or list(find.finditer(block)))[-1:])
        self.note_all({matched[1] for matched in ends if matched is not None}, counts)

    def note_rows(self, rows: Sequence[tuple[bytes, ...]], counts: LogCounts) -> None:
        """Do the same for a block that came as rows in the order of FIELDS."""
        some = rows if self._exact else (*rows[:_ENDS], *rows[-_ENDS:])
        self.note_all({row[_STAMP] for row in some}, counts)

    def of_texts(
        self, block: Block, texts: Iterable[tuple[bytes, bytes]]
    ) -> Iterator[float | None]:
        """
        Yield the moments of lines in *block*, each byte of which is looked at once.

        Args:
            block: Whole lines.
            texts: Of each line something that stands in it, and its request time; in their order.
        """
        find, whole, begin = self._format.stamp, bytes(block), 0
        for text, seconds in texts:
            place = -1 if find is None or begin < 0 else whole.find(text, begin)
            if find is None or place < 0:
                # The next one would be looked for in vain as well, through the whole block.
                begin = -1
                yield None
                continue
            start = max(begin, whole.rfind(b"\n", begin, place) + 1)
            begin = whole.find(b"\n", place) + 1
            matched = find.search(whole, start, begin)
            yield None if matched is None else self.came(matched[1], seconds)

    def note_all(self, stamps: set[bytes], counts: LogCounts) -> None:
        """Note the first and the last moment of lines with these time stamps."""
        longest, self.longest = self.longest, 0.0
        times = [at for at in map(self._time, stamps) if at is not None]
        if not times:
            return
        first, last = min(times) - (longest if self._arrives else 0.0), max(times)
        counts.first = first if counts.first is None else min(counts.first, first)
        counts.last = last if counts.last is None else max(counts.last, last)

    def _time(self, stamp: bytes) -> float | None:
        try:
            return self._stamps[stamp]
        except KeyError:
            pass
        if len(self._stamps) >= MAX_PASSED:
            self._stamps.clear()
        at = self._format.time(stamp)
        if len(stamp) <= MAX_KEY:
            self._stamps[stamp] = at
        return at
