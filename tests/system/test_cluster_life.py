"""What a member cluster goes through while an exporter is in it; also run on a real API server."""

import asyncio
import json
import signal
import sys
import time

import pytest

from tests.apiserver.conftest import FakeAccess
from tests.fakes import certs
from tests.fakes.apiaccess import EXPORTER
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.files import line
from tests.fakes.members import CONFIG, RULES, Member
from tests.fakes.nodelogs import Node

pytestmark = pytest.mark.timeout(240)
FOLLOWED_WITHIN = 20.0
"""Seconds, on a machine that is busy."""
READY = "clusterset_service_ready"
REQUESTS = "clusterset_requests_total"
PODS = ("nginx-7d-abcde", "nginx-7d-fghij")
NAME = {"destination_service_namespace": "nginx-test", "destination_service_name": "nginx"}
NODE_CONFIG = """\
inventory: {kubernetes: {}}
probe: {services: [{match: "*/*", enabled: false}]}
state_directory: state
logs: [{files: [FILES], wrapper: cri, service: {pod: true}}]
"""


@pytest.fixture
async def api():
    async with running(ApiServer(), tls=certs.server_context()) as server:
        yield FakeAccess(server)


@pytest.fixture
async def member(api, tmp_path):
    made = Member(api, tmp_path)
    await made.fill()
    yield made
    await made.empty()
    for name in PODS:
        path = f"/api/v1/namespaces/nginx-test/pods/{name}"
        assert (await api.call("DELETE", path, gracePeriodSeconds="0"))[0] in {200, 404}


async def follows(member, exporter, *, ready, within=20.0):
    """
    Change readiness of the other cluster; return the seconds until the exporter shows it.

    The time limit is far below the minutes after which a watch begins anew, so only the watch can
    have told. That it takes less than a second is asserted in virtual time, in
    tests/commands/test_walk_readiness.py.
    """
    each = member.objects.slice_of("cluster2")
    each["endpoints"][0]["conditions"]["ready"] = ready
    await member.change(each)
    began = time.monotonic()
    await exporter.until_value(float(ready), READY, within=within, destination_cluster="cluster2")
    return time.monotonic() - began


async def test_a_change_of_readiness_is_followed_at_once(member, capsys):
    async with member.exporter() as exporter:
        status = await exporter.status()
        assert (status["cluster"], status["ready"], status["problems"]) == ("cluster1", True, [])
        assert [each["name"] for each in status["services"]] == ["nginx"]
        took = [await follows(member, exporter, ready=number % 2 == 1) for number in range(10)]
    with capsys.disabled():
        sys.stdout.write(f"\nfrom a change of readiness to /metrics: {max(took):.3f} s at most\n")


async def test_history_that_is_compacted(member, api):
    async with member.exporter() as exporter:
        await api.compact()
        await follows(member, exporter, ready=False)


async def test_check_with_the_rights_of_an_exporter(member, api):
    await api.grant(*RULES)
    (member.folder / "config.yaml").write_text(CONFIG.replace("KUBERNETES", ""))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "check", "nginx-test/nginx", "--json"),
        *("--config.file", str(member.folder / "config.yaml")),
        *("--kubeconfig", str(member.kubeconfig(EXPORTER))),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    told = {each["about"]: (each["level"], each["text"]) for each in json.loads(out)["findings"]}
    assert told["serviceexports.multicluster.x-k8s.io"] == ("ok", "served as v1alpha1")
    assert told["submariner.io"] == ("ok", "all CRDs are installed")
    assert told["rights"] == ("ok", "all that run needs")
    level, text = told["CoreDNS kube-system/coredns"]
    assert (level, text[:16]) == ("ok", "not looked at: G")
    assert "403" in text


async def test_a_nodes_files_are_counted_by_pod(member, api, tmp_path):
    """As the DaemonSet does it, over rotation by the kubelet, a restart of ours, a new pod."""
    node = Node(tmp_path)
    config = NODE_CONFIG.replace("FILES", node.glob)
    for name in PODS:
        await api.pod("nginx-test", name)
    log, other = node.log("nginx-test", PODS[0]), node.log("kube-system", "coredns-1")
    here, there = line("10.1.0.9", end=""), line("10.2.0.9", end="")
    log.write(here)
    async with member.gateways_speak(), member.exporter(config=config) as exporter:
        log.write(there)
        other.write(there)
        log.rotate()
        log.write(there)
        await exporter.until_value(2, REQUESTS, source_cluster="cluster2", **NAME)
        exporter.process.send_signal(signal.SIGTERM)
        assert await exporter.end() == 0
    log.write(there)
    log.rotate()
    log.write(there)
    fresh = node.log("nginx-test", PODS[1])
    fresh.write(here)
    async with member.gateways_speak(), member.exporter(config=config) as exporter:
        await exporter.until_value(2, REQUESTS, source_cluster="cluster2", **NAME)
        await exporter.until_value(1, REQUESTS, source_cluster="cluster1", **NAME)
        fresh.write(here)
        log.write(there)
        log.remove()
        await exporter.until_value(3, REQUESTS, source_cluster="cluster2", **NAME)
        await exporter.until_value(2, REQUESTS, source_cluster="cluster1", **NAME)
        assert (await exporter.status())["problems"] == []
        assert await exporter.value("clusterset_exporter_log_lines_total") == 5


async def test_a_container_that_was_started_anew_while_nobody_read(member, api):
    config = f"{CONFIG}state_directory: state\n"
    log = await api.pod("nginx-test", PODS[0])
    log.write(line("10.1.0.9", end="").encode(), time.time() - 60)

    def write(into):
        into.write(line("10.2.0.9", end="").encode(), time.time())

    async with member.exporter(config=config) as exporter:
        await exporter.until_value(1, "clusterset_exporter_pod_logs")
        # What is written before it knows the end of the log is from before its time.
        await asyncio.wait_for(log.followed.wait(), FOLLOWED_WITHIN)
        write(log)
        await exporter.until_value(1, REQUESTS, source_cluster="cluster2", **NAME)
        exporter.process.send_signal(signal.SIGTERM)
        assert await exporter.end() == 0
    write(log)
    fresh = await api.restart("nginx-test", PODS[0])
    write(fresh)
    async with member.exporter(config=config) as exporter:
        await exporter.until_value(2, REQUESTS, source_cluster="cluster2", **NAME)
        write(fresh)
        await exporter.until_value(3, REQUESTS, source_cluster="cluster2", **NAME)
        assert await exporter.value("clusterset_exporter_log_lines_total") == 3
