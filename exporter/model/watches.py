"""How the watched resources of the API server stand."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class WatchState(StrEnum):
    """How a watched resource of the API server stands."""

    LISTING = "listing"
    SYNCED = "synced"
    NOT_INSTALLED = "not_installed"
    """The API server knows no such resource, so there are no such objects."""
    FORBIDDEN = "forbidden"
    FAILING = "failing"
    """What was seen last is kept."""


class Watch(NamedTuple):
    """A watched resource of the API server."""

    resource: str
    state: WatchState
    age: float
    """Seconds since the server last said something; infinite before it did."""
    requests: int
    relists: int
    failures: int
    events: Mapping[str, int]
    """Received events, by type."""
    bad_lines: int
    """Lines of watches that were not a valid event."""
    bad_objects: int
    """Invalid objects received, counted each time."""
    broken: int
    """Objects that make no sense."""
    problem: str
