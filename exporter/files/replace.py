"""Files that this program writes itself: they are replaced as a whole, or set aside."""

import os
from contextlib import suppress
from pathlib import Path

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_file(path: Path, raw: bytes) -> None:
    """
    Replace the file at *path* by one with *raw*, to the disk. Blocks.

    No reader sees half of it, a link at *path* is replaced and not followed, and only our user may
    read it. The directory is created if only it is missing. Two threads must not replace the same
    file at once.

    Raises:
        OSError: If that fails. What stands at *path* is whole, and nothing else is left.
    """
    fresh = path.with_suffix(f".{os.getpid()}.new")
    try:
        path.parent.mkdir(exist_ok=True)
        # A process that was killed may have left one; the process number is used again.
        fresh.unlink(missing_ok=True)
        _write(fresh, raw)
        fresh.replace(path)
        _sync(path.parent)
    except OSError:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def set_aside(path: Path) -> str:
    """Rename what stands at *path* to `.bad`, whatever it is; return what became of it."""
    aside = path.with_suffix(".bad")
    try:
        path.replace(aside)
    except OSError as error:
        return f"cannot be set aside: {error.strerror}"
    return f"set aside as {aside.name}"


def _write(path: Path, raw: bytes) -> None:
    """Write a new file, to the disk."""
    with os.fdopen(os.open(path, _CREATE, 0o600), "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    """Write to the disk which names a directory holds."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
