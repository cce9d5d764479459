"""What stands on a Lease beside its spec: a note for the next holder, and an owner."""

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


def owner_of(config_map: dict[str, Any]) -> dict[str, str] | None:
    """Return a reference to *config_map* as the owner of a Lease; None if it is not like one."""
    metadata = as_object(config_map.get("metadata"))
    name, uid = metadata.get("name"), metadata.get("uid")
    if not (name and isinstance(name, str) and uid and isinstance(uid, str)):
        return None
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid}


def with_owner(lease: dict[str, Any], owner: dict[str, str] | None) -> dict[str, Any]:
    """
    Return *lease* with *owner* among its owners; the same lease if that is None.

    The cluster removes a Lease once none of its owners exists. An owner of the same name with
    another UID is replaced, because it is one that was deleted.
    """
    if owner is None:
        return lease
    metadata = as_object(lease.get("metadata"))
    owners = metadata.get("ownerReferences")
    others = [
        each
        for each in (owners if isinstance(owners, list) else ())
        if not (isinstance(each, dict) and _is_of(each) == _is_of(owner))
    ]
    return lease | {"metadata": metadata | {"ownerReferences": [*others, owner]}}


def _is_of(reference: dict[str, Any]) -> tuple[Any, Any]:
    return reference.get("kind"), reference.get("name")
