"""Kubernetes Events of the core API, which `kubectl describe` reads: plain values."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from exporter.model.moment import LAST
from exporter.model.service_events import WARNINGS, ServiceEvent

COMPONENT = "clusterset-exporter"
MAX_NOTE = 1024
"""Bytes of a message that the API server accepts."""
MAX_INSTANCE = 128


def event_name(event: ServiceEvent, uid: str) -> str:
    """
    Return the name of the Event for *event* of the Service with this UID.

    It is the same for all events that are shown as one, also if another replica wrote the first.
    """
    about = f"{uid}\n{event.key.reason}\n{event.key.other}"
    return f"{event.key.service.name}.{sha256(about.encode()).hexdigest()[:16]}"


def created(event: ServiceEvent, uid: str, instance: str, times: int) -> dict[str, Any]:
    """
    Return the Event to create.

    Args:
        event: What happened.
        uid: The UID of the Service; `kubectl describe` finds its Events by it.
        instance: Which replica of the exporter says it.
        times: How often it happened so far.
    """
    service, reason = event.key.service, event.key.reason
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": event_name(event, uid), "namespace": service.namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Service",
            "namespace": service.namespace,
            "name": service.name,
            "uid": uid,
        },
        "type": "Warning" if reason in WARNINGS else "Normal",
        "reason": reason,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": instance[:MAX_INSTANCE],
        "firstTimestamp": _stamp(event.unix),
        "count": times,
        **happened_again(event),
    }


def happened_again(event: ServiceEvent, times: int | None = None) -> dict[str, Any]:
    """Return what changes in an Event that is there, with *times* as its count if that is known."""
    changed = {"message": note(event.text), "lastTimestamp": _stamp(event.unix)}
    return changed if times is None else changed | {"count": times}


def count_of(found: Mapping[str, Any]) -> int:
    """Return how often an Event happened; 1 if it does not say it."""
    count = found.get("count")
    return count if isinstance(count, int) and count > 0 else 1


def note(text: str) -> str:
    """Return *text*, cut to what the API server accepts."""
    raw = text.encode()
    return text if len(raw) <= MAX_NOTE else f"{raw[: MAX_NOTE - 3].decode(errors='ignore')}..."


def _stamp(unix: float) -> str:
    return f"{datetime.fromtimestamp(min(max(unix, 0.0), LAST), UTC):%Y-%m-%dT%H:%M:%SZ}"
