"""
Bytes to lines, with a limit: the one place where text is split at line feeds.

Readers of logs take blocks of whole lines, because whole blocks are counted fast. The API client
takes single lines. For both, a line longer than the limit is dropped and counted once.
"""


class LineSplitter:
    """
    Joins chunks of bytes and splits them at line feeds.

    Args:
        limit: The longest line that is kept, in bytes without its line feed. Nothing is kept of a
            longer one, and it costs no memory.
        held: The beginning of a line that is not complete yet, from an earlier splitter.
        skipping: True if the next bytes belong to a line that was too long.

    Attributes:
        too_long: How many lines were longer than the limit so far.
        skipping: True while the end of a line that was too long has not been seen.
    """

    def __init__(self, limit: int, *, held: bytes = b"", skipping: bool = False) -> None:
        self._limit = limit
        self._held = [held] if held else []
        self._size = len(held)
        self.skipping = skipping
        self.too_long = 0

    @property
    def held(self) -> bytes:
        """Return the beginning of the line that is not complete yet."""
        if len(self._held) > 1:
            self._held = [b"".join(self._held)]
        return self._held[0] if self._held else b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return the lines that are complete now, with their line feeds."""
        first = chunk.find(b"\n") + 1
        if not first:
            self._hold(chunk)
            return b""
        end = chunk.rfind(b"\n") + 1
        if self.skipping:
            whole = chunk[first:end]
        elif self._size + first - 1 > self._limit:
            self.too_long += 1
            whole = chunk[first:end]
        else:
            whole = self.held + chunk[:end]
        self._held, self._size, self.skipping = [], 0, False
        self._hold(chunk[end:])
        return self._without_long_lines(whole)

    def split(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the lines that are complete now, without line feeds."""
        return self.feed(chunk).split(b"\n")[:-1]

    def finish(self) -> bytes:
        """Return the last line, with a line feed, if the text ended without one; else nothing."""
        last = self.held
        self._held, self._size, self.skipping = [], 0, False
        return last + b"\n" if last else b""

    def _hold(self, part: bytes) -> None:
        if self.skipping or not part:
            return
        if self._size + len(part) > self._limit:
            self.too_long += 1
            self._held, self._size, self.skipping = [], 0, True
        else:
            self._held.append(part)
            self._size += len(part)

    def _without_long_lines(self, block: bytes) -> bytes:
        """Drop the lines of *block* that are too long; it takes one step per *limit* bytes."""
        kept, start, at = list[bytes](), 0, 0
        # What is left is too short to hold a line that is too long.
        while len(block) - at > self._limit + 1:
            end = block.rfind(b"\n", at, at + self._limit + 1) + 1
            if end:
                at = end
                continue
            self.too_long += 1
            kept.append(block[start:at])
            start = at = block.find(b"\n", at) + 1
        return b"".join((*kept, block[start:])) if kept else block
