"""Reading a small file that an operator wrote, such as a configuration or an inventory."""

import errno
import os
from pathlib import Path
from typing import Any, TypeVar

from exporter.config.yaml_reader import SettingsError, parse_struct
from exporter.files.regular import UnsuitableFileError, read_regular

MAX_BYTES = 1 << 20
"""A larger file is refused, because it is the wrong file."""
T = TypeVar("T")


def read_struct(path: Path, kind: type[T], **hooks: Any) -> T:  # noqa: ANN401 - msgspec's own hooks
    """
    Read the YAML file at *path* as a *kind*.

    Raises:
        SettingsError: In one line: file, line, path in it, what is wrong, what would work.
    """
    return parse_struct(read_text(path), kind, source=str(path), **hooks)


def read_text(path: Path, *, wanted: str = "a YAML file") -> str:
    """
    Return the text of a regular file of at most MAX_BYTES.

    Args:
        path: The file.
        wanted: What it should be, for messages.

    Raises:
        SettingsError: In one line that names the file.
    """
    try:
        raw = read_regular(path, MAX_BYTES)
    except OSError as error:
        msg = f"{path}: {_reason(error, wanted)}"
        raise SettingsError(msg) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        msg = f"{path}:{line}: is not UTF-8 text; save it as UTF-8"
        raise SettingsError(msg) from error


def _reason(error: OSError, wanted: str) -> str:
    if error.errno == errno.ENOENT:
        return "there is no such file"
    if error.errno == errno.EACCES:
        return f"may not be read by user {os.getuid()}; check its permissions"
    if error.errno == errno.EISDIR:
        return f"is a folder; name {wanted}"
    if error.errno == errno.EFBIG:
        return f"is larger than {MAX_BYTES >> 20} MiB; is it the right file?"
    if isinstance(error, UnsuitableFileError):
        return f"{error.strerror}; name {wanted}"
    return error.strerror or str(error)
