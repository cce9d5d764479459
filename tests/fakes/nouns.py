"""Short ways to write the model's nouns in tests."""

from ipaddress import ip_address, ip_network
from typing import Any

from exporter.model.clusterset import Cluster, Export, Inventory, Port, Service, ServiceName
from exporter.model.probes import Answer, Failure, Probe, Protocol, Question, Reply

NGINX = ServiceName("nginx-test", "nginx")
ADDRESSES = {letter: f"100.{n}.0.10" for n, letter in enumerate("abcdef", 1)}


def inventory(
    *,
    local: str = "a",
    ready: str = "ab",
    backed: str | None = None,
    exported: str = "",
    clusters: str = "abcd",
    connected: str = "abcdef",
    answered: str | None = None,
    headless: bool = False,
    clusterset_ips: tuple[str, ...] = (),
    **more: Any,
) -> Inventory:
    """Return *clusters* with nginx; each letter of a word names a cluster."""
    made = {
        id_: Cluster(
            id=id_,
            pod_cidrs=(ip_network(f"10.{n}.0.0/16"),),
            node_addresses=(ip_address(f"172.18.0.{n}"),),
            connected=id_ in connected,
            answered=None if answered is None else id_ in answered,
        )
        for n, id_ in enumerate(clusters, 1)
    }
    exports = tuple(
        Export(
            cluster=id_,
            addresses=(ip_address(ADDRESSES[id_]),),
            ready=id_ in ready,
            backed=None if backed is None else id_ in backed,
        )
        for id_ in sorted(set(exported or "ab") | set(ready))
    )
    service = Service(
        name=NGINX,
        ports=(Port(name="http", port=8080),),
        exports=exports,
        headless=headless,
        clusterset_ips=tuple(map(ip_address, clusterset_ips)),
    )
    return Inventory(local=local, clusters=made, services={NGINX: service}, **more)


def probe(
    at: float,
    *,
    by: str | None = None,
    pinned: str | None = None,
    answer: Failure | None = None,
    reply: Failure | None = None,
    took: float = 0.1,
) -> Probe:
    """Return a probe that cluster *by* (or several) answered and served, or that failed as said."""
    owners = [] if by is None else by if set(by) <= set(ADDRESSES) else [by]
    addresses = tuple(ip_address(ADDRESSES.get(each, each)) for each in owners)
    if by is None and answer is None:
        answer = Failure.NODATA
    replied = None
    if by is not None:
        status = None if reply else 200
        replied = Reply(
            address=addresses[0], port=8080, status=status, took=took / 4, failure=reply
        )
    return Probe(
        question=Question(NGINX, pinned),
        at=at,
        ended=at + took,
        unix=1_000_000 + at,
        answer=Answer(addresses=addresses, took=took / 2, failure=answer),
        reply=replied,
        protocol=Protocol.HTTP,
    )
