"""Splits chunks of bytes into whole lines of limited length."""


class Splitter:
    """
    Joins chunks and splits them at line ends.

    Args:
        limit: Bytes of the longest line that is kept. A longer one is dropped without using
            memory, and counted in `too_long`.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: list[bytes] = []
        self._size = 0
        self._skipping = False
        self.too_long = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; return the lines that are complete now, without their ends."""
        first, *rest = chunk.split(b"\n")
        if not rest:
            self._hold(first)
            return []
        *whole, last = rest
        lines = [] if self._skipping or self._is_too_long(first) else [self._join(first)]
        self._held, self._size, self._skipping = [], 0, False
        for line in whole:
            if len(line) > self._limit:
                self.too_long += 1
            else:
                lines.append(line)
        self._hold(last)
        return lines

    def _hold(self, part: bytes) -> None:
        if self._skipping:
            return
        if self._is_too_long(part):
            self._held, self._size, self._skipping = [], 0, True
        elif part:
            self._held.append(part)
            self._size += len(part)

    def _is_too_long(self, part: bytes) -> bool:
        too_long = self._size + len(part) > self._limit
        self.too_long += too_long
        return too_long

    def _join(self, last: bytes) -> bytes:
        return b"".join((*self._held, last)) if self._held else last
