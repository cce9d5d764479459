"""The objects of one resource as last seen, reduced to what is kept of them."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from exporter.apiserver.errors import UNREADABLE, one_line
from exporter.apiserver.resource import ListMeta, WatchEvent, name_of, version_of

T = TypeVar("T")
Trim = Callable[[dict[str, Any]], T | None]
"""Returns what to keep of an object, None for nothing. Raises one of BROKEN if it is invalid."""

BROKEN = (*UNREADABLE, TypeError, LookupError, AttributeError, ArithmeticError)
MAX_NAMED = 100
"""Invalid objects that are named; all are counted."""
NAMELESS = "an object without a name"


class _Versioned(msgspec.Struct):
    """The part of an object with its version; the rest is skipped, not decoded."""

    metadata: ListMeta


_read = msgspec.json.Decoder().decode
_read_version = msgspec.json.Decoder(_Versioned).decode


class OutOfOrderError(Exception):
    """An event is older than our place, so we may have missed others; a list is needed."""


class Store(Generic[T]):
    """
    Objects by `namespace/name`; an invalid one is left out, counted and named.

    Attributes:
        objects: The objects; a list replaces all, an event changes one.
        events: How many came, by type; types that Kubernetes does not have are "unknown".
        bad_objects: How often an invalid object came.
        broken: Which objects are invalid now, and why.
        changes: How often an object changed.
    """

    def __init__(self, trim: Trim[T]) -> None:
        self._trim = trim
        self.objects: dict[str, T] = {}
        self.events: Counter[str] = Counter()
        self.bad_objects = self.changes = 0
        self.broken: dict[str, str] = {}

    def add(self, into: dict[str, T], broken: dict[str, str], raw: msgspec.Raw) -> str:
        """Add an object to *into*, or the reason to *broken*; return its resourceVersion."""
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
        """Use a new list; return whether anything has changed."""
        differs = objects != self.objects
        self.objects, self.broken = objects, broken
        return differs

    def take(self, event: WatchEvent, place: str) -> str:
        """
        Apply an event; return its resourceVersion, or nothing.

        Raises:
            OutOfOrderError: If it is older than *place*, our resourceVersion; nothing changes.
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
    # A version is opaque, but two numbers, as etcd has them, can be compared.
    version = _version(raw)
    if version.isdecimal() and place.isdecimal() and int(version) < int(place):
        raise OutOfOrderError


def _version(raw: msgspec.Raw) -> str:
    """Return the resourceVersion of an object that may be invalid otherwise."""
    try:
        return _read_version(raw).metadata.resource_version
    except UNREADABLE:
        return ""
