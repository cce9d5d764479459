"""Which services the hosts of requests lead to, as objects of the local cluster say it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.model.clusterset import ServiceName

MAX_HOST = 253
"""Characters of the longest name that DNS has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What one HTTPRoute or Ingress says about one host."""

    origin: str
    """The object, such as HTTPRoute shop/cart."""
    gateway: str
    """What takes it up: a Gateway or a part of it, or a class of Ingresses."""
    host: str
    """In lower case; *.example.com stands for all hosts below, and nothing for all hosts."""
    services: "frozenset[ServiceName | None]"
    """Where its requests are sent; None for what is no Service, or is not known."""
    whole: bool
    """One of its rules takes all requests for the host, so no other host's rules are asked."""


@dataclass(frozen=True)
class HostRoutes:
    """The hosts of all HTTPRoutes and Ingresses of the local cluster."""

    routes: tuple[Route, ...] = ()

    @cached_property
    def _by_host(self) -> Mapping[str, tuple[Route, ...]]:
        made: dict[str, list[Route]] = {}
        for each in self.routes:
            made.setdefault(each.host, []).append(each)
        return {host: tuple(routes) for host, routes in made.items()}

    def of(self, host: str) -> tuple[Route, ...]:
        """
        Return the routes that may decide where requests for *host* are sent.

        Within a gateway the longest host that matches decides. Where it has rules for some requests
        only, shorter ones may decide about the others. Which gateway a log is of is not known, so
        the routes of all gateways are returned.

        Args:
            host: In lower case and without a port. It may be the host of a route, too.
        """
        found, decided = list[Route](), set[str]()
        for candidate in _candidates(host) if len(host) <= MAX_HOST else ():
            matching = [
                each for each in self._by_host.get(candidate, ()) if each.gateway not in decided
            ]
            found += matching
            decided.update(each.gateway for each in matching if each.whole)
        return tuple(found)

    def services(self, host: str) -> "frozenset[ServiceName | None]":
        """Return where requests for *host* may be sent; several if the host does not decide."""
        return frozenset(service for each in self.of(host) for service in each.services)


def _candidates(host: str) -> Iterator[str]:
    """Yield the hosts of routes that *host* matches, the longest first."""
    if host:
        yield host
    rest = host.removeprefix("*.")
    while "." in rest:
        rest = rest.partition(".")[2]
        yield f"*.{rest}"
    yield ""
