"""The files of one container at the start of reading, if somebody else read them until then."""

import os
from collections.abc import Container
from contextlib import suppress
from typing import NamedTuple

from exporter.accesslog.readers.first_line import offset_after, stamp_at
from exporter.accesslog.readers.paths import GZIP, Id, rotated
from exporter.apiserver.left_word import ReadUntil
from exporter.apiserver.log_place import is_later, since, unix_of
from exporter.files.regular import open_regular

SHORT = 1.0
"""Seconds of a gap that is not told."""


class Later(NamedTuple):
    """A rotated file with lines that nobody read."""

    id: Id
    descriptor: int
    offset: int
    """Where the first of them begins."""


def later_files(
    path: str, after: ReadUntil, known: Container[Id]
) -> tuple[list[Later], tuple[float, float] | None]:
    """
    Open the rotated files of a container that have lines from *after* on, oldest first.

    A kubelet compresses all rotated files but the newest, or removes them. If what is left begins
    later than *after*, lines may be missing.

    Args:
        path: Of the newest file, which stays closed.
        after: Until when somebody else read.
        known: Files that are open already.

    Returns:
        The files, and between which times lines may be missing, in unix seconds; None if none are.
    """
    stamp, found, before = since(after.at).stamp, list[Later](), rotated(path)
    oldest = b""
    for name, id_ in before.items():
        if id_ is None or name.endswith(GZIP):
            continue
        with suppress(OSError):
            descriptor = open_regular(name)
            oldest = oldest or stamp_at(descriptor, 0)
            size = os.fstat(descriptor).st_size
            offset = offset_after(descriptor, size, stamp)
            if offset < size and id_ not in known:
                found.append(Later(id_, descriptor, offset))
            else:
                os.close(descriptor)
    end = after.at
    if before:
        oldest = oldest or _first_stamp(path)
        if not oldest:
            end = max(end, os.stat(path).st_mtime)  # noqa: PTH116 - plain text, as patterns are
        elif is_later(oldest, stamp):
            end = max(end, unix_of(oldest))
    return found, (after.sure, end) if end - after.sure > SHORT else None


def _first_stamp(path: str) -> bytes:
    descriptor = open_regular(path)
    try:
        return stamp_at(descriptor, 0)
    finally:
        os.close(descriptor)
