"""How many connections may be open, and how long each step of one may take."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from operator import itemgetter
from typing import Protocol


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


class WaitsFor(IntEnum):
    """How little a connection loses if it is closed to make room; the least comes first."""

    NO_REQUEST = 1
    """It has not sent the whole head of a request yet."""
    NEXT_REQUEST = 2
    """It was answered, and the next request has not come yet."""


class Guest(Protocol):
    """An open connection."""

    address: str
    """The address of the client."""

    def waits(self) -> WaitsFor | None:
        """Return what it waits for; None if it is being answered."""

    def leave(self) -> None:
        """Close the connection at once."""


class Places:
    """
    Counts open connections, in all and by client address.

    If all places are taken, a connection that only waits leaves for a new one. So whoever holds
    silent connections open keeps nobody out, not even other clients at the same address.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = {
            Place.ANY: (limits.connections, limits.connections_by_address),
            Place.HEALTH: (limits.health_connections, limits.health_connections_by_address),
        }
        self._taken: dict[Place, dict[str, dict[Guest, None]]] = {place: {} for place in Place}

    def take(self, guest: Guest) -> Place | None:
        """Count *guest* and return its place; None if no place is free or can be made free."""
        for place, (in_all, by_address) in self._most.items():
            taken = self._taken[place]
            own = taken.get(guest.address, {})
            if len(own) >= by_address:
                free = self._leaves(own, place)
            elif sum(map(len, taken.values())) >= in_all:
                free = any(self._leaves(each, place) for each in sorted(taken.values(), key=_few))
            else:
                free = True
            if free and in_all and by_address:
                taken.setdefault(guest.address, {})[guest] = None
                return place
        return None

    def _leaves(self, guests: Mapping[Guest, None], place: Place) -> bool:
        """Let the one of *guests* leave that loses least, the oldest first; False if none can."""
        waiting = ((waits, guest) for guest in guests if (waits := guest.waits()) is not None)
        _, chosen = min(waiting, key=itemgetter(0), default=(None, None))
        if chosen is None:
            return False
        self.release(chosen, place)
        chosen.leave()
        return True

    def release(self, guest: Guest, place: Place) -> None:
        """Count *guest* no longer, if it is counted."""
        own = self._taken[place].get(guest.address, {})
        own.pop(guest, None)
        if not own:
            self._taken[place].pop(guest.address, None)


def _few(guests: Mapping[Guest, None]) -> int:
    return -len(guests)
