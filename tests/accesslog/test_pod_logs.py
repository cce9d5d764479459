"""Which containers' logs are wanted."""

import pytest

from exporter.accesslog.parse_pod import parse_pod
from exporter.accesslog.pod_logs import LogFile, WantedLog, pod_logs, read_file_name
from exporter.model.clusterset import Container, Pod, ServiceName, Workload

NGINX = ServiceName("shop", "nginx")
ID = "0123456789abcdef" * 4
APP = Container("app", (9000,))
WEB = Container("web", (8080, 8443))


def pod(name="nginx-1", containers=(APP, WEB), **words):
    return Pod(namespace="shop", name=name, containers=containers, **words)


def workload(service=NGINX, pods=("nginx-1",), ports=(8080,), **words):
    return Workload(service=service, pods=pods, ports=ports, **words)


def logs(*workloads, pods=None):
    pods = [pod()] if pods is None else pods
    return pod_logs(workloads, {(each.namespace, each.name): each for each in pods})


@pytest.mark.parametrize(
    ("pods", "service", "container"),
    [
        pytest.param(pod(), workload(), "web", id="the one with the port"),
        pytest.param(pod(), workload(ports=(8443, 1)), "web", id="any of the ports"),
        pytest.param(pod(), workload(ports=(1,)), "app", id="the first where none has it"),
        pytest.param(pod(log_container="app"), workload(), "app", id="the pod's annotation"),
        pytest.param(pod(), workload(log_container="app"), "app", id="the Service's annotation"),
        pytest.param(
            pod(log_container="app"),
            workload(log_container="web"),
            "app",
            id="the pod's goes first",
        ),
    ],
)
def test_the_container(pods, service, container):
    assert [each.container for each in logs(service, pods=[pods]).values()] == [container]


def test_an_annotation_that_names_no_container_is_a_problem_and_not_the_end():
    (log,) = logs(workload(), pods=[pod(log_container="nginx")]).values()
    assert (log.container, log.problem) == ("web", "has no container nginx; it has app, web")


@pytest.mark.parametrize(
    ("of_pod", "of_service", "wanted"),
    [("", "", ""), ("", "json", "json"), ("main", "json", "main")],
)
def test_the_format_is_the_pods_or_the_services(of_pod, of_service, wanted):
    (log,) = logs(workload(log_format=of_service), pods=[pod(log_format=of_pod)]).values()
    assert log.format == wanted


def test_a_pod_behind_two_services_has_one_log_for_both():
    admin = ServiceName("shop", "admin")
    found = logs(workload(), workload(service=admin, log_format="json"))
    assert found == {
        ("shop", "nginx-1", "web"): WantedLog(
            namespace="shop", pod="nginx-1", container="web", services=(NGINX, admin), format="json"
        )
    }


def test_pods_that_are_not_known_yet_and_those_without_containers_wait():
    assert logs(workload(pods=("nginx-1", "nginx-2")), pods=[pod(containers=())]) == {}


def test_a_pod_of_another_namespace_is_another_one():
    assert logs(workload(service=ServiceName("web", "nginx"))) == {}


@pytest.mark.parametrize(
    ("path", "file"),
    [
        (f"/var/log/containers/nginx-1_shop_web-{ID}.log", ("shop", "nginx-1", "web")),
        (f"nginx-7d.x_shop_my-sidecar-{ID}.log", ("shop", "nginx-7d.x", "my-sidecar")),
        (f"/var/log/containers/nginx-1_shop_web-{ID[:-1]}.log", None),
        (f"/var/log/containers/nginx-1_shop_web-{ID}.log.gz", None),
        (f"/var/log/containers/nginx-1_web-{ID}.log", None),
        ("/var/log/nginx/access.log", None),
        ("", None),
    ],
)
def test_the_names_of_log_files_on_a_node(path, file):
    wanted = file and LogFile(namespace=file[0], pod=file[1], container=file[2], container_id=ID)
    assert read_file_name(path) == wanted


def test_a_pod_as_the_api_server_has_it():
    found = {
        "metadata": {
            "namespace": "shop",
            "name": "nginx-1",
            "annotations": {
                "clusterset-exporter/log-container": "web",
                "clusterset-exporter/log-format": "main",
            },
        },
        "spec": {
            "initContainers": [{"name": "init"}],
            "containers": [
                {"name": "app"},
                {"name": "web", "ports": [{"containerPort": 8080, "protocol": "TCP"}]},
            ],
        },
    }
    assert parse_pod(found) == Pod(
        namespace="shop",
        name="nginx-1",
        containers=(Container("app"), Container("web", (8080,))),
        log_container="web",
        log_format="main",
    )
