"""Notices that a file changed, by what the file system says about it."""

import os
from pathlib import Path
from typing import NamedTuple


class FileStamp(NamedTuple):
    """One version of a file. Two stamps are equal as long as the file did not change."""

    device: int
    inode: int
    size: int
    """Bytes."""
    changed_ns: int
    """Time of the last change, nanoseconds since 1970."""

    @classmethod
    def take(cls, path: Path) -> "FileStamp | None":
        """
        Return the stamp of the file at *path*; None if it is missing or cannot be looked at.

        A symlink is followed, so a link to another file counts as a change.
        """
        try:
            seen = os.stat(path)  # noqa: PTH116 - called often
        except OSError:
            return None
        return cls(seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)
