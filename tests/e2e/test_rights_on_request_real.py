"""Rights that the chart grants only if a value asks for them, on a real API server."""

import asyncio
import json
import sys

from tests.e2e.day import LIMIT, MODE, Day, NameServer
from tests.e2e.test_deploy_real import accepted, cluster, in_a_pod, installed, kubeconfig, pod_name  # noqa: F401 - the fixtures
from tests.fakes.charts import objects
from tests.fakes.members import Member
from tests.fakes.servers import udp
from tests.fakes.virtual import until
from tests.system.test_events import EVENTS, moves, told

CHECK = {"check": {"rights": True}}


def values_of(port):
    probe = {
        "interval": "500ms",
        "timeout": "500ms",
        "lookup": [],
        "http": None,
        "resolvers": [f"127.0.0.1:{port}"],
    }
    return {"events": True, "podLogs": {"enabled": False}, "config": {"probe": probe}}


async def test_events_are_written_with_the_rights_of_the_chart(cluster, tmp_path):  # noqa: F811
    member, name_server = Member(cluster, tmp_path), NameServer()
    await member.fill()
    async with udp(name_server) as (port, _):
        day = Day(member, name_server, port)
        async with (
            day.gateways_speak(),
            in_a_pod(cluster, tmp_path, values_of(port), "Deployment") as exporter,
        ):
            await exporter.until_value(1, MODE, within=LIMIT, mode="local")
            await moves(day, exporter)
            problems = (await exporter.status())["problems"]
            assert "events" not in {each["what"] for each in problems}
            assert await told(day) == {"FailedOver": 1, "FailedBack": 1}
    service = await cluster.done("GET", "/api/v1/namespaces/nginx-test/services/nginx")
    about = f"involvedObject.uid={service['metadata']['uid']},involvedObject.kind=Service"
    described = (await cluster.done("GET", EVENTS, fieldSelector=about))["items"]
    assert {each["reason"] for each in described} == {"FailedOver", "FailedBack"}
    for each in described:
        await cluster.done("DELETE", f"{EVENTS}/{each['metadata']['name']}")
    await member.empty()


async def unseen(access):
    """Return what `check` could not look at."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "check", "nginx-test/nginx", "--json"),
        *("--kubeconfig", str(access)),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    findings = json.loads(out)["findings"]
    return {each["about"] for each in findings if each["text"].startswith("not looked at")}


async def test_check_in_a_pod_sees_all_with_the_rights_of_the_chart(cluster, tmp_path):  # noqa: F811
    member = Member(cluster, tmp_path)
    await member.fill()
    names = {"metadata": {"name": "coredns"}, "data": {"Corefile": ".:53 {\n}\n"}}
    maps = "/api/v1/namespaces/kube-system/configmaps"
    status, _ = await cluster.call("POST", maps, names)
    found = objects(CHECK, release="another")
    for each in found:
        await accepted(cluster, each)
    access = kubeconfig(cluster, tmp_path, await installed(cluster, found))

    async def sees_all():
        return not await unseen(access)

    await until(sees_all, within=60)
    if status == 201:
        await cluster.done("DELETE", f"{maps}/coredns")
    await member.empty()
