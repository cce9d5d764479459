"""What is kept of an object, what is not wanted, and what is broken."""

import gc
import json
import tracemalloc
from copy import deepcopy
from ipaddress import ip_address

import pytest

from exporter.discover.assemble import inventory
from exporter.discover.findings import FindingKind
from exporter.discover.resources import RESOURCES
from tests.fakes.objects import HERE, NOW, Objects

PARSE = {wanted.name: wanted.parse for wanted in RESOURCES}
BROKEN = (ValueError, TypeError, KeyError)
SLICES = 5000
BYTES_EACH = 2560


def slice_with(**changes):
    found = deepcopy(Objects("scene").slice_of("cluster2"))
    found.update(changes)
    return found


@pytest.mark.parametrize(
    ("name", "found", "what"),
    [
        pytest.param("services", {"metadata": None}, "namespace is ''", id="no metadata"),
        pytest.param("services", {"metadata": []}, "metadata is \\[\\], not an object", id="list"),
        pytest.param(
            "serviceexports", {"metadata": {"namespace": "a", "name": 7}}, "name is 7", id="number"
        ),
        pytest.param(
            "serviceexports",
            {"metadata": {"namespace": "a", "name": 'b"} 1\n'}},
            "not a DNS label",
            id="name",
        ),
        pytest.param(
            "clusters",
            {"spec": {"cluster_id": "external"}},
            "is 'external', not usable as a name",
            id="reserved",
        ),
        pytest.param("clusters", {"spec": {}}, "cluster_id is ''", id="no cluster"),
        pytest.param(
            "clusters",
            {"spec": {"cluster_id": "a", "cluster_cidr": ["10.0.0.0/33"]}},
            "10.0.0.0/33",
            id="no network",
        ),
        pytest.param(
            "clusters",
            {"spec": {"cluster_id": "a", "cluster_cidr": "10.0.0.0/16"}},
            "cluster_cidr is '10.0.0.0/16', not a list",
            id="not a list",
        ),
        pytest.param(
            "clusters",
            {"spec": {"cluster_id": "a", "cluster_cidr": [167772160]}},
            "not a string",
            id="not a string",
        ),
        pytest.param(
            "imported_slices",
            slice_with(endpoints=[{"addresses": ["cart.example"]}]),
            "cart.example",
            id="no address",
        ),
        pytest.param(
            "imported_slices", slice_with(endpoints=[None]), "endpoints is None", id="null"
        ),
        pytest.param(
            "imported_slices",
            slice_with(endpoints=[{"conditions": {"ready": "yes"}}]),
            "ready is 'yes', not true or false",
            id="no truth",
        ),
        pytest.param(
            "imported_slices",
            slice_with(ports=[{"port": 65536}]),
            "65536, not a port",
            id="no port",
        ),
        pytest.param(
            "imported_slices",
            slice_with(ports=[{"port": True}]),
            "True, not a number",
            id="no number",
        ),
        pytest.param(
            "gateways",
            {"status": {"connections": [{"endpoint": "gw"}]}},
            "endpoint is 'gw'",
            id="text",
        ),
    ],
)
def test_a_broken_object_says_what_is_wrong(name, found, what):
    with pytest.raises(BROKEN, match=what):
        PARSE[name](found)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("imported_slices", slice_with(addressType="FQDN"), id="names, not addresses"),
        pytest.param(
            "services", {"spec": {"type": "ExternalName"}}, id="another name for something"
        ),
        pytest.param("imported_slices", {}, id="a slice of nothing"),
        pytest.param("local_slices", {}, id="a slice of no Service"),
        pytest.param(
            "local_slices",
            {"metadata": {"labels": {"kubernetes.io/service-name": "a"}}, "addressType": "FQDN"},
            id="names of a Service",
        ),
    ],
)
def test_what_is_not_wanted_is_no_error(name, found):
    assert PARSE[name](found) is None


def test_what_is_null_counts_as_empty():
    kept = PARSE["imported_slices"](slice_with(endpoints=None, ports=None))
    assert (kept.ready, kept.not_ready, kept.ports) == ((), (), ())


def test_a_port_that_means_any_is_none():
    kept = PARSE["imported_slices"](slice_with(ports=[{"name": "any", "port": None}]))
    assert kept.ports == ()


def test_labels_that_controllers_put_on_their_copies_are_not_kept():
    found = slice_with()
    found["metadata"]["labels"]["app"] = "nginx"
    assert PARSE["imported_slices"](found).labels == (("app", "nginx"),)


def test_a_connection_that_does_not_say_to_whom_is_passed_over():
    connections = [
        {"status": "connected"},
        {"status": "connected", "endpoint": {"cluster_id": "b"}},
    ]
    kept = PARSE["gateways"]({"status": {"connections": connections}})
    assert [each.cluster for each in kept.connections] == ["b"]


def test_addresses_of_ipv4_in_ipv6_are_ipv4():
    kept = PARSE["imported_slices"](slice_with(endpoints=[{"addresses": ["::ffff:10.2.0.7"]}]))
    assert kept.ready == (ip_address("10.2.0.7"),)


def test_a_node_without_a_list_of_networks_has_one():
    node = PARSE["nodes"]({"spec": {"podCIDR": "10.1.0.0/24"}})
    assert [str(each) for each in node.pod_cidrs] == ["10.1.0.0/24"]


def test_what_is_of_no_use_in_the_store_is_named():
    kept = Objects("scene").trimmed()
    kept["nodes"]["/odd"] = object()
    kept["pods"] = {"shop/cart": next(iter(kept["nodes"].values()))}
    seen = inventory(kept, identity=HERE, now=NOW)
    assert {(each.kind, each.about) for each in seen.findings} == {
        (FindingKind.BROKEN_OBJECT, "nodes /odd"),
        (FindingKind.BROKEN_OBJECT, "pods shop/cart"),
    }
    assert seen.inventory == Objects("scene").discover().inventory


@pytest.mark.slow
def test_five_thousand_slices_are_small():
    one = json.dumps(slice_with())
    texts = [
        one.replace("100.2.0.10", f"100.2.{n // 250}.{n % 250}")
        .replace('"nginx"', f'"service-{n // 4}"')
        .replace("cluster2", f"cluster{n % 4}")
        .replace("nginx-test", f"team-{n % 100}")
        for n in range(SLICES)
    ]
    gc.collect()
    tracemalloc.start()
    kept = {
        f"team-{n % 100}/service-{n}": PARSE["imported_slices"](json.loads(t))
        for n, t in enumerate(texts)
    }
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == SLICES
    print(f"{size / SLICES:.0f} bytes for each of {SLICES} slices")  # noqa: T201
    assert size / SLICES <= BYTES_EACH
