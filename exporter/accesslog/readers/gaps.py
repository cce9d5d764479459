"""Times of which log lines may be missing, shown for a while, because nothing brings them back."""

from collections import deque
from collections.abc import Callable

from exporter.accesslog.sink import Sink
from exporter.model.moment import iso

SHOWN = 3600.0
"""Seconds for which a gap is shown as a problem."""
MAX_SHOWN = 3
"""Gaps that are shown in words; the others are only counted."""
MAX_KEPT = 1000
GAPS = "gaps in logs"


class Gaps:
    """
    The gaps of the last hour.

    Args:
        sink: Counts gaps, and shows the problem.
        unix: Tells the time.
        of: Ends the name of the problem: whose pods they are.
    """

    def __init__(self, sink: Sink, unix: Callable[[], float], of: str = "") -> None:
        self._what = f"{GAPS}{of}"
        self._sink, self._unix = sink, unix
        self._held: deque[tuple[float, str]] = deque(maxlen=MAX_KEPT)
        """When each gap was found, and its message."""

    def add(self, source: str, pod: str, start: float, end: float) -> None:
        """Report that lines of *pod* between these times, in unix seconds, may be missing."""
        self._sink.log_gap(source, pod, start, end)
        message = f"{pod}: lines from {iso(start)} to {iso(end)} may be missing"
        self._held.append((self._unix(), message))
        self.look()

    def hide(self) -> None:
        """Show nothing until the next look."""
        self._sink.solved(self._what)

    def look(self) -> None:
        """Show what was found within the last hour."""
        while self._held and self._unix() - self._held[0][0] > SHOWN:
            self._held.popleft()
        if not self._held:
            self.hide()
            return
        newest = [message for _, message in list(self._held)[-MAX_SHOWN:]]
        more = len(self._held) - len(newest)
        rest = [f"and {more} more"] if more else []
        self._sink.problem(self._what, "; ".join([*reversed(newest), *rest]))
