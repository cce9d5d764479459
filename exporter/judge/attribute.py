"""Finds the source cluster of a client address, with a table made once for each inventory."""

from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

from exporter.judge.claims import Claim, claims, conflicts
from exporter.model.clusterset import EXTERNAL, UNKNOWN, Address, Inventory, Network


class Attribution:
    """
    Finds the cluster of a client address in the logs of one cluster, by the claims of clusters.

    Args:
        inventory: The clusterset as the cluster that wrote the logs sees it.
        trusted_proxies: Networks whose X-Forwarded-For header is believed.
    """

    def __init__(self, inventory: Inventory, trusted_proxies: Iterable[Network] = ()) -> None:
        self.conflicts = conflicts(inventory)
        """Each prefix that several clusters claim, and who claims it."""
        claimed = list(claims(inventory))
        self._tables = {version: _flatten(claimed, version) for version in (4, 6)}
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
        # Each proxy appends the address it saw, so only entries of trusted proxies are believed.
        client: Address | None = proxy
        for hop in reversed(forwarded.split(",") if forwarded not in {"", "-"} else []):
            client = parse_address(hop.strip())
            if client is None or not self._trusts(client):
                break
        return client


def parse_address(text: str) -> Address | None:
    """Return the address in *text*, with IPv4-mapped IPv6 as IPv4; None if there is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _flatten(claimed: Iterable[Claim], version: int) -> tuple[list[int], list[str]]:
    """Turn nested prefixes into the starts of disjoint ranges, and the owner of each range."""
    owners: dict[tuple[int, int], str] = {}
    for network, owner in claimed:
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
