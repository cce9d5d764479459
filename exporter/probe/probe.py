"""One probe: one look-up, then one request to its addresses, within a time limit."""

from collections.abc import Awaitable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from exporter.model import probes as model
from exporter.model.clusterset import Address
from exporter.model.probes import Answer, Failure, Lookup, Probe, Question, Reply, Vantage
from exporter.probe.drivers.waits import together
from exporter.probe.http import Request
from exporter.probe.resolve import Server
from exporter.probe.tcp import TcpRequest

MAX_ADDRESSES = 16
"""Of a headless service that are asked by one probe; of more, others at the next one."""

CHANCE = Random()  # noqa: S311 - nothing secret depends on it


TargetKey = tuple[Question, Lookup, Server | None]
"""What makes a target the same in another configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One name to probe."""

    question: Question
    name: str
    """The absolute DNS name."""
    port: int | None
    """Of the service; None if it is not known."""
    request: Request | TcpRequest | None
    """None: DNS only."""
    interval: float
    """Seconds."""
    every_address: bool = False
    """Ask each address that is answered, not only the first."""
    lookup: Lookup = Lookup.A
    vantage: Vantage = Vantage.RESOLVER
    server: Server | None = None
    """The one name server to ask; None for those of the system."""

    @property
    def key(self) -> TargetKey:
        """Return what makes it the same target in another configuration."""
        return self.question, self.lookup, self.server

    @property
    def decides(self) -> bool:
        """Return True if its probes decide verdicts, False if they are for comparison only."""
        return self.lookup is Lookup.A and self.server is None

    @property
    def protocol(self) -> model.Protocol:
        """Return the protocol of the request; DNS if there is only a look-up."""
        if self.request is None:
            return model.Protocol.DNS
        tcp = isinstance(self.request, TcpRequest)
        return model.Protocol.TCP if tcp else model.Protocol.HTTP


class Resolve(Protocol):
    """Looks up the name of a target."""

    def __call__(self, target: Target, *, within: float) -> Awaitable[Answer]: ...  # noqa: D102


class Get(Protocol):
    """Sends the request of a target to an address."""

    def __call__(  # noqa: D102
        self,
        address: Address,
        port: int,
        request: Request | TcpRequest,
        *,
        target: Target,
        within: float,
    ) -> Awaitable[Reply]: ...


class Times(Protocol):
    """Returns the time."""

    def time(self) -> float: ...  # noqa: D102
    def unix(self) -> float: ...  # noqa: D102


async def probe_once(
    target: Target,
    *,
    resolve: Resolve,
    get: Get,
    within: float,
    clock: Times,
    chance: Random = CHANCE,
    turn: int = 0,
) -> Probe:
    """
    Look up the name of a target and send its request, in at most *within* seconds.

    Args:
        target: What is probed.
        resolve: Looks up its name.
        get: Sends its request to an address.
        within: Seconds.
        clock: Returns the time.
        chance: Chooses which address of a headless service is asked first.
        turn: The number of earlier probes of this target.
    """
    at, unix = clock.time(), clock.unix()
    answer = await resolve(target, within=within)
    asked = _asked(target, answer, turn, chance)
    replies = await _replies(target, asked, get, max(0.001, within - (clock.time() - at)))
    return Probe(
        question=target.question,
        at=at,
        ended=clock.time(),
        unix=unix,
        answer=answer,
        reply=replies[0] if replies else None,
        more=replies[1:],
        protocol=target.protocol,
        lookup=target.lookup,
        vantage=target.vantage,
    )


def chosen(addresses: tuple[Address, ...], turn: int, chance: Random) -> tuple[Address, ...]:
    """
    Return the address to ask first, and other addresses up to the limit.

    The first one is chosen at random, because each client chooses one of them.
    """
    first, room = chance.choice(addresses), MAX_ADDRESSES - 1
    every = sorted(addresses, key=lambda address: (address.version, int(address)))
    start = turn * room % len(every) if len(every) > MAX_ADDRESSES else 0
    others = [each for each in (*every[start:], *every[:start]) if each != first]
    return first, *others[:room]


def _asked(target: Target, answer: Answer, turn: int, chance: Random) -> tuple[Address, ...]:
    if target.request is None or answer.failure is not None:
        return ()
    every = target.every_address and len(answer.addresses) > 1
    return chosen(answer.addresses, turn, chance) if every else answer.addresses[:1]


async def _replies(
    target: Target, asked: tuple[Address, ...], get: Get, within: float
) -> tuple[Reply, ...]:
    if len(asked) > 1:
        return tuple(await together([_ask(target, each, get, within) for each in asked]))
    return tuple([await _ask(target, each, get, within) for each in asked])


async def _ask(target: Target, address: Address, get: Get, within: float) -> Reply:
    if target.port is None or target.request is None:
        return Reply(address=address, port=0, failure=Failure.NO_PORT)
    return await get(address, target.port, target.request, target=target, within=within)
