"""
Log files followed while they grow, are rotated, truncated, deleted and made anew.

Polling: cheaper than inotify at any real rate, works on every file system, cannot overflow. A file
is known by device and inode, not by its path, and is kept open for a while after its path shows
another: nginx's workers write on into the old one until they notice. Before a changed file is
read, the bytes before our place are compared with the bytes read last. This detects a file that
was truncated and filled again beyond that place between two looks.
"""

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field

from exporter.accesslog.readers.choose import Chosen
from exporter.accesslog.readers.paths import Id, expand, id_of, near

BLOCK = 64 << 10
"""Read and counted between two turns of the event loop: 1 to 3 ms of work."""
MAX_LINE = 64 << 10
MAX_FILE = 1 << 20
"""Bytes read of one file in one poll: one that is far behind does not starve the others."""
MAX_POLL = 8 << 20
LINGER = 5.0
"""Seconds for which a file is read on after its path is gone or shows another, and no line came."""
PARKED = 600.0
"""Seconds for which a file without a path stays open while it is not known if it is chosen. An
open file still takes its space on the disk."""
PATHS_EVERY = 2.0
"""Seconds between two looks at all paths and at files that are idle; busy ones and their paths are
looked at in each poll."""
IDLE_AFTER = 10.0
"""Seconds without a line after which a file is idle."""
FINGERPRINT = 64
BOM = b"\xef\xbb\xbf"
STOP_LIMIT = 0.5
"""Seconds that a poll under way is waited for when reading stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a file has been read: enough to go on there after a restart."""

    path: str
    """Under which it was found; by now it may have another name."""
    device: int
    inode: int
    offset: int
    tail: bytes
    """The last bytes before *offset*."""
    held: bytes
    """The beginning of a line that is not whole yet."""
    skipping: bool
    """Inside a line that was too long."""


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
    troubled: list[str] = field(default_factory=list)
    """What hinders reading, as long as it does."""


@dataclass(slots=True)
class _File:
    """One open file."""

    path: str
    """Under which it was found first."""
    descriptor: int
    offset: int
    held: bytes = b""
    """The beginning of a line that is not whole yet."""
    tail: bytes = b""
    """What was read last, up to FINGERPRINT bytes before *offset*."""
    changed: int = 0
    """Its mtime when it was last looked at, nanoseconds."""
    skipping: bool = False
    """Inside a line that was too long."""
    gone: float | None = None
    """When no path showed it any more."""
    active: float = float("-inf")
    """When it was seen to grow."""


class Follower:
    """
    Follows files by path or glob.

    Files that are there at the first poll are read from their end on, those that appear later from
    their beginning. Compressed files are left alone.

    Args:
        patterns: Paths and globs.
        places: How far files had been read when reading stopped, or None if it never began. With
            them, each file is read on from its place, also if it was renamed within its folder
            meanwhile, and any other file from its beginning.
        chosen: Says which of them are read; None: all.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        places: Sequence[Place] | None = None,
        chosen: Chosen | None = None,
    ) -> None:
        self._patterns, self._chosen = patterns, chosen
        self._resume = places
        self._dropped: frozenset[str] = frozenset()
        """Paths that are there and not, or no longer, chosen."""
        self._files: dict[Id, _File] = {}
        self._paths: dict[str, Id] = {}
        self._troubled: dict[str, str] = {}
        self._lost: dict[Id, Place] = {}
        """Where files were that could not be read any more."""
        self._look_at = self._busy_until = float("-inf")
        self._first = True
        self._lock = threading.Lock()
        self._closed = False

    def poll(self, now: float) -> Poll:
        """Look once at the moment *now*, in seconds of any clock; blocks while files are read."""
        with self._lock:
            poll = self._poll(now)
        if self._closed:
            self._close_if_idle()
        return poll

    def _poll(self, now: float) -> Poll:
        poll = Poll()
        if self._closed:
            return poll
        looking = now >= self._look_at or self._is_moving(now)
        if looking:
            self._look_at = now + PATHS_EVERY
            if self._chosen is not None:
                self._chosen.freeze()
            self._resume_all(now, poll)
            self._look(now, poll)
            self._first = False
        room, self._busy_until = MAX_POLL, now
        for id_, file in list(self._files.items()):
            if self._is_parked(file, now):
                continue
            if looking or now - file.active <= IDLE_AFTER:
                try:
                    room -= self._read(file, min(room, MAX_FILE), now, poll)
                except OSError as error:
                    # Such as a network file system's; the next look opens it again.
                    self._trouble(file.path, error, poll)
                    self._lost[id_] = self._place(id_, file)
                    self._let_go(id_, poll)
                    continue
                self._troubled.pop(file.path, None)
                if self._is_over(file, now):
                    self._let_go(id_, poll)
            self._busy_until = max(self._busy_until, file.active + IDLE_AFTER)
        # Whoever came last goes first when there was not room for all.
        if room <= 0:
            self._files = dict(reversed(self._files.items()))
        poll.troubled = list(self._troubled.values())
        return poll

    def _is_parked(self, file: _File, now: float) -> bool:
        """Return whether *file* is only held open until it is known if it is chosen."""
        if self._chosen is None or not self._chosen.is_waiting(file.path):
            return False
        return file.gone is None or now - file.gone <= PARKED

    def _is_over(self, file: _File, now: float) -> bool:
        """Return whether a file without a path, or that is not chosen any more, is done with."""
        if file.gone is None:
            return False
        last = file.gone if file.path in self._dropped else max(file.gone, file.active)
        return now - last > LINGER

    def _is_moving(self, now: float) -> bool:
        """Return whether the path of a busy file shows another one by now, or none."""
        return any(
            file.gone is not None or id_of(file.path) != id_
            for id_, file in self._files.items()
            if now - file.active <= IDLE_AFTER
        )

    def is_idle(self, now: float) -> bool:
        """Return whether there is nothing to do at the moment *now*."""
        return self._busy_until < now < self._look_at

    def places(self) -> list[Place]:
        """Return how far each file has been read; only between two polls."""
        open_ = [self._place(id_, file) for id_, file in self._files.items()]
        return [*open_, *self._lost.values()]

    @staticmethod
    def _place(id_: Id, file: _File) -> Place:
        device, inode = id_
        return Place(
            path=file.path,
            device=device,
            inode=inode,
            offset=file.offset,
            tail=file.tail,
            held=file.held,
            skipping=file.skipping,
        )

    @property
    def paths(self) -> set[str]:
        """Return under which paths the open files were found."""
        return {file.path for file in self._files.values()}

    def close(self) -> None:
        """Let go of all files; if a poll runs in another thread, when that is over."""
        self._closed = True
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                for file in self._files.values():
                    os.close(file.descriptor)
                self._files.clear()
            finally:
                self._lock.release()

    def _look(self, now: float, poll: Poll) -> None:
        """Find which file each path shows."""
        shown: dict[str, Id] = {}
        paths = self._paths_now()
        self._troubled = {path: self._troubled[path] for path in paths if path in self._troubled}
        for path in paths:
            try:
                seen = os.stat(path)  # noqa: PTH116 - called often
                id_ = (seen.st_dev, seen.st_ino)
                if id_ not in self._files:
                    self._open(path, id_, now)
            except FileNotFoundError:
                self._troubled.pop(path, None)
                continue
            except OSError as error:
                self._trouble(path, error, poll)
                if path in self._paths:
                    shown[path] = self._paths[path]
                continue
            shown[path] = id_
            poll.rotations += path in self._paths and self._paths[path] != id_
        self._paths = shown
        self._settle(shown, now)

    def _settle(self, shown: dict[str, Id], now: float) -> None:
        """Take note of which files have a path still."""
        for path, id_ in shown.items():
            # Renamed within a glob.
            if id_ in self._files and shown.get(self._files[id_].path) != id_:
                self._files[id_].path = path
        visible = set(shown.values())
        self._lost = {id_: place for id_, place in self._lost.items() if id_ in visible}
        for id_, file in self._files.items():
            if id_ in visible:
                file.gone = None
            elif file.gone is None:
                file.gone = now

    def _resume_all(self, now: float, poll: Poll) -> None:
        """At the first look, go on where reading stopped."""
        for place in self._resume if self._first and self._resume else ():
            if self._chosen is None or self._chosen.is_open(place.path):
                self._go_on(place, now, poll)

    def _go_on(self, place: Place, now: float, poll: Poll) -> None:
        """Open the file of *place* wherever in its folder it is now."""
        wanted = (place.device, place.inode)
        try:
            for path in [place.path, *near(place.path, place.inode)]:
                if id_of(path) == wanted:
                    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                    break
            else:
                raise FileNotFoundError
        except OSError:
            poll.errors.append(
                f"{place.path}: what was written after it was read last is gone; not counted"
            )
            return
        self._resume_at(place, descriptor, now)

    def _resume_at(self, place: Place, descriptor: int, now: float) -> None:
        file = _File(place.path, descriptor, place.offset, place.held, place.tail, active=now)
        file.skipping = place.skipping
        # Another file may have its number by now, or it was written anew; _read finds out.
        self._files[place.device, place.inode] = file

    def _paths_now(self) -> list[str]:
        """Return the paths to read."""
        paths = expand(self._patterns)
        if self._chosen is None:
            return paths
        picked = self._chosen.pick(paths, from_end=self._first and self._resume is None)
        self._dropped = frozenset(paths).difference(picked)
        return picked

    def _open(self, path: str, id_: Id, now: float) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            os.close(descriptor)
            msg = "is not a regular file"
            raise OSError(msg)
        if (seen.st_dev, seen.st_ino) != id_:
            # It was rotated between the two looks; the next one finds it.
            os.close(descriptor)
            raise FileNotFoundError
        if id_ in self._lost:
            self._resume_at(self._lost.pop(id_), descriptor, now)
            return
        begin = seen.st_size if self._first and self._resume is None else 0
        if self._chosen is not None:
            begin = min(self._chosen.begin(path, id_), seen.st_size)
        offset = _last_line_end(descriptor, begin) if begin else 0
        self._files[id_] = _File(path, descriptor, offset, active=now)

    def _trouble(self, path: str, error: OSError, poll: Poll) -> None:
        message = f"{path}: {error.strerror or error}"
        if self._troubled.get(path) != message:
            self._troubled[path] = message
            poll.errors.append(message)

    def _read(self, file: _File, room: int, now: float, poll: Poll) -> int:
        """Read what is new, at most *room* bytes; return how many were read."""
        seen = os.fstat(file.descriptor)
        if seen.st_size < file.offset or (
            seen.st_mtime_ns != file.changed and not _is_as_read(file)
        ):
            poll.truncations += 1
            file.offset, file.held, file.tail, file.skipping = 0, b"", b"", False
        file.changed = seen.st_mtime_ns
        wanted, got = min(room, seen.st_size - file.offset), 0
        while got < wanted:
            part = os.pread(file.descriptor, min(BLOCK, wanted - got), file.offset)
            if not part:
                break
            file.tail = (file.tail + part[-FINGERPRINT:])[-FINGERPRINT:]
            if file.offset == 0 and part.startswith(BOM):
                part = part[len(BOM) :]
                got += len(BOM)
                file.offset += len(BOM)
            got += len(part)
            file.offset += len(part)
            _split(file, part, poll)
        behind = max(0, seen.st_size - file.offset)
        poll.behind += behind
        if got or behind:
            file.active = now
        return got

    def _let_go(self, id_: Id, poll: Poll) -> None:
        file = self._files.pop(id_)
        poll.partial += bool(file.held)
        os.close(file.descriptor)


async def follow(
    follower: Follower,
    ticks: AsyncIterable[object],
    *,
    block: Callable[[str, bytes], None],
    polled: Callable[[Poll], None],
) -> None:
    """
    Poll at each of *ticks*; hand blocks over one at a time, with a turn for others between them.

    Files are read in a thread: a file system that hangs stops the reading of logs and nothing else.
    When this is cancelled, what was read by then is still handed over, so that places and counts
    agree.
    """
    clock = asyncio.get_running_loop().time
    async for _ in ticks:
        behind = not follower.is_idle(clock())
        while behind:
            polling = asyncio.ensure_future(asyncio.to_thread(follower.poll, clock()))
            try:
                poll = await asyncio.shield(polling)
            except asyncio.CancelledError:
                await asyncio.wait([polling], timeout=STOP_LIMIT)
                if polling.done() and not polling.cancelled():
                    _hand_over(polling.result(), block, polled)
                raise
            await _hand_over_in_turns(poll, block, polled)
            behind = poll.behind > BLOCK


async def _hand_over_in_turns(
    poll: Poll, block: Callable[[str, bytes], None], polled: Callable[[Poll], None]
) -> None:
    poll.blocks.reverse()
    try:
        while poll.blocks:
            block(*poll.blocks.pop())
            await asyncio.sleep(0)
    finally:
        poll.blocks.reverse()
        _hand_over(poll, block, polled)


def _hand_over(
    poll: Poll, block: Callable[[str, bytes], None], polled: Callable[[Poll], None]
) -> None:
    for path, lines in poll.blocks:
        block(path, lines)
    polled(poll)


def _split(file: _File, part: bytes, poll: Poll) -> None:
    """Add the whole lines of *part* to the blocks and hold the rest."""
    if file.skipping:
        feed = part.find(b"\n")
        if feed < 0:
            return
        part, file.skipping = part[feed + 1 :], False
    end = part.rfind(b"\n") + 1
    if end:
        poll.blocks.append((file.path, file.held + part[:end]))
        file.held = part[end:]
    else:
        file.held += part
    if len(file.held) > MAX_LINE:
        poll.truncated += 1
        file.held, file.skipping = b"", True


def _is_as_read(file: _File) -> bool:
    length = len(file.tail)
    return os.pread(file.descriptor, length, file.offset - length) == file.tail


def _last_line_end(descriptor: int, size: int) -> int:
    """Return the place after the last line feed, so that a half line at the start is not torn."""
    start = max(0, size - MAX_LINE)
    feed = os.pread(descriptor, size - start, start).rfind(b"\n")
    return size if feed < 0 and start else start + feed + 1
