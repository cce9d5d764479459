"""The name of a replica, which a process that is started again in the same pod keeps."""

import secrets
from pathlib import Path

import msgspec
import structlog

from exporter.commands.run.handover import write_file
from exporter.files.regular import read_regular

FILE = "replica.json"
MAX_BYTES = 4096

log = structlog.get_logger()


class _Mark(msgspec.Struct, frozen=True):
    uid: str
    token: str


def replica_name(pod: str, uid: str, directory: Path | None) -> str:
    """
    Return the name of this replica, and leave its token for a process that is started later.

    A container that was killed finds its own Lease by it, and need not wait until that is over.
    Only one container of a pod runs at a time, so no two processes have the same name. Blocks.

    Args:
        pod: The name of our pod, which may come again.
        uid: The UID of our pod; empty if it is not known, and then each process is another replica.
        directory: The state directory; None if there is none.
    """
    token = secrets.token_hex(4)
    if uid and directory is not None:
        token = _kept(directory / FILE, _Mark(uid, token))
    return f"{pod}_{token}"


def _kept(path: Path, new: _Mark) -> str:
    """Return the token that a process before left in this pod; leave a *new* one if none did."""
    try:
        raw = read_regular(path, MAX_BYTES, follow=False)
        mark = msgspec.json.decode(raw, type=_Mark)
        if mark.uid == new.uid and mark.token:
            return mark.token
    except (OSError, ValueError, RecursionError):
        # There is none, or it is of no use: this replica is a new one.
        pass
    try:
        write_file(path, msgspec.json.encode(new).decode())
    except OSError as error:
        log.warning("replica file cannot be written", error=f"{path}: {error.strerror}")
    return new.token
