"""Paths of log files: what patterns stand for, which file a path shows, where else it may be."""

import os
from collections.abc import Sequence
from glob import glob, has_magic

Id = tuple[int, int]
"""Device and inode."""
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


def expand(patterns: Sequence[str]) -> list[str]:
    """Return the paths that *patterns* stand for now."""
    paths: dict[str, None] = {}
    for pattern in patterns:
        found = sorted(glob(pattern)) if has_magic(pattern) else [pattern]  # noqa: PTH207
        paths.update(dict.fromkeys(p for p in found if not p.endswith(_COMPRESSED)))
    return list(paths)


def near(path: str, inode: int) -> list[str]:
    """Return where in the folder of *path*, or of what that links to, a file of that number is."""
    ends = (path, os.path.realpath(path))
    folders = dict.fromkeys(os.path.dirname(each) or "." for each in ends)  # noqa: PTH120 - plain text, as patterns are
    found = []
    for folder in folders:
        with os.scandir(folder) as entries:
            found += [entry.path for entry in entries if entry.inode() == inode]
    return found


def id_of(path: str) -> Id | None:
    """Return which file *path* shows; None if there is none."""
    try:
        seen = os.stat(path)  # noqa: PTH116 - called often
    except OSError:
        return None
    return (seen.st_dev, seen.st_ino)
