from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.judge.attribute import Attribution
from exporter.judge.claims import VTEP_NETWORKS
from exporter.model.clusterset import EXTERNAL, UNKNOWN, VTEP, Cluster, Inventory
from tests.fakes.nouns import inventory

PLAIN = inventory()


def globalnet(local: str = "a") -> Inventory:
    """Two clusters with the same pods, told apart by their global addresses."""
    same = (ip_network("10.0.0.0/8"),)
    clusters = {
        id_: Cluster(id=id_, pod_cidrs=same, global_cidrs=(ip_network(f"242.{n}.0.0/16"),))
        for n, id_ in enumerate("ab")
    }
    return Inventory(local=local, clusters=clusters)


@pytest.mark.parametrize(
    ("where", "address", "source"),
    [
        pytest.param(PLAIN, "10.1.2.3", "a", id="a pod of the local cluster"),
        pytest.param(PLAIN, "10.2.2.3", "b", id="a pod of another cluster"),
        pytest.param(PLAIN, "::ffff:10.2.2.3", "b", id="the same, as a dual-stack socket logs it"),
        pytest.param(PLAIN, "172.18.0.1", "a", id="a node of the local cluster"),
        pytest.param(PLAIN, "172.18.0.2", EXTERNAL, id="a node of another cluster"),
        pytest.param(PLAIN, "192.0.2.1", EXTERNAL, id="an address nobody owns"),
        pytest.param(PLAIN, "2001:db8::1", EXTERNAL, id="an IPv6 address nobody owns"),
        pytest.param(PLAIN, "240.18.0.3", VTEP, id="a tunnel address of a node"),
        pytest.param(PLAIN, "241.0.0.1", VTEP, id="a tunnel address of the VXLAN cable"),
        pytest.param(PLAIN, "unix:", UNKNOWN, id="a client on a unix socket"),
        pytest.param(PLAIN, "", UNKNOWN, id="nothing"),
        pytest.param(globalnet(), "242.1.9.9", "b", id="a global address of another cluster"),
        pytest.param(globalnet(), "242.0.9.9", "a", id="our own global address"),
        pytest.param(globalnet(), "10.9.9.9", "a", id="a pod address under Globalnet is ours"),
        pytest.param(globalnet("b"), "10.9.9.9", "b", id="and theirs when they ask"),
    ],
)
def test_source(where, address, source):
    assert Attribution(where).source(address) == source


@pytest.mark.parametrize(
    ("remote", "forwarded", "source"),
    [
        pytest.param("10.1.0.7", "10.2.0.9", "b", id="the proxy's word is taken"),
        pytest.param("10.1.0.7", "1.1.1.1, 10.2.0.9", "b", id="what the client says is not"),
        pytest.param("10.1.0.7", "10.2.0.9, 10.1.0.8", "b", id="a chain of trusted proxies"),
        pytest.param("10.1.0.7", "-", "a", id="no header"),
        pytest.param("10.1.0.7", "10.1.0.9", "a", id="trusted all the way"),
        pytest.param("10.1.0.7", "10.2.0.9, nonsense", UNKNOWN, id="nonsense from a proxy"),
        pytest.param("10.2.0.7", "10.1.0.9", "b", id="an untrusted peer may say what it wants"),
    ],
)
def test_client_behind_trusted_proxies(remote, forwarded, source):
    assert Attribution(PLAIN, [ip_network("10.1.0.0/24")]).source(remote, forwarded) == source


def test_a_prefix_claimed_twice_belongs_to_nobody():
    twin = replace(PLAIN.clusters["b"], pod_cidrs=PLAIN.clusters["c"].pod_cidrs)
    both = replace(PLAIN, clusters={**PLAIN.clusters, "b": twin})
    assert Attribution(both).source("10.3.0.1") == UNKNOWN


def networks(bits):
    # A small corner of the address space, so that prefixes nest and touch.
    return st.builds(
        lambda length, host: ip_network((host >> (32 - length) << (32 - length), length)),
        st.integers(32 - bits, 32),
        st.integers(0, 2**bits - 1),
    )


@given(
    st.dictionaries(networks(8), st.sampled_from("abcd"), max_size=12),
    st.lists(st.integers(0, 2**9), max_size=40),
)
def test_the_longest_prefix_wins_as_by_brute_force(owners, hosts):
    clusters = {
        id_: Cluster(id=id_, pod_cidrs=tuple(n for n, owner in owners.items() if owner == id_))
        for id_ in "abcd"
    }
    table = Attribution(Inventory(local="a", clusters=clusters))
    for host in hosts:
        address = ip_address(host)
        holders = [network for network in owners if address in network]
        longest = max(holders, key=lambda network: network.prefixlen, default=None)
        assert table.source(str(address)) == (EXTERNAL if longest is None else owners[longest])


@given(
    st.one_of(
        st.ip_addresses().map(str),
        st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}"),
        st.ip_addresses(v=6).map(lambda address: address.exploded.upper()),
        st.ip_addresses(v=6).map(lambda address: f"{address}%eth0"),
        st.text(alphabet="0123456789abf.:%\0 ", max_size=20),
        st.text(max_size=10),
    )
)
def test_an_address_is_read_as_the_standard_library_reads_it(text):
    halves = {"a": ("0.0.0.0/1", "::/1"), "b": ("128.0.0.0/1", "8000::/1")}
    clusters = {
        id_: Cluster(id=id_, pod_cidrs=tuple(map(ip_network, cidrs)))
        for id_, cidrs in halves.items()
    }
    try:
        address = ip_address(text)
    except ValueError:
        expected = UNKNOWN
    else:
        address = getattr(address, "ipv4_mapped", None) or address
        expected = "b" if address.packed[0] & 0x80 else "a"
        expected = VTEP if any(address in network for network in VTEP_NETWORKS) else expected
    assert Attribution(Inventory(local="a", clusters=clusters)).source(text) == expected


def test_a_prefix_that_two_clusters_claim_is_told():
    shared = (ip_network("10.9.0.0/16"),)
    where = inventory()
    clusters = {
        id_: replace(each, pod_cidrs=shared) if id_ in "bc" else each
        for id_, each in where.clusters.items()
    }
    attribution = Attribution(replace(where, clusters=clusters))
    assert attribution.conflicts == {shared[0]: {"b", "c"}}
    assert attribution.source("10.9.1.1") == "unknown"
    assert Attribution(where).conflicts == {}
