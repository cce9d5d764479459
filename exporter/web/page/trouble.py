"""What is wrong with a service of `/api/v1/status`, besides who serves it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from exporter.model.traffic import RECENT
from exporter.model.verdicts import Locality, Mode

FAILING_FROM = 0.01
"""Share of the newest client requests with 5xx from which a service is in trouble."""
_AGO = f"in the last {RECENT / 60:.0f} minutes"


class RequestTrouble(NamedTuple):
    """What is wrong with the client requests of the last minutes."""

    leaks: Mapping[str, int]
    """Leaks by source."""
    failures: int
    """Requests with 5xx; 0 if they are too few to be trouble."""
    requests: int

    @property
    def any(self) -> bool:
        """Return whether somebody should look at them."""
        return bool(self.leaks or self.failures)

    def words(self) -> Iterator[str]:
        """Yield each trouble in words."""
        if self.leaks:
            sources = " and ".join(sorted(self.leaks))
            leaked = _requests(sum(self.leaks.values()))
            yield f"{leaked} of clients in {sources} leaked here {_AGO}"
        if self.failures:
            yield f"{self.failures:,} of {_requests(self.requests)} of clients got 5xx {_AGO}"


def recent(service: Mapping[str, Any]) -> RequestTrouble:
    """Return what is wrong with the newest client requests for *service*."""
    rows, leaks = service["requests"], Counter[str]()
    for each in rows:
        if each["locality"] == Locality.LEAK and each["recent_requests"]:
            leaks[each["source_cluster"]] += each["recent_requests"]
    failures = sum(each["recent_failures"] for each in rows)
    requests = sum(each["recent_requests"] for each in rows)
    return RequestTrouble(leaks, failures if failures >= FAILING_FROM * requests else 0, requests)


def lacks_standby(service: Mapping[str, Any]) -> bool:
    """Return whether a service is served, and nobody would take over."""
    return bool(service["serving"]) and not service["standby_clusters"]


def in_trouble(service: Mapping[str, Any]) -> bool:
    """Return whether somebody should look at *service*."""
    others = bool(service["hazards"]) or lacks_standby(service) or recent(service).any
    return service["mode"] != Mode.LOCAL or others


def _requests(number: int) -> str:
    return f"{number:,} request{'' if number == 1 else 's'}"
