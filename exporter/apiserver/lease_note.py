"""What the holder of a Lease leaves on it for the next one: one annotation."""

from datetime import datetime
from typing import Any

ANNOTATION = "clusterset-exporter.io/handover"


def note_of(lease: dict[str, Any]) -> str:
    """Return the note on *lease*; empty if there is none."""
    note = _annotations(lease).get(ANNOTATION)
    return note if isinstance(note, str) else ""


def with_note(lease: dict[str, Any], note: str) -> dict[str, Any]:
    """Return *lease* with another note; the same lease if *note* is empty."""
    if not note:
        return lease
    annotations = _annotations(lease) | {ANNOTATION: note}
    return lease | {"metadata": _object(lease.get("metadata")) | {"annotations": annotations}}


def renewed_at(spec: dict[str, Any]) -> float | None:
    """Return when a Lease was renewed last, in unix seconds; None if it does not say."""
    try:
        return datetime.fromisoformat(spec["renewTime"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _annotations(lease: dict[str, Any]) -> dict[str, Any]:
    return _object(_object(lease.get("metadata")).get("annotations"))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
