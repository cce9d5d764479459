"""The pods of a gateway, found by their labels through the API server, with no service exported."""

import time
from contextlib import asynccontextmanager

import pytest

from exporter.accesslog.readers import matched_pods
from exporter.accesslog.readers.matched_pods import MatchedPods
from exporter.accesslog.source import PodMatch
from exporter.apiserver.client import ApiClient
from exporter.metrics import families
from tests.fakes.apiaccess import Fixed
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.podscene import make_pod, pod_scene
from tests.fakes.virtual import until

INGRESS = "ingress-nginx"
LABELS = {"app.kubernetes.io/name": INGRESS}
SELECTOR = "app.kubernetes.io/name=ingress-nginx"
TITLE = f"pods of {INGRESS} with {SELECTOR}"
LOOKING = f"looking for {TITLE}"
FORMAT = '$remote_addr [$time_local] "$request" $status $host [$upstream_addr] $proxy_upstream_name'
BY_HOST = "services: {shop.example.com: nginx-test/nginx}"
BY_UPSTREAM = "service: {upstream: true}"
STAMP = "07/Jul/2022:07:42:11 +0000"


def line(upstream="10.1.0.9:80"):
    asked = f'10.1.0.9 [{STAMP}] "GET / HTTP/1.1" 200 shop.example.com'
    return f"{asked} [{upstream}] nginx-test-nginx-80"


@pytest.fixture
async def server():
    async with running(ApiServer()) as made:
        yield made


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(matched_pods, "LIST_EVERY", 0.05)


@pytest.fixture
def config(tmp_path):
    return configure(tmp_path)


def configure(folder, told=BY_HOST, limit=5):
    path = folder / "config.yaml"
    pods = f"{{namespace: {INGRESS}, selector: {SELECTOR}, limit: {limit}}}"
    path.write_text(
        "inventory: {kubernetes: {}}\nstate_directory: state\n"
        f"logs: [{{pods: {pods}, format: '{FORMAT}', {told}}}]\n"
    )
    return path


def controller(server, name, namespace=INGRESS, labels=None, **more):
    wanted = LABELS if labels is None else labels
    make_pod(server, name, "controller", namespace=namespace, labels=wanted, **more)
    return server.log(namespace, name, "controller")


def write(log, count=1, *, ago=0.0, upstream="10.1.0.9:80"):
    for _ in range(count):
        log.write(line(upstream).encode(), time.time() - ago)


def followed(server):
    asked = (each for each in server.asked if each.query.get("follow"))
    return {each.request.path.split("/")[-2] for each in asked}


@pytest.mark.parametrize("told", [BY_HOST, BY_UPSTREAM, "service: nginx-test/nginx"])
async def test_what_a_controller_sent_counts_though_it_is_behind_no_exported_service(
    server, tmp_path, told
):
    log = controller(server, "one")
    write(log, 3)
    async with pod_scene(server, configure(tmp_path, told)) as scene:
        assert scene.source.title == TITLE
        scene.begin()
        await until(lambda: followed(server))
        write(log, 2)
        await scene.until_counted(2)
        counted = scene.store.series[families.UPSTREAM_REQUESTS]
        await until(lambda: sum(counted.values.values()) == 2)
        sent = {labels[2:4]: value for labels, value in counted.values.items() if value}
        assert sent == {("nginx-test", "nginx"): 2}
        assert scene.store.series[families.PODS_FOLLOWED].get(()) == 1


async def test_only_pods_with_these_labels_in_this_namespace_that_run_are_followed(server, config):
    controller(server, "one")
    controller(server, "two", labels={"app.kubernetes.io/name": "other"})
    controller(server, "three", namespace="shop")
    controller(server, "four", phase="Pending")
    controller(server, "five", phase="Succeeded")
    async with pod_scene(server, config) as scene:
        scene.begin()
        await until(lambda: followed(server))
        controller(server, "six")
        await until(lambda: "six" in followed(server))
        assert followed(server) == {"one", "six"}


async def test_a_later_pod_is_read_from_its_beginning(server, config):
    controller(server, "one")
    async with pod_scene(server, config) as scene:
        scene.begin()
        await until(lambda: followed(server))
        # Its node's clock may be behind.
        write(controller(server, "two"), 4, ago=7)
        await scene.until_counted(4)


async def test_a_missing_right_is_told_and_nothing_before_it_counts(server, config):
    log = controller(server, "one")
    write(log, 3, ago=30)
    server.rules["admin"] = {("get", "pods"), ("get", "pods/log")}
    async with pod_scene(server, config) as scene:
        scene.begin()
        await until(lambda: LOOKING in scene.problems)
        hint = f"; grant list on pods in namespace {INGRESS}"
        assert scene.problems[LOOKING].endswith(hint)
        write(log, 2)
        server.rules["admin"].add(("list", "pods"))
        await scene.until_counted(2)
        await until(lambda: scene.problems == {})


async def test_while_pods_cannot_be_listed_those_that_are_known_are_followed(server, config):
    log = controller(server, "one")
    async with pod_scene(server, config) as scene:
        scene.begin()
        await until(lambda: followed(server))
        server.rules["admin"] = {("get", "pods"), ("get", "pods/log")}
        await until(lambda: LOOKING in scene.problems)
        write(log, 2)
        await scene.until_counted(2)


async def test_a_pod_that_comes_back_under_its_name_is_read_from_its_beginning(server, config):
    write(controller(server, "one"), 3)
    async with pod_scene(server, config) as scene:
        scene.begin()
        await until(lambda: followed(server))
        server.store.delete("", "pods", INGRESS, "one")
        await until(lambda: LOOKING in scene.problems)
        assert scene.problems[LOOKING] == "no pod that runs matches"
        server.logs.clear()
        write(controller(server, "one"), 2)
        await scene.until_counted(2)
        await until(lambda: scene.problems == {})


async def test_a_restart_goes_on_where_the_process_before_had_come_to(server, config):
    log = controller(server, "one")
    async with pod_scene(server, config) as scene:
        scene.begin()
        await until(lambda: followed(server))
        write(log, 2)
        await scene.until_counted(2)
        await scene.stop()
    write(log, 3)
    async with pod_scene(server, config) as scene:
        scene.begin()
        await scene.until_counted(3)


async def test_more_pods_than_the_limit_are_a_problem_that_ends_with_the_reading(server, tmp_path):
    for name in ("one", "two", "three"):
        controller(server, name)
    async with pod_scene(server, configure(tmp_path, limit=2)) as scene:
        scene.begin()
        await until(lambda: TITLE in scene.problems)
        assert scene.problems[TITLE] == "3 pods, of which 2 are followed; see logs.pods.limit"
        await scene.stop()
        assert scene.problems == {}


async def test_an_annotation_of_the_pod_names_the_container_and_the_format(server, config):
    notes = [("log-container", "proxy"), ("log-format", "main")]
    make_pod(server, "one", "app", "proxy", notes=notes, namespace=INGRESS, labels=LABELS)
    async with pod_scene(server, config) as scene:
        scene.begin()
        # The format of the annotation has no host, which is what tells the service here.
        await until(lambda: "its log format" in scene.problems.get(f"pod logs of {TITLE[8:]}", ""))


async def test_all_pages_of_a_list_are_read_and_their_number_is_limited(server, monkeypatch):
    monkeypatch.setattr(matched_pods, "PAGE", 2)
    for number in range(5):
        controller(server, f"pod-{number}")
    async with known_pods(server) as (pods, problems):
        assert len(await pods.logs(())) == 5
        monkeypatch.setattr(matched_pods, "MAX_PAGES", 2)
        monkeypatch.setattr(pods, "_next", 0.0)
        # What is known remains.
        assert len(await pods.logs(())) == 5
        assert problems == {LOOKING: "more than 4 pods match"}


class Problems(dict):
    """Takes problems, as a sink does."""

    def problem(self, what, message):
        self[what] = message

    def solved(self, what):
        self.pop(what, None)


@asynccontextmanager
async def known_pods(server):
    problems = Problems()
    async with ApiClient(Fixed(server.url)) as client:
        yield MatchedPods(client, PodMatch(INGRESS, SELECTOR), problems, time.time), problems
