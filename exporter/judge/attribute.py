"""Client address -> source cluster, by longest prefix, compiled once for each inventory."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from exporter.model.clusterset import EXTERNAL, UNKNOWN, VTEP, Address, Inventory, Network

# Submariner's VXLAN devices use 240 + the node's last three octets, its VXLAN cable driver 241;
# neither leaves a cluster. Source: submariner 0.19, kubeproxy/constants.go and vxlan/vxlan.go.
VTEP_NETWORKS = (ip_network("240.0.0.0/8"), ip_network("241.0.0.0/8"))


class Attribution:
    """
    Which cluster a client address belongs to, as seen in the logs of one cluster.

    With Globalnet on, pod addresses of other clusters may repeat, so only its global addresses
    name a remote cluster; without it, its pod addresses do. Of the local cluster, pods, nodes
    and global addresses count. A prefix that two clusters claim belongs to neither.

    Args:
        inventory: The clusterset as the cluster that wrote the logs sees it.
        trusted_proxies: Networks whose X-Forwarded-For is believed.

    Source: submariner 0.19, route agent handlers (pod addresses are kept across clusters) and
    globalnet controllers (a gateway rewrites them to global ones).
    """

    def __init__(self, inventory: Inventory, trusted_proxies: Iterable[Network] = ()) -> None:
        claims = [*_claims(inventory), *((network, VTEP) for network in VTEP_NETWORKS)]
        self.conflicts = _conflicts(claims)
        """Prefixes that several clusters claim, and who."""
        self._tables = {version: _flatten(claims, version) for version in (4, 6)}
        self._trusted = tuple(trusted_proxies)

    def source(self, remote: str, forwarded: str = "") -> str:
        """Return the cluster id of the client, or one of NOT_CLUSTERS."""
        address = parse_address(remote)
        if address is not None and self._trusted and self._trusts(address):
            address = self._behind(address, forwarded)
        if address is None:
            return UNKNOWN
        starts, owners = self._tables[address.version]
        return owners[bisect_right(starts, int(address)) - 1]

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _behind(self, proxy: Address, forwarded: str) -> Address | None:
        # Each proxy appends the address it saw, so only what trusted ones wrote is believed.
        client: Address | None = proxy
        for hop in reversed(forwarded.split(",") if forwarded not in {"", "-"} else []):
            client = parse_address(hop.strip())
            if client is None or not self._trusts(client):
                break
        return client


def parse_address(text: str) -> Address | None:
    """Return the address in *text*, IPv4-mapped IPv6 as IPv4, or None if it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _claims(inventory: Inventory) -> Iterator[tuple[Network, str]]:
    for cluster in inventory.clusters.values():
        local = cluster.id == inventory.local
        networks = [*cluster.global_cidrs]
        if local or not cluster.global_cidrs:
            networks += cluster.pod_cidrs
        if local:
            networks += (ip_network(address) for address in cluster.node_addresses)
        yield from ((network, cluster.id) for network in networks)


def _conflicts(claims: Iterable[tuple[Network, str]]) -> dict[Network, frozenset[str]]:
    owners: dict[Network, set[str]] = {}
    for network, owner in claims:
        owners.setdefault(network, set()).add(owner)
    return {network: frozenset(who) for network, who in owners.items() if len(who) > 1}


def _flatten(claims: Sequence[tuple[Network, str]], version: int) -> tuple[list[int], list[str]]:
    """Turn nested prefixes into the starts of disjoint ranges, and who owns each range."""
    owners: dict[tuple[int, int], str] = {}
    for network, owner in claims:
        if network.version == version:
            span = (int(network.network_address), int(network.broadcast_address))
            owners[span] = owner if owners.setdefault(span, owner) == owner else UNKNOWN
    starts, held = [0], [EXTERNAL]
    open_spans: list[tuple[int, str]] = [(1 << 129, EXTERNAL)]

    def begin(start: int, owner: str) -> None:
        if starts[-1] == start:
            held[-1] = owner
        else:
            starts.append(start)
            held.append(owner)

    def close_before(start: int) -> None:
        while open_spans[-1][0] < start:
            end, _ = open_spans.pop()
            begin(end + 1, open_spans[-1][1])

    # Wider spans first where several start together, so that the narrowest is on top.
    for (start, end), owner in sorted(owners.items(), key=lambda item: (item[0][0], -item[0][1])):
        close_before(start)
        begin(start, owner)
        open_spans.append((end, owner))
    close_before(1 << 128)
    return starts, held
