"""The records of a DNS message: A, AAAA, SRV and CNAME, and the SOA of a negative answer."""

import struct
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

from exporter.model.clusterset import Address
from exporter.model.probes import ServiceAddress
from exporter.probe.dns.name import MalformedError, Names, encode_name

MAX_CHAIN = 8
"""CNAMEs followed: no zone of a resolver has more, and this also ends a loop."""
IN, OPT = 1, 41
"""The class of the Internet, and the type of the EDNS pseudo-record."""
FIXED = struct.Struct("!HHIH")
"""Type, class, TTL and data length: the part of each record that follows its name."""
_SRV = struct.Struct("!HHH")


class Type(IntEnum):
    """Record types with a name here."""

    A = 1
    CNAME = 5
    SOA = 6
    AAAA = 28
    SRV = 33


class AliasLoopError(MalformedError):
    """CNAMEs form a loop, or a chain longer than MAX_CHAIN."""


def encode_record(found: Address | ServiceAddress, ttl: int) -> bytes:
    """Return a record for the name of the question, with *ttl* in seconds."""
    if isinstance(found, ServiceAddress):
        type_ = Type.SRV
        numbers = _SRV.pack(found.priority, found.weight, found.port)
        data = numbers + encode_name(found.target)
    else:
        type_ = Type.A if found.version == 4 else Type.AAAA  # noqa: PLR2004
        data = found.packed
    # The name is a pointer to the question's.
    return b"\xc0\x0c" + FIXED.pack(type_, IN, ttl, len(data)) + data


class Records:
    """The records of one message that can answer a question."""

    def __init__(self, wire: bytes, names: Names, type_: int) -> None:
        self._wire, self._names, self._type = wire, names, type_
        self._owned: dict[bytes, list[tuple[Address | ServiceAddress, int]]] = {}
        self._aliases: dict[bytes, tuple[bytes, int]] = {}
        self.negative_ttl: int | None = None
        self.rcode = 0
        """The upper bits of the response code, from EDNS."""

    def read(self, place: int, answers: int, authorities: int, additionals: int) -> None:
        """Read all records, the first of which is at *place*."""
        for n in range(answers + authorities + additionals):
            name, place = self._names.read(place)
            if place + FIXED.size > len(self._wire):
                msg = "a record is cut"
                raise MalformedError(msg)
            type_, class_, ttl, length = FIXED.unpack_from(self._wire, place)
            start, place = place + FIXED.size, place + FIXED.size + length
            if place > len(self._wire):
                msg = "a record's data is cut"
                raise MalformedError(msg)
            if type_ == OPT:
                self.rcode = ttl >> 24 << 4
            elif class_ == IN:
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
            self.negative_ttl = min(ttl, self._minimum(start, end))

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

    def follow(self, name: bytes) -> tuple[tuple[Address | ServiceAddress, ...], int | None]:
        """Follow aliases from *name*; return the data found and the smallest TTL on the way."""
        ttls, held = list[int](), self._owned.get(name)
        for _ in range(MAX_CHAIN + 1):
            if held is not None or name not in self._aliases:
                break
            name, ttl = self._aliases[name]
            held = self._owned.get(name)
            ttls.append(ttl)
        else:
            msg = "a chain of aliases without end"
            raise AliasLoopError(msg)
        if not held:
            return (), None
        found = tuple(dict.fromkeys(each for each, _ in held))
        return found, min([*ttls, *(ttl for _, ttl in held)])
