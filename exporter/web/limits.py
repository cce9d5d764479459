"""How many connections may be open, and how long each step of one may take."""

from collections import Counter
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one server: numbers of connections, bytes, and seconds."""

    connections: int = 128
    """Open at once. A TLS connection takes about 256 KiB, because asyncio allocates its buffer."""
    connections_by_address: int = 64
    """Open at once from one client address."""
    health_connections: int = 16
    """Open at once beyond the limits above. They may ask only for health and readiness."""
    health_connections_by_address: int = 4
    request: int = 16 << 10
    """Bytes of a request, its body included."""
    handshake_seconds: float = 5.0
    """Time for a TLS handshake."""
    head_seconds: float = 10.0
    """Time from the start of a connection, or the first byte of a request, to the head's end."""
    health_head_seconds: float = 2.0
    """The same for a connection beyond the limits."""
    body_seconds: float = 10.0
    """Time from the end of a request's head to the end of its body."""
    answer_seconds: float = 30.0
    """Time to make an answer, and for the client to read it."""
    idle_seconds: float = 75.0
    """Time between two requests of a connection: longer than the usual scrape interval."""
    linger_seconds: float = 5.0
    """Time for the last bytes of a connection that is being closed."""
    shutdown_seconds: float = 0.3
    """Time for unfinished answers when the server stops."""
    backoff_seconds: float = 0.5
    """Pause after a connection could not be accepted, for example without file descriptors."""


class Place(Enum):
    """What a connection may ask for."""

    ANY = 1
    HEALTH = 2


class Places:
    """Counts open connections, in all and by client address."""

    def __init__(self, limits: Limits) -> None:
        self._most = {
            Place.ANY: (limits.connections, limits.connections_by_address),
            Place.HEALTH: (limits.health_connections, limits.health_connections_by_address),
        }
        self._taken: dict[Place, Counter[str]] = {place: Counter() for place in Place}

    def take(self, address: str) -> Place | None:
        """Count a connection from *address* and return its place; None if no place is free."""
        for place, (in_all, by_address) in self._most.items():
            taken = self._taken[place]
            if taken.total() < in_all and taken[address] < by_address:
                taken[address] += 1
                return place
        return None

    def release(self, address: str, place: Place) -> None:
        """Count a connection from *address* no longer."""
        taken = self._taken[place]
        taken[address] -= 1
        if not taken[address]:
            del taken[address]
