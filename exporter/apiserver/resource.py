"""A resource to watch, and the JSON of its lists and watches."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

PAGE = 500
"""Objects in one page of a list."""
MAX_VERSION = 128
"""Characters of a resourceVersion: each watch sends it in its URL. etcd's have at most 19."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of object of an API server, or a selection of those objects."""

    group: str = ""
    version: str
    older: tuple[str, ...] = ()
    """Versions asked for, in this order, where *version* is not served."""
    plural: str
    namespace: str | None = None
    """None for all namespaces, and for objects without a namespace."""
    label_selector: str | None = None
    field_selector: str | None = None

    @property
    def title(self) -> str:
        """Return what kubectl calls it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def versions(self) -> tuple[str, ...]:
        """Return all usable versions, the best first."""
        return self.version, *self.older

    @property
    def missing_rule(self) -> str:
        """Return which RBAC rule allows to list and watch it, as an instruction."""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        group = self.group or '""'
        return f"grant list and watch on {self.plural} of API group {group}{where}"

    def base(self, version: str) -> str:
        """Return the path that lists the resources of the group."""
        return f"/apis/{self.group}/{version}" if self.group else f"/api/{version}"

    def path(self, version: str) -> str:
        """Return the path of the collection."""
        where = f"/namespaces/{self.namespace}" if self.namespace else ""
        return f"{self.base(version)}{where}/{self.plural}"

    def watch_params(self, place: str, seconds: float) -> dict[str, str]:
        """Return the query of a watch that begins at the resourceVersion *place*."""
        return self.params(
            {
                "watch": "true",
                "resourceVersion": place,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(int(seconds)),
            }
        )

    def params(self, more: dict[str, str]) -> dict[str, str]:
        """Return the query of a request with these parameters."""
        chosen = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return more | {name: value for name, value in chosen.items() if value}


class ListMeta(msgspec.Struct):
    """The metadata of a list."""

    resource_version: Annotated[str, msgspec.Meta(max_length=MAX_VERSION)] = msgspec.field(
        name="resourceVersion", default=""
    )
    next_page: str = msgspec.field(name="continue", default="")


class Page(msgspec.Struct):
    """One page. Its items are decoded one at a time, which saves memory."""

    metadata: ListMeta
    items: list[msgspec.Raw] | None = None


class WatchEvent(msgspec.Struct):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


read_page = msgspec.json.Decoder(Page).decode
read_event = msgspec.json.Decoder(WatchEvent).decode


def name_of(found: dict[str, Any]) -> str:
    """Return `namespace/name`, or `name` without a namespace; ValueError without a name."""
    meta = found["metadata"]
    name, namespace = meta["name"], meta.get("namespace") or ""
    if not (isinstance(name, str) and name and isinstance(namespace, str)):
        msg = "metadata.name or metadata.namespace is no name"
        raise ValueError(msg)
    return f"{namespace}/{name}" if namespace else name


def version_of(found: object) -> str:
    """Return the resourceVersion of an object, or nothing: it is opaque, and may be missing."""
    meta = found.get("metadata") if isinstance(found, dict) else None
    version = meta.get("resourceVersion") if isinstance(meta, dict) else None
    return version if isinstance(version, str) and len(version) <= MAX_VERSION else ""
