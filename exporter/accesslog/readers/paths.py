"""Paths of log files: what patterns stand for, which file a path shows, where else it may be."""

import os
import re
from collections.abc import Sequence
from glob import glob, has_magic

Id = tuple[int, int]
"""Device and inode."""
GZIP = ".gz"
"""What a kubelet adds to the name of a file that it compressed."""
_COMPRESSED = (GZIP, ".bz2", ".xz", ".zst")
_ROTATED = re.compile(r"\.\d{8}-\d{6}")
"""What a kubelet adds to the name of a log file. It compresses all rotated files but the newest."""


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


def rotated(path: str) -> dict[str, Id | None]:
    """Return the files that a kubelet rotated away from *path*, or what that links to, in order."""
    folder, name = os.path.split(os.path.realpath(path))
    try:
        beside = sorted(os.listdir(folder))  # noqa: PTH208 - plain text, as patterns are
    except OSError:
        return {}
    found = (
        each
        for each in beside
        if each.startswith(name) and _ROTATED.fullmatch(each.removesuffix(GZIP)[len(name) :])
    )
    return {path: id_of(path) for path in (os.path.join(folder, each) for each in found)}  # noqa: PTH118


def was_rotated(descriptor: int) -> bool:
    """Return whether an open file has the name of one that a kubelet rotated, or had it last."""
    try:
        name = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - called often
    except OSError:
        return False
    return _ROTATED.search(name[-len(".20060102-150405 (deleted)") :]) is not None


def id_of(path: str) -> Id | None:
    """Return which file *path* shows; None if there is none."""
    try:
        seen = os.stat(path)  # noqa: PTH116 - called often
    except OSError:
        return None
    return (seen.st_dev, seen.st_ino)
