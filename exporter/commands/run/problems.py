"""The problems that the page and `/api/v1/status` show while they last."""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

import structlog

from exporter.discover.findings import Finding
from exporter.model.watches import Watch, WatchState

DISCOVERY = "discovery"
MAX_FINDINGS = 20
"""Findings that are shown."""
MAX_MESSAGES = 3
"""Problems of a group that are shown in words; the others are only counted."""
STALE_INVENTORY = "inventory is stale"
"""The problem that stands for all watches that fail."""
_FAILED = frozenset({WatchState.FAILING, WatchState.FORBIDDEN})

log = structlog.get_logger()


class Problems:
    """
    The problems of now, each by what it is about.

    Args:
        unix: Returns the time in unix seconds.
        count_findings: Called with the number of findings by kind, 0 for a kind that has ended.
    """

    def __init__(
        self, unix: Callable[[], float], count_findings: Callable[[Mapping[str, int]], None]
    ) -> None:
        self._unix, self._count_findings = unix, count_findings
        self._started = unix()
        self._held: dict[str, tuple[str, float]] = {}
        self._findings: dict[str, frozenset[Finding]] = {}
        """By who found them."""
        self._found_at: dict[tuple[str, str], float] = {}
        """When each finding began, by its kind and what it is about."""

    def problem(self, what: str, message: str) -> None:
        """Show a problem until it is solved; it keeps the time at which it began."""
        _, since = self._held.get(what, ("", self._unix()))
        self._held[what] = (message, since)

    def solved(self, what: str) -> None:
        """Stop showing a problem."""
        self._held.pop(what, None)

    def shows(self, what: str) -> bool:
        """Return whether there is a problem called *what* now."""
        return what in self._held

    def is_shown(self, what: str, message: str) -> bool:
        """Return whether this problem is shown in these words."""
        return self._held.get(what, ("",))[0] == message

    def found(self, findings: Iterable[Finding]) -> None:
        """Replace the findings of discovery, and log those that are new."""
        held = frozenset(findings)
        for kind, about, text in sorted(held - self._findings.get(DISCOVERY, frozenset())):
            log.warning("discovery found a problem", kind=kind, about=about, text=text)
        self.set_findings(DISCOVERY, held)

    def set_findings(self, source: str, findings: Iterable[Finding]) -> None:
        """Replace the findings of *source*. A finding keeps the time at which it began."""
        before = self._all_findings()
        self._findings[source] = frozenset(findings)
        held = self._all_findings()
        if held == before:
            return
        counts = Counter(finding.kind for finding in held)
        self._count_findings({each.kind: counts[each.kind] for each in held | before})
        known, now = self._found_at, self._unix()
        self._found_at = {each[:2]: known.get(each[:2], now) for each in held}

    def shown(self, watches: Iterable[Watch]) -> Iterator[Mapping[str, Any]]:
        """Yield all problems, those of failing *watches* included; `since` is in unix seconds."""
        now, watches = self._unix(), tuple(watches)
        for what, (message, since) in self._held.items():
            why = _why(watches) if what == STALE_INVENTORY else ""
            yield {"what": what, "message": message + why, "since": since}
        for watch in watches:
            if watch.state is WatchState.FAILING and STALE_INVENTORY in self._held:
                continue
            if watch.state in _FAILED:
                since = now - watch.age if isfinite(watch.age) else self._started
                what = f"watch of {watch.resource}"
                yield {"what": what, "message": watch.problem, "since": since}
        for kind, about, text in sorted(self._all_findings())[:MAX_FINDINGS]:
            since = self._found_at[kind, about]
            yield {"what": f"{kind} {about}", "message": text, "since": since}

    def _all_findings(self) -> frozenset[Finding]:
        return frozenset[Finding]().union(*self._findings.values())


def _why(watches: Iterable[Watch]) -> str:
    """Return what the first watch that fails says, to be put after a message."""
    failing = [watch.problem for watch in watches if watch.state in _FAILED and watch.problem]
    return f" ({failing[0]})" if failing else ""


class ProblemGroup:
    """
    The problems of several logs, shown as one.

    Args:
        problems: Where the group is shown.
        what: What the shown problem is called.
    """

    def __init__(self, problems: Problems, what: str) -> None:
        self._problems, self._what = problems, what
        self._held: dict[Hashable, str] = {}

    def set_message(self, key: Hashable, message: str) -> None:
        """Show why *key* cannot be read; an empty *message* shows nothing for it."""
        if self._held.get(key, "") == message:
            return
        if message:
            log.warning("log cannot be read", error=message)
            self._held[key] = message
        else:
            log.info("log can be read again", before=self._held.pop(key))
        self._show()

    def keep(self, keys: Collection[Hashable]) -> None:
        """Forget all but these."""
        if self._held.keys() - keys:
            self._held = {key: message for key, message in self._held.items() if key in keys}
            self._show()

    def _show(self) -> None:
        if not self._held:
            self._problems.solved(self._what)
            return
        more = len(self._held) - MAX_MESSAGES
        shown = list(self._held.values())[:MAX_MESSAGES]
        rest = [f"and {more} more"] if more > 0 else []
        self._problems.problem(self._what, "; ".join([*shown, *rest]))
