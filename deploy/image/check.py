"""
Say what should not be in the image: files that give rights, and files that others may change.

Usage: check.py FILE.tar, as deploy/image/export writes it. Exit code 1 if something is found.
"""

import stat
import sys
import tarfile
from collections.abc import Iterator

_SET = stat.S_ISUID | stat.S_ISGID
_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_TOOLS = frozenset(
    ["apt", "apt-get", "cc", "dpkg", "gcc", "make", "pip", "pip3", "uv", "curl", "wget"]
)
"""Programs to build, install or fetch with."""
_SCRATCH = ("tmp", "var/tmp", "run/lock")
"""Folders of the base that everybody may write to. A pod mounts the whole root read-only."""


def findings(archive: tarfile.TarFile) -> Iterator[str]:
    """Yield a line for each file that should not be there."""
    for each in archive:
        name = each.name.removeprefix("./").strip("/")
        folder, _, program = name.rpartition("/")
        if name in _SCRATCH or not (each.isfile() or each.islnk() or each.isdir()):
            continue
        if each.mode & _SET and not each.isdir():
            yield f"{name}: has the setuid or setgid bit"
        if each.mode & stat.S_IWOTH:
            yield f"{name}: everybody may write to it"
        if name.startswith("app/") and (each.uid or each.mode & _OTHERS):
            yield f"{name}: others than root may change it"
        if folder.endswith("bin") and program in _TOOLS:
            yield f"{name}: installs, builds or fetches"


def main() -> None:
    """Print the findings."""
    with tarfile.open(sys.argv[1]) as archive:
        found = list(findings(archive))
    print("\n".join(found) or "no setuid file, none that others may change, no tools")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
