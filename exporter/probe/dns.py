"""
DNS messages: bytes to values and back, both sides of the wire (RFC 1035).

Only what clusterset names need: one question of class IN, A records, chains of CNAMEs.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address

MAX_CHAIN = 8
"""CNAMEs followed: more than any resolver's zone has, and a loop ends there."""
MAX_POINTERS = 32
_HEADER = struct.Struct("!6H")
_FIXED = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION = 0x8000, 0x0400, 0x0200, 0x0100
_OPCODE, _RCODE = 0x7800, 0x000F
_IN = 1
_MAX_LABEL, _MAX_NAME = 63, 255
_POINTER = 0xC0


class Type(IntEnum):
    """Record types that we name."""

    A = 1
    CNAME = 5
    AAAA = 28


class Rcode(IntEnum):
    """Response codes that we name."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5


class MalformedError(Exception):
    """These bytes are no DNS message that we can read."""


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
    truncated: bool
    addresses: tuple[IPv4Address, ...]
    ttl: int | None
    """Seconds, the smallest on the way to the addresses; None without addresses."""


def encode_name(name: str) -> bytes:
    """Return *name*, absolute with or without its final dot, in wire form."""
    wire = bytearray()
    for label in name.removesuffix(".").encode("ascii").split(b"."):
        if not 0 < len(label) <= _MAX_LABEL:
            msg = f"{name!r} has a label that is empty or longer than {_MAX_LABEL}"
            raise ValueError(msg)
        wire.append(len(label))
        wire += label
    wire.append(0)
    if len(wire) > _MAX_NAME:
        msg = f"{name!r} is longer than {_MAX_NAME}"
        raise ValueError(msg)
    return bytes(wire)


def encode_query(name: str, id_: int, type_: int = Type.A) -> bytes:
    """Return a query for *name*, recursion desired."""
    question = encode_name(name) + _QUESTION.pack(type_, _IN)
    return _HEADER.pack(id_, _RECURSION, 1, 0, 0, 0) + question


def decode_query(wire: bytes) -> Query:
    """Read a query of one question of class IN, as a server does."""
    id_, flags, questions, *_ = _header(wire)
    if flags & (_RESPONSE | _OPCODE) or questions != 1:
        msg = "no standard query of one question"
        raise MalformedError(msg)
    name, end = _name(wire, _HEADER.size)
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
        question=bytes(wire[_HEADER.size : end + _QUESTION.size]),
    )


def encode_response(
    query: Query,
    rcode: int,
    addresses: Sequence[IPv4Address] = (),
    *,
    ttl: int = 0,
    truncated: bool = False,
) -> bytes:
    """Return an authoritative response with one A record for each of *addresses*."""
    flags = _RESPONSE | _AUTHORITATIVE | rcode
    flags |= _TRUNCATED if truncated else 0
    flags |= _RECURSION if query.recursion else 0
    records = b"".join(
        # The name is a pointer to the question's.
        struct.pack("!HHHIH4s", 0xC00C, Type.A, _IN, ttl, 4, address.packed)
        for address in addresses
    )
    return _HEADER.pack(query.id, flags, 1, len(addresses), 0, 0) + query.question + records


def decode_response(wire: bytes, query: bytes) -> Response:
    """
    Read the response to *query*, a message made by `encode_query`.

    CNAMEs are followed inside the answer section; records of other names do not count.

    Raises:
        StrangerError: If it is the answer to something else: wrong id, question, or no response.
        MalformedError: If it is the answer, and cannot be read.
    """
    if len(wire) < _HEADER.size:
        msg = "shorter than a header"
        raise StrangerError(msg)
    id_, flags, questions, answers, *_ = _header(wire)
    if id_ != int.from_bytes(query[:2]) or not flags & _RESPONSE or flags & _OPCODE:
        msg = "another id, or no response"
        raise StrangerError(msg)
    rcode, truncated = flags & _RCODE, bool(flags & _TRUNCATED)
    if questions == 0 and rcode not in {Rcode.NOERROR, Rcode.NXDOMAIN}:
        # A server that could not read the question, or would not, need not repeat it.
        return Response(rcode=rcode, truncated=truncated, addresses=(), ttl=None)
    asked, place = _name(query, _HEADER.size)
    if questions != 1:
        msg = "not our one question"
        raise StrangerError(msg)
    name, end = _name(wire, _HEADER.size)
    if name != asked or wire[end : end + 4] != query[place : place + 4]:
        msg = "another question"
        raise StrangerError(msg)
    if truncated:
        return Response(rcode=rcode, truncated=True, addresses=(), ttl=None)
    addresses, ttl = _answers(wire, end + _QUESTION.size, answers, asked)
    return Response(rcode=rcode, truncated=False, addresses=addresses, ttl=ttl)


def _answers(
    wire: bytes, place: int, count: int, asked: bytes
) -> tuple[tuple[IPv4Address, ...], int | None]:
    """Return the addresses that *asked* leads to, and the smallest TTL on the way."""
    owned: dict[bytes, list[tuple[IPv4Address, int]]] = {}
    aliases: dict[bytes, tuple[bytes, int]] = {}
    for _ in range(count):
        name, place = _name(wire, place)
        if place + _FIXED.size > len(wire):
            msg = "a record is cut"
            raise MalformedError(msg)
        type_, class_, ttl, length = _FIXED.unpack_from(wire, place)
        place += _FIXED.size
        if place + length > len(wire):
            msg = "a record's data is cut"
            raise MalformedError(msg)
        # RFC 2181, section 8: a TTL with its highest bit set is 0.
        ttl = 0 if ttl >> 31 else ttl
        if class_ == _IN and type_ == Type.A:
            owned.setdefault(name, []).append((_address(wire[place : place + length]), ttl))
        elif class_ == _IN and type_ == Type.CNAME:
            target, end = _name(wire, place)
            if end != place + length:
                msg = "an alias does not fill its record"
                raise MalformedError(msg)
            aliases[name] = (target, ttl)
        place += length
    return _follow(asked, owned, aliases)


def _follow(
    name: bytes,
    owned: dict[bytes, list[tuple[IPv4Address, int]]],
    aliases: dict[bytes, tuple[bytes, int]],
) -> tuple[tuple[IPv4Address, ...], int | None]:
    ttls = []
    for _ in range(MAX_CHAIN + 1):
        records = owned.get(name)
        if records:
            ttls += [ttl for _, ttl in records]
            return tuple(dict.fromkeys(address for address, _ in records)), min(ttls)
        if name not in aliases:
            return (), None
        name, ttl = aliases[name]
        ttls.append(ttl)
    msg = "a chain of aliases without end"
    raise MalformedError(msg)


def _address(data: bytes) -> IPv4Address:
    if len(data) != 4:  # noqa: PLR2004 - an IPv4 address
        msg = "an A record is not 4 bytes long"
        raise MalformedError(msg)
    return IPv4Address(data)


def _header(wire: bytes) -> tuple[int, ...]:
    if len(wire) < _HEADER.size:
        msg = "shorter than a header"
        raise MalformedError(msg)
    return _HEADER.unpack_from(wire)


def _name(wire: bytes, place: int) -> tuple[bytes, int]:
    """Return the name at *place*, lower case, labels joined by dots, and where it ends."""
    labels: list[bytes] = []
    end, length, hops = 0, 1, 0
    while True:
        if place >= len(wire):
            msg = "a name is cut"
            raise MalformedError(msg)
        size = wire[place]
        if size == 0:
            # A dot inside a label would look like two labels.
            return b".".join(labels).lower(), end or place + 1
        if size & _POINTER == _POINTER:
            hops += 1
            if place + 1 >= len(wire) or hops > MAX_POINTERS:
                msg = "a name's pointers lead nowhere"
                raise MalformedError(msg)
            end = end or place + 2
            place = (size & ~_POINTER) << 8 | wire[place + 1]
            continue
        if size > _MAX_LABEL or place + 1 + size > len(wire):
            msg = "a label is too long or cut"
            raise MalformedError(msg)
        length += size + 1
        label = wire[place + 1 : place + 1 + size]
        if length > _MAX_NAME:
            msg = "a name is too long"
            raise MalformedError(msg)
        labels.append(bytes(label).replace(b".", rb"\."))
        place += 1 + size
