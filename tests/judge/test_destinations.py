"""Which cluster a gateway here sends to, by the address of the server that it asks."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from exporter.judge.destinations import Destinations
from exporter.model.clusterset import EXTERNAL, UNKNOWN, Cluster, Inventory
from tests.fakes.nouns import NGINX, inventory

PLAIN = inventory(clusters="abc", clusterset_ips=("100.1.0.99",))
PLAIN = replace(
    PLAIN,
    clusters={
        id_: replace(each, service_cidrs=(ip_network(f"100.{n}.0.0/16"),))
        for n, (id_, each) in enumerate(PLAIN.clusters.items(), 1)
    },
)
GLOBAL = Inventory(
    local="a",
    clusters={
        id_: Cluster(
            id=id_,
            pod_cidrs=(ip_network("10.1.0.0/16"),),
            service_cidrs=(ip_network("100.1.0.0/16"),),
            global_cidrs=(ip_network(f"242.{n}.0.0/16"),),
        )
        for n, id_ in enumerate("ab", 1)
    },
    services=PLAIN.services,
)


def nobody(*_):
    return None


def cluster(where, server, owner_of=nobody):
    return Destinations(where, owner_of).cluster(NGINX, server)


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ("10.1.0.9", "a"),
        ("10.2.0.9", "b"),
        ("100.1.0.7", "a"),
        ("100.3.0.7", "c"),
        ("::ffff:10.2.0.9", "b"),
        # Nodes of the local cluster are known, such as that of a NodePort.
        ("172.18.0.1", "a"),
        ("172.18.0.2", EXTERNAL),
        ("203.0.113.9", EXTERNAL),
        ("2001:db8::1", EXTERNAL),
        # It leads to any cluster that serves, though it lies in a network of this one.
        ("100.1.0.99", UNKNOWN),
        # Another place in each host, and no place at all.
        ("127.0.0.1", UNKNOWN),
        ("::1", UNKNOWN),
        ("169.254.1.1", UNKNOWN),
        ("240.18.0.2", UNKNOWN),
        ("0.0.0.0", UNKNOWN),
        ("cart.shop.svc.cluster.local", UNKNOWN),
        ("unix:/run/app.sock", UNKNOWN),
        ("", UNKNOWN),
        ("1" * 253, UNKNOWN),
    ],
)
def test_pods_services_and_nodes_tell_the_cluster(server, found):
    assert cluster(PLAIN, server) == found


@pytest.mark.parametrize(
    ("server", "found"),
    [("10.1.0.9", "a"), ("100.1.0.9", "a"), ("242.1.0.9", "a"), ("242.2.0.9", "b")],
)
def test_with_globalnet_only_global_addresses_name_another_cluster(server, found):
    assert cluster(GLOBAL, server) == found


def test_a_network_that_two_clusters_claim_belongs_to_none():
    networks = (ip_network("100.1.0.0/16"),)
    clusters = {id_: Cluster(id=id_, service_cidrs=networks) for id_ in "ab"}
    assert cluster(replace(PLAIN, clusters=clusters), "100.1.0.9") == UNKNOWN


def test_an_exported_address_belongs_to_its_exporter_wherever_it_lies():
    def owner_of(service, address):
        return "c" if (service, address) == (NGINX, ip_address("10.1.0.9")) else None

    assert cluster(PLAIN, "10.1.0.9", owner_of) == "c"
    assert cluster(PLAIN, "10.1.0.8", owner_of) == "a"


def test_a_service_with_endpoints_of_karmada_may_lead_elsewhere_but_its_pods_do_not():
    spread = replace(PLAIN.services[NGINX], karmada_endpoints=("b",))
    where = replace(PLAIN, services={NGINX: spread})
    assert cluster(where, "100.1.0.7") == UNKNOWN
    assert cluster(where, "100.1.0.7", lambda *_: "a") == UNKNOWN
    assert cluster(where, "10.1.0.9") == "a"
    assert cluster(where, "10.2.0.9") == "b"
