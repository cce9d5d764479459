"""The clusters of the clusterset and their networks."""

from collections.abc import Iterable, Iterator, Mapping

from exporter.discover.api_types import Member, Node, TunnelEnd
from exporter.discover.findings import Finding, FindingKind
from exporter.judge.claims import overlaps
from exporter.model.clusterset import Cluster, Inventory, Network


def members(ends: Iterable[TunnelEnd], known: Iterable[Member]) -> dict[str, Member]:
    """Return each known cluster: by its Cluster object, else by the Endpoint of its gateway."""
    found = {each.cluster: each for each in known}
    globalnet = any(each.global_cidrs for each in found.values())
    for end in ends:
        if end.cluster not in found:
            found[end.cluster] = _member(end, globalnet=globalnet)
    return found


def with_nodes(cluster: Cluster, nodes: Iterable[Node]) -> Cluster:
    """Return the local *cluster* with its nodes, and with pod networks that only nodes have."""
    nodes = list(nodes)
    own = [network for node in nodes for network in node.pod_cidrs]
    # Its own gateway says nothing of it, so it stays as good as connected.
    fresh = [each for each in dict.fromkeys(own) if not _is_inside(each, cluster.pod_cidrs)]
    return Cluster(
        id=cluster.id,
        pod_cidrs=(*cluster.pod_cidrs, *fresh),
        service_cidrs=cluster.service_cidrs,
        global_cidrs=cluster.global_cidrs,
        node_addresses=tuple(dict.fromkeys(a for node in nodes for a in node.addresses)),
    )


def unknown_local(local: str, known: Mapping[str, Member]) -> Iterator[Finding]:
    """Yield a finding if Submariner knows clusters, but not *local*."""
    if known and local not in known:
        text = f"is unknown to Submariner; known are {', '.join(sorted(known))}"
        yield Finding(FindingKind.UNKNOWN_LOCAL, f"cluster {local}", text)


def overlap_findings(inventory: Inventory) -> Iterator[Finding]:
    """Yield a finding for each two networks of clusters that overlap."""
    for each in overlaps(inventory):
        about = f"clusters {each.first} and {each.second}"
        text = (
            f"{each.first_network} of {each.first} overlaps {each.second_network} of "
            f"{each.second}: {each.consequence}"
        )
        yield Finding(FindingKind.OVERLAPPING_CIDRS, about, text)


def _member(end: TunnelEnd, *, globalnet: bool) -> Member:
    # Under Globalnet an Endpoint names its global networks only; else pods and services in one.
    return Member(
        namespace=end.namespace,
        cluster=end.cluster,
        pod_cidrs=() if globalnet else end.subnets,
        service_cidrs=(),
        global_cidrs=end.subnets if globalnet else (),
    )


def _is_inside(network: Network, others: Iterable[Network]) -> bool:
    return any(_contains(other, network) for other in others)


def _contains(wide: Network, narrow: Network) -> bool:
    return (
        wide.version == narrow.version
        and int(wide.network_address) <= int(narrow.network_address)
        and int(narrow.broadcast_address) <= int(wide.broadcast_address)
    )
