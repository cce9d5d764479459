"""Which clusters the local gateway reaches: by its own reports, and by Lighthouse's memory."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from exporter.discover.api_types import Gateway, GatewayConnection
from exporter.discover.findings import Finding, FindingKind
from exporter.judge.versions import knows_ipv6
from exporter.model.clusterset import Version

# A gateway reports every 5 s. After 15 s its successor removes it. One more period of 5 s is for
# the delay until the report arrives here.
STALE_AFTER = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnels:
    """The tunnels, by the active gateways that still report."""

    connected: frozenset[str]
    latency: Mapping[str, float]
    """Seconds of a round trip, by cluster."""


def tunnels(gateways: Iterable[Gateway], *, now: float) -> Tunnels:
    """
    Return the connected clusters, strictly: by active gateways with a fresh report only.

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
    """Return whether the last report is too old; never true for a gateway without a time."""
    return gateway.updated is not None and now - gateway.updated > STALE_AFTER


def gateway_findings(gateways: Iterable[Gateway], *, now: float) -> Iterator[Finding]:
    """Yield the problems of the gateways of a cluster that should have some."""
    active = [each for each in gateways if each.active]
    if not active:
        yield Finding(
            FindingKind.NO_ACTIVE_GATEWAY, "gateways", "none is active, so no tunnel is known"
        )
    for each in active:
        if is_stale(each, now=now):
            text = (
                f"is active, and silent for more than {STALE_AFTER:.0f} s: its tunnels do not count"
            )
            yield Finding(FindingKind.STALE_GATEWAY, f"gateway {each.name}", text)
        elif each.updated is None:
            text = "has no update-timestamp, so its tunnels count however old they are"
            yield Finding(FindingKind.GATEWAY_WITHOUT_TIME, f"gateway {each.name}", text)


@dataclass(frozen=True, slots=True)
class Remembered:
    """
    The clusters that Lighthouse counts as connected, if it ran during all calls of `after`.

    Lighthouse forgets a cluster only when an active gateway reports another status of it. It does
    not forget it when the entry or the whole Gateway is gone, or when the Gateway grows old. From
    0.21 on, an entry without the address that it uses is ignored, and IPv4 and IPv6 are two
    tunnels.

    Source: Lighthouse, "coredns/gateway/controller.go" of 0.13, 0.19 and 2025.
    """

    _tunnels: frozenset[tuple[str, int]] = frozenset()
    knows_local: bool = False
    """A gateway named the local cluster."""

    def after(self, gateways: Iterable[Gateway], version: Version | None) -> "Remembered":
        """Return what Lighthouse of *version* knows after it has seen *gateways*."""
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
