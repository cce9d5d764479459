"""What the holder of a Lease leaves on it for the next one: one annotation."""

from datetime import datetime
from typing import Any

from exporter.apiserver.annotations import annotations_of, as_object

ANNOTATION = "clusterset-exporter.io/handover"


def note_of(lease: dict[str, Any]) -> str:
    """Return the note on *lease*; empty if there is none."""
    note = annotations_of(lease).get(ANNOTATION)
    return note if isinstance(note, str) else ""


def with_note(lease: dict[str, Any], note: str) -> dict[str, Any]:
    """Return *lease* with another note; the same lease if *note* is empty."""
    if not note:
        return lease
    annotations = annotations_of(lease) | {ANNOTATION: note}
    return lease | {"metadata": as_object(lease.get("metadata")) | {"annotations": annotations}}


def renewed_at(spec: dict[str, Any]) -> float | None:
    """Return when a Lease was renewed last, in unix seconds; None if it does not say."""
    try:
        return datetime.fromisoformat(spec["renewTime"]).timestamp()
    except (LookupError, TypeError, ValueError, OverflowError, OSError):
        return None
