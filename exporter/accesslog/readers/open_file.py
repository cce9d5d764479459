"""One open log file: what is new in it, as whole lines."""

import os
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from exporter.accesslog.readers.paths import Id
from exporter.model.lines import LineSplitter

BLOCK = 64 << 10
"""Read and counted between two turns of the event loop: 1 to 3 ms of work."""
MAX_LINE = 64 << 10
MAX_FILE = 1 << 20
"""Bytes read of one file in one poll: one that is far behind does not starve the others."""
MAX_POLL = 8 << 20
FINGERPRINT = 1024
"""Bytes that tell one file from another. Most lines are shorter, so the time of one is in them."""
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlace:
    """How far a file has been read: enough to go on there after a restart."""

    path: str
    """Under which it was found; by now it may have another name."""
    device: Annotated[int, Meta(ge=0)]
    inode: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
    tail: Annotated[bytes, Meta(max_length=FINGERPRINT)]
    """The last bytes before *offset*."""
    held: Annotated[bytes, Meta(max_length=MAX_LINE)]
    """The beginning of a line that is not whole yet."""
    skipping: bool
    """Inside a line that was too long."""

    def __post_init__(self) -> None:
        """Refuse what no reader saved: a checkpoint may hold anything."""
        if "\0" in self.path or self.offset < max(len(self.tail), len(self.held)):
            msg = "is not a place in a file"
            raise ValueError(msg)


@dataclass(slots=True)
class Poll:
    """What one poll brought."""

    blocks: list[tuple[str, bytes]] = field(default_factory=list)
    """Paths, and whole lines of the files that were found there."""
    behind: int = 0
    """Bytes that are there and were not read in this poll."""
    rotations: int = 0
    truncations: int = 0
    truncated: int = 0
    """Lines longer than MAX_LINE, of which nothing is kept."""
    partial: int = 0
    """Last lines without an end, of files that were let go."""
    errors: list[str] = field(default_factory=list)
    """What hinders reading since this poll."""
    failure: Exception | None = None
    """A bug that ended this poll early. What was read before it is to be counted."""
    troubled: list[str] = field(default_factory=list)
    """What hinders reading, as long as it does."""
    gaps: list[tuple[str, float, float]] = field(default_factory=list)
    """Paths, with two times in unix seconds between which lines may be missing."""


@dataclass(slots=True)
class OpenFile:
    """One open file."""

    path: str
    """Under which it was found first."""
    descriptor: int
    offset: int
    lines: LineSplitter = field(default_factory=lambda: LineSplitter(MAX_LINE))
    """Holds the beginning of a line that is not whole yet."""
    tail: bytes = b""
    """What was read last, up to FINGERPRINT bytes before *offset*."""
    changed: int = 0
    """Its mtime when it was last looked at, nanoseconds."""
    gone: float | None = None
    """When no path showed it any more."""
    active: float = float("-inf")
    """When it was seen to grow."""

    def read(self, room: int, now: float, poll: Poll) -> int:
        """Read what is new, at most *room* bytes; return how many were read."""
        seen = os.fstat(self.descriptor)
        if seen.st_size < self.offset or (
            seen.st_mtime_ns != self.changed and not self._is_as_read()
        ):
            poll.truncations += 1
            self.offset, self.tail, self.lines = 0, b"", LineSplitter(MAX_LINE)
        self.changed = seen.st_mtime_ns
        wanted, got = min(room, seen.st_size - self.offset), 0
        while got < wanted:
            part = os.pread(self.descriptor, min(BLOCK, wanted - got), self.offset)
            if not part:
                break
            self.tail = (self.tail + part[-FINGERPRINT:])[-FINGERPRINT:]
            if self.offset == 0 and part.startswith(BOM):
                part = part[len(BOM) :]
                got += len(BOM)
                self.offset += len(BOM)
            got += len(part)
            self.offset += len(part)
            self._split(part, poll)
        behind = max(0, seen.st_size - self.offset)
        poll.behind += behind
        if got or behind:
            self.active = now
        return got

    def place(self, id_: Id) -> FilePlace:
        """Return how far the file *id_* has been read."""
        device, inode = id_
        return FilePlace(
            path=self.path,
            device=device,
            inode=inode,
            offset=self.offset,
            tail=self.tail,
            held=self.lines.held,
            skipping=self.lines.skipping,
        )

    def _split(self, part: bytes, poll: Poll) -> None:
        """Add the whole lines of *part* to the blocks and hold the rest."""
        before = self.lines.too_long
        if block := self.lines.feed(part):
            poll.blocks.append((self.path, block))
        poll.truncated += self.lines.too_long - before

    def _is_as_read(self) -> bool:
        length = len(self.tail)
        return os.pread(self.descriptor, length, self.offset - length) == self.tail


def is_of(place: FilePlace, descriptor: int) -> bool:
    """Return whether an open file is the one of *place*, as far as its bytes tell."""
    length = len(place.tail)
    if os.fstat(descriptor).st_size < place.offset:
        return False
    return os.pread(descriptor, length, place.offset - length) == place.tail


def last_line_end(descriptor: int, size: int) -> int:
    """Return the place after the last line feed, so that a half line at the start is not torn."""
    start = max(0, size - MAX_LINE)
    feed = os.pread(descriptor, size - start, start).rfind(b"\n")
    return size if feed < 0 and start else start + feed + 1
