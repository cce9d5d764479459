"""
Which of a node's log files are read, and from where on: those of pods behind exported services.

How long the others are is remembered at each look, so that one whose service is exported later is
read from there on, and not from long before. A pod that comes to a service that is exported already
is read from its beginning: it may serve before we are told of it.
"""

import os
from collections.abc import Callable, Collection, Sequence

from exporter.accesslog.pod_logs import WantedLogs, read_file_name
from exporter.accesslog.readers.paths import Id
from exporter.apiserver.left_word import ReadUntil


class Chosen:
    """
    What is chosen, told by one thread and used by another: each attribute is replaced as a whole.

    Attributes:
        names: Namespace and name of the pods behind exported services.
        late: Those of *names* that came after their service was exported. Told before *names*.
        logs: The containers wanted.
        known: Those of *names* of which it is known which containers are wanted.
        present: Those of *names* that have a file here.
        after: If reading begins anew: from which line on. None: each file is read from its end on.
        before: Until when somebody else read these lines; None: nobody did.
        missing: Called by `tell_gaps` with a path, and two times between which its lines may be
            missing, in unix seconds.
    """

    def __init__(self) -> None:
        self.names: Collection[tuple[str, str]] = frozenset()
        self.late: Collection[tuple[str, str]] = frozenset()
        self.logs: WantedLogs = {}
        self.known: Collection[tuple[str, str]] = frozenset()
        self.present: frozenset[tuple[str, str]] = frozenset()
        self.after: ReadUntil | None = None
        self.before: ReadUntil | None = None
        self.missing: Callable[[str, float, float], None] = lambda *_: None
        self._sizes: dict[str, tuple[Id, int]] = {}
        """At the newest look, of files that are not open."""
        self._at_first: dict[str, tuple[Id, int]] = {}
        """At the first look, if files are read from their end on."""
        self.freeze()

    def begin_after(self, before: ReadUntil | None, began: float) -> None:
        """Begin where somebody else stopped; if nobody read before, at *began* in unix seconds."""
        self.before, self.after = before, before or ReadUntil(began, began)

    def freeze(self) -> None:
        """Go by what is told now until this is called again: one look has to go by one thing."""
        self._logs = self.logs
        self._waiting = frozenset(self.names).difference(self.known)
        # Read last, because it is told first.
        self._late = self.late

    def look(self, paths: Sequence[str]) -> None:
        """Find out which pods have files among *paths*."""
        self.present = frozenset(filter(None, map(_pod, paths))).intersection(self.names)

    def pick(self, paths: Sequence[str], *, from_end: bool) -> list[str]:
        """
        Return which of *paths* to open.

        Args:
            paths: All that there are.
            from_end: Read what is there already from its end on.
        """
        self.look(paths)
        picked, sizes = list[str](), dict[str, tuple[Id, int]]()
        for path in paths:
            if self.is_open(path):
                picked.append(path)
                if not from_end:
                    if path in self._sizes:
                        sizes[path] = self._sizes[path]
                    continue
            if (seen := _seen(path)) is not None:
                sizes[path] = seen
        self._sizes = sizes
        kept = sizes if from_end else self._at_first
        self._at_first = {path: kept[path] for path in kept.keys() & sizes.keys()}
        return picked

    def is_open(self, path: str) -> bool:
        """Return whether the file at *path* is to be held open."""
        return self.is_wanted(path) or self.is_waiting(path)

    def is_wanted(self, path: str) -> bool:
        """Return whether the file at *path* is to be read."""
        file = read_file_name(path)
        return file is not None and (file.namespace, file.pod, file.container) in self._logs

    def is_waiting(self, path: str) -> bool:
        """Return whether it is not known yet if the file at *path* is to be read."""
        return _pod(path) in self._waiting

    def begin(self, path: str, id_: Id) -> int:
        """
        Return from where on to read the file that *path* shows now; once for each path.

        A file that is opened there later is a newer one. It may have the number of an old one that
        was removed.
        """
        newest, first = self._sizes.pop(path, (id_, 0)), self._at_first.pop(path, (id_, 0))
        known, size = first if _pod(path) in self._late else newest
        return size if known == id_ else 0


def _pod(path: str) -> tuple[str, str] | None:
    file = read_file_name(path)
    return None if file is None else (file.namespace, file.pod)


def _seen(path: str) -> tuple[Id, int] | None:
    try:
        seen = os.stat(path)  # noqa: PTH116 - called often
    except OSError:
        return None
    return (seen.st_dev, seen.st_ino), seen.st_size
