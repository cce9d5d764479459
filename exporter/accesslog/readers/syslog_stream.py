"""
A byte stream to syslog messages, by either framing of RFC 6587.

A message begins with its number of bytes (`57 <190>...`), or a line feed ends it. One stream may
mix both. The bytes may arrive cut anywhere.
"""

import re

from exporter.model.lines import LineSplitter

_COUNTED = re.compile(rb"(\d{1,6}) (?=<)")
_COUNTED_AFTER_LINE = re.compile(rb"^\d{1,6} <", re.MULTILINE)
_MAYBE_COUNTED = re.compile(rb"\d{1,6} ?")


class MessageSplitter:
    """
    Splits a stream into messages.

    Args:
        limit: The longest message that is kept, in bytes. Nothing is kept of a longer one.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines = LineSplitter(limit)
        self._held = b""
        """The beginning of a counted message, or of what may be the count of one."""
        self._in_line = False
        self._left = 0
        """How many bytes of a counted message that is too long are still to come."""
        self._counted_too_long = 0

    @property
    def too_long(self) -> int:
        """Return how many messages were too long so far."""
        return self._counted_too_long + self._lines.too_long

    def feed(self, part: bytes) -> list[bytes]:
        """Take the next bytes; return the messages that are complete now."""
        text, at, found = self._held + part, 0, list[bytes]()
        self._held = b""
        while at < len(text):
            if self._left:
                step = min(self._left, len(text) - at)
                self._left -= step
            elif counted := None if self._in_line else _COUNTED.match(text, at):
                step = self._counted(text, counted, found)
            else:
                step = self._by_lines(text, at, found)
            if not step:
                self._held = text[at:]
                break
            at += step
        return found

    def finish(self) -> bytes:
        """Return the last message if the stream ended inside it; else nothing."""
        last, self._held = self._held or self._lines.finish().removesuffix(b"\n"), b""
        return last

    def _counted(self, text: bytes, counted: re.Match[bytes], found: list[bytes]) -> int:
        """Take a message that begins with its size; return the bytes used, 0 to wait for more."""
        size, begin = int(counted[1]), counted.end()
        if size > self._limit:
            self._counted_too_long += 1
            self._left = size
            return begin - counted.start()
        if begin + size > len(text):
            return 0
        found.append(text[begin : begin + size])
        return begin + size - counted.start()

    def _by_lines(self, text: bytes, at: int, found: list[bytes]) -> int:
        """Take the lines before the next counted message; return the bytes used, 0 to wait."""
        end = len(text)
        # A count stands at the beginning of a message, so not in the line that goes on here.
        first = text.find(b"\n", at) + 1 if self._in_line else at
        if first or not self._in_line:
            counted = _COUNTED_AFTER_LINE.search(text, first)
            last = max(first, text.rfind(b"\n", at) + 1)
            if counted is not None:
                end = counted.start()
            elif _MAYBE_COUNTED.fullmatch(text, last):
                # The rest of the count, and what follows it, has not come yet.
                end = last
        if end > at:
            found += self._lines.split(text[at:end])
            self._in_line = text[end - 1 : end] != b"\n"
        return end - at
