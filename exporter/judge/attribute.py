"""Finds the source cluster of a client address, with a table made once for each inventory."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from socket import AF_INET, AF_INET6, inet_pton

from exporter.judge.claims import Claim, claims, conflicts
from exporter.model.clusterset import EXTERNAL, UNKNOWN, Address, Inventory, Network

_INET, _INET6 = int(AF_INET), int(AF_INET6)
_IPV4_BYTES = 4
_MAPPED = bytes(10) + b"\xff\xff"
"""What an IPv6 address begins with that holds an IPv4 address: RFC 4291, section 2.5.5.2."""


class Attribution:
    """
    Finds the cluster of a client address in the logs of one cluster, by the claims of clusters.

    Args:
        inventory: The clusterset as the cluster that wrote the logs sees it.
        trusted_proxies: Networks whose X-Forwarded-For header is believed.
        claimed: Yields who claims which network.
    """

    def __init__(
        self,
        inventory: Inventory,
        trusted_proxies: Iterable[Network] = (),
        *,
        claimed: Callable[[Inventory], Iterable[Claim]] = claims,
    ) -> None:
        self.conflicts = conflicts(inventory)
        """Each prefix that several clusters claim, and who claims it."""
        networks = list(claimed(inventory))
        self._ipv4, self._ipv6 = _flatten(networks, 4), _flatten(networks, 6)
        self._trusted = tuple(trusted_proxies)

    def source(self, remote: str, forwarded: str = "") -> str:
        """Return the cluster id of the client, or one of NOT_CLUSTERS."""
        if self._trusted:
            return self._source_behind(remote, forwarded)
        # Many times faster than ip_address(), because a log may have millions of addresses.
        try:
            if ":" in remote:
                return self._owner(inet_pton(_INET6, remote))
            packed = inet_pton(_INET, remote)
        except (OSError, ValueError):
            # Only ip_address() knows the zone of an address, as in fe80::1%eth0.
            address = parse_address(remote) if "%" in remote else None
            return UNKNOWN if address is None else self._owner(address.packed)
        starts, owners = self._ipv4
        return owners[bisect_right(starts, packed) - 1]

    def _owner(self, packed: bytes) -> str:
        packed = packed.removeprefix(_MAPPED)
        starts, owners = self._ipv4 if len(packed) == _IPV4_BYTES else self._ipv6
        return owners[bisect_right(starts, packed) - 1]

    def _source_behind(self, remote: str, forwarded: str) -> str:
        address = parse_address(remote)
        if address is not None and self._trusts(address):
            address = self._behind(address, forwarded)
        return UNKNOWN if address is None else self._owner(address.packed)

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


def _flatten(claimed: Iterable[Claim], version: int) -> tuple[list[bytes], list[str]]:
    """Turn nested prefixes into the starts of disjoint ranges, and the owner of each range."""
    size = 4 if version == 4 else 16  # noqa: PLR2004 - bytes of an address
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
    # The range after the last address begins nowhere.
    within = [start for start in starts if start < 1 << 8 * size]
    return [start.to_bytes(size) for start in within], held[: len(within)]
