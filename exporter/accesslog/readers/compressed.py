"""Rotated files that a kubelet compressed before they were read to their end."""

import errno
import gzip
import os
import zlib
from contextlib import suppress

from exporter.accesslog.readers.open_file import FilePlace, is_of
from exporter.accesslog.readers.paths import GZIP, Id, rotated
from exporter.files.regular import open_regular

MAX_UNPACKED = 32 << 20
"""Bytes unpacked at a start. They are held in memory. A kubelet rotates at 10 MiB by default."""
_PART = 1 << 20


class CompressedFiles:
    """
    Unpacks the files that were compressed between two processes of an exporter.

    Attributes:
        opened: The compressed files that were unpacked.
    """

    def __init__(self) -> None:
        self.opened: set[Id] = set()
        self._room = MAX_UNPACKED

    def find(self, place: FilePlace) -> int:
        """
        Return a descriptor of the file of *place*, unpacked.

        Raises:
            OSError: If it is not there, or another one may be it as well.
        """
        found: list[tuple[Id, int]] = []
        files = rotated(place.path) if place.tail else {}
        for name, id_ in files.items():
            if id_ is not None and is_alone(name, files):
                # What cannot be unpacked is told when it is its turn to be read.
                with suppress(OSError):
                    found.append((id_, self._unpack(name)))
                    if not is_of(place, found[-1][1]):
                        self._close(found.pop()[1])
        if len(found) != 1:
            for _, descriptor in found:
                self._close(descriptor)
            raise FileNotFoundError(errno.ENOENT, "is not there", place.path)
        ((id_, descriptor),) = found
        self.opened.add(id_)
        return descriptor

    def open(self, name: str, id_: Id) -> int:
        """
        Return a descriptor of what the compressed file *name* holds.

        Raises:
            OSError: If it cannot be unpacked, or holds too much.
        """
        descriptor = self._unpack(name)
        self.opened.add(id_)
        return descriptor

    def _unpack(self, name: str) -> int:
        descriptor = os.memfd_create("log")
        try:
            with os.fdopen(open_regular(name), "rb") as packed, gzip.open(packed) as plain:
                while part := plain.read(_PART):
                    self._hold(part, descriptor)
        except (EOFError, zlib.error) as error:
            self._close(descriptor)
            raise OSError(errno.EIO, str(error)) from error
        except OSError:
            self._close(descriptor)
            raise
        return descriptor

    def _hold(self, part: bytes, descriptor: int) -> None:
        if len(part) > self._room:
            raise OSError(errno.EFBIG, f"more than {MAX_UNPACKED >> 20} MiB are compressed")
        os.write(descriptor, part)
        self._room -= len(part)

    def _close(self, descriptor: int) -> None:
        self._room += os.fstat(descriptor).st_size
        os.close(descriptor)


def is_alone(name: str, files: dict[str, Id | None]) -> bool:
    """Return whether *name* is compressed, and what it was made of is not there any more."""
    return name.endswith(GZIP) and files.get(name.removesuffix(GZIP)) is None
