"""
DNS messages: bytes to values and back, for clients and servers (RFC 1035, 2782, 6891).

Only what clusterset names need: one question of class IN, and the records in records.py.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from exporter.model.clusterset import Address
from exporter.model.probes import ServiceAddress
from exporter.probe.dns.name import MalformedError, Names, encode_name
from exporter.probe.dns.records import FIXED, IN, OPT, Records, Type, encode_record

EDNS_SIZE = 1232
"""Bytes of the largest response that needs no IP fragments; resolvers use the same value."""
_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!HH")
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION = 0x8000, 0x0400, 0x0200, 0x0100
_OPCODE, _RCODE = 0x7800, 0x000F
_KEPT_SIZE = 512
_START = _HEADER.size


class Rcode(IntEnum):
    """Response codes with a name here."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    NOTZONE = 10


class MismatchError(Exception):
    """The bytes do not answer our question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query, as a server reads it."""

    id: int
    name: str
    """Absolute, lower case, without the final dot."""
    type: int
    recursion: bool
    question: bytes
    """The bytes of the question section, which the response repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response, as a client reads it."""

    rcode: int
    truncated: bool = False
    addresses: tuple[Address, ...] = ()
    services: tuple[ServiceAddress, ...] = ()
    ttl: int | None = None
    """Seconds: the smallest TTL of the records used; None if nothing was found."""
    negative_ttl: int | None = None
    """Seconds for which caches keep a negative response; None without an SOA record."""


def encode_query(name: str, id_: int, type_: int = Type.A, *, edns: bool = False) -> bytes:
    """Return a query for *name*, recursion desired; with *edns* it takes EDNS_SIZE bytes."""
    question = encode_name(name) + _QUESTION.pack(type_, IN)
    opt = b"\0" + FIXED.pack(OPT, EDNS_SIZE, 0, 0) if edns else b""
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
    if class_ != IN:
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
    records = b"".join(encode_record(each, ttl) for each in found)
    return _HEADER.pack(query.id, flags, 1, len(found), 0, 0) + query.question + records


def decode_response(wire: bytes, query: bytes) -> Response:
    """
    Read the response to *query*, a message made by `encode_query`.

    CNAMEs are followed inside the answer section; records of other names do not count.

    Raises:
        MismatchError: If it is the answer to something else: wrong id, question, or no response.
        MalformedError: If it is the answer, and cannot be read.
        AliasLoopError: If its CNAMEs lead nowhere.
    """
    if len(wire) < _START:
        msg = "shorter than a header"
        raise MismatchError(msg)
    if wire[:2] != query[:2]:
        msg = "another id"
        raise MismatchError(msg)
    # Apart from the id, responses seldom change, so results are cached: few, and of small messages.
    decode = _decode if len(wire) > _KEPT_SIZE else _decode_again
    return decode(wire[2:], query[2:])


# With more names than this, each entry is evicted before its next use.
@lru_cache(1024)
def _decode_again(wire: bytes, query: bytes) -> Response:
    return _decode(wire, query)


def _decode(wire: bytes, query: bytes) -> Response:
    wire, query = b"\0\0" + wire, b"\0\0" + query
    _, flags, questions, answers, authorities, additionals = _header(wire)
    if not flags & _RESPONSE or flags & _OPCODE:
        msg = "no response"
        raise MismatchError(msg)
    rcode, truncated = flags & _RCODE, bool(flags & _TRUNCATED)
    if questions == 0 and rcode not in {Rcode.NOERROR, Rcode.NXDOMAIN}:
        # A server that cannot read the question, or refuses it, need not repeat it.
        return Response(rcode=rcode, truncated=truncated)
    if questions != 1:
        msg = "not our one question"
        raise MismatchError(msg)
    names = Names(wire)
    asked, type_ = _asked(query)
    name, end = names.read(_START)
    if name != asked or wire[end : end + 4] != type_ + b"\0\1":
        msg = "another question"
        raise MismatchError(msg)
    if truncated:
        return Response(rcode=rcode, truncated=True)
    records = Records(wire, names, int.from_bytes(type_))
    records.read(end + _QUESTION.size, answers, authorities, additionals)
    return _response(rcode, records, asked)


def _response(rcode: int, records: Records, asked: bytes) -> Response:
    found, ttl = records.follow(asked)
    return Response(
        rcode=rcode | records.rcode,
        addresses=tuple(each for each in found if not isinstance(each, ServiceAddress)),
        services=tuple(each for each in found if isinstance(each, ServiceAddress)),
        ttl=ttl,
        negative_ttl=None if found else records.negative_ttl,
    )


def _asked(query: bytes) -> tuple[bytes, bytes]:
    asked, end = Names(query).read(_START)
    return asked, query[end : end + 2]


def _header(wire: bytes) -> tuple[int, ...]:
    if len(wire) < _START:
        msg = "shorter than a header"
        raise MalformedError(msg)
    return _HEADER.unpack_from(wire)
