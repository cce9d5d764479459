"""
DNS messages: bytes to values and back, both sides of the wire (RFC 1035, 2782, 6891).

What clusterset names need: one question of class IN; A, AAAA and SRV records, chains of CNAMEs, the
SOA of a negative answer.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from exporter.model.clusterset import Address
from exporter.model.probes import ServiceAddress
from exporter.probe.dns.name import MalformedError, Names, encode_name

MAX_CHAIN = 8
"""CNAMEs followed: more than any resolver's zone has, and a loop ends there."""
EDNS_SIZE = 1232
"""Bytes of an answer that no path should have to cut in pieces: what resolvers ask for."""
_HEADER = struct.Struct("!6H")
_FIXED = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")
_SRV = struct.Struct("!HHH")
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION = 0x8000, 0x0400, 0x0200, 0x0100
_OPCODE, _RCODE = 0x7800, 0x000F
_IN, _OPT = 1, 41
_KEPT_SIZE = 512
_START = _HEADER.size


class Type(IntEnum):
    """Record types that we name."""

    A = 1
    CNAME = 5
    SOA = 6
    AAAA = 28
    SRV = 33


class Rcode(IntEnum):
    """Response codes that we name."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    NOTZONE = 10


class AliasLoopError(MalformedError):
    """CNAMEs that lead to each other, or more of them than anybody follows."""


class StrangerError(Exception):
    """A DNS message, and not the answer to our question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question as a server reads it."""

    id: int
    name: str
    """Absolute, lower case, without the final dot."""
    type: int
    recursion: bool
    question: bytes
    """The question section as it came, to be echoed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer as a client reads it."""

    rcode: int
    truncated: bool = False
    addresses: tuple[Address, ...] = ()
    services: tuple[ServiceAddress, ...] = ()
    ttl: int | None = None
    """Seconds, the smallest on the way to what was found; None if nothing was."""
    negative_ttl: int | None = None
    """Seconds for which a cache may keep that there is nothing; None without an SOA record."""


def encode_query(name: str, id_: int, type_: int = Type.A, *, edns: bool = False) -> bytes:
    """Return a query for *name*, recursion desired; with *edns* it takes EDNS_SIZE bytes."""
    question = encode_name(name) + _QUESTION.pack(type_, _IN)
    opt = b"\0" + _FIXED.pack(_OPT, EDNS_SIZE, 0, 0) if edns else b""
    return _HEADER.pack(id_, _RECURSION, 1, 0, 0, int(edns)) + question + opt


def decode_query(wire: bytes) -> Query:
    """Read a query of one question of class IN, as a server does."""
    id_, flags, questions, *_ = _header(wire)
    if flags & (_RESPONSE | _OPCODE) or questions != 1:
        msg = "no standard query of one question"
        raise MalformedError(msg)
    name, end = Names(wire).read(_START)
    if end + _QUESTION.size > len(wire):
        msg = "the question is cut"
        raise MalformedError(msg)
    type_, class_ = _QUESTION.unpack_from(wire, end)
    if class_ != _IN:
        msg = f"class {class_} is not IN"
        raise MalformedError(msg)
    return Query(
        id=id_,
        name=name.decode("latin-1"),
        type=type_,
        recursion=bool(flags & _RECURSION),
        question=bytes(wire[_START : end + _QUESTION.size]),
    )


def encode_response(
    query: Query,
    rcode: int,
    found: Sequence[Address | ServiceAddress] = (),
    *,
    ttl: int = 0,
    truncated: bool = False,
) -> bytes:
    """Return an authoritative response with a record for each of *found*."""
    flags = _RESPONSE | _AUTHORITATIVE | rcode
    flags |= _TRUNCATED if truncated else 0
    flags |= _RECURSION if query.recursion else 0
    records = b"".join(_record(each, ttl) for each in found)
    return _HEADER.pack(query.id, flags, 1, len(found), 0, 0) + query.question + records


def _record(found: Address | ServiceAddress, ttl: int) -> bytes:
    if isinstance(found, ServiceAddress):
        type_ = Type.SRV
        numbers = _SRV.pack(found.priority, found.weight, found.port)
        data = numbers + encode_name(found.target)
    else:
        type_ = Type.A if found.version == 4 else Type.AAAA  # noqa: PLR2004
        data = found.packed
    # The name is a pointer to the question's.
    return b"\xc0\x0c" + _FIXED.pack(type_, _IN, ttl, len(data)) + data


def decode_response(wire: bytes, query: bytes) -> Response:
    """
    Read the response to *query*, a message made by `encode_query`.

    CNAMEs are followed inside the answer section; records of other names do not count.

    Raises:
        StrangerError: If it is the answer to something else: wrong id, question, or no response.
        MalformedError: If it is the answer, and cannot be read.
        AliasLoopError: If its CNAMEs lead nowhere.
    """
    if len(wire) < _START:
        msg = "shorter than a header"
        raise StrangerError(msg)
    if wire[:2] != query[:2]:
        msg = "another id"
        raise StrangerError(msg)
    # Answers seldom change, but for the id. Those that are kept are bounded in number and size.
    decode = _decode if len(wire) > _KEPT_SIZE else _decode_again
    return decode(wire[2:], query[2:])


# Names beyond that many take turns in it and are never found: more would only take memory.
@lru_cache(1024)
def _decode_again(wire: bytes, query: bytes) -> Response:
    return _decode(wire, query)


def _decode(wire: bytes, query: bytes) -> Response:
    wire, query = b"\0\0" + wire, b"\0\0" + query
    _, flags, questions, answers, authorities, additionals = _header(wire)
    if not flags & _RESPONSE or flags & _OPCODE:
        msg = "no response"
        raise StrangerError(msg)
    rcode, truncated = flags & _RCODE, bool(flags & _TRUNCATED)
    if questions == 0 and rcode not in {Rcode.NOERROR, Rcode.NXDOMAIN}:
        # A server that could not read the question, or would not, need not repeat it.
        return Response(rcode=rcode, truncated=truncated)
    if questions != 1:
        msg = "not our one question"
        raise StrangerError(msg)
    names = Names(wire)
    asked, type_ = _asked(query)
    name, end = names.read(_START)
    if name != asked or wire[end : end + 4] != type_ + b"\0\1":
        msg = "another question"
        raise StrangerError(msg)
    if truncated:
        return Response(rcode=rcode, truncated=True)
    found = _Records(wire, names, int.from_bytes(type_))
    found.read(end + _QUESTION.size, answers, authorities, additionals)
    return found.response(rcode, asked)


def _asked(query: bytes) -> tuple[bytes, bytes]:
    asked, end = Names(query).read(_START)
    return asked, query[end : end + 2]


class _Records:
    """What the records of a message say about a question."""

    def __init__(self, wire: bytes, names: Names, type_: int) -> None:
        self._wire, self._names, self._type = wire, names, type_
        self._owned: dict[bytes, list[tuple[Address | ServiceAddress, int]]] = {}
        self._aliases: dict[bytes, tuple[bytes, int]] = {}
        self._negative_ttl: int | None = None
        self._rcode = 0
        """The upper bits of the response code, from EDNS."""

    def read(self, place: int, answers: int, authorities: int, additionals: int) -> None:
        """Read all records, the first of which is at *place*."""
        for n in range(answers + authorities + additionals):
            name, place = self._names.read(place)
            if place + _FIXED.size > len(self._wire):
                msg = "a record is cut"
                raise MalformedError(msg)
            type_, class_, ttl, length = _FIXED.unpack_from(self._wire, place)
            start, place = place + _FIXED.size, place + _FIXED.size + length
            if place > len(self._wire):
                msg = "a record's data is cut"
                raise MalformedError(msg)
            if type_ == _OPT:
                self._rcode = ttl >> 24 << 4
            elif class_ == _IN:
                # RFC 2181, section 8: a TTL with its highest bit set is 0.
                ttl = 0 if ttl >> 31 else ttl
                self._take(name, type_, ttl, start, place, answer=n < answers)

    def _take(
        self, name: bytes, type_: int, ttl: int, start: int, end: int, *, answer: bool
    ) -> None:
        if answer and type_ == self._type:
            self._owned.setdefault(name, []).append((self._data(start, end), ttl))
        elif answer and type_ == Type.CNAME:
            self._aliases[name] = (self._whole_name(start, end), ttl)
        elif not answer and type_ == Type.SOA:
            self._negative_ttl = min(ttl, self._minimum(start, end))

    def _data(self, start: int, end: int) -> Address | ServiceAddress:
        data = self._wire[start:end]
        if self._type == Type.A and len(data) == 4:  # noqa: PLR2004
            return IPv4Address(data)
        if self._type == Type.AAAA and len(data) == 16:  # noqa: PLR2004
            return IPv6Address(data)
        if self._type == Type.SRV and len(data) > _SRV.size:
            priority, weight, port = _SRV.unpack_from(data)
            target = self._whole_name(start + _SRV.size, end).decode("latin-1")
            return ServiceAddress(priority, weight, port, target)
        msg = f"a record of type {self._type} has the wrong length"
        raise MalformedError(msg)

    def _minimum(self, start: int, end: int) -> int:
        """Return the last number of an SOA record: how long negative answers last (RFC 2308)."""
        _, place = self._names.read(start)
        _, place = self._names.read(place)
        if place + 20 != end:
            msg = "an SOA record has the wrong length"
            raise MalformedError(msg)
        return int.from_bytes(self._wire[end - 4 : end])

    def _whole_name(self, start: int, end: int) -> bytes:
        name, place = self._names.read(start)
        if place != end:
            msg = "a name does not fill its record"
            raise MalformedError(msg)
        return name

    def response(self, rcode: int, name: bytes) -> Response:
        """Follow aliases from *name* and return what they lead to."""
        ttls, held = [], self._owned.get(name)
        for _ in range(MAX_CHAIN + 1):
            if held is not None or name not in self._aliases:
                break
            name, ttl = self._aliases[name]
            held = self._owned.get(name)
            ttls.append(ttl)
        else:
            msg = "a chain of aliases without end"
            raise AliasLoopError(msg)
        found = dict.fromkeys(each for each, _ in held or ())
        return Response(
            rcode=rcode | self._rcode,
            addresses=tuple(each for each in found if not isinstance(each, ServiceAddress)),
            services=tuple(each for each in found if isinstance(each, ServiceAddress)),
            ttl=min([*ttls, *(ttl for _, ttl in held)]) if held else None,
            negative_ttl=None if held else self._negative_ttl,
        )


def _header(wire: bytes) -> tuple[int, ...]:
    if len(wire) < _START:
        msg = "shorter than a header"
        raise MalformedError(msg)
    return _HEADER.unpack_from(wire)
