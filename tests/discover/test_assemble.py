"""Scenes of API objects, and the inventory and the answers that they stand for."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from exporter.config.label_selector import Selection, parse_selector
from exporter.discover.assemble import inventory
from exporter.discover.identity import Identity, IdentitySource
from exporter.judge.expect import Outcome, expect
from exporter.model.clusterset import (
    Cluster,
    Condition,
    Endpoints,
    Export,
    Port,
    Profile,
    Service,
    ServiceName,
    Workload,
)
from exporter.model.probes import Question
from exporter.model.verdicts import Policy
from tests.fakes.objects import HERE, NOW, Objects

NGINX = ServiceName("nginx-test", "nginx")
A1, A2 = ip_address("100.1.0.10"), ip_address("100.2.0.10")


def answer(seen, pinned=None):
    """Return the address that the name should be answered with, or why it has none."""
    expected = expect(seen, Question(NGINX, pinned), Policy.LOCAL)
    if expected.outcome is not Outcome.ANSWER:
        return expected.outcome
    service = seen.services[NGINX]
    return [service.export_of(c).addresses[0] for c in sorted(expected.clusters)]


@pytest.mark.parametrize(
    ("changes", "plain", "first", "second"),
    [
        pytest.param([], [A1], [A1], [A2], id="base"),
        pytest.param([lambda o: o.not_ready("cluster1")], [A2], [A1], [A2], id="not ready here"),
        pytest.param([lambda o: o.link("error")], [A1], [A1], [A2], id="remote gateway down"),
        pytest.param(
            [lambda o: o.not_ready("cluster1"), lambda o: o.link("error")],
            Outcome.NODATA,
            [A1],
            [A2],
            id="both",
        ),
        pytest.param(
            [lambda o: o.not_ready("cluster1"), lambda o: o.link("connecting")],
            Outcome.NODATA,
            [A1],
            [A2],
            id="connecting",
        ),
        pytest.param([lambda o: o.drop("Gateway")], [A1], [A1], [A2], id="no gateway"),
        pytest.param([Objects.unexport], [A2], Outcome.NXDOMAIN, [A2], id="unexported here"),
        pytest.param(
            [lambda o: o.drop("ServiceImport")], [A1], [A1], [A2], id="slices without an import"
        ),
        pytest.param(
            [lambda o: o.drop("ServiceImport", "EndpointSlice", "ServiceExport")],
            Outcome.NXDOMAIN,
            Outcome.NXDOMAIN,
            Outcome.NXDOMAIN,
            id="all gone",
        ),
        pytest.param(
            [lambda o: o.drop("EndpointSlice")],
            Outcome.NODATA,
            Outcome.NXDOMAIN,
            Outcome.NXDOMAIN,
            id="an import without slices",
        ),
    ],
)
def test_what_lighthouse_answers_to_a_scene(changes, plain, first, second):
    objects = Objects("scene")
    for change in changes:
        change(objects)
    seen = objects.discover().inventory
    answers = [answer(seen), answer(seen, "cluster1"), answer(seen, "cluster2")]
    assert answers == [plain, first, second]


def test_the_whole_scene():
    seen = Objects("scene").discover()
    one, two = seen.inventory.clusters["cluster1"], seen.inventory.clusters["cluster2"]
    assert one == Cluster(
        id="cluster1",
        pod_cidrs=(ip_network("10.1.0.0/16"),),
        service_cidrs=(ip_network("100.1.0.0/16"),),
        node_addresses=(ip_address("172.18.0.4"),),
    )
    assert two == Cluster(
        id="cluster2",
        pod_cidrs=(ip_network("10.2.0.0/16"),),
        service_cidrs=(ip_network("100.2.0.0/16"),),
        connected=True,
        answered=True,
        latency=0.0015,
    )
    assert seen.inventory.services == {
        NGINX: Service(
            name=NGINX,
            ports=(Port(name="http", port=80),),
            exports=(
                Export(cluster="cluster1", addresses=(A1,), ready=True),
                Export(cluster="cluster2", addresses=(A2,), ready=True),
            ),
            endpoints=Endpoints(ready=1, not_ready=1),
            conditions=(Condition("Valid", True), Condition("Ready", True)),
        )
    }
    assert (seen.inventory.profile, seen.inventory.version) == (Profile.SUBMARINER, (0, 19, 0))
    assert seen.inventory.knows_local
    assert seen.inventory.knows_gateways
    assert seen.workloads == {
        NGINX: Workload(service=NGINX, pods=("nginx-7d-abcde", "nginx-7d-fghij"), ports=(8080,))
    }
    assert seen.findings == frozenset()


def test_both_versions_of_the_multicluster_api_say_the_same():
    objects = Objects("scene")
    before = objects.discover().inventory
    for each in objects.all:
        each["apiVersion"] = each["apiVersion"].replace("x-k8s.io/v1alpha1", "x-k8s.io/v1beta1")
    assert objects.discover().inventory == before


def test_the_names_of_this_cluster_are_in_the_inventory():
    identity = Identity(
        cluster="cluster1", source=IdentitySource.SETTING, karmada_cluster="member1"
    )
    seen = Objects("scene").discover(identity=identity).inventory
    assert (seen.local, seen.karmada_cluster) == ("cluster1", "member1")


def test_a_broker_here_changes_nothing():
    objects = Objects("scene")
    before = objects.discover()
    into = "submariner-k8s-broker"
    annotations = {"multicluster.kubernetes.io/service-name": "nginx"}
    made = objects.copy("ServiceImport", "nginx", into="another-broker")
    made["metadata"].update(name="nginx-nginx-test", annotations=annotations)
    objects.copy("EndpointSlice", "nginx-bbbbb", into=into)
    objects.copy("Cluster", "cluster2", into=into)["spec"]["cluster_cidr"] = ["10.9.0.0/16"]
    objects.copy("Endpoint", "cluster2-c2", into=into)["spec"]["cluster_id"] = "left-long-ago"
    assert objects.discover() == replace(before, parts=objects.discover().parts)


class TestOtherImplementations:
    """What the Multi-Cluster Services API says by itself."""

    def test_cilium_merges_all_clusters_behind_one_address(self):
        seen = Objects("cilium").discover()
        service = seen.inventory.services[NGINX]
        assert seen.inventory.profile is Profile.CILIUM
        assert service.clusterset_ips == (ip_address("100.1.0.99"),)
        assert service.exports == (
            Export(cluster="cluster1", addresses=(), ready=False),
            Export(cluster="cluster2", addresses=(), ready=True),
            Export(cluster="cluster3", addresses=(), ready=True),
        )
        assert service.conditions[1] == Condition("Conflict", None, "NoConflicts")
        assert seen.inventory.connected == {"cluster1", "cluster2", "cluster3"}
        assert seen.inventory.knows_gateways
        assert seen.findings == frozenset()

    def test_cilium_of_this_cluster_its_own_endpoints_tell(self):
        objects = Objects("cilium")
        own = objects.get("EndpointSlice", "nginx-k8s")
        own["endpoints"][0]["conditions"]["ready"] = True
        one = objects.discover().inventory.services[NGINX].export_of("cluster1")
        assert one == Export(cluster="cluster1", addresses=(), ready=True)

    def test_cilium_endpoints_that_come_from_elsewhere_are_not_its_own(self):
        objects = Objects("cilium")
        brought = objects.copy("EndpointSlice", "derived-4gq2v3-cluster2-xxxxx")
        brought["metadata"]["name"] = "nginx-cluster2-yyyyy"
        brought["metadata"]["labels"]["kubernetes.io/service-name"] = "nginx"
        assert objects.discover().inventory.services[NGINX].endpoints == Endpoints(0, 1)

    def test_cilium_answers_headless_services_with_pods(self):
        objects = Objects("cilium")
        objects.get("ServiceImport", "nginx")["spec"].update(type="Headless", ips=[])
        own = objects.get("EndpointSlice", "nginx-k8s")
        own["metadata"]["labels"]["service.kubernetes.io/headless"] = ""
        own["endpoints"][0]["conditions"]["ready"] = True
        service = objects.discover().inventory.services[NGINX]
        assert [str(a) for e in service.exports for a in e.addresses] == ["10.1.0.7", "10.2.0.7"]

    def test_cilium_is_known_by_its_slices_too(self):
        objects = Objects("cilium")
        objects.remove("ServiceImport", "nginx")
        assert objects.discover().inventory.profile is Profile.CILIUM

    def test_gke_names_clusters_by_their_place_in_the_fleet(self):
        identity = Identity(cluster="blue", source=IdentitySource.SETTING)
        seen = Objects("gke").discover(identity=identity).inventory
        assert seen.profile is Profile.GKE
        service = seen.services[NGINX]
        assert [export.cluster for export in service.exports] == ["blue", "green"]
        assert service.clusterset_ips == (ip_address("34.118.229.70"),)
        assert seen.connected == {"blue", "green"}

    def test_submariner_goes_first_wherever_there_is_a_sign_of_it(self):
        objects = Objects("scene")
        objects.all += Objects("gke").all + Objects("cilium").all
        assert objects.discover().inventory.profile is Profile.SUBMARINER
        objects.drop("Gateway", "Cluster", "Submariner", "Endpoint")
        assert objects.discover().inventory.profile is Profile.SUBMARINER

    def test_nothing_at_all_is_submariner_without_services(self):
        seen = Objects("scene").discover(without={"gateways"}).inventory
        assert seen.profile is Profile.SUBMARINER


class TestSelection:
    """Which services are wanted."""

    @pytest.mark.parametrize(
        ("selection", "found"),
        [
            (Selection(), True),
            (Selection(namespaces=("nginx-*",)), True),
            (Selection(namespaces=("shop", "web-*")), False),
            (Selection(labels=parse_selector("app=nginx")), True),
            (Selection(labels=parse_selector("app=redis")), False),
            (Selection(namespaces=("shop",), labels=parse_selector("app=nginx")), False),
        ],
    )
    def test_by_namespace_and_label(self, selection, found):
        seen = Objects("scene").discover(selection=selection)
        assert (NGINX in seen.inventory.services) is found
        assert (NGINX in seen.workloads) is found

    def test_labels_of_a_service_elsewhere_arrive_on_its_slices(self):
        objects = Objects("scene")
        objects.remove("Service", "nginx")
        selection = Selection(labels=parse_selector("tier=front"))
        assert objects.discover(selection=selection).inventory.services == {}
        objects.slice_of("cluster2")["metadata"]["labels"]["tier"] = "front"
        assert NGINX in objects.discover(selection=selection).inventory.services

    @pytest.mark.parametrize("kind", ["Service", "ServiceExport", "ServiceImport"])
    def test_labels_count_wherever_they_stand(self, kind):
        objects = Objects("scene")
        objects.get(kind, "nginx", "nginx-test")["metadata"]["labels"] = {"tier": "front"}
        selection = Selection(labels=parse_selector("tier=front"))
        assert NGINX in objects.discover(selection=selection).inventory.services

    @pytest.mark.parametrize("kind", ["Service", "ServiceExport", "ServiceImport"])
    def test_an_annotation_keeps_probes_away(self, kind):
        objects = Objects("scene")
        meta = objects.get(kind, "nginx", "nginx-test")["metadata"]
        for word, probed in (("false", False), ("False", False), ("true", True)):
            meta["annotations"] = {"clusterset-exporter/probe": word}
            assert objects.discover().inventory.services[NGINX].probed is probed


class TestWhatLighthouseKnows:
    """Of the local cluster and of gateways."""

    def test_without_a_submariner_object_it_counts_all_as_connected(self):
        objects = Objects("scene")
        objects.link("error")
        assert objects.discover().inventory.answered == {"cluster1"}
        installed = objects.trimmed() | {"submariners": {}}
        seen = inventory(installed, identity=HERE, now=NOW).inventory
        assert not seen.knows_gateways
        assert seen.answered == {"cluster1", "cluster2"}
        assert seen.connected == {"cluster1"}

    def test_up_to_014_it_did_not_look_for_that_object(self):
        installed = Objects("percluster").trimmed() | {"submariners": {}}
        assert inventory(installed, identity=HERE, now=NOW).inventory.knows_gateways

    def test_where_we_may_not_see_that_object_a_gateway_is_proof(self):
        assert Objects("scene").discover(without={"submariners"}).inventory.knows_gateways

    def test_it_is_told_its_cluster_by_submariner_or_by_a_gateway(self):
        objects = Objects("scene")
        objects.get("Submariner", "submariner")["spec"]["clusterID"] = ""
        assert objects.discover().inventory.knows_local
        before = objects.discover()
        objects.remove("Gateway", "gw1")
        assert not objects.discover().inventory.knows_local
        assert objects.discover(previous=before).inventory.knows_local


def test_a_second_call_makes_only_what_changed():
    objects = Objects("scene")
    trimmed = objects.trimmed()
    first = inventory(trimmed, identity=HERE, now=NOW)
    again = inventory(trimmed, identity=HERE, now=NOW, previous=first)
    assert again == first
    assert again.inventory.services[NGINX] is first.inventory.services[NGINX]
    objects.not_ready("cluster1")
    later = inventory(objects.trimmed(), identity=HERE, now=NOW, previous=first)
    assert not later.inventory.services[NGINX].exports[0].ready


def test_each_replica_of_the_name_server_is_known():
    scene = Objects("scene")
    assert scene.discover().inventory.lighthouse == ()
    scene.name_server("10.1.0.20", "10.1.0.3")
    scene.name_server("10.1.0.4", port=5353)
    scene.name_server("10.1.0.5", ready=False)
    # A tenant may give any name to what is in its own namespace.
    scene.name_server("10.1.0.6", namespace="shop")
    expected = (("10.1.0.3", 53), ("10.1.0.4", 5353), ("10.1.0.20", 53))
    found = scene.discover().inventory.lighthouse
    assert [(str(address), port) for address, port in found] == list(expected)


def test_where_the_name_server_is_says_submariners_own_object():
    scene = Objects("scene")
    scene.name_server("10.1.0.3")
    scene.name_server("10.1.0.4", namespace="elsewhere")
    scene.get("Submariner", "submariner")["metadata"]["namespace"] = "elsewhere"
    (found,) = scene.discover().inventory.lighthouse
    assert str(found[0]) == "10.1.0.4"
    scene.remove("Submariner", "submariner")
    (found,) = scene.discover().inventory.lighthouse
    assert str(found[0]) == "10.1.0.3"


def test_no_more_name_servers_than_can_be_asked():
    scene = Objects("scene")
    scene.name_server(*(f"10.1.0.{number}" for number in range(1, 31)))
    assert len(scene.discover().inventory.lighthouse) == 10
