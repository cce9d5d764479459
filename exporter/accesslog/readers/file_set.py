"""Which files the paths show: opened, found again after a rotation, and let go."""

import os
from collections.abc import Sequence

from exporter.accesslog.readers.begin_after import later_files
from exporter.accesslog.readers.choose import Chosen
from exporter.accesslog.readers.compressed import CompressedFiles, is_alone
from exporter.accesslog.readers.first_line import offset_after
from exporter.accesslog.readers.open_file import (
    MAX_LINE,
    FilePlace,
    OpenFile,
    Poll,
    is_of,
    last_line_end,
)
from exporter.accesslog.readers.paths import GZIP, Id, expand, id_of, near, rotated, was_rotated
from exporter.apiserver.left_word import ReadUntil
from exporter.apiserver.log_place import since
from exporter.files.regular import open_regular
from exporter.model.lines import LineSplitter


class FileSet:
    """
    The open files of some paths and globs.

    Args:
        patterns: Paths and globs.
        places: How far files had been read when reading stopped, or None if it never began.
        chosen: Says which of them are read; None: all.
    """

    def __init__(
        self, patterns: Sequence[str], places: Sequence[FilePlace] | None, chosen: Chosen | None
    ) -> None:
        self._patterns, self._resume, self._chosen = patterns, places, chosen
        self._first = True
        self._unopened: set[str] = set()
        """Paths that were there at the first look and could not be opened yet."""
        self._gaps: dict[str, tuple[float, float]] = {}
        """What may be missing of files of which it is not known if they are read."""
        self._paths: dict[str, Id] = {}
        self._compressed = CompressedFiles()
        self.files: dict[Id, OpenFile] = {}
        self.dropped: frozenset[str] = frozenset()
        """Paths that are there and not, or no longer, chosen."""
        self.troubled: dict[str, str] = {}
        self.lost: dict[Id, FilePlace] = {}
        """Where files were that could not be read any more."""

    def look(self, now: float, poll: Poll) -> None:
        """Look at all paths at the moment *now*."""
        if self._chosen is not None:
            self._chosen.freeze()
        self._resume_all(now, poll)
        self._look_at_paths(now, poll)
        self._first = False

    def close(self) -> None:
        """Let go of all files."""
        for file in self.files.values():
            os.close(file.descriptor)
        self.files.clear()

    def _look_at_paths(self, now: float, poll: Poll) -> None:
        """Find which file each path shows."""
        shown: dict[str, Id] = {}
        paths = self._paths_now()
        self.troubled = {path: self.troubled[path] for path in paths if path in self.troubled}
        for path in paths:
            try:
                seen = os.stat(path)  # noqa: PTH116 - called often
                id_ = (seen.st_dev, seen.st_ino)
                if id_ not in self.files:
                    self._open_rotated(path, now, poll)
                    self._open(path, id_, now)
            except FileNotFoundError:
                self.troubled.pop(path, None)
                continue
            except OSError as error:
                self.trouble(path, error, poll)
                if path in self._paths:
                    shown[path] = self._paths[path]
                continue
            shown[path] = id_
            poll.rotations += path in self._paths and self._paths[path] != id_
        self._unopened = {each for each in paths if self._is_new(each) and each not in shown}
        self._paths = shown
        self._settle(shown, now, poll)
        self._tell_gaps(poll)

    def _settle(self, shown: dict[str, Id], now: float, poll: Poll) -> None:
        """Take note of which files have a path still."""
        for path, id_ in shown.items():
            # Renamed within a glob.
            if id_ in self.files and shown.get(self.files[id_].path) != id_:
                self.files[id_].path = path
        visible = set(shown.values())
        self.lost = {id_: place for id_, place in self.lost.items() if id_ in visible}
        for id_, file in self.files.items():
            if id_ in visible:
                file.gone = None
            elif file.gone is None:
                file.gone = now
                if file.path not in shown and was_rotated(file.descriptor):
                    why = "was removed soon after a rotation; lines since then may be lost"
                    poll.errors.append(f"{file.path}: {why}")

    def _resume_all(self, now: float, poll: Poll) -> None:
        """At the first look, go on where reading stopped."""
        for place in self._resume if self._first and self._resume else ():
            if self._chosen is None or self._chosen.is_open(place.path):
                self._go_on(place, now, poll)

    def _go_on(self, place: FilePlace, now: float, poll: Poll) -> None:
        """Open the file of *place* wherever in its folder it is now."""
        try:
            descriptor = _opened_at(place)
            if descriptor is None:
                descriptor = self._compressed.find(place)
        except OSError:
            poll.errors.append(
                f"{place.path}: what was written after it was read last is gone; not counted"
            )
            return
        self._resume_at(place, descriptor, now)

    def _resume_at(self, place: FilePlace, descriptor: int, now: float) -> None:
        file = OpenFile(place.path, descriptor, place.offset, tail=place.tail, active=now)
        file.lines = LineSplitter(MAX_LINE, held=place.held, skipping=place.skipping)
        # It may have been written anew; _read finds out.
        self.files[_id(descriptor)] = file

    def _open_rotated(self, path: str, now: float, poll: Poll) -> None:
        """Open what a kubelet rotated away from *path* before anybody looked, if it is there."""
        if self._after is not None and self._resume is None and self._is_new(path):
            later, gap = later_files(path, self._after, self.files)
            for id_, descriptor, offset in later:
                self.files[id_] = OpenFile(path, descriptor, offset, active=now)
            if gap is not None:
                self._gaps[path] = gap
            return
        before = {place.path: (place.device, place.inode) for place in self._resume or ()}
        known = before.get(path) if self._first else self._paths.get(path)
        if known is None or (known not in self.files and not self._first):
            return
        files, unpacked = rotated(path), self._compressed.opened
        read = [n for n, id_ in enumerate(files.values()) if id_ in self.files or id_ in unpacked]
        last = max(read, default=-1)
        if files and last < 0 and not self._first:
            poll.errors.append(f"{path}: was rotated more than twice in one look; lines are lost")
        for name, known_id in list(files.items())[last + 1 :]:
            packed = name.endswith(GZIP)
            if known_id is None or (packed and (last < 0 or not is_alone(name, files))):
                continue
            try:
                unpack = self._compressed.open
                descriptor = unpack(name, known_id) if packed else open_regular(name)
            except OSError as error:
                poll.errors.append(f"{name}: {error.strerror or error}; not counted")
            else:
                self.files[_id(descriptor)] = OpenFile(path, descriptor, 0, active=now)

    def _paths_now(self) -> list[str]:
        """Return the paths to read."""
        paths = expand(self._patterns)
        if self._chosen is None:
            return paths
        from_end = self._first and self._resume is None and self._after is None
        picked = self._chosen.pick(paths, from_end=from_end)
        self.dropped = frozenset(paths).difference(picked)
        return picked

    def _open(self, path: str, id_: Id, now: float) -> None:
        descriptor = open_regular(path)
        seen = os.fstat(descriptor)
        if (seen.st_dev, seen.st_ino) != id_:
            # It was rotated between the two looks; the next one finds it.
            os.close(descriptor)
            raise FileNotFoundError
        if id_ in self.lost:
            self._resume_at(self.lost.pop(id_), descriptor, now)
            return
        begin = seen.st_size if self._first and self._resume is None else 0
        if self._chosen is not None:
            begin = min(self._chosen.begin(path, id_), seen.st_size)
        offset = last_line_end(descriptor, begin) if begin else 0
        if self._after is not None and self._resume is None:
            stamp = since(self._after.at).stamp
            offset = max(offset, offset_after(descriptor, seen.st_size, stamp))
        self.files[id_] = OpenFile(path, descriptor, offset, active=now)

    @property
    def _after(self) -> ReadUntil | None:
        return None if self._chosen is None else self._chosen.after

    def _is_new(self, path: str) -> bool:
        """Return whether *path* was there at the first look and was not opened before."""
        return self._first or path in self._unopened

    def _tell_gaps(self, poll: Poll) -> None:
        """Tell what may be missing of files that are read, once that is known."""
        for path, gap in list(self._gaps.items()):
            if self._chosen is None or self._chosen.is_wanted(path):
                poll.gaps.append((path, *gap))
            elif self._chosen.is_waiting(path):
                continue
            del self._gaps[path]

    def trouble(self, path: str, error: OSError, poll: Poll) -> None:
        """Report what hinders the reading of *path*, once."""
        message = f"{path}: {error.strerror or error}"
        if self.troubled.get(path) != message:
            self.troubled[path] = message
            poll.errors.append(message)

    def let_go(self, id_: Id, poll: Poll) -> None:
        """Close a file that is done with."""
        file = self.files.pop(id_)
        poll.partial += bool(file.lines.held)
        os.close(file.descriptor)


def _id(descriptor: int) -> Id:
    seen = os.fstat(descriptor)
    return seen.st_dev, seen.st_ino


def _opened_at(place: FilePlace) -> int | None:
    """Return a descriptor of the file of *place*; None if it is nowhere in its folder."""
    wanted = (place.device, place.inode)
    by_kubelet = rotated(place.path)
    for path in [place.path, *near(place.path, place.inode)]:
        if id_of(path) == wanted:
            descriptor = open_regular(path)
            if not by_kubelet or is_of(place, descriptor):
                return descriptor
            # The file was compressed, and another one has its number.
            os.close(descriptor)
    return None
