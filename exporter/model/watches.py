"""The states of the watched resources of the API server."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class WatchState(StrEnum):
    """The state of a watched resource of the API server."""

    LISTING = "listing"
    SYNCED = "synced"
    NOT_INSTALLED = "not_installed"
    """The API server knows no such resource, so there are no such objects."""
    FORBIDDEN = "forbidden"
    FAILING = "failing"
    """The objects that were seen last are kept."""


class Watch(NamedTuple):
    """A watched resource of the API server."""

    resource: str
    state: WatchState
    age: float
    """Seconds since the server last sent something; infinite before the first time."""
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
    """Objects that are invalid now."""
    problem: str
