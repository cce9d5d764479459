"""Clusters and their networks."""

from ipaddress import ip_address, ip_network

from exporter.discover.findings import Finding, FindingKind
from exporter.discover.identity import Identity, IdentitySource
from exporter.model.clusterset import ServiceName
from tests.fakes.objects import Objects

NGINX = ServiceName("nginx-test", "nginx")
A1, A2 = ip_address("100.1.0.10"), ip_address("100.2.0.10")


def test_where_a_cluster_object_is_missing_its_gateway_names_its_networks():
    objects = Objects("scene")
    objects.remove("Cluster", "cluster2")
    two = objects.discover().inventory.clusters["cluster2"]
    assert two.pod_cidrs == (ip_network("100.2.0.0/16"), ip_network("10.2.0.0/16"))


def test_prefixes_that_overlap_are_found():
    objects = Objects("scene")
    objects.get("Cluster", "cluster2")["spec"]["cluster_cidr"] = ["10.1.128.0/17", "fd00:2::/64"]
    (finding,) = objects.discover().findings
    assert finding == Finding(
        FindingKind.OVERLAPPING_CIDRS,
        "clusters cluster1 and cluster2",
        "10.1.0.0/16 of cluster1 overlaps 10.1.128.0/17 of cluster2: "
        "clients in 10.1.128.0/17 belong to cluster2",
    )


def test_a_local_cluster_that_submariner_does_not_know_is_found():
    identity = Identity(cluster="member1", source=IdentitySource.KARMADA)
    found = {each.kind: each for each in Objects("scene").discover(identity=identity).findings}
    # Its nodes have addresses of a cluster that it says it is not.
    assert set(found) == {FindingKind.UNKNOWN_LOCAL, FindingKind.OVERLAPPING_CIDRS}
    assert found[FindingKind.UNKNOWN_LOCAL].text.endswith("known are cluster1, cluster2")


def test_pod_networks_that_only_nodes_know_count_and_those_known_are_not_repeated():
    objects = Objects("scene")
    objects.get("Node", "worker")["spec"] = {
        "podCIDRs": ["10.1.3.0/24", "10.7.0.0/24", "fd00::/64"]
    }
    one = objects.discover().inventory.clusters["cluster1"]
    assert [str(each) for each in one.pod_cidrs] == ["10.1.0.0/16", "10.7.0.0/24", "fd00::/64"]


def test_a_broker_namespace_of_another_name_is_the_one_that_submariner_names():
    objects = Objects("scene")
    objects.get("Submariner", "submariner")["spec"]["brokerK8sRemoteNamespace"] = "broker"
    objects.copy("Cluster", "cluster2", into="broker")["spec"]["cluster_id"] = "left-long-ago"
    assert set(objects.discover().inventory.clusters) == {"cluster1", "cluster2"}


def test_prefixes_of_services_may_not_overlap_either():
    objects = Objects("scene")
    objects.get("Cluster", "cluster2")["spec"]["service_cidr"] = ["100.1.0.0/20"]
    assert [each.kind for each in objects.discover().findings] == [FindingKind.OVERLAPPING_CIDRS]


def test_a_network_is_never_inside_one_of_another_family():
    objects = Objects("scene")
    objects.get("Cluster", "cluster1")["spec"]["cluster_cidr"] = ["::/64"]
    one = objects.discover().inventory.clusters["cluster1"]
    assert [str(each) for each in one.pod_cidrs] == ["::/64", "10.1.0.0/24"]
