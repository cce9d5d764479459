"""Logs whose lines are mostly no access lines, because their format here is probably wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from exporter.accesslog.formats.guess import Guess, guess
from exporter.accesslog.line_reader import MAX_ODD
from exporter.commands.log_formats import advice, mostly_other
from exporter.commands.run.problems import Problems
from exporter.model.traffic import LogCounts

MANY = 100
"""Lines of no format at all that are more than a server's start-up notices."""
WINDOW = 60.0
"""Seconds of lines that are judged together."""
log = structlog.get_logger()


@dataclass(slots=True)
class _Window:
    """The lines of a log source since some moment."""

    start: float
    read: int = 0
    other: int = 0
    odd: list[bytes] = field(default_factory=list)
    bare: bool = False


class LogFormats:
    """
    Shows the log sources of which most lines of a minute were no access lines.

    Args:
        problems: Shows them.
        at: Returns the seconds of the monotonic clock.
    """

    def __init__(self, problems: Problems, at: Callable[[], float]) -> None:
        self._problems, self._at = problems, at
        self._windows: dict[str, _Window] = {}
        self._fitted: set[str] = set()
        """Logs that had access lines in their format."""

    def counted(self, title: str, counts: LogCounts) -> None:
        """Take in lines of a log source."""
        window = self._windows.get(title)
        if window is None:
            window = self._windows[title] = _Window(self._at())
        window.read += counts.read
        window.other += counts.other
        window.odd += counts.odd[: MAX_ODD - len(window.odd)]
        window.bare = window.bare or counts.bare
        self.look(title)

    def look(self, title: str) -> None:
        """Judge the lines of a log source, if a minute has passed since the first of them."""
        window = self._windows.get(title)
        if window is None or self._at() - window.start < WINDOW:
            return
        del self._windows[title]
        if window.other < window.read:
            self._fitted.add(title)
        found = None
        if mostly_other(window.read, window.other):
            found = guess(b"".join(line + b"\n" for line in window.odd), "none")
        never = title not in self._fitted and window.other >= MANY
        if found is not None or (window.odd and never):
            self._show(title, window, found)
        else:
            self._problems.solved(_problem(title))

    def gone(self, title: str) -> None:
        """Forget a log source."""
        self._windows.pop(title, None)
        self._fitted.discard(title)
        self._problems.solved(_problem(title))

    def _show(self, title: str, window: _Window, found: Guess | None) -> None:
        told = advice(window.read, window.other, found, bare=window.bare)
        log.warning(
            "log read in a format that does not fit",
            log=title,
            lines=window.read,
            other=window.other,
            fits=None if found is None else found.form,
        )
        self._problems.problem(_problem(title), told)


def _problem(title: str) -> str:
    return f"lines of {title}"
