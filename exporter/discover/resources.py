"""The API resources that are watched, and the objects found, by kind."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import TypeVar

from exporter.apiserver.json_fields import Json
from exporter.discover.api_types import Kept
from exporter.discover.findings import Finding, FindingKind
from exporter.discover.parse_core import parse_local_slice, parse_node, parse_service
from exporter.discover.parse_mcs import (
    SERVICE_NAME,
    parse_export,
    parse_import,
    parse_imported_slice,
)
from exporter.discover.parse_routes import parse_http_route, parse_ingress
from exporter.discover.parse_submariner import (
    parse_gateway,
    parse_member,
    parse_submariner,
    parse_tunnel_end,
)

Objects = Mapping[str, Mapping[str, object]]
"""Parsed objects, by `Wanted.name` and "namespace/name". A resource that the API server does not
have is absent."""


class Home(Flag):
    """Where the objects of a resource are."""

    CLUSTER = auto()
    """In no namespace."""
    SERVICES = auto()
    """In the namespaces of services."""
    SUBMARINER = auto()
    """In the namespace that Submariner runs in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The namespaces that are read. Without any, objects of all namespaces are read."""

    namespaces: tuple[str, ...] = ()
    """Those of services."""
    submariner: str | None = None
    """That of Submariner; None where it is not installed. It counts only beside others."""

    def of(self, wanted: "Wanted") -> tuple[str | None, ...]:
        """Return the namespaces to list and watch *wanted* in; None stands for all at once."""
        if not self.namespaces or Home.CLUSTER in wanted.home:
            return (None,)
        services = self.namespaces if Home.SERVICES in wanted.home else ()
        of_submariner = Home.SUBMARINER in wanted.home and self.submariner is not None
        return tuple(dict.fromkeys((*services, *((self.submariner,) if of_submariner else ()))))


EVERYWHERE = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A resource to list and watch in the local cluster."""

    name: str
    group: str
    versions: tuple[str, ...]
    """In the order of preference."""
    plural: str
    home: Home = Home.SERVICES
    label_selector: str | None = None
    decides: bool = True
    """Whether a verdict may follow from a change of it."""
    parse: Callable[[Json], Kept | None]
    """
    Parses one object; returns None for an object that is not wanted.

    Raises ValueError, TypeError or KeyError for a broken object.
    """


RESOURCES = (
    Wanted(
        name="serviceexports",
        group="multicluster.x-k8s.io",
        versions=("v1beta1", "v1alpha1"),
        plural="serviceexports",
        parse=parse_export,
    ),
    Wanted(
        name="serviceimports",
        group="multicluster.x-k8s.io",
        versions=("v1beta1", "v1alpha1"),
        plural="serviceimports",
        # Up to 0.14, Lighthouse keeps them beside itself.
        home=Home.SERVICES | Home.SUBMARINER,
        parse=parse_import,
    ),
    Wanted(
        name="gke_serviceexports",
        group="net.gke.io",
        versions=("v1",),
        plural="serviceexports",
        parse=parse_export,
    ),
    Wanted(
        name="gke_serviceimports",
        group="net.gke.io",
        versions=("v1",),
        plural="serviceimports",
        parse=parse_import,
    ),
    Wanted(
        name="imported_slices",
        group="discovery.k8s.io",
        versions=("v1",),
        plural="endpointslices",
        label_selector=SERVICE_NAME,
        parse=parse_imported_slice,
    ),
    Wanted(
        name="local_slices",
        group="discovery.k8s.io",
        versions=("v1",),
        plural="endpointslices",
        # The replicas of Lighthouse are found by slices, too.
        home=Home.SERVICES | Home.SUBMARINER,
        label_selector="kubernetes.io/service-name",
        parse=parse_local_slice,
    ),
    Wanted(name="services", group="", versions=("v1",), plural="services", parse=parse_service),
    Wanted(
        name="nodes",
        group="",
        versions=("v1",),
        plural="nodes",
        home=Home.CLUSTER,
        decides=False,
        parse=parse_node,
    ),
    Wanted(
        name="gateways",
        group="submariner.io",
        versions=("v1",),
        plural="gateways",
        home=Home.SUBMARINER,
        parse=parse_gateway,
    ),
    Wanted(
        name="clusters",
        group="submariner.io",
        versions=("v1",),
        plural="clusters",
        home=Home.SUBMARINER,
        parse=parse_member,
    ),
    Wanted(
        name="endpoints",
        group="submariner.io",
        versions=("v1",),
        plural="endpoints",
        home=Home.SUBMARINER,
        parse=parse_tunnel_end,
    ),
    Wanted(
        name="submariners",
        group="submariner.io",
        versions=("v1alpha1",),
        plural="submariners",
        home=Home.SUBMARINER,
        decides=False,
        parse=parse_submariner,
    ),
)
ROUTES = (
    Wanted(
        name="httproutes",
        group="gateway.networking.k8s.io",
        versions=("v1", "v1beta1"),
        plural="httproutes",
        decides=False,
        parse=parse_http_route,
    ),
    Wanted(
        name="ingresses",
        group="networking.k8s.io",
        versions=("v1",),
        plural="ingresses",
        decides=False,
        parse=parse_ingress,
    ),
)
"""Watched only where a log needs them."""
_NAMES = frozenset(wanted.name for wanted in (*RESOURCES, *ROUTES))


K = TypeVar("K", bound=Kept)


class Found:
    """The objects by kind. An object of an unknown kind becomes a finding."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def of(self, kind: type[K], *names: str) -> list[K]:
        """Return all objects of *kind* among the resources *names*."""
        found = (self._objects.get(name, {}).values() for name in names)
        return [each for some in found for each in some if isinstance(each, kind)]

    def served(self, name: str) -> bool:
        """Return whether the API server has the resource, as far as we may see."""
        return name in self._objects

    def foreign(self) -> Iterator[Finding]:
        """Yield a finding for each object that cannot be used."""
        for name, found in self._objects.items():
            for key, each in found.items():
                if name not in _NAMES or not isinstance(each, Kept):
                    text = f"is of no use: {type(each).__name__}"
                    yield Finding(FindingKind.BROKEN_OBJECT, f"{name} {key}", text)
