"""How this exporter stands to its cluster's API server and to its other replicas."""

from collections.abc import Iterable
from typing import Protocol

from exporter.model.watches import Watch


class Standing(Protocol):
    """What the page and `/metrics` show of the API server and of leadership."""

    @property
    def worked(self) -> bool:
        """Return whether another replica goes on with what this one has counted."""

    def watches(self) -> Iterable[Watch]:
        """Return the state of the watched resources of the API server."""

    def authentication_errors(self) -> int:
        """Return how often the API server refused our credentials."""

    def waits_for(self) -> str:
        """Return what is missing before there can be an inventory; empty if nothing is."""

    def leadership(self) -> tuple[bool, str] | None:
        """Return whether this replica leads, and who does; None if there is only this one."""


class Alone:
    """An exporter with a static inventory: no API server, no other replica."""

    worked = False
    """Nobody goes on."""

    def watches(self) -> Iterable[Watch]:
        """Return nothing."""
        return ()

    def authentication_errors(self) -> int:
        """Return 0."""
        return 0

    def waits_for(self) -> str:
        """Return nothing."""
        return ""

    def leadership(self) -> tuple[bool, str] | None:
        """Return None, because there is no election."""
        return None
