"""
Log files followed while they grow, are rotated, truncated, deleted and made anew.

Polling: cheaper than inotify at any real rate, works on every file system, cannot overflow. A file
is known by device and inode, not by its path, and is kept open for a while after its path shows
another: nginx's workers write on into the old one until they notice. Before a changed file is
read, the bytes before our place are compared with the bytes read last. This detects a file that
was truncated and filled again beyond that place between two looks.
"""

import threading
from collections.abc import Sequence

from exporter.accesslog.readers.choose import Chosen
from exporter.accesslog.readers.file_set import FileSet
from exporter.accesslog.readers.open_file import MAX_FILE, MAX_POLL, FilePlace, OpenFile, Poll
from exporter.accesslog.readers.paths import id_of

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


class Follower:
    """
    Follows files by path or glob.

    Files that are there at the first poll are read from their end on, those that appear later from
    their beginning. Compressed files are left alone, unless a kubelet compressed them while nobody
    read.

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
        places: Sequence[FilePlace] | None = None,
        chosen: Chosen | None = None,
    ) -> None:
        self._chosen, self._set = chosen, FileSet(patterns, places, chosen)
        self._look_at = self._busy_until = float("-inf")
        self._lock = threading.Lock()
        self._closed = False

    def poll(self, now: float) -> Poll:
        """Look once at the moment *now*, in seconds of any clock; blocks while files are read."""
        poll = Poll()
        with self._lock:
            try:
                self._poll(now, poll)
            except Exception as error:  # noqa: BLE001 - raised once the blocks are counted
                poll.failure = error
        if self._closed:
            self._close_if_idle()
        return poll

    def _poll(self, now: float, poll: Poll) -> None:
        if self._closed:
            return
        looking = now >= self._look_at or self._is_moving(now)
        if looking:
            self._look_at = now + PATHS_EVERY
            self._set.look(now, poll)
        room, self._busy_until = MAX_POLL, now
        for id_, file in list(self._set.files.items()):
            if self._is_parked(file, now):
                continue
            if looking or now - file.active <= IDLE_AFTER:
                try:
                    room -= file.read(min(room, MAX_FILE), now, poll)
                except OSError as error:
                    # Such as a network file system's; the next look opens it again.
                    self._set.trouble(file.path, error, poll)
                    self._set.lost[id_] = file.place(id_)
                    self._set.let_go(id_, poll)
                    continue
                self._set.troubled.pop(file.path, None)
                if self._is_over(file, now):
                    self._set.let_go(id_, poll)
            self._busy_until = max(self._busy_until, file.active + IDLE_AFTER)
        # Whoever came last goes first when there was not room for all.
        if room <= 0:
            self._set.files = dict(reversed(self._set.files.items()))
        poll.troubled = list(self._set.troubled.values())

    def _is_parked(self, file: OpenFile, now: float) -> bool:
        """Return whether *file* is only held open until it is known if it is chosen."""
        if self._chosen is None or not self._chosen.is_waiting(file.path):
            return False
        return file.gone is None or now - file.gone <= PARKED

    def _is_over(self, file: OpenFile, now: float) -> bool:
        """Return whether a file without a path, or that is not chosen any more, is done with."""
        if file.gone is None:
            return False
        last = file.gone if file.path in self._set.dropped else max(file.gone, file.active)
        return now - last > LINGER

    def _is_moving(self, now: float) -> bool:
        """Return whether the path of a busy file shows another one by now, or none."""
        return any(
            file.gone is not None or id_of(file.path) != id_
            for id_, file in self._set.files.items()
            if now - file.active <= IDLE_AFTER
        )

    def tell_gaps(self, poll: Poll) -> None:
        """Tell whoever chooses what may be missing, in the thread that called for *poll*."""
        if self._chosen is not None:
            for path, start, end in poll.gaps:
                self._chosen.missing(path, start, end)

    def is_idle(self, now: float) -> bool:
        """Return whether there is nothing to do at the moment *now*."""
        return self._busy_until < now < self._look_at

    def places(self) -> list[FilePlace]:
        """Return how far each file has been read; only between two polls."""
        open_ = [file.place(id_) for id_, file in self._set.files.items()]
        return [*open_, *self._set.lost.values()]

    @property
    def paths(self) -> set[str]:
        """Return under which paths the open files were found."""
        return {file.path for file in self._set.files.values()}

    def close(self) -> None:
        """Let go of all files; if a poll runs in another thread, when that is over."""
        self._closed = True
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                self._set.close()
            finally:
                self._lock.release()
