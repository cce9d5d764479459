"""Whether the state directory can be used, and whether strangers can change what is in it."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import structlog

from exporter.config.yaml_reader import SettingsError

IN_A_POD = "KUBERNETES_SERVICE_HOST"
"""Kubernetes sets this variable in each container."""
log = structlog.get_logger()


def check_state_directory(path: Path, environ: Mapping[str, str]) -> None:
    """
    Refuse what is not a directory; warn if every user of the machine may replace files in it.

    Args:
        path: The state directory. If it is missing, the first file creates it.
        environ: The environment. In a pod there is no warning, because Kubernetes creates an
            `emptyDir` writable for everybody, and only containers that mount it can reach it.

    Raises:
        SettingsError: If something else stands there.
    """
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - as the file system says
    except NotADirectoryError:
        mode = stat.S_IFREG
    except OSError:
        # It is missing, or may not be looked at: the first file that is written tells.
        return
    if not stat.S_ISDIR(mode):
        msg = f"state_directory: {path}: is not a directory; name one, or a path that is free"
        raise SettingsError(msg)
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX and IN_A_POD not in environ:
        log.warning(
            "state directory is writable for everybody",
            directory=str(path),
            remedy=f"chmod o-w {path}; everybody may remove or replace the files in it",
        )
