"""Reading a regular file without waiting for anybody, and only up to a size."""

import errno
import os
import stat
from pathlib import Path

# Without O_NONBLOCK, opening a named pipe would wait for its other end.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NOT_REGULAR = "is not a regular file"


class UnsuitableFileError(OSError):
    """
    What stands at a path is not a regular file, or is too large; `strerror` says which.

    `errno` is EFBIG if it is too large, EISDIR for a directory, else EINVAL.
    """


def open_regular(path: Path | str, *, follow: bool = True) -> int:
    """
    Return a descriptor to read the regular file at *path*.

    Args:
        path: The file.
        follow: Follow a link. Files of mounted ConfigMaps and Secrets are links, so only for files
            that this program writes itself it is False.

    Raises:
        UnsuitableFileError: If it is a directory, a pipe, a device, a socket or a forbidden link.
        OSError: If it cannot be opened.
    """
    try:
        descriptor = os.open(path, _FLAGS if follow else _FLAGS | os.O_NOFOLLOW)
    except OSError as error:
        # A socket has ENXIO, and a link ELOOP.
        if error.errno == errno.ENXIO or (error.errno == errno.ELOOP and not follow):
            raise UnsuitableFileError(errno.EINVAL, _NOT_REGULAR, str(path)) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    why = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise UnsuitableFileError(why, _NOT_REGULAR, str(path))


def read_regular(path: Path | str, limit: int, *, follow: bool = True) -> bytes:
    """
    Return the content of the regular file at *path*; see `open_regular`.

    Raises:
        UnsuitableFileError: Also if it has more than *limit* bytes.
        OSError: If it cannot be read.
    """
    with os.fdopen(open_regular(path, follow=follow), "rb") as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise UnsuitableFileError(errno.EFBIG, f"is larger than {limit} bytes", str(path))
    return raw
