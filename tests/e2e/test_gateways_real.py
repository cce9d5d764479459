"""Gateways on a real API server: their pods and routes are seen by the rights of the chart only."""

import asyncio
import json
import sys
import time

import pytest

from tests.apiserver.test_routes import (  # noqa: F401 - the fixture, and the tests, run here too
    HOST,
    HTTP_ROUTES,
    INGRESSES,
    member,
    test_a_missing_right_is_told_and_the_other_half_is_not_believed,
    test_nothing_is_watched_where_no_log_needs_it,
    test_what_a_route_leads_to_is_followed,
    test_without_the_gateway_api_ingresses_are_enough_and_nothing_is_wrong,
)
from tests.discover.test_routes import IMPORT, backend, http_route, ingress, rule, to
from tests.e2e.test_deploy_real import cluster, in_a_pod, installed, kubeconfig, pod_name  # noqa: F401 - the fixtures
from tests.fakes.charts import objects
from tests.fakes.members import Member
from tests.fakes.virtual import until

GATEWAY, SELECTOR = "ingress-nginx", "app=gateway"
FORMAT = '$remote_addr [$time_local] "$request" $status $host $upstream_addr'
FOLLOWED = "clusterset_exporter_pod_logs"
LOOKING = f"looking for pods of {GATEWAY} with {SELECTOR}"
RIGHTS = {"gatewayLogs": {"namespaces": [GATEWAY], "routes": True}}
LIMIT = 60.0


def values(**more):
    pods = {"namespace": GATEWAY, "selector": SELECTOR}
    log = {"pods": pods, "format": FORMAT, "service": {"route": True}}
    probe = {"interval": "1s", "timeout": "500ms", "http": None, "resolvers": ["127.0.0.1:1"]}
    return {"podLogs": {"enabled": False}, "config": {"logs": [log], "probe": probe}, **more}


def line(host):
    stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    return f'10.1.0.9 [{stamp}] "GET / HTTP/1.1" 200 {host} 10.2.0.9:80'.encode()


async def gateway(api):
    """Make a pod of a gateway that runs; return its log."""
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": GATEWAY}})
    log = await api.pod(GATEWAY, "one")
    path = f"/api/v1/namespaces/{GATEWAY}/pods/one"
    made = await api.done("GET", path)
    made["metadata"]["labels"] = {"app": "gateway"}
    made = await api.done("PUT", path, made)
    # No kubelet says so.
    await api.done("PUT", f"{path}/status", made | {"status": {"phase": "Running"}})
    return log


@pytest.fixture
async def log(cluster, tmp_path):  # noqa: F811
    """A member cluster with routes to nginx; the log of its gateway."""
    made = Member(cluster, tmp_path)
    await made.fill()
    await cluster.done("POST", HTTP_ROUTES, http_route(to(IMPORT)))
    other = ingress(rule("web.example.com", ("/", "Prefix", backend())), name="web")
    await cluster.done("POST", INGRESSES, other)
    yield await gateway(cluster)
    await made.empty()


async def problems_of(exporter):
    return {each["what"]: each["message"] for each in (await exporter.status())["problems"]}


async def test_with_the_rights_of_the_chart_what_a_gateway_sent_is_counted(cluster, log, tmp_path):  # noqa: F811
    async with in_a_pod(cluster, tmp_path, values(**RIGHTS), "Deployment") as exporter:
        await exporter.until_value(1, FOLLOWED, within=LIMIT)
        for host in (HOST, HOST, "web.example.com", "other.example.com"):
            log.write(line(host), time.time())
        sent = {"destination_service_name": "nginx", "destination_cluster": "cluster2"}
        await exporter.until_value(3, "clusterset_upstream_requests_total", within=LIMIT, **sent)
        told = await problems_of(exporter)
        assert not {"watch of httproutes", "watch of ingresses", LOOKING} & told.keys()


@pytest.mark.usefixtures("log")
async def test_without_them_it_is_refused_and_says_what_to_grant(cluster, tmp_path):  # noqa: F811
    async with in_a_pod(cluster, tmp_path, values(), "Deployment") as exporter:

        async def told():
            return LOOKING in await problems_of(exporter)

        await until(told, within=LIMIT)
        problems = await problems_of(exporter)
    assert problems[LOOKING].endswith(f"; grant list on pods in namespace {GATEWAY}")
    for kind, group in (
        ("httproutes", "gateway.networking.k8s.io"),
        ("ingresses", "networking.k8s.io"),
    ):
        told = problems[f"watch of {kind}"]
        assert "403" in told
        assert told.endswith(f"grant list and watch on {kind} of API group {group}")


async def rights(access, config):
    """Return what `check` says of the rights of this account."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "check", "nginx-test/nginx", "--json"),
        *("--kubeconfig", str(access), "--config.file", str(config)),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT):
        out, _ = await process.communicate()
    (found,) = [each for each in json.loads(out)["findings"] if each["about"] == "rights"]
    return found["text"]


@pytest.mark.usefixtures("log")
async def test_check_knows_the_rights_and_names_the_values_of_the_chart(cluster, tmp_path):  # noqa: F811
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"inventory": {"kubernetes": {}}, **values()["config"]}))
    access = kubeconfig(cluster, tmp_path, await installed(cluster, objects(values())))
    assert await rights(access, config) == (
        "may not list httproutes.gateway.networking.k8s.io, watch "
        "httproutes.gateway.networking.k8s.io, list ingresses.networking.k8s.io, watch "
        f"ingresses.networking.k8s.io, list pods in {GATEWAY}, get pods in {GATEWAY}, get pods/log "
        f"in {GATEWAY}; grant them in a ClusterRole, or in a Role of the namespace that is named; "
        "the chart does so with rbac.create: true and "
        f"gatewayLogs.namespaces: [{GATEWAY}] and gatewayLogs.routes: true"
    )
    await installed(cluster, objects(values(**RIGHTS)))

    async def has_all():
        return await rights(access, config) == "all that run needs"

    await until(has_all, within=LIMIT)
