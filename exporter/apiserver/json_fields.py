"""
Reads values from JSON; a ValueError or TypeError says what is wrong with which field.

An API server checks what it stores against a schema, but that of a custom resource may be loose or
old. An absent or null field counts as empty, as in Kubernetes itself.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from exporter.model.clusterset import NOT_CLUSTERS, Address, Network, Port, ServiceName

Json = Mapping[str, Any]
LabelPairs = tuple[tuple[str, str], ...]

NOTHING: Json = {}
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MAX_PORT = 65535
_SHOWN = 80
MAX_STRINGS = 16_384
"""Strings that are remembered to be shared."""
_strings: dict[str, str] = {}


def wrong(key: str, value: object, wanted: str) -> str:
    """Return the message for a *value* that is not what was *wanted*."""
    return f"{key} is {repr(value)[:_SHOWN]}, not {wanted}"


def mapping(parent: Json, key: str) -> Json:
    """Return the object at *key*. The *parent* need not be an object."""
    if not isinstance(parent, dict):
        raise TypeError(wrong("it", parent, "an object"))
    value = parent.get(key)
    if value is None:
        return NOTHING
    if not isinstance(value, dict):
        raise TypeError(wrong(key, value, "an object"))
    return value


def objects(parent: Json, key: str) -> Iterator[Json]:
    """Yield each object of the list at *key*."""
    for value in _list(parent, key):
        if not isinstance(value, dict):
            raise TypeError(wrong(key, value, "an object"))
        yield value


def texts(parent: Json, key: str) -> Iterator[str]:
    """Yield each string of the list at *key*."""
    for value in _list(parent, key):
        if not isinstance(value, str):
            raise TypeError(wrong(key, value, "a string"))
        yield value


def text(parent: Json, key: str) -> str:
    """Return the string at *key*; equal strings are one object, which saves memory."""
    value = parent.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(wrong(key, value, "a string"))
    return shared(value)


def shared(value: str) -> str:
    """
    Return *value*, or the equal string that came before.

    Not by sys.intern: each name that comes and goes takes a place in its table, until that doubles.
    """
    held = _strings.get(value)
    if held is None:
        if len(_strings) >= MAX_STRINGS:
            _strings.clear()
        held = _strings[value] = value
    return held


def truth(parent: Json, key: str) -> bool | None:
    """Return the boolean at *key*, or None if there is none."""
    value = parent.get(key)
    if value is not None and not isinstance(value, bool):
        raise TypeError(wrong(key, value, "true or false"))
    return value


def addresses(parent: Json, key: str) -> tuple[Address, ...]:
    """Return the IP addresses of the list at *key*."""
    return tuple(address(each) for each in texts(parent, key))


def networks(parent: Json, key: str) -> tuple[Network, ...]:
    """Return the networks of the list at *key*; host bits do not matter."""
    return tuple(ip_network(each, strict=False) for each in texts(parent, key))


def address(value: str) -> Address:
    """Return the IP address *value*, IPv4-mapped IPv6 as IPv4."""
    parsed = ip_address(value)
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def port_number(parent: Json, key: str) -> int:
    """Return the port at *key*."""
    value = parent.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(wrong(key, value, "a number"))
    if not 0 < value <= _MAX_PORT:
        raise ValueError(wrong(key, value, "a port"))
    return value


def tcp_ports(parent: Json, key: str) -> tuple[Port, ...]:
    """Return the TCP ports of the list at *key*, without those that have no number."""
    return tuple(
        _port(text(each, "name"), port_number(each, "port"))
        for each in objects(parent, key)
        if text(each, "protocol") in {"", "TCP"} and each.get("port") is not None
    )


def dns_label(key: str, value: str) -> str:
    """Return *value*, which must be a DNS label."""
    if not _LABEL.fullmatch(value):
        raise ValueError(wrong(key, value, "a DNS label (a-z, 0-9 and -, at most 63)"))
    return value


def service_name(namespace: str, name: str) -> ServiceName:
    """Return the name of a service."""
    return _service_name(dns_label("namespace", namespace), dns_label("name", name))


def cluster_id(key: str, value: str) -> str:
    """Return *value*, which must be a valid cluster id."""
    if value in NOT_CLUSTERS:
        raise ValueError(wrong(key, value, "usable as a name: it means that no cluster is known"))
    return dns_label(key, value)


def labels(parent: Json, key: str) -> LabelPairs:
    """Return labels in order; equal labels are one tuple, which saves memory."""
    found = mapping(parent, key)
    return _shared(tuple(sorted((shared(name), text(found, name)) for name in found)))


# Objects of one service repeat these, and a copy in each would take most of the memory.
@lru_cache(maxsize=4096)
def _shared(pairs: LabelPairs) -> LabelPairs:
    return pairs


@lru_cache(maxsize=4096)
def _port(name: str, number: int) -> Port:
    return Port(name=name, port=number)


@lru_cache(maxsize=16384)
def _service_name(namespace: str, name: str) -> ServiceName:
    return ServiceName(shared(namespace), shared(name))


def _list(parent: Json, key: str) -> list[Any]:
    value = parent.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(wrong(key, value, "a list"))
    return value
