"""How many connections may be open, and how long each step of one may take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from itertools import chain, count
from operator import itemgetter
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one server: numbers of connections, bytes, and seconds."""

    silent_connections: int = 512
    """Open at once without having sent a byte. Each takes only a file descriptor."""
    silent_connections_by_address: int = 256
    connections: int = 128
    """Open at once beyond those. Each takes up to 200 KiB: buffers of TLS and of its answer."""
    connections_by_address: int = 64
    """
    Open at once from one client address. It is half of all, because a kubelet, a Prometheus and
    others may have one address, that of their node.
    """
    health_connections: int = 32
    """
    Open at once beyond the limits above. They may ask only for health and readiness, unless one
    that has asked for nothing yet can make room.
    """
    health_connections_by_address: int = 8
    request: int = 16 << 10
    """Bytes of a request, its body included."""
    unread: int = 8 << 10
    """Bytes of an answer that wait in this process for a client to read those before."""
    kernel_unread: int = 16 << 10
    """The same in the kernel, which may take twice as much."""
    handshake_seconds: float = 5.0
    """Time for the first byte of a TLS handshake, and for the handshake."""
    head_seconds: float = 10.0
    """Time from the start of a connection, or the first byte of a request, to the head's end."""
    health_head_seconds: float = 2.0
    """The same for a connection beyond the limits."""
    body_seconds: float = 10.0
    """Time from the end of a request's head to the end of its body."""
    answer_seconds: float = 30.0
    """Time to make an answer, and for the client to read it."""
    stalled_seconds: float = 10.0
    """Time in which the client has to read some of its answer."""
    slow_seconds: float = 1.0
    """Time without reading, after which a connection may be closed to make room for another."""
    fresh_seconds: float = 0.5
    """Time in which a new connection is the last one to be closed to make room for another."""
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

    SILENT = 0
    """Nothing yet: it has not sent a byte."""
    ANY = 1
    HEALTH = 2


class WaitsFor(IntEnum):
    """How little a connection loses if it is closed to make room; the least comes first."""

    NO_REQUEST = 1
    """It has had time to send the head of a request, and has not done so."""
    NEXT_REQUEST = 2
    """It was answered, and the next request has not come yet."""
    READER = 3
    """Its client has read nothing of its answer for a while."""
    FIRST_REQUEST = 4
    """It began a moment ago, and its first request is probably on its way."""
    LOOP = 5
    """Bytes of its handshake or its first request have come, and a busy event loop reads them."""


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
    silent connections open, or does not read its answers, keeps nobody out for long, not even other
    clients at the same address.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = {
            Place.SILENT: (limits.silent_connections, limits.silent_connections_by_address),
            Place.ANY: (limits.connections, limits.connections_by_address),
            Place.HEALTH: (limits.health_connections, limits.health_connections_by_address),
        }
        self._taken: dict[Place, dict[str, dict[Guest, int]]] = {place: {} for place in Place}
        """The guests by address, with their number: the oldest has the lowest."""
        self._numbers = count()

    def enter(self, guest: Guest) -> bool:
        """Count *guest* as silent; return False if no place is free or can be made free."""
        return self._take(guest, Place.SILENT)

    def take(self, guest: Guest) -> Place | None:
        """Return the place of *guest*, which is silent no longer; None if there is none."""
        self.release(guest, Place.SILENT)
        for place in (Place.ANY, Place.HEALTH):
            if self._take(guest, place, WaitsFor.READER):
                return place
        # Only then one of those leaves whose first request is probably on its way.
        places = sorted((Place.ANY, Place.HEALTH), key=self._fresh, reverse=True)
        return next((each for each in places if self._take(guest, each)), None)

    def promote(self, guest: Guest) -> bool:
        """Give *guest* a place for any request instead of health; return False if none is left."""
        if not self._take(guest, Place.ANY, WaitsFor.FIRST_REQUEST):
            return False
        self.release(guest, Place.HEALTH)
        return True

    def _fresh(self, place: Place) -> int:
        guests = chain.from_iterable(self._taken[place].values())
        fresh = {WaitsFor.FIRST_REQUEST, WaitsFor.LOOP}
        return sum(guest.waits() in fresh for guest in guests)

    def _take(self, guest: Guest, place: Place, most: WaitsFor = WaitsFor.LOOP) -> bool:
        taken, (in_all, by_address) = self._taken[place], self._most[place]
        own = taken.get(guest.address, {})
        if not in_all or not by_address:
            return False
        if len(own) >= by_address:
            free = self._make_room([own], place, most)
        elif sum(map(len, taken.values())) >= in_all:
            busiest = sorted(taken.values(), key=len, reverse=True)
            free = self._make_room(busiest, place, most)
        else:
            free = True
        if free:
            taken.setdefault(guest.address, {})[guest] = next(self._numbers)
        return free

    def _make_room(
        self, addresses: Iterable[Mapping[Guest, int]], place: Place, most: WaitsFor
    ) -> bool:
        """
        Let the guest leave that loses least, of the address with most; return False if none can.

        Args:
            addresses: The guests of each address, those with most first.
            place: What they have.
            most: The most that the guest may lose.
        """
        found: list[tuple[WaitsFor, int, int, Guest]] = []
        for guests in addresses:
            waiting = [(waits, guest) for guest in guests if (waits := guest.waits()) is not None]
            waiting = [each for each in waiting if each[0] <= most]
            if not waiting:
                continue
            waits, chosen = min(waiting, key=itemgetter(0))
            if waits is WaitsFor.NO_REQUEST:
                found = [(waits, 0, 0, chosen)]
                break
            # A health check that has just come loses no place because of its neighbours behind
            # the same address that are being answered.
            alike = sum(each is waits for each, _ in waiting)
            found.append((waits, -alike, guests[chosen], chosen))
        if not found:
            return False
        *_, chosen = min(found, key=itemgetter(0, 1, 2))
        self.release(chosen, place)
        chosen.leave()
        return True

    def release(self, guest: Guest, place: Place) -> None:
        """Count *guest* no longer, if it is counted."""
        own = self._taken[place].get(guest.address, {})
        own.pop(guest, None)
        if not own:
            self._taken[place].pop(guest.address, None)
