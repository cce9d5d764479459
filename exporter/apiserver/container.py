"""A container as an API server has it: where its log is, and what its pod tells of it."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRef:
    """The container whose log is read."""

    namespace: str
    pod: str
    container: str

    @property
    def of_pod(self) -> str:
        """Return where the API server has its pod."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}"

    @property
    def path(self) -> str:
        """Return where the API server has its log."""
        return f"{self.of_pod}/log"


def restarts(pod: dict[str, Any], container: str) -> int:
    """Return how often a container was restarted, by its *pod* as the API server has it."""
    count = _status(pod, container).get("restartCount")
    return count if isinstance(count, int) else 0


def created(pod: dict[str, Any]) -> str:
    """Return when a *pod* was created, as it says itself; empty if it does not."""
    about = pod.get("metadata")
    at = about.get("creationTimestamp") if isinstance(about, dict) else None
    return at if isinstance(at, str) else ""


def started(pod: dict[str, Any], container: str) -> str:
    """Return when a container's life of now began, as its *pod* says it; empty if it does not."""
    state = _status(pod, container).get("state")
    running = state.get("running") if isinstance(state, dict) else None
    at = running.get("startedAt") if isinstance(running, dict) else None
    return at if isinstance(at, str) else ""


def _status(pod: dict[str, Any], container: str) -> dict[str, Any]:
    """Return what *pod* says of a container; empty if it says nothing."""
    status = pod.get("status")
    found = status.get("containerStatuses") if isinstance(status, dict) else None
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict) and each.get("name") == container:
            return each
    return {}
