"""
How far logs have been read, kept over restarts.

Each log source has one small JSON file, which is replaced as a whole. Everything in it was counted.
A file that cannot be used, whatever is in its place, is renamed, and reading begins anew.
"""

import hashlib
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import msgspec

from exporter.accesslog.readers.open_file import FilePlace
from exporter.files.regular import UnsuitableFileError, read_regular
from exporter.files.replace import replace_file, set_aside

VERSION = 1
_MAX_BYTES = 64 << 20


LineParts = dict[str, dict[str, bytes]]
"""Of each path, by stream: parts of lines that wait for their rest."""
T = TypeVar("T")


class FilePlaces(NamedTuple):
    """How far each file of a source was read."""

    places: tuple[FilePlace, ...]
    parts: LineParts


class CheckpointError(Exception):
    """A checkpoint cannot be used or written; says which, why, and what happens instead."""


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    source: str
    kept: msgspec.Raw


class Checkpoint(Generic[T]):
    """
    The checkpoint of one log source.

    Args:
        directory: Where checkpoints are.
        source: What the source is called; another name is another checkpoint.
        kind: The type of what is kept.
    """

    def __init__(self, directory: Path, source: str, kind: type[T]) -> None:
        name = hashlib.sha256(source.encode()).hexdigest()[:16]
        self._path = directory / f"log-{name}.json"
        self._source, self._kind = source, kind
        self._lock = threading.Lock()
        self._turn = 0

    def load(self) -> T | None:
        """
        Return what was kept; None if there is no checkpoint.

        Raises:
            CheckpointError: If there is one that cannot be used; it is set aside.
        """
        try:
            raw = read_regular(self._path, _MAX_BYTES, follow=False)
        except FileNotFoundError:
            return None
        except UnsuitableFileError as error:
            raise self._aside(why=str(error.strerror)) from error
        except OSError as error:
            told = f"{self._path}: {error.strerror}; reading begins at the end"
            raise CheckpointError(told) from error
        try:
            saved = msgspec.json.decode(raw, type=_Saved)
            if saved.version != VERSION or saved.source != self._source:
                raise self._aside(why="is of another version or source")
            return msgspec.json.decode(saved.kept, type=self._kind)
        except (ValueError, RecursionError) as error:
            # Errors of msgspec and of text that is not UTF-8 are ValueErrors.
            raise self._aside(why=f"is broken: {error}") from error

    def age(self) -> float:
        """Return for how many seconds nobody has saved or touched it; 0 if there is none."""
        try:
            return max(0.0, time.time() - self._path.lstat().st_mtime)
        except OSError:
            return 0.0

    def touch(self) -> None:
        """Say that what was saved still holds."""
        with self._lock, suppress(OSError):
            os.utime(self._path, follow_symlinks=False)

    def save(self, kept: T, *, turn: int = 0) -> None:
        """
        Replace what was saved before.

        Args:
            kept: How far the source was read.
            turn: Of two savings that run side by side the one with the higher turn holds.

        Raises:
            CheckpointError: If it cannot be written; the one before stays.
        """
        body = msgspec.Raw(msgspec.json.encode(kept))
        raw = msgspec.json.encode(_Saved(VERSION, self._source, body))
        with self._lock:
            if turn < self._turn:
                return
            self._turn = turn
            try:
                replace_file(self._path, raw)
            except OSError as error:
                told = f"cannot be written: {error.strerror}; a restart cannot go on here"
                msg = f"{self._path}: {told}"
                raise CheckpointError(msg) from error

    def _aside(self, *, why: str) -> CheckpointError:
        told = f"{self._path}: {why}; {set_aside(self._path)}, reading begins at the end"
        return CheckpointError(told)
