"""Blocks of whole lines, from whatever source, to counts: the seam between the two."""

import re
from collections.abc import Collection
from functools import lru_cache

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.log_format import MAX_LENGTH, other_lines
from exporter.accesslog.possessive import compiled
from exporter.accesslog.wrappers.wrapper import Wrapper, wrapper
from exporter.model.traffic import LogCounts

MAX_ODD = 20
"""Lines that are kept to find out what format they have."""
WRAPPED = 12
"""No wrapped line has fewer bytes: a time, a stream and a tag, or a JSON object with a log."""


def drop_short(block: bytes, shortest: int, counts: LogCounts) -> bytes:
    """
    Count lines that are too short for an access line, if there are many; return the others.

    A megabyte of line feeds is a million lines. Each of them by itself would hold the event loop
    for seconds, so runs of them are passed over at once.
    """
    lines = block.count(b"\n")
    if lines * shortest < len(block):
        return block
    kept = _short(shortest).sub(b"", block)
    dropped = lines - kept.count(b"\n")
    counts.read += dropped
    counts.other += dropped
    return kept


@lru_cache(64)
def _short(shortest: int) -> re.Pattern[bytes]:
    return compiled(rb"^(?:[^\n]{0,%d}\n)++" % max(0, shortest - 2), re.MULTILINE)


class Lines:
    """
    Unwraps and counts the lines of several streams: files, pods, or one of syslog.

    Args:
        counter: Of their format.
        wrapping: What is around each line, none, cri or docker.
        timed: Of the same format, with a second as span of time; None if it logs no time.
    """

    def __init__(self, counter: Counter, wrapping: str, timed: Counter | None = None) -> None:
        self._counter = counter
        self._timed = timed
        self._text = b""
        self._wrapping = wrapping
        self._wrappers: dict[str, Wrapper] = {}
        self._shortest = counter.shortest if wrapping == "none" else WRAPPED

    def count(self, stream: str, block: bytes, into: LogCounts | None = None) -> LogCounts:
        """Count a block of whole lines of *stream*; return the counts, or add them to *into*."""
        counts = LogCounts() if into is None else into
        read, other, whole = counts.read, counts.other, block
        block = drop_short(block, self._shortest, counts)
        self._text = self._unwrap(stream, block, counts)
        if self._text:
            self._counter.count(self._text, counts)
        if 2 * (counts.other - other) > counts.read - read and len(counts.odd) < MAX_ODD:
            self._keep_odd(whole, counts)
        return counts

    def _keep_odd(self, block: bytes, counts: LogCounts) -> None:
        """Keep some lines that are no access lines: they may be some of another format."""
        number = MAX_ODD - len(counts.odd)
        if self._wrapping == "none" or self._text.strip(b"\n"):
            text = self._text or block
            counts.odd += other_lines(self._counter.log_format, text, number)
        else:
            lines = block.split(b"\n", number)[:number]
            counts.odd += [line for line in lines if 0 < len(line) <= MAX_LENGTH]
            counts.bare = True

    def by_second(self) -> LogCounts:
        """Count the newest block again, the clients of each second apart."""
        return self._timed.count(self._text) if self._timed and self._text else LogCounts()

    def _unwrap(self, stream: str, block: bytes, counts: LogCounts) -> bytes:
        if self._wrapping == "none":
            return block
        around = self._wrapper(stream)
        before = around.truncated
        block = around.unwrap(block)
        counts.truncated += around.truncated - before
        counts.read += around.truncated - before
        return block

    def forget(self) -> None:
        """Ask for every source and service anew from now on."""
        self._counter.forget()
        if self._timed is not None:
            self._timed.forget()

    def keep(self, streams: Collection[str]) -> None:
        """Let go of all streams but these."""
        for gone in self._wrappers.keys() - streams:
            del self._wrappers[gone]

    def all_parts(self) -> dict[str, dict[str, bytes]]:
        """Return what is held of lines that are not whole yet, by stream and stream in it."""
        held = {stream: around.parts for stream, around in self._wrappers.items()}
        return {stream: parts for stream, parts in held.items() if parts}

    def restore(self, stream: str, parts: dict[str, bytes]) -> None:
        """Go on with what was held of *stream*."""
        if parts and self._wrapping != "none":
            self._wrapper(stream).parts = parts

    def _wrapper(self, stream: str) -> Wrapper:
        found = self._wrappers.get(stream)
        if found is None:
            made = wrapper(self._wrapping)
            if made is None:
                msg = "lines that are not wrapped need no wrapper"
                raise ValueError(msg)
            found = self._wrappers[stream] = made
        return found
