"""Finds where a CoreDNS configuration, or OpenShift's, sends the questions of a zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What a Corefile does with a zone."""

    has_block: bool
    """Whether a server block is for this very zone."""
    addresses: tuple[str, ...]
    """Where that block forwards to, without ports."""
    imports: bool
    """Whether files are imported, which may contain more."""


def forwarding(corefile: str, zone: str) -> Forwarding:
    """Return what *corefile* does with *zone*."""
    has_block, imports, addresses = False, False, list[str]()
    for keys, lines in _blocks(corefile):
        imports = imports or any(words[0] == "import" for words in [keys, *lines])
        if any(_zone(key) == zone for key in keys):
            has_block = True
            for words in lines:
                if words[0] in {"forward", "proxy"}:
                    addresses += map(_host, words[2:])
    return Forwarding(has_block, tuple(dict.fromkeys(addresses)), imports)


def operator_forwarding(dns: dict[str, Any], zone: str) -> Forwarding:
    """
    Return what the object `default` of dns.operator.openshift.io does with *zone*.

    OpenShift's DNS operator writes its Corefile from this object. Submariner adds a server to it.
    """
    has_block, addresses = False, list[str]()
    spec = dns.get("spec")
    for server in _objects(spec, "servers"):
        zones = server.get("zones")
        if isinstance(zones, list) and zone in {_zone(each) for each in zones if _is_text(each)}:
            has_block = True
            plugin = server.get("forwardPlugin")
            upstreams = plugin.get("upstreams") if isinstance(plugin, dict) else None
            if isinstance(upstreams, list):
                addresses += [_host(each) for each in upstreams if _is_text(each)]
    return Forwarding(has_block, tuple(dict.fromkeys(addresses)), imports=False)


def _objects(value: object, key: str) -> list[dict[str, Any]]:
    found = value.get(key) if isinstance(value, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _blocks(corefile: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the keys and the directives of each server block."""
    depth, keys = 0, list[str]()
    lines = list[list[str]]()
    for line in corefile.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        opens, closes = words.count("{"), words.count("}")
        said = [word for word in words if word not in {"{", "}"}]
        if depth == 0 and said:
            keys = [*keys, *said]
            if not opens and keys[0] == "import":
                yield keys, []
                keys = []
        elif depth == 1 and said:
            lines.append(said)
        depth += opens - closes
        if depth == 0 and closes:
            yield keys or [""], lines
            keys, lines = [], []


def _zone(key: str) -> str:
    name = key.rstrip(",").rpartition("://")[2]
    return name.partition(":")[0].rstrip(".").lower()


def _host(upstream: str) -> str:
    address = upstream.rpartition("://")[2]
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
