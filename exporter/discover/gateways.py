"""Which clusters the local gateway reaches: by what it says, and by what Lighthouse remembers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporter.discover.api_types import Gateway, GatewayConnection
from exporter.discover.findings import Finding, Kind
from exporter.judge.versions import knows_ipv6
from exporter.model.clusterset import Version

# A gateway writes its time every 5 s; after 15 s its successor takes it for dead and removes it.
# One more round, for the way of the news here.
STALE_AFTER = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnels:
    """What active gateways that still speak say of the tunnels."""

    connected: frozenset[str]
    latency: Mapping[str, float]
    """Seconds of a round trip, by cluster."""


def tunnels(gateways: Iterable[Gateway], *, now: float) -> Tunnels:
    """
    Return which clusters are connected, strictly: by an active gateway whose word is fresh.

    Args:
        gateways: Those of the local cluster.
        now: Unix seconds. A gateway whose clock is ahead is fresh.
    """
    speaking = [each for each in gateways if each.active and not is_stale(each, now=now)]
    live = [c for each in speaking for c in each.connections if c.connected]
    return Tunnels(
        connected=frozenset(connection.cluster for connection in live),
        latency={c.cluster: c.latency for c in live if c.latency is not None},
    )


def is_stale(gateway: Gateway, *, now: float) -> bool:
    """Say whether *gateway* has been silent for too long; one that never tells the time is not."""
    return gateway.updated is not None and now - gateway.updated > STALE_AFTER


def gateway_findings(gateways: Iterable[Gateway], *, now: float) -> Iterator[Finding]:
    """Yield what is wrong with the gateways of a cluster that should have some."""
    active = [each for each in gateways if each.active]
    if not active:
        yield Finding(Kind.NO_ACTIVE_GATEWAY, "gateways", "none is active, so no tunnel is known")
    for each in active:
        if is_stale(each, now=now):
            text = (
                f"is active, and silent for more than {STALE_AFTER:.0f} s: its tunnels do not count"
            )
            yield Finding(Kind.STALE_GATEWAY, f"gateway {each.name}", text)
        elif each.updated is None:
            text = "has no update-timestamp, so its tunnels count however old they are"
            yield Finding(Kind.GATEWAY_WITHOUT_TIME, f"gateway {each.name}", text)


@dataclass(frozen=True, slots=True)
class Remembered:
    """
    The clusters that Lighthouse counts as connected, if it ran as long as this was fed.

    It forgets one only when an active gateway says something else of it: neither when the entry or
    the whole Gateway is gone, nor when the Gateway grows old. Since 0.21 an entry without the
    address it uses says nothing, and IPv4 and IPv6 are two tunnels.

    Source: Lighthouse, "coredns/gateway/controller.go" of 0.13, 0.19 and 2025.
    """

    _tunnels: frozenset[tuple[str, int]] = frozenset()
    knows_local: bool = False
    """Some gateway said which cluster this is."""

    def after(self, gateways: Iterable[Gateway], version: Version | None) -> "Remembered":
        """Return what Lighthouse of *version* knows once it has seen *gateways*, too."""
        known, knows_local = set(self._tunnels), self.knows_local
        for gateway in gateways:
            knows_local = knows_local or bool(gateway.local)
            for connection in gateway.connections if gateway.active else ():
                tunnel = _tunnel(connection, version)
                if tunnel is None:
                    continue
                if connection.connected:
                    known.add(tunnel)
                else:
                    known.discard(tunnel)
        return Remembered(frozenset(known), knows_local)

    @property
    def connected(self) -> frozenset[str]:
        """Return the clusters."""
        return frozenset(cluster for cluster, _ in self._tunnels)


def _tunnel(connection: GatewayConnection, version: Version | None) -> tuple[str, int] | None:
    if not knows_ipv6(version):
        return connection.cluster, 4
    return None if connection.family is None else (connection.cluster, connection.family)
