"""Annotations of objects, and those of this product that both Services and pods may have."""

from typing import Any

LOG_CONTAINER = "clusterset-exporter/log-container"
"""Names the container that writes the access log."""
LOG_FORMAT = "clusterset-exporter/log-format"
"""Says how the lines of the access log look."""


def annotations_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return the annotations of an object; none if it is not like an object."""
    return as_object(as_object(found.get("metadata")).get("annotations"))


def as_object(value: object) -> dict[str, Any]:
    """Return *value* if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}
