"""
One look-up of a name: the name servers are asked in order, over sockets of our own.

A resolver library would do this with a cache, retries or one shared socket. All three hide what a
probe has to see. c-ares keeps an answer without data for up to an hour. A shared socket always
reaches the same replica behind a Service, because connection tracking keeps its ports.
"""

import os
import socket
from collections.abc import Sequence
from functools import lru_cache
from time import monotonic
from typing import NamedTuple

from exporter.model.clusterset import Address
from exporter.model.probes import Answer, Failure, Lookup, Record
from exporter.probe.dns import message as dns
from exporter.probe.dns.name import MalformedError
from exporter.probe.dns.records import AliasLoopError, Type
from exporter.probe.drivers.waits import READ, Socket
from exporter.probe.tcp import OUR_ERRORS, open_socket

MAX_UDP = 4096
_FAILURES = {
    dns.Rcode.NXDOMAIN: Failure.NXDOMAIN,
    dns.Rcode.SERVFAIL: Failure.SERVFAIL,
    dns.Rcode.REFUSED: Failure.REFUSED,
    dns.Rcode.NOTIMP: Failure.NOTIMP,
    dns.Rcode.NOTZONE: Failure.NOTZONE,
}
_TYPES = {Record.A: Type.A, Record.AAAA: Type.AAAA, Record.SRV: Type.SRV}
_NOERROR = int(dns.Rcode.NOERROR)
_NAMES = {int(rcode): rcode.name for rcode in dns.Rcode}
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
    """One name server, and its responses so far."""

    __slots__ = ("deadline", "failure", "mismatched_responses", "response", "server", "source")

    def __init__(self, server: Server, source: Address | None, deadline: float) -> None:
        self.server, self.source, self.deadline = server, source, deadline
        self.failure = Failure.TIMEOUT
        """The failure if no other response arrives."""
        self.response: dns.Response | None = None
        self.mismatched_responses = 0

    def socket(self, kind: int) -> Socket:
        """Return a socket from a fresh port."""
        version = 6 if ":" in self.server.host else 4
        return open_socket(kind, version, self.source, self.deadline)

    def send(self, sock: Socket, *queries: bytes) -> None:
        """Ask over UDP."""
        # The socket is connected, so that the kernel drops packets from other senders.
        sock.connect(self.server)
        for query in queries:
            sock.send(query)
        # No response can be here yet.
        sock.wants = READ

    def failed(self, failure: Failure) -> None:
        self.failure, self.response = failure, None

    def mismatched(self) -> None:
        self.mismatched_responses += 1
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
    Look *name* up once, in at most *within* seconds. A failure is a result, never an exception.

    Servers are asked in order. The next one is asked after no response, SERVFAIL, REFUSED, NOTIMP,
    or an error of the socket. Each server gets an equal share of the time that is left. The result
    is that of the last server that was asked.
    """
    began = now = monotonic()
    earlier: tuple[Answer, ...] = ()
    answer = None
    for n, server in enumerate(servers):
        left = within - (now - began)
        if left <= 0:
            break
        earlier = earlier if answer is None else (*earlier, answer)
        asked = _Asked(server, source, now + left / (len(servers) - n))
        await _ask(name, asked, record, lookup)
        now = monotonic()
        answer = _answer(asked, now - began, earlier)
        response = asked.response
        if answer.failure is None or not (response is None or response.rcode in _NEXT):
            break
    return answer or Answer(took=0.0, failure=Failure.UNREACHABLE)


async def _ask(name: str, asked: _Asked, record: Record, lookup: Lookup) -> None:
    """Ask one server."""
    try:
        if lookup is Lookup.CLIENT:
            await _as_client(name, asked)
        else:
            query = _query(name, record)
            response = asked.response = await _udp(query, asked)
            if response.truncated:
                await _whole(query, asked)
    except TimeoutError:
        asked.response = None
    except AliasLoopError:
        asked.failed(Failure.CNAME_LOOP)
    except MalformedError:
        asked.failed(Failure.MALFORMED)
    except EOFError:
        asked.failed(Failure.TRUNCATED)
    except OSError as error:
        ours = error.errno in OUR_ERRORS
        failure = Failure.RESOURCE if ours else Failure.UNREACHABLE
        cut = asked.failure is Failure.TRUNCATED and not ours
        asked.failed(Failure.TRUNCATED if cut else failure)


def _answer(asked: _Asked, took: float, earlier: tuple[Answer, ...]) -> Answer:
    response = asked.response
    if response is None:
        return Answer(
            resolver=_text(asked.server),
            took=took,
            failure=asked.failure,
            mismatched_responses=asked.mismatched_responses,
            earlier=earlier,
        )
    good = response.rcode == _NOERROR
    return Answer(
        addresses=response.addresses if good else (),
        services=response.services if good else (),
        ttl=response.ttl,
        negative_ttl=response.negative_ttl,
        rcode=_NAMES.get(response.rcode) or f"RCODE{response.rcode}",
        resolver=_text(asked.server),
        took=took,
        failure=_failure(response),
        mismatched_responses=asked.mismatched_responses,
        earlier=earlier,
    )


def _failure(response: dns.Response) -> Failure | None:
    if response.truncated:
        return Failure.TRUNCATED
    if response.rcode != _NOERROR:
        return _FAILURES.get(response.rcode, Failure.RCODE)  # type: ignore[call-overload,no-any-return]
    return None if response.addresses or response.services else Failure.NODATA


@lru_cache(64)
def _text(server: Server) -> str:
    return str(server)


def _query(name: str, record: Record) -> bytes:
    """Return a query with a fresh id."""
    return os.urandom(2) + _without_id(name, record)


@lru_cache(4096)
def _without_id(name: str, record: Record) -> bytes:
    # Most clients ask without EDNS, so the probe sees the truncation that they see. A response with
    # several SRV records seldom fits without EDNS.
    return dns.encode_query(name, 0, _TYPES[record], edns=record is Record.SRV)[2:]


async def _udp(query: bytes, asked: _Asked) -> dns.Response:
    """Ask over UDP; packets that do not answer the question are skipped."""
    with asked.socket(socket.SOCK_DGRAM) as sock:
        asked.send(sock, query)
        await sock
        while True:
            wire = await sock.receive(MAX_UDP)
            try:
                return dns.decode_response(wire, query)
            except dns.MismatchError:
                asked.mismatched()
                await sock.turn()


async def _as_client(name: str, asked: _Asked) -> None:
    """
    Ask for IPv4 and IPv6 addresses at once from one fresh socket, as getaddrinfo does.

    The result is good if either response has an address; else it is that for IPv4.
    """
    waiting = [_query(name, record) for record in (Record.A, Record.AAAA)]
    got: dict[bytes, dns.Response] = {}
    first = waiting[0]
    with asked.socket(socket.SOCK_DGRAM) as sock:
        asked.send(sock, *waiting)
        await sock
        while waiting:
            wire = await sock.receive(MAX_UDP)
            query = next((each for each in waiting if each[:2] == wire[:2]), first)
            try:
                got[query] = dns.decode_response(wire, query)
            except dns.MismatchError:
                asked.mismatched()
                await sock.turn()
                continue
            if query in waiting:
                waiting.remove(query)
    for query, response in got.items():
        asked.response = response
        if response.truncated:
            await _whole(query, asked)
        got[query] = asked.response
    any_address = (each for each in got.values() if each.addresses)
    asked.response = next(any_address, got[first])


async def _whole(query: bytes, asked: _Asked) -> None:
    """Ask again over TCP, because the response was truncated."""
    asked.failure = Failure.TRUNCATED
    with asked.socket(socket.SOCK_STREAM) as sock:
        await sock.open(asked.server)
        await sock.send_all(len(query).to_bytes(2) + query)
        length = int.from_bytes(await _exactly(sock, 2))
        try:
            asked.response = dns.decode_response(await _exactly(sock, length), query)
        except dns.MismatchError:
            asked.mismatched()
            asked.response = None


async def _exactly(sock: Socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = await sock.receive(length - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
