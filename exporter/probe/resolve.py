"""
One look-up of a name: ask the name servers in order, over sockets of our own.

A resolver library would do this with a cache, retries or one shared socket. All three hide what
a probe is there to see: c-ares keeps an answer without data for up to an hour, and a shared socket
always reaches the same replica behind a Service, since connection tracking keeps its ports.
"""

import asyncio
import secrets
import socket
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from exporter.model import Address, Answer, Failure, Lookup, Record
from exporter.probe import dns
from exporter.probe.dnsname import MalformedError
from exporter.probe.tcp import OUR_ERRORS, bind

MAX_UDP = 4096
_FAILURES = {
    dns.Rcode.NXDOMAIN: Failure.NXDOMAIN,
    dns.Rcode.SERVFAIL: Failure.SERVFAIL,
    dns.Rcode.REFUSED: Failure.REFUSED,
    dns.Rcode.NOTIMP: Failure.NOTIMP,
    dns.Rcode.NOTZONE: Failure.NOTZONE,
}
_TYPES = {Record.A: dns.Type.A, Record.AAAA: dns.Type.AAAA, Record.SRV: dns.Type.SRV}
_NEXT = frozenset({dns.Rcode.SERVFAIL, dns.Rcode.REFUSED, dns.Rcode.NOTIMP})
"""Codes after which glibc asks the next server, too."""


class Server(NamedTuple):
    """A name server."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Asked:
    """What one name server has said so far."""

    __slots__ = ("failure", "response", "strangers")

    def __init__(self) -> None:
        self.failure = Failure.TIMEOUT
        """What it is called if nothing more comes."""
        self.response: dns.Response | None = None
        self.strangers = 0

    def stranger(self) -> None:
        self.strangers += 1
        self.failure = Failure.WRONG_ANSWER


async def resolve(
    name: str,
    servers: Sequence[Server],
    *,
    within: float,
    source: Address | None = None,
    record: Record = Record.A,
    lookup: Lookup = Lookup.A,
) -> Answer:
    """
    Look *name* up once, in at most *within* seconds. A dead name never raises.

    Servers are asked in order: the next one after silence, SERVFAIL, REFUSED or NOTIMP, or if one
    cannot be sent to. Each gets an equal share of the time that is left. What the last one did
    is the result.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    earlier: tuple[Answer, ...] = ()
    answer = Answer(took=0.0, failure=Failure.UNREACHABLE)
    for n, server in enumerate(servers):
        left = within - (clock() - began)
        if left <= 0:
            break
        earlier = (*earlier, answer) if n else ()
        asked = await _ask(name, server, left / (len(servers) - n), source, record, lookup)
        answer = _answer(asked, server, clock() - began, earlier)
        response = asked.response
        if answer.failure is None or not (response is None or response.rcode in _NEXT):
            break
    return answer


async def _ask(
    name: str, server: Server, within: float, source: Address | None, record: Record, lookup: Lookup
) -> _Asked:
    """Ask one server."""
    asked = _Asked()
    try:
        async with asyncio.timeout(within):
            if lookup is Lookup.CLIENT:
                await _as_client(name, server, source, asked)
            else:
                query = _query(name, record)
                asked.response = await _udp(query, server, source, asked)
                await _whole(query, server, source, asked)
    except TimeoutError:
        pass
    except dns.AliasLoopError:
        asked.failure = Failure.CNAME_LOOP
    except MalformedError:
        asked.failure = Failure.MALFORMED
    except EOFError:
        asked.failure = Failure.TRUNCATED
    except OSError as error:
        ours = error.errno in OUR_ERRORS
        if asked.failure is not Failure.TRUNCATED or ours:
            asked.failure = Failure.RESOURCE if ours else Failure.UNREACHABLE
    else:
        return asked
    asked.response = None
    return asked


def _answer(asked: _Asked, server: Server, took: float, earlier: tuple[Answer, ...]) -> Answer:
    response = asked.response
    if response is None:
        return Answer(
            resolver=str(server),
            took=took,
            failure=asked.failure,
            strangers=asked.strangers,
            earlier=earlier,
        )
    well = response.rcode == dns.Rcode.NOERROR
    return Answer(
        addresses=response.addresses if well else (),
        services=response.services if well else (),
        ttl=response.ttl,
        negative_ttl=response.negative_ttl,
        rcode=_rcode_name(response.rcode),
        resolver=str(server),
        took=took,
        failure=_failure(response),
        strangers=asked.strangers,
        earlier=earlier,
    )


def _failure(response: dns.Response) -> Failure | None:
    if response.truncated:
        return Failure.TRUNCATED
    if response.rcode != dns.Rcode.NOERROR:
        return _FAILURES.get(response.rcode, Failure.RCODE)  # type: ignore[call-overload,no-any-return]
    return None if response.addresses or response.services else Failure.NODATA


def _rcode_name(rcode: int) -> str:
    try:
        return dns.Rcode(rcode).name
    except ValueError:
        return f"RCODE{rcode}"


def _query(name: str, record: Record) -> bytes:
    """Return a query with a fresh id."""
    return secrets.token_bytes(2) + _without_id(name, record)


@lru_cache(4096)
def _without_id(name: str, record: Record) -> bytes:
    # Clients ask without EDNS, so that what they would get truncated is seen. An answer of several
    # SRV records seldom fits without.
    return dns.encode_query(name, 0, _TYPES[record], edns=record is Record.SRV)[2:]


async def _udp(query: bytes, server: Server, source: Address | None, asked: _Asked) -> dns.Response:
    """Ask over UDP from a fresh port; what is no answer to us is passed over."""
    loop = asyncio.get_running_loop()
    with _socket(socket.SOCK_DGRAM, server, source) as sock:
        # Connected, so that the kernel drops what comes from anybody else.
        sock.connect(server)
        sock.send(query)
        while True:
            wire = await loop.sock_recv(sock, MAX_UDP)
            try:
                return dns.decode_response(wire, query)
            except dns.StrangerError:
                asked.stranger()
                # Strangers may come without end: everybody else gets a turn.
                await asyncio.sleep(0)


async def _as_client(name: str, server: Server, source: Address | None, asked: _Asked) -> None:
    """
    Ask for IPv4 and IPv6 addresses at once from one fresh socket, as getaddrinfo does.

    The result is that of both together: well if there is any address, else as for IPv4.
    """
    loop = asyncio.get_running_loop()
    waiting = [_query(name, record) for record in (Record.A, Record.AAAA)]
    got: dict[bytes, dns.Response] = {}
    first = waiting[0]
    with _socket(socket.SOCK_DGRAM, server, source) as sock:
        sock.connect(server)
        for query in waiting:
            sock.send(query)
        while waiting:
            wire = await loop.sock_recv(sock, MAX_UDP)
            query = next((each for each in waiting if each[:2] == wire[:2]), first)
            try:
                got[query] = dns.decode_response(wire, query)
            except dns.StrangerError:
                asked.stranger()
                await asyncio.sleep(0)
                continue
            if query in waiting:
                waiting.remove(query)
    for query, response in got.items():
        asked.response = response
        await _whole(query, server, source, asked)
        got[query] = asked.response
    any_address = (each for each in got.values() if each.addresses)
    asked.response = next(any_address, got[first])


async def _whole(query: bytes, server: Server, source: Address | None, asked: _Asked) -> None:
    """Ask again over TCP if the answer was truncated."""
    if asked.response is None or not asked.response.truncated:
        return
    asked.failure = Failure.TRUNCATED
    loop = asyncio.get_running_loop()
    with _socket(socket.SOCK_STREAM, server, source) as sock:
        await loop.sock_connect(sock, server)
        await loop.sock_sendall(sock, len(query).to_bytes(2) + query)
        length = int.from_bytes(await _exactly(sock, 2))
        try:
            asked.response = dns.decode_response(await _exactly(sock, length), query)
        except dns.StrangerError:
            asked.stranger()
            asked.response = None


async def _exactly(sock: socket.socket, length: int) -> bytes:
    loop, parts = asyncio.get_running_loop(), bytearray()
    while len(parts) < length:
        part = await loop.sock_recv(sock, length - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)


def _socket(kind: socket.SocketKind, server: Server, source: Address | None) -> socket.socket:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        bind(sock, source)
    except OSError:
        sock.close()
        raise
    return sock
