"""Services as each kind of clusterset describes them."""

from copy import deepcopy
from ipaddress import ip_address, ip_network

import pytest

from exporter.discover.identity import Identity, IdentitySource
from exporter.judge.expect import Outcome, expect
from exporter.model.clusterset import Condition, Endpoints, Export, Port, ServiceName
from exporter.model.probes import Question
from exporter.model.verdicts import Policy
from tests.fakes.objects import Objects

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
NGINX = ServiceName("nginx-test", "nginx")
LEFT = Export(cluster="cluster1", addresses=(), ready=False, backed=False, named=False)
"""What is left of an export here whose Service is gone."""
A1, A2 = ip_address("100.1.0.10"), ip_address("100.2.0.10")


def make_headless(objects):
    """Let the shares of both clusters be of a headless service."""
    for n in (1, 2):
        spec = objects.get("ServiceImport", f"nginx-nginx-test-cluster{n}")["spec"]
        spec.update(type="Headless", ips=None)


def own_slice(address):
    """Return a slice that Kubernetes made of a headless Service of this cluster."""
    found = deepcopy(Objects("scene").get("EndpointSlice", "nginx-k8s"))
    found["metadata"]["name"] = "nginx-own"
    found["metadata"]["labels"]["service.kubernetes.io/headless"] = ""
    found["endpoints"] = [{"addresses": [address]}]
    return found


def answer(seen, pinned=None):
    """Return the address that the name should be answered with, or why it has none."""
    expected = expect(seen, Question(NGINX, pinned), Policy.LOCAL)
    if expected.outcome is not Outcome.ANSWER:
        return expected.outcome
    service = seen.services[NGINX]
    return [service.export_of(c).addresses[0] for c in sorted(expected.clusters)]


class TestSubmarinerUpTo014:
    """One import for each cluster, and slices with the pods themselves."""

    @pytest.mark.parametrize("version", ["v0.12.2", "v0.13.0"])
    def test_addresses_come_from_the_imports_and_readiness_from_the_slices(self, version):
        objects = Objects("percluster")
        objects.get("Gateway", "gw1")["status"]["version"] = version
        seen = objects.discover().inventory
        assert seen.services[NGINX].exports == (
            Export(cluster="cluster1", addresses=(A1,), ready=True, backed=True),
            Export(cluster="cluster2", addresses=(A2,), ready=True, backed=True),
        )
        assert seen.version == tuple(int(part) for part in version[1:].split("."))
        assert answer(seen) == [A1]

    def test_readiness_is_the_true_one_and_what_old_lighthouse_counts_stands_beside_it(self):
        objects = Objects("percluster")
        objects.not_ready("cluster1")
        objects.slice_of("cluster2")["endpoints"] = []
        one, two = objects.discover().inventory.services[NGINX].exports
        assert (one.ready, one.backed) == (False, True)
        assert (two.ready, two.backed) == (False, False)

    def test_an_import_without_a_slice_has_an_address_and_nothing_behind_it(self):
        objects = Objects("percluster")
        objects.remove("EndpointSlice", "nginx-cluster2")
        two = objects.discover().inventory.services[NGINX].export_of("cluster2")
        assert two == Export(cluster="cluster2", addresses=(A2,), ready=False, backed=False)

    def test_a_slice_without_its_import_has_no_address_that_is_answered(self):
        objects = Objects("percluster")
        objects.remove("ServiceImport", "nginx-nginx-test-cluster2")
        assert objects.discover().inventory.services[NGINX].export_of("cluster2") is None

    def test_globalnet_here_the_service_itself_and_elsewhere_the_global_address(self):
        objects = Objects("percluster")
        for n in (1, 2):
            spec = objects.get("ServiceImport", f"nginx-nginx-test-cluster{n}")["spec"]
            spec["ips"] = [f"242.{n}.255.253"]
        one, two = objects.discover().inventory.services[NGINX].exports
        assert (one.addresses, two.addresses) == ((A1,), (ip_address("242.2.255.253"),))
        objects.remove("Service", "nginx")
        one = objects.discover().inventory.services[NGINX].export_of("cluster1")
        assert one.addresses == (ip_address("242.1.255.253"),)

    @pytest.mark.parametrize(
        ("version", "answered"),
        [
            ("v0.13.0", ["10.1.0.7", "10.1.0.8"]),
            ("v0.13.4", ["10.1.0.7", "10.1.0.8"]),
            ("v0.13.5", ["10.1.0.7"]),
            ("v0.14.2", ["10.1.0.7", "10.1.0.8"]),
            ("v0.14.3", ["10.1.0.7"]),
        ],
    )
    def test_a_headless_service_is_answered_with_pods_once_even_those_not_ready(
        self, version, answered
    ):
        objects = Objects("percluster")
        objects.get("Gateway", "gw1")["status"]["version"] = version
        make_headless(objects)
        objects.slice_of("cluster1")["endpoints"].append(
            {"addresses": ["10.1.0.8"], "conditions": {"ready": False}}
        )
        service = objects.discover().inventory.services[NGINX]
        assert service.headless
        assert [str(each) for each in service.export_of("cluster1").addresses] == answered
        assert service.ports == (Port(name="http", port=8080),)

    def test_a_headless_service_without_slices_has_no_addresses_even_of_this_cluster(self):
        objects = Objects("percluster")
        make_headless(objects)
        objects.remove("EndpointSlice", "nginx-cluster1")
        objects.all.append(own_slice("10.1.0.9"))
        one = objects.discover().inventory.services[NGINX].export_of("cluster1")
        assert one == Export(cluster="cluster1", addresses=(), ready=False, backed=False)

    def test_a_headless_service_is_answered_by_the_slices_also_of_this_cluster(self):
        objects = Objects("percluster")
        make_headless(objects)
        objects.all.append(own_slice("10.1.0.9"))
        one = objects.discover().inventory.services[NGINX].export_of("cluster1")
        assert one.addresses == (ip_address("10.1.0.7"),)

    def test_the_ports_are_those_of_this_clusters_share(self):
        objects = Objects("percluster")
        spec = objects.get("ServiceImport", "nginx-nginx-test-cluster2")["spec"]
        spec["ports"] = [{"name": "http", "port": 8000}]
        here = Identity(cluster="cluster2", source=IdentitySource.SETTING)
        service = objects.discover(identity=here).inventory.services[NGINX]
        assert service.ports == (Port(name="http", port=8000),)
        assert objects.discover().inventory.services[NGINX].ports[0].port == 80

    def test_another_version_makes_other_services_of_the_same_objects(self):
        objects = Objects("percluster")
        make_headless(objects)
        objects.not_ready("cluster1")
        old = objects.discover()
        objects.get("Gateway", "gw1")["status"]["version"] = "v0.13.5"
        new = objects.discover(previous=old)
        exports = [each.inventory.services[NGINX].export_of("cluster1") for each in (old, new)]
        assert [len(export.addresses) for export in exports] == [1, 0]

    def test_a_broker_here_changes_nothing(self):
        objects = Objects("percluster")
        before = objects.discover().inventory
        copy = objects.copy(
            "ServiceImport", "nginx-nginx-test-cluster2", into="submariner-k8s-broker"
        )
        copy["spec"]["ips"] = ["100.9.0.10"]
        objects.copy("EndpointSlice", "nginx-cluster2", into="submariner-k8s-broker")
        assert objects.discover().inventory == before

    def test_an_old_share_beside_new_slices_of_others_still_counts(self):
        objects = Objects("scene")
        old = next(
            each
            for each in Objects("percluster").all
            if each["metadata"]["name"] == "nginx-nginx-test-cluster2"
        )
        del objects.slice_of("cluster2")["metadata"]["labels"][
            "lighthouse.submariner.io/is-headless"
        ]
        objects.all.append(old)
        two = objects.discover().inventory.services[NGINX].export_of("cluster2")
        assert two == Export(cluster="cluster2", addresses=(A2,), ready=True, backed=True)


class TestGlobalnet:
    """Clusters whose own addresses may repeat."""

    @pytest.fixture
    def objects(self):
        objects = Objects("scene")
        for n in (1, 2):
            spec = objects.get("Cluster", f"cluster{n}")["spec"]
            spec.update(cluster_cidr=["10.1.0.0/16"], global_cidr=[f"242.{n}.0.0/16"])
            piece = objects.slice_of(f"cluster{n}")
            piece["metadata"]["annotations"]["lighthouse.submariner.io/globalnet-enabled"] = "true"
            piece["endpoints"][0]["addresses"] = [f"242.{n}.255.253"]
        return objects

    def test_the_global_address_is_answered_also_here(self, objects):
        seen = objects.discover()
        assert answer(seen.inventory) == [ip_address("242.1.255.253")]
        assert seen.inventory.clusters["cluster2"].global_cidrs == (ip_network("242.2.0.0/16"),)
        assert seen.findings == frozenset()

    def test_of_a_headless_service_the_own_pods_have_their_own_addresses(self, objects):
        objects.get("ServiceImport", "nginx", "nginx-test")["spec"]["type"] = "Headless"
        for n in (1, 2):
            labels = objects.slice_of(f"cluster{n}")["metadata"]["labels"]
            labels["lighthouse.submariner.io/is-headless"] = "true"
        own = objects.get("EndpointSlice", "nginx-k8s")
        own["metadata"]["labels"]["service.kubernetes.io/headless"] = ""
        one, two = objects.discover().inventory.services[NGINX].exports
        assert one.addresses == (ip_address("10.1.0.7"),)
        assert two.addresses == (ip_address("242.2.255.253"),)

    def test_where_a_cluster_object_is_missing_its_gateway_names_global_networks(self, objects):
        objects.remove("Cluster", "cluster2")
        objects.get("Endpoint", "cluster2-c2")["spec"]["subnets"] = ["242.2.0.0/16"]
        two = objects.discover().inventory.clusters["cluster2"]
        assert (two.global_cidrs, two.pod_cidrs) == ((ip_network("242.2.0.0/16"),), ())


class TestHeadless:
    """Answered with the addresses of all that are ready."""

    @pytest.fixture
    def objects(self):
        objects = Objects("scene")
        objects.get("ServiceImport", "nginx", "nginx-test")["spec"]["type"] = "Headless"
        for n in (1, 2):
            piece = objects.slice_of(f"cluster{n}")
            piece["metadata"]["labels"]["lighthouse.submariner.io/is-headless"] = "true"
            piece["endpoints"] = [
                {"addresses": [f"10.{n}.0.7"], "conditions": {"ready": True}},
                {"addresses": [f"10.{n}.0.8"], "conditions": {"ready": False}},
                {"addresses": [f"10.{n}.0.9"], "conditions": None},
            ]
            piece["ports"] = [{"name": "http", "port": 8080, "protocol": "TCP"}]
        return objects

    def test_of_ready_ones_and_those_that_say_nothing(self, objects):
        service = objects.discover().inventory.services[NGINX]
        assert service.headless
        two = service.export_of("cluster2")
        assert (two.ready, two.backed) == (True, True)
        assert [str(each) for each in two.addresses] == ["10.2.0.7", "10.2.0.9"]

    def test_of_this_cluster_they_are_those_of_the_slices_too(self, objects):
        objects.all.append(own_slice("10.1.0.99"))
        one = objects.discover().inventory.services[NGINX].export_of("cluster1")
        assert [str(each) for each in one.addresses] == ["10.1.0.7", "10.1.0.9"]

    def test_a_cluster_that_is_listed_and_has_no_slices_is_no_exporter(self, objects):
        status = objects.get("ServiceImport", "nginx", "nginx-test")["status"]
        status["clusters"].append({"cluster": "cluster3"})
        assert objects.discover().inventory.services[NGINX].export_of("cluster3") is None

    def test_of_all_where_the_service_says_so(self, objects):
        notes = objects.slice_of("cluster2")["metadata"]["annotations"]
        notes["lighthouse.submariner.io/publish-not-ready-addresses"] = "true"
        two = objects.discover().inventory.services[NGINX].export_of("cluster2")
        assert {str(each) for each in two.addresses} == {"10.2.0.7", "10.2.0.8", "10.2.0.9"}

    def test_the_port_is_the_pods_own(self, objects):
        assert objects.discover().inventory.services[NGINX].ports == (Port(name="http", port=8080),)

    def test_without_an_import_the_slices_tell(self, objects):
        objects.drop("ServiceImport")
        assert objects.discover().inventory.services[NGINX].headless

    def test_of_several_slices_of_a_cluster_all_count(self, objects):
        more = objects.copy("EndpointSlice", "nginx-bbbbb")
        more["metadata"]["name"] = "nginx-ccccc"
        more["endpoints"] = [{"addresses": ["10.2.1.7"]}]
        two = objects.discover().inventory.services[NGINX].export_of("cluster2")
        assert ip_address("10.2.1.7") in two.addresses


def test_an_export_that_waits_is_a_service_without_a_name():
    objects = Objects("scene")
    objects.all = [e for e in objects.all if e["kind"] in {"ServiceExport", "Service", "Gateway"}]
    condition = {"type": "Valid", "status": "False", "reason": "ServiceUnavailable"}
    objects.get("ServiceExport", "nginx")["status"] = {"conditions": [condition]}
    service = objects.discover().inventory.services[NGINX]
    assert (service.exports, service.named) == ((LEFT,), False)
    assert service.conditions == (Condition("Valid", False, "ServiceUnavailable"),)
    assert service.ports == (Port(name="http", port=80),)


def test_a_service_that_is_only_imported_has_no_endpoints_here():
    objects = Objects("scene")
    objects.remove("ServiceExport", "nginx")
    seen = objects.discover()
    assert seen.inventory.services[NGINX].endpoints is None
    assert seen.workloads == {}


def test_clusterset_addresses():
    objects = Objects("scene")
    objects.get("ServiceImport", "nginx", "nginx-test")["spec"]["ips"] = ["243.0.0.1"]
    assert objects.discover().inventory.services[NGINX].clusterset_ips == (ip_address("243.0.0.1"),)


def test_ports_that_are_not_tcp_are_not_asked():
    objects = Objects("scene")
    objects.get("ServiceImport", "nginx", "nginx-test")["spec"]["ports"] = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "admin", "port": 9000},
        {"name": "http", "port": 8000, "protocol": "TCP"},
    ]
    service = objects.discover().inventory.services[NGINX]
    assert service.ports == (Port(name="admin", port=9000), Port(name="http", port=8000))


class TestKarmadaEndpoints:
    """Karmada's MultiClusterService puts endpoints of other clusters behind the local Service."""

    @pytest.fixture
    def objects(self):
        objects = Objects("scene")
        brought = objects.copy("EndpointSlice", "nginx-k8s")
        brought["metadata"].update(
            name="member2-nginx-k8s",
            annotations={"endpointslice.karmada.io/provision-cluster": "member2"},
        )
        brought["endpoints"][0]["targetRef"]["name"] = "nginx-7d-elsewhere"
        return objects

    def test_they_are_named(self, objects):
        service = objects.discover().inventory.services[NGINX]
        assert service.karmada_endpoints == ("member2",)

    def test_those_that_are_not_ready_do_no_harm(self, objects):
        brought = objects.get("EndpointSlice", "member2-nginx-k8s")
        for endpoint in brought["endpoints"]:
            endpoint["conditions"] = {"ready": False}
        assert objects.discover().inventory.services[NGINX].karmada_endpoints == ()

    def test_they_count_neither_as_endpoints_nor_as_pods_of_this_cluster(self, objects):
        seen = objects.discover()
        assert seen.inventory.services[NGINX].endpoints == Endpoints(1, 1)
        assert seen.workloads[NGINX].pods == ("nginx-7d-abcde", "nginx-7d-fghij")


def test_a_pod_with_two_addresses_counts_once():
    objects = Objects("scene")
    second = objects.copy("EndpointSlice", "nginx-k8s")
    second["metadata"]["name"] = "nginx-k8s-v6"
    second["addressType"] = "IPv6"
    for n, endpoint in enumerate(second["endpoints"]):
        endpoint["addresses"] = [f"fd00::{n}"]
    assert objects.discover().inventory.services[NGINX].endpoints == Endpoints(1, 1)
    del second["endpoints"][0]
    assert objects.discover().inventory.services[NGINX].endpoints == Endpoints(1, 1)


def test_what_is_no_pod_has_no_log():
    objects = Objects("scene")
    objects.get("EndpointSlice", "nginx-k8s")["endpoints"][0]["targetRef"]["kind"] = "Machine"
    assert objects.discover().workloads[NGINX].pods == ("nginx-7d-fghij",)


def test_a_slice_that_stayed_behind_after_an_upgrade_does_not_count():
    objects = Objects("scene")
    objects.not_ready("cluster2")
    left = objects.copy("EndpointSlice", "nginx-bbbbb")
    left["metadata"]["name"] = "nginx-cluster2"
    left["endpoints"] = [{"addresses": ["100.2.0.99"]}]
    two = objects.discover().inventory.services[NGINX].export_of("cluster2")
    assert two == Export(cluster="cluster2", addresses=(A2,), ready=False)


def test_where_lighthouse_runs_slices_of_others_do_not_count():
    objects = Objects("scene")
    other = objects.copy("EndpointSlice", "nginx-bbbbb", **{MANAGED_BY: "mesh.cilium.io"})
    other["metadata"]["name"] = "nginx-ccccc"
    other["metadata"]["labels"]["multicluster.kubernetes.io/source-cluster"] = "cluster3"
    exports = objects.discover().inventory.services[NGINX].exports
    assert [each.cluster for each in exports] == ["cluster1", "cluster2"]
