"""The lines of a container's log that were not read before, out of the chunks of a reply."""

from collections import Counter
from zlib import crc32

from exporter.apiserver.log_place import BEGINNING, LogPlace, is_later, is_stamp
from exporter.model.lines import LineSplitter

MAX_SAME = 1000
"""Lines with one time stamp that are told apart. If there are more, all count as read."""


class NewLines:
    """
    Leaves out what was read before, over all requests for one log.

    Attributes:
        place: After the last block; None as long as the end of the log is not known.
        repeated: Lines left out because they had been read before.
        truncated: Lines left out because they were too long.
        unstamped: Lines left out because they have no time stamp.
        unlinked: The time stamp of a reply's first new line, if no line at or before our place came
            before it. Empty otherwise, and before that line.
        until: The time stamp from which on lines are passed over, because another replica reads
            them; empty for none.
        brought: Whether the newest reply brought any line, repeated or new.
    """

    def __init__(self, place: LogPlace | None) -> None:
        self.place = place
        self.repeated = self.truncated = self.unstamped = 0
        self._had: Counter[int] = Counter()
        """Lines with the time stamp of our place that this reply has not brought again yet."""
        self.unlinked, self.until, self.brought = b"", b"", False
        self._catching_up = self._had_many = self._linked = False

    def expect(self, place: LogPlace) -> None:
        """Prepare for a reply that begins at *place*, or somewhat before."""
        self._had, self._catching_up = Counter(place.lines), True
        self._had_many = len(place.lines) >= MAX_SAME
        self.unlinked, self.brought, self._linked = b"", False, False

    def take(self, splitter: LineSplitter, chunk: bytes) -> bytes:
        """Return the new lines that a chunk completes, and move the place past them."""
        place = self.place or BEGINNING
        stamp, same, block = place.stamp, list(place.lines), []
        before = splitter.too_long
        for line in splitter.split(chunk):
            at, _, text = line.partition(b" ")
            if not is_stamp(at):
                self.unstamped += 1
                continue
            if self.until and not is_later(self.until, at):
                continue
            self.brought, later = True, is_later(at, stamp)
            self._linked = self._linked or not later
            if self._catching_up and not later and self._was_had(at, text, stamp):
                self.repeated += 1
                continue
            if later:
                if self._catching_up and not self._linked:
                    self.unlinked = at
                stamp, same, self._catching_up = at, [], False
            if at == stamp and len(same) < MAX_SAME:
                same.append(crc32(text))
            block.append(text)
        self.truncated += splitter.too_long - before
        self.place = LogPlace(stamp=stamp, lines=tuple(same))
        return b"\n".join((*block, b"")) if block else b""

    def take_unlinked(self) -> bytes:
        """Return `unlinked`, once a reply."""
        found, self.unlinked = self.unlinked, b""
        return found

    def _was_had(self, at: bytes, text: bytes, stamp: bytes) -> bool:
        """Return whether a line, which is not later than our place, is from before it."""
        if at != stamp or self._had_many:
            return True
        checksum = crc32(text)
        if self._had[checksum]:
            self._had[checksum] -= 1
            return True
        return False
