"""The exporter in a member cluster: discovery, changes, pod logs, leadership, shards."""

import asyncio
import signal
import sys
import time
from contextlib import AsyncExitStack
from functools import partial
from ipaddress import ip_address

import pytest

from exporter.commands.run.shard import Shard
from exporter.probe.dns import message as dns
from exporter.probe.dns.records import Type
from tests.apiserver.conftest import FakeAccess
from tests.fakes import certs
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.files import line
from tests.fakes.members import CONFIG, Member, path_of
from tests.fakes.nouns import NGINX
from tests.fakes.servers import udp

pytestmark = pytest.mark.timeout(120)
NAME = {"destination_service_namespace": "nginx-test", "destination_service_name": "nginx"}


@pytest.fixture
async def api():
    async with running(ApiServer(), tls=certs.server_context()) as server:
        yield FakeAccess(server)


@pytest.fixture
async def member(api, tmp_path):
    made = Member(api, tmp_path)
    await made.fill()
    return made


async def test_the_scene_is_discovered_and_followed(member):
    async with member.exporter() as exporter:
        status = await exporter.status()
        assert (status["cluster"], status["ready"], status["problems"]) == ("cluster1", True, [])
        (service,) = status["services"]
        assert (service["namespace"], service["name"]) == ("nginx-test", "nginx")
        assert {each["id"]: each["ready"] for each in service["clusters"]} == {
            "cluster1": True,
            "cluster2": True,
        }
        info = {"karmada_cluster": "member1", "submariner_version": "0.19.0", "identity": "gateway"}
        assert await exporter.value("clusterset_info", **info) == 1
        assert await exporter.value("clusterset_service_endpoints", condition="ready") == 1
        assert await exporter.value("clusterset_service_endpoints", condition="not_ready") == 1
        assert await exporter.value("clusterset_service_export_condition", type="Ready") == 1
        latency = "clusterset_gateway_latency_seconds"
        assert await exporter.value(latency, destination_cluster="cluster2") == 0.0015
        member.objects.not_ready("cluster2")
        lists = listed(member.api, "endpointslices")
        await member.change(member.objects.slice_of("cluster2"))
        ready = {"destination_cluster": "cluster2", **NAME}
        await exporter.until_value(0, "clusterset_service_ready", **ready)
        # By the watch, without another list. That it takes less than a second is asserted in
        # virtual time, in test_walk_readiness.py.
        assert listed(member.api, "endpointslices") == lists
        member.objects.link("error")
        await member.change(member.objects.get("Gateway", "gw1"))
        tunnel = {"destination_cluster": "cluster2", "view": "strict"}
        await exporter.until_value(0, "clusterset_gateway_connected", **tunnel)
        await member.remove(member.objects.slice_of("cluster1"))
        await member.remove(member.objects.get("ServiceExport", "nginx"))
        await exporter.until_value(0, "clusterset_service_exported")


async def test_pod_logs_are_counted(member, api):
    log = await api.pod("nginx-test", "nginx-7d-abcde")
    log.write(line("10.1.0.9", end="").encode(), time.time() - 5)
    async with member.exporter() as exporter:
        await exporter.until_value(1, "clusterset_exporter_pod_logs")
        await exporter.until(lambda: asked(api, "follow"))
        for address in ("10.1.0.9", "10.2.0.9", "10.2.0.9"):
            log.write(line(address, end="").encode(), time.time())
        requests = "clusterset_requests_total"
        await exporter.until_value(2, requests, source_cluster="cluster2", **NAME)
        # What was there before it came is not counted.
        assert await exporter.value(requests, source_cluster="cluster1", **NAME) == 1


async def test_of_two_leaders_each_line_of_a_pod_is_counted_once(member, api):
    log = await api.pod("nginx-test", "nginx-7d-abcde")
    lease, requests, written = "lease: clusterset-exporter", "clusterset_requests_total", 0

    def write(count=1):
        nonlocal written
        written += count
        for _ in range(count):
            log.write(line("10.2.0.9", end="").encode(), time.time())

    async with member.exporter(kubernetes=lease) as first:
        await first.until(lambda: asked(api, "follow"))
        async with member.exporter(kubernetes=lease) as second:
            write(5)
            await first.until_value(5, requests, source_cluster="cluster2", **NAME)
            first.process.send_signal(signal.SIGTERM)
            assert await first.end() == 0
            write(3)
            await second.until_value(1, "clusterset_exporter_leader")
            await second.until_value(3, requests, source_cluster="cluster2", **NAME)
            write(2)
            await second.until_value(5, requests, source_cluster="cluster2", **NAME)
    assert written == 10


def listed(api, plural):
    return sum((each.verb, each.plural) == ("list", plural) for each in api.server.asked)


async def asked(api, parameter):
    return any(parameter in each.query for each in api.server.asked)


async def test_name_servers_of_the_clusterset_are_found_and_asked(member):
    def answers(query):
        read = dns.decode_query(query)
        address = [ip_address("100.1.0.10")] if read.type == Type.A else []
        return [dns.encode_response(read, 0, address)]

    answered = {"vantage": "lighthouse", "destination_cluster": "cluster1"}
    async with udp(answers) as (port, peers), member.exporter() as exporter:
        assert await exporter.value("clusterset_dns_answers_total", **answered) == 0
        found = member.objects.name_server("127.0.0.1", port=port)
        await member.api.done("POST", path_of(found, name=False), found)

        async def asked():
            return await exporter.value("clusterset_dns_answers_total", **answered) > 0

        await exporter.until(asked)
        await member.remove(found)
        await exporter.until(lambda: idle(exporter, peers))


async def idle(exporter, peers):
    """Return whether no question came here while three others were asked elsewhere."""
    looked, elsewhere = "clusterset_dns_lookups_total", {"vantage": "resolver"}
    before, made = len(peers), await exporter.value(looked, **elsewhere)

    async def three_more():
        return await exporter.value(looked, **elsewhere) >= made + 3

    await exporter.until(three_more)
    return len(peers) == before


async def test_of_two_replicas_one_works_and_hands_over(member):
    lease = "lease: clusterset-exporter"
    async with member.exporter(kubernetes=lease) as first:
        assert await first.value("clusterset_exporter_leader") == 1
        async with member.exporter(kubernetes=lease) as second:
            assert await second.value("clusterset_exporter_leader") == 0
            assert (await second.get("/-/ready"))[0] == 200
            text = (await second.get("/metrics"))[1]
            assert "clusterset_service_mode" not in text
            assert 'clusterset_service_outage_seconds_total{source_cluster="cluster1"' in text
            assert "clusterset_exporter_watch_state" in text
            assert "This replica stands by; " in (await second.get("/"))[1]
            first.process.send_signal(signal.SIGTERM)
            assert await first.end() == 0
            # That it takes less than two seconds is asserted in virtual time, in test_lease.py.
            await second.until_value(1, "clusterset_exporter_leader")
            await second.until_value(2, "clusterset_service_ready")


async def test_a_leader_that_lost_its_lease_ends(member, api):
    async with member.exporter(kubernetes="lease: mine") as exporter:
        path = "/apis/coordination.k8s.io/v1/namespaces/mon/leases/mine"
        lease = await api.done("GET", path)
        await api.done("PUT", path, lease | {"spec": lease["spec"] | {"holderIdentity": "other"}})
        assert await exporter.end() == 1
        assert "another replica leads: other" in exporter.lines[-1]


async def names_problem(exporter, what, message):
    problems = (await exporter.status())["problems"]
    return (what, message) in [(each["what"], each["message"]) for each in problems]


async def test_what_only_a_restart_can_change_is_refused_at_a_reload(member):
    async with member.exporter(kubernetes="lease: one") as exporter:
        path = member.folder / "config.yaml"
        before = path.read_text()
        for other, told in (
            (
                before.replace("lease: one", "lease: two"),
                "inventory.kubernetes.lease: cannot change from one to two; restart",
            ),
            (
                before.replace("lease: one", ""),
                "inventory.kubernetes.lease: cannot change from one to none; restart",
            ),
            (f"cluster: east\n{before}", "cluster: cannot change from cluster1 to east; restart"),
        ):
            path.write_text(other)
            status, text = await exporter.get("/-/reload", "POST")
            assert (status, text.partition(": ")[2].strip()) == (500, told)
            # The status is made at most once a second.
            await exporter.until(partial(names_problem, exporter, "configuration", told))
        # What was discovered may be written down.
        path.write_text(f"cluster: cluster1\n{before}")
        assert (await exporter.get("/-/reload", "POST"))[0] == 200
        assert await exporter.value("clusterset_exporter_leader") == 1


async def test_a_reload_that_leads_to_another_name_for_the_cluster_ends_it(member, api):
    await api.done("POST", "/api/v1/namespaces/mon/configmaps", {"metadata": {"name": "one"}})
    stamp = {"work.karmada.io/namespace": "karmada-es-member9"}
    body = {"metadata": {"name": "two", "annotations": stamp}}
    await api.done("POST", "/api/v1/namespaces/mon/configmaps", body)
    async with member.exporter(kubernetes="config_map: one") as exporter:
        for kind, name in (("Gateway", "gw1"), ("Submariner", "submariner")):
            await member.remove(member.objects.get(kind, name))
        await member.remove(member.objects.get("ServiceExport", "nginx"))
        path = member.folder / "config.yaml"
        path.write_text(path.read_text().replace("config_map: one", "config_map: two"))
        await exporter.get("/-/reload", "POST")
        assert await exporter.end() == 1
        assert "this cluster was identified as cluster1; now" in exporter.lines[-1]


async def test_shards_have_all_services_once(member):
    seen = []
    for index in range(2):
        async with member.exporter("--shard", f"{index}/2") as exporter:
            seen += [each["name"] for each in (await exporter.status())["services"]]
            tunnels = await exporter.value("clusterset_gateway_connected", view="strict")
            assert tunnels == (2 if index == 0 else 0)
    assert seen == ["nginx"]
    assert [Shard(n, 2).holds(NGINX) for n in range(2)].count(True) == 1


async def test_an_api_server_that_is_away_for_a_while(tmp_path):
    server, context = ApiServer(), certs.server_context()
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(running(server, tls=context))
        api, port = FakeAccess(started), started.port
        member = Member(api, tmp_path)
        await member.fill()
        async with member.exporter() as exporter:
            state = "clusterset_exporter_watch_state"
            assert await exporter.value(state, resource="gateways", state="synced") == 1
            await stack.aclose()
            await exporter.until_value(1, state, resource="gateways", state="failing")
            # What was seen last is kept, and said to be old.
            assert await exporter.value("clusterset_service_ready") == 2
            problems = (await exporter.status())["problems"]
            # One problem stands for all watches that fail.
            assert [each["what"] for each in problems] == ["inventory is stale"]
            async with running(server, tls=context, port=port):
                member.objects.not_ready("cluster2")
                await member.change(member.objects.slice_of("cluster2"))
                await exporter.until_value(1, "clusterset_service_ready")


async def test_nothing_says_which_cluster_this_is(member):
    for kind, name in (
        ("Gateway", "gw1"),
        ("Submariner", "submariner"),
        ("ServiceExport", "nginx"),
    ):
        await member.remove(member.objects.get(kind, name))
    config = member.folder / "config.yaml"
    config.write_text(CONFIG.replace("KUBERNETES", ""))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "run", "--web.listen-address", "127.0.0.1:0"),
        *("--config.file", str(config), "--kubeconfig", str(member.kubeconfig())),
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        _, error = await process.communicate()
    assert process.returncode == 2
    told = error.decode().splitlines()[-1]
    assert "nothing says which cluster this is; any of these four would: --cluster" in told
