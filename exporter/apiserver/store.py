"""The objects of one resource as they were last seen, trimmed to what is kept of them."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from exporter.apiserver.errors import one_line
from exporter.apiserver.resource import Event, ListMeta, name_of, version_of

T = TypeVar("T")
Trim = Callable[[dict[str, Any]], T | None]
"""What is kept of an object; None for nothing. Raises one of BROKEN if it makes no sense."""

BROKEN = (ValueError, TypeError, LookupError, AttributeError, RecursionError, msgspec.DecodeError)
MAX_NAMED = 100
"""Broken objects that are named; all are counted."""
NAMELESS = "an object without a name"


class _Versioned(msgspec.Struct):
    """As much of an object as tells its version; the rest is skipped, not decoded."""

    metadata: ListMeta


_read = msgspec.json.Decoder().decode
_read_version = msgspec.json.Decoder(_Versioned).decode


class OutOfOrderError(Exception):
    """An event is from before our place, so others may have been missed; only a list can tell."""


class Store(Generic[T]):
    """
    Objects by `namespace/name`; one that makes no sense is left out, counted and named.

    Attributes:
        objects: What is there; replaced as a whole by a list, changed in place by events.
        events: How many came, by type; types that Kubernetes does not have are "unknown".
        bad_objects: How often an object made no sense.
        broken: Which ones do not at present, and why.
        changes: How often an event made an object another than before.
    """

    def __init__(self, trim: Trim[T]) -> None:
        self._trim = trim
        self.objects: dict[str, T] = {}
        self.events: Counter[str] = Counter()
        self.bad_objects = self.changes = 0
        self.broken: dict[str, str] = {}

    def add(self, into: dict[str, T], broken: dict[str, str], raw: msgspec.Raw) -> str:
        """Add an object to *into*, or say in *broken* why not; return its resourceVersion."""
        found, name = None, NAMELESS
        try:
            found = _read(raw)
            name = name_of(found)
            kept = self._trim(found)
        except BROKEN as error:
            self.bad_objects += 1
            self._put(into, name, None)
            if name in broken or len(broken) < MAX_NAMED:
                broken[name] = one_line(f"{type(error).__name__}: {error}")
            return version_of(found)
        broken.pop(name, None)
        self._put(into, name, kept)
        return version_of(found)

    def replace(self, objects: dict[str, T], broken: dict[str, str]) -> bool:
        """Take a new list; return whether anything is other than before."""
        differs = objects != self.objects
        self.objects, self.broken = objects, broken
        return differs

    def take(self, event: Event, place: str) -> str:
        """
        Do what an event says; return the resourceVersion that it brings, or nothing.

        Raises:
            OutOfOrderError: If it is from before *place*, our resourceVersion; nothing is done.
        """
        match event.type:
            case "ADDED" | "MODIFIED":
                _check_order(event.object, place)
                version = self.add(self.objects, self.broken, event.object)
            case "DELETED":
                _check_order(event.object, place)
                version = self._remove(event.object)
            case "BOOKMARK":
                version = version_of(_read(event.object))
            case "ERROR":
                version = ""
            case _:
                self.events["unknown"] += 1
                return ""
        self.events[event.type] += 1
        return version

    def _remove(self, raw: msgspec.Raw) -> str:
        found = None
        try:
            found = _read(raw)
            name = name_of(found)
        except BROKEN:
            self.bad_objects += 1
            return version_of(found)
        self._put(self.objects, name, None)
        self.broken.pop(name, None)
        return version_of(found)

    def _put(self, into: dict[str, T], name: str, kept: T | None) -> None:
        self.changes += into.get(name) != kept
        if kept is None:
            into.pop(name, None)
        else:
            into[name] = kept


def _check_order(raw: msgspec.Raw, place: str) -> None:
    # A version is opaque, but where both are numbers, as etcd has them, they can be compared.
    version = _version(raw)
    if version.isdecimal() and place.isdecimal() and int(version) < int(place):
        raise OutOfOrderError


def _version(raw: msgspec.Raw) -> str:
    """Return the resourceVersion of what may make no sense otherwise."""
    try:
        return _read_version(raw).metadata.resource_version
    except msgspec.DecodeError:
        return ""
