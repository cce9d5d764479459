"""Log files of the past, read once from beginning to end."""

import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from exporter.model.lines import LineSplitter

BLOCK = 128 << 10
"""Fits the processor's cache with all that is made of it."""
MAX_LINE = 64 << 10
_GZIP = b"\x1f\x8b"


class ReadError(Exception):
    """A file cannot be read; the message says which and why."""


def read_blocks(
    files: Sequence[str], *, read: Callable[[int], None], cut: Callable[[], None]
) -> Iterator[bytes]:
    """
    Yield blocks of whole lines of all *files*, one after the other.

    A last line without its end counts as a line. Of a line longer than MAX_LINE nothing is kept.

    Args:
        files: Paths; gzip is seen by its first bytes, `-` is standard input.
        read: Told how many bytes were read of the file as it is on disk.
        cut: Told of each line that was too long.

    Raises:
        ReadError: If a file cannot be opened or read.
    """
    for name in files:
        try:
            if name == "-":
                yield from _blocks(sys.stdin.buffer, read, cut)
                continue
            with _open(name) as raw:
                yield from _file_blocks(raw, read, cut)
        except (OSError, EOFError, zlib.error) as error:
            told = getattr(error, "strerror", None) or str(error)
            msg = f"{name}: {told[:1].lower()}{told[1:]}"
            raise ReadError(msg) from error


def _open(name: str) -> io.FileIO:
    """Open a file, or a pipe such as that of `<(...)`, whose other end is waited for."""
    kind = os.stat(name).st_mode  # noqa: PTH116 - of a name as it was given
    if not (stat.S_ISREG(kind) or stat.S_ISFIFO(kind) or stat.S_ISDIR(kind)):
        msg = f"{name}: is neither a file nor a pipe"
        raise ReadError(msg)
    return io.FileIO(name)


def _file_blocks(
    raw: io.FileIO, read: Callable[[int], None], cut: Callable[[], None]
) -> Iterator[bytes]:
    start = raw.read(len(_GZIP))
    if raw.seekable():
        raw.seek(0)
        start_left = b""
    else:
        start_left = start
    if start != _GZIP:
        yield from _blocks(raw, read, cut, start_left)
        return
    seen = 0

    def unpacked(_: int) -> None:
        nonlocal seen
        read(raw.tell() - seen)
        seen = raw.tell()

    with gzip.open(raw) as file:
        yield from _blocks(file, unpacked, cut)


def _blocks(
    file: BinaryIO | io.RawIOBase | gzip.GzipFile,
    read: Callable[[int], None],
    cut: Callable[[], None],
    held: bytes = b"",
) -> Iterator[bytes]:
    lines, told = LineSplitter(MAX_LINE, held=held), 0
    while part := file.read(BLOCK):
        read(len(part))
        if whole := lines.feed(part):
            yield whole
        for _ in range(told, lines.too_long):
            cut()
        told = lines.too_long
    if last := lines.finish():
        yield last
