"""Log files of the past, read once from beginning to end."""

import bz2
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import Any, BinaryIO

from exporter.model.lines import LineSplitter

BLOCK = 128 << 10
"""Fits the processor's cache with all that is made of it."""
MAX_LINE = 64 << 10
PART = 128 * BLOCK
"""Bytes of each part of a large file."""
_GZIP, _BZIP2, _ZSTD = b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd"
_LONGEST_MAGIC = 4


NO_ZSTD = "is packed with zstd; reading it needs pip install 'clusterset-exporter[zstd]'"


class ReadError(Exception):
    """A file cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file, or a part of it that can be read by itself."""

    name: str
    """A path, or `-` for standard input."""
    start: int = 0
    """Where it begins in the file, in bytes: a multiple of BLOCK."""
    end: int | None = None
    """Where the next part begins; None for the rest of the file."""


def file_parts(name: str, *, size: int = PART) -> list[FilePart]:
    """
    Cut a file into parts of about *size* bytes, a multiple of BLOCK.

    Together they give the same blocks as the whole file does. What is packed or no regular file
    is one part. So is what cannot be read, because reading it tells why.
    """
    cuts: list[int | None] = [0]
    try:
        with io.FileIO(name) if is_regular(name) else io.BytesIO() as file:
            packed = file.read(_LONGEST_MAGIC).startswith((_GZIP, _BZIP2, _ZSTD))
            ends = range(size, 0 if packed else file.seek(0, os.SEEK_END), size)
            # A line that is too long to be kept may not be cut.
            cuts += [cut for cut in ends if _beginning(file, cut) is not None]
    except OSError:
        cuts = [0]
    return [FilePart(name, start or 0, end) for start, end in pairwise([*cuts, None])]


def read_blocks(
    part: FilePart, *, read: Callable[[int], None], cut: Callable[[], None]
) -> Iterator[bytes]:
    """
    Yield blocks of whole lines of *part*.

    A last line without its end counts as a line. Of a line longer than MAX_LINE nothing is kept.
    A line belongs to the part in which it ends.

    Args:
        part: A file that is gzip is seen by its first bytes.
        read: Told how many bytes were read of the file as it is on disk.
        cut: Told of each line that was too long.

    Raises:
        ReadError: If the file cannot be opened or read.
    """
    name = part.name
    try:
        if name == "-":
            yield from _blocks(sys.stdin.buffer, read, cut)
            return
        with _open(name) as raw:
            yield from _part_blocks(raw, part, read, cut)
    except (OSError, EOFError, zlib.error, getattr(_zstd(), "ZstdError", OSError)) as error:
        told = getattr(error, "strerror", None) or str(error)
        msg = f"{name}: {told[:1].lower()}{told[1:]}"
        raise ReadError(msg) from error


def is_regular(name: str) -> bool:
    """Return whether *name* is a file that can be read twice."""
    return name != "-" and stat.S_ISREG(os.stat(name).st_mode)  # noqa: PTH116 - as it was given


def _beginning(file: BinaryIO | io.RawIOBase, cut: int) -> bytes | None:
    """Return what stands before *cut* of the line there; None if that is too long to be kept."""
    file.seek(cut - MAX_LINE - 1)
    before = file.read(MAX_LINE + 1) or b""
    end = before.rfind(b"\n") + 1
    return before[end:] if end else None


def _part_blocks(
    raw: io.FileIO, part: FilePart, read: Callable[[int], None], cut: Callable[[], None]
) -> Iterator[bytes]:
    if part.start == 0 and part.end is None:
        yield from _file_blocks(raw, read, cut)
        return
    held = _beginning(raw, part.start) if part.start else b""
    raw.seek(part.start)
    yield from _blocks(raw, read, cut, held or b"", part.end and part.end - part.start)


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
    seen = 0

    def unpacked(_: int) -> None:
        nonlocal seen
        if raw.seekable():
            read(raw.tell() - seen)
            seen = raw.tell()

    with io.BufferedReader(raw, BLOCK) as file:
        unpack = _unpacker(file.peek(_LONGEST_MAGIC))
        if unpack is None:
            yield from _blocks(file, read, cut)
            return
        with unpack(file) as plain:
            yield from _blocks(plain, unpacked, cut)


def _unpacker(start: bytes) -> Callable[[BinaryIO], BinaryIO] | None:
    """Return what reads a packed file that begins so; None if it is not packed."""
    if start.startswith(_GZIP):
        return gzip.open  # type: ignore[return-value]
    if start.startswith(_BZIP2):
        return bz2.open  # type: ignore[return-value]
    if not start.startswith(_ZSTD):
        return None
    zstd = _zstd()
    if zstd is None:
        raise OSError(NO_ZSTD)
    return zstd.open  # type: ignore[no-any-return]


def _zstd() -> Any:  # noqa: ANN401 - one of two modules
    try:
        return import_module(
            "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
        )
    except ImportError:
        return None


def _blocks(
    file: BinaryIO | io.RawIOBase | gzip.GzipFile,
    read: Callable[[int], None],
    cut: Callable[[], None],
    held: bytes = b"",
    size: int | None = None,
) -> Iterator[bytes]:
    """Yield blocks of *size* bytes, a multiple of BLOCK; of all that is there if it is None."""
    lines, told, left = LineSplitter(MAX_LINE, held=held), 0, size
    while left != 0 and (part := file.read(BLOCK)):
        left = None if left is None else left - len(part)
        read(len(part))
        if whole := lines.feed(part):
            yield whole
        for _ in range(told, lines.too_long):
            cut()
        told = lines.too_long
    if size is None and (last := lines.finish()):
        yield last
