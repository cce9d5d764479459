"""An exporter that writes Kubernetes Events about the Services of its cluster."""

import pytest

from tests.apiserver.conftest import FakeAccess
from tests.e2e.day import LIMIT, MODE, Day, NameServer, access_line
from tests.fakes import certs
from tests.fakes.apiaccess import EXPORTER
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.members import RULES, Member
from tests.fakes.nodelogs import Node
from tests.fakes.servers import udp
from tests.system.test_cluster import listed
from tests.system.test_cluster_life import NODE_CONFIG, PODS

pytestmark = pytest.mark.timeout(240)
SERVICE = "/api/v1/namespaces/nginx-test/services/nginx"
EVENTS = "/api/v1/namespaces/nginx-test/events"
RIGHTS = [("create", "events"), ("patch", "events")]
FILES = f"""\
{NODE_CONFIG.replace("kubernetes: {}", "kubernetes: {KUBERNETES}")}
leak_grace: 1s
"""
ENDS_SOON = "from exporter.commands.run import changes; changes.LEAK_ENDS = 1.0"
LEASE = [(verb, "leases") for verb in ("get", "create", "update")]


@pytest.fixture
async def day(tmp_path):
    async with running(ApiServer(), tls=certs.server_context()) as server:
        member, name_server = Member(FakeAccess(server), tmp_path), NameServer()
        await member.fill()
        async with udp(name_server) as (port, _):
            yield Day(member, name_server, port)


async def told(day):
    """Return the reason of each event, and how often it happened."""
    api = day.member.api
    uid = (await api.done("GET", SERVICE))["metadata"]["uid"]
    items = (await api.done("GET", EVENTS))["items"]
    # A real API server may have Events of others, who need not count, and about the service as it
    # was in another test.
    ours = [
        each
        for each in items
        if each["source"].get("component") == "clusterset-exporter"
        and each["involvedObject"]["uid"] == uid
    ]
    return {each["reason"]: each["count"] for each in ours}


async def problems(exporter):
    """Return what each problem is about."""
    return [each["what"] for each in (await exporter.status())["problems"]]


async def moves(day, exporter):
    """Let clients of cluster1 move to cluster2, and back."""
    for reason, names in (("FailedOver", "cluster2"), ("FailedBack", "cluster1")):
        await day.set_ready("cluster1", ready=names == "cluster1")
        day.name_server.names = names

        async def happened(reason=reason):
            return reason in await told(day)

        await exporter.until(happened, within=LIMIT)


async def test_the_leader_tells_of_a_failover_at_the_service(day):
    await day.member.api.grant(*RULES, *LEASE, *RIGHTS)
    wanted = f"events: true, {day.lease}"
    async with (
        day.gateways_speak(),
        day.exporter(wanted, token=EXPORTER) as leader,
        day.exporter(wanted, token=EXPORTER) as standby,
    ):
        await leader.until_value(1, MODE, within=LIMIT, mode="local")
        await moves(day, leader)
        assert "events" not in await problems(leader)
        assert await standby.value("clusterset_exporter_leader") == 0
        assert await told(day) == {"FailedOver": 1, "FailedBack": 1}
    service = await day.member.api.done("GET", "/api/v1/namespaces/nginx-test/services/nginx")
    for each in (await day.member.api.done("GET", EVENTS))["items"]:
        assert each["involvedObject"]["uid"] == service["metadata"]["uid"]
        assert each["message"].startswith("Clients in cluster cluster1 are now served by ")


async def test_a_leak_in_the_files_of_a_node_is_told_and_its_end(day, tmp_path, monkeypatch):
    monkeypatch.setenv("POD_NAME", "node-logs-x7k2p")
    await day.member.api.grant(*RULES, *RIGHTS)
    await day.member.api.pod("nginx-test", PODS[0])
    node = Node(tmp_path)
    log, config = node.log("nginx-test", PODS[0]), FILES.replace("FILES", node.glob)
    wanted = {"kubernetes": "events: true", "config": config, "token": EXPORTER}
    async with day.gateways_speak(), day.member.exporter(before=ENDS_SOON, **wanted) as exporter:
        # A change may have been a moment ago, so the first requests may be right still.
        async def leaks():
            log.write(access_line("cluster2"))
            return "LeakBegan" in await told(day)

        await exporter.until(leaks, within=LIMIT)

        async def ended():
            return "LeakEnded" in await told(day)

        await exporter.until(ended, within=LIMIT)
        assert "events" not in await problems(exporter)
    found = (await day.member.api.done("GET", EVENTS))["items"]
    texts = {each["reason"]: each["message"] for each in found}
    for reason, begin in (
        ("LeakBegan", "Clients in cluster cluster2 are served by cluster1 although"),
        ("LeakEnded", "No client in cluster cluster2 was wrongly served by cluster1 for"),
    ):
        assert texts[reason].startswith(begin)
        assert texts[reason].endswith(". Seen in the logs of one node by node-logs-x7k2p")


async def test_a_missing_right_is_a_problem_and_everything_else_goes_on(day):
    await day.member.api.grant(*RULES)
    async with day.gateways_speak(), day.exporter("events: true", token=EXPORTER) as exporter:

        async def problem():
            return "events" in await problems(exporter)

        await exporter.until(problem, within=LIMIT)
        await exporter.until_value(1, MODE, within=LIMIT, mode="local")
        assert (await exporter.get("/-/ready"))[0] == 200
        lists = listed(day.member.api, "endpointslices")
        # A reload that wants none is the way out.
        path = day.member.folder / "config.yaml"
        path.write_text(path.read_text().replace("events: true", "events: false"))
        assert (await exporter.get("/-/reload", "POST"))[0] == 200

        async def well():
            return "events" not in await problems(exporter)

        await exporter.until(well, within=LIMIT)
        # Its services were not discovered anew.
        assert listed(day.member.api, "endpointslices") == lists
