"""`check` in a member cluster: discovery, diagnosis, and what it says when that does not work."""

import asyncio
import json
import os
import re
import sys
import time
from pathlib import Path

import pytest

from tests.apiserver.conftest import FakeAccess
from tests.commands.test_diagnose import COREFILE, POD
from tests.fakes import apifaults as faults
from tests.fakes import certs
from tests.fakes.apiaccess import EXPORTER
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.members import CONFIG, RULES, Member

pytestmark = pytest.mark.timeout(120)
GOLDEN = Path(__file__).parent.parent / "data" / "check"
OPERATOR = "/api/v1/namespaces/submariner-operator"
LIGHTHOUSE = "submariner-lighthouse-coredns"


@pytest.fixture
async def member(tmp_path):
    async with running(ApiServer(), tls=certs.server_context()) as server:
        made = Member(FakeAccess(server), tmp_path)
        for each in made.objects.all:
            if each["kind"] == "Gateway":
                # A clock that is ahead never counts as silent, however long a busy machine takes.
                ahead = str(int(time.time()) + 3600)
                each["metadata"]["annotations"]["update-timestamp"] = ahead
        await made.fill()
        (tmp_path / "config.yaml").write_text(CONFIG.replace("KUBERNETES", ""))
        yield made


async def name_servers(api, address="100.1.0.53"):
    """Add Lighthouse and the cluster's CoreDNS."""
    labels = {"app": LIGHTHOUSE}
    await api.done("POST", f"{OPERATOR}/pods", POD | {"metadata": {"name": "l", "labels": labels}})
    service = {"metadata": {"name": LIGHTHOUSE}, "spec": {"clusterIP": address}}
    await api.done("POST", f"{OPERATOR}/services", service)
    config = {"metadata": {"name": "coredns"}, "data": {"Corefile": COREFILE}}
    await api.done("POST", "/api/v1/namespaces/kube-system/configmaps", config)


def command(member, *more, token="admintoken"):
    config = str(member.folder / "config.yaml")
    reach = ("--kubeconfig", str(member.kubeconfig(token)), "--config.file", config)
    return [sys.executable, "-m", "exporter", "check", *reach, *more]


async def check(member, *more, token="admintoken"):
    process = await asyncio.create_subprocess_exec(
        *command(member, *more, token=token),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, error = await process.communicate()
    return process.returncode, out.decode(), error.decode()


def golden(name, text):
    text = re.sub(r" +\n", "\n", re.sub(r" {2,}", "  ", text))
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


async def test_a_cluster_whose_name_servers_are_well(member):
    await name_servers(member.api)
    code, text, error = await check(member, "nginx-test/nginx")
    # Nobody answers at the name server of this configuration.
    assert (code, error) == (1, "")
    await asyncio.to_thread(golden, "cluster", text)


async def test_a_name_server_that_leads_elsewhere(member):
    await name_servers(member.api, "100.1.0.99")
    _, text, _ = await check(member, "nginx-test/nginx", "--json")
    findings = json.loads(text)["findings"]
    assert {
        "level": "fail",
        "about": "CoreDNS kube-system/coredns",
        "text": "forwards clusterset.local to 100.1.0.53, and Lighthouse is at 100.1.0.99",
    } in findings


async def test_on_openshift_its_dns_operator_is_looked_at(member):
    """On other clusters it is not, also where the account may not read its object."""
    await name_servers(member.api)
    _, text, _ = await check(member, "nginx-test/nginx", "--json")
    assert not [each for each in json.loads(text)["findings"] if "openshift" in each["about"]]
    member.api.server.store.install("operator.openshift.io", "dnses", "DNS", "v1")
    server = {"zones": ["clusterset.local"], "forwardPlugin": {"upstreams": ["100.1.0.53"]}}
    # The fake server knows no objects outside namespaces; it finds this one all the same.
    answer = {"spec": {"servers": [server]}}
    member.api.server.faults = [Fault(faults.ok(json.dumps(answer)), verb="get", plural="dnses")]
    _, text, _ = await check(member, "nginx-test/nginx", "--json")
    findings = json.loads(text)["findings"]
    assert {
        "level": "ok",
        "about": "DNS operator dns.operator.openshift.io/default",
        "text": "forwards clusterset.local to Lighthouse",
    } in findings
    assert {
        "level": "ok",
        "about": "CoreDNS openshift-dns/dns-default",
        "text": "not looked at: not there; another name server is in use",
    } in findings


async def test_an_export_whose_service_is_gone_fails_with_condition_and_reason(member):
    """Issue 14.19."""
    export = member.objects.get("ServiceExport", "nginx")
    refused = {"type": "Valid", "status": "False", "reason": "ServiceUnavailable"}
    export["status"] = {"conditions": [refused]}
    await member.change(export)
    await member.remove(member.objects.get("Service", "nginx"))
    await member.remove(member.objects.slice_of("cluster1"))
    code, text, _ = await check(member, "nginx-test/nginx", "--json")
    assert {
        "level": "fail",
        "about": "cluster1 (here)",
        "text": "exports it, not ready; its ServiceExport is refused: "
        "Valid=False (ServiceUnavailable)",
    } in json.loads(text)["findings"]
    assert code == 1


async def test_missing_rights_are_named_and_no_failure_of_what_is_only_looked_at(member):
    core = ("endpointslices", "services", "serviceexports", "serviceimports")
    kinds = (*core, "gateways", "clusters", "endpoints", "submariners")
    await member.api.grant(*((verb, kind) for kind in kinds for verb in ("list", "watch")))
    _, text, _ = await check(member, "nginx-test/nginx", token=EXPORTER)
    await asyncio.to_thread(golden, "rights", text)


async def rights_line(member):
    _, text, _ = await check(member, "nginx-test/nginx", token=EXPORTER)
    (line,) = [each for each in text.splitlines() if " rights " in each]
    return line


async def test_a_right_for_an_api_group_that_is_not_installed_is_not_missed(member):
    """Issue 14.21: RULES of the fake know no group, so Submariner stands for any of them."""
    for kind in ("Gateway", "Cluster", "Endpoint"):
        await member.uninstall(kind)
    gone = {"gateways", "clusters", "endpoints"}
    await member.api.grant(*(each for each in RULES if each[1] not in gone))
    assert (await rights_line(member)).startswith("ok")


async def test_a_right_for_a_group_of_which_nothing_can_be_read_is_no_failure(member):
    member.api.server.faults = [Fault(hidden("submariner.io"))]
    await member.api.grant(*(each for each in RULES if each[1] != "gateways"))
    line = await rights_line(member)
    assert line.startswith("ok")
    assert "list gateways.submariner.io, watch gateways.submariner.io; it is not known" in line


def hidden(group):
    """Refuse to say which resources *group* has."""
    refuse = faults.status(403, reason="Forbidden")

    async def what(server, asked):
        about = asked.group == group and not asked.plural
        return await refuse(server, asked) if about else None

    return what


async def test_rights_on_the_lease_are_wanted_where_there_is_one(member):
    (member.folder / "config.yaml").write_text(CONFIG.replace("KUBERNETES", "lease: mine"))
    await member.api.grant(*RULES)
    _, text, _ = await check(member, "nginx-test/nginx", token=EXPORTER)
    (line,) = [each for each in text.splitlines() if " rights " in each]
    assert line.startswith("fail")
    assert line.count("leases.coordination.k8s.io") == 3
    assert "in mon" in line


async def test_rights_on_events_are_wanted_where_they_are_written(member):
    (member.folder / "config.yaml").write_text(CONFIG.replace("KUBERNETES", "events: true"))
    await member.api.grant(*RULES, ("create", "events"))
    line = await rights_line(member)
    assert line.startswith("fail")
    assert "may not patch events;" in line


@pytest.mark.parametrize(("without", "level"), [("pods/log", "ok"), ("pods", "fail")])
async def test_a_nodes_files_want_the_right_to_get_pods_alone(member, without, level):
    logs = '[{files: ["/x/*.log"], wrapper: cri, service: {pod: true}}]'
    config = CONFIG.replace("KUBERNETES", "").replace("[{pods: {}, format: main}]", logs)
    (member.folder / "config.yaml").write_text(config)
    await member.api.grant(*(each for each in RULES if each[1] != without))
    _, text, _ = await check(member, "nginx-test/nginx", token=EXPORTER)
    (line,) = [each for each in text.splitlines() if " rights " in each]
    assert line.startswith(level)
    assert ("get pods" in line) is (level == "fail")


async def test_pods_of_a_gateway_want_rights_in_their_namespace(member):
    logs = "[{pods: {namespace: gateways, selector: app=x}, service: nginx-test/nginx}]"
    config = CONFIG.replace("KUBERNETES", "").replace("[{pods: {}, format: main}]", logs)
    (member.folder / "config.yaml").write_text(config)
    await member.api.grant(*(each for each in RULES if each[1] not in {"pods", "pods/log"}))
    line = await rights_line(member)
    assert line.startswith("fail")
    for right in ("list pods", "get pods", "get pods/log"):
        assert f"{right} in gateways" in line


async def test_nothing_says_which_cluster_this_is(member):
    for kind, name in (
        ("Gateway", "gw1"),
        ("Submariner", "submariner"),
        ("ServiceExport", "nginx"),
    ):
        await member.remove(member.objects.get(kind, name))
    code, out, error = await check(member, "nginx-test/nginx")
    assert (code, out) == (2, "")
    assert "nothing says which cluster this is; any of these four would" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("shop/cart",),
            "shop/cart is not in what is discovered in cluster1; known are nginx-test/nginx",
        ),
        (("nginx-test/nginx", "--kubeconfig", "/nowhere"), "/nowhere"),
        (("nginx-test/nginx", "--context", "no"), "no"),
    ],
)
async def test_what_cannot_be_looked_at(member, arguments, message):
    code, out, error = await check(member, *arguments)
    assert (code, out, message in error, error.count("\n")) == (2, "", True, 1)


async def test_watching_follows_the_api(member):
    process = await asyncio.create_subprocess_exec(
        *command(member, "nginx-test/nginx", "--watch"), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(30):
            assert "is served to nobody in cluster1" in (await process.stdout.readline()).decode()
            for kind in ("ServiceExport", "ServiceImport"):
                name = {"namespace": "nginx-test"}
                await member.remove(member.objects.get(kind, "nginx", **name))
            for cluster in ("cluster1", "cluster2"):
                await member.remove(member.objects.slice_of(cluster))
            # It is gone, which ends the looking.
            assert await process.wait() == 2
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


STAMP = {"work.karmada.io/namespace": "karmada-es-member1"}
OWN_LABELS = {
    "app.kubernetes.io/name": "clusterset-exporter",
    "app.kubernetes.io/component": "exporter",
}
NAMES = (("Gateway", "gw1"), ("Submariner", "submariner"), ("ServiceExport", "nginx"))
MCS_LINE = "serviceexports.multicluster.x-k8s.io"


@pytest.fixture
async def bare(tmp_path):
    """Yield a member in which neither Submariner nor the MCS API is installed."""
    async with running(ApiServer(), tls=certs.server_context()) as server:
        made = Member(FakeAccess(server), tmp_path)
        for plural in ("serviceexports", "serviceimports"):
            if ("multicluster.x-k8s.io", plural) in server.store.kinds:
                await made.api.uninstall("multicluster.x-k8s.io", plural)
        (tmp_path / "config.yaml").write_text(CONFIG.replace("KUBERNETES", ""))
        yield made


def without_api(code, out, error, about):
    assert (code, error) == (1, "")
    made = json.loads(out)
    lines = {each["about"]: (each["level"], each["text"]) for each in made["findings"]}
    assert lines[MCS_LINE] == ("fail", "not installed; the MCS API's CRDs are missing")
    assert lines["submariner.io"] == ("ok", "not installed")
    assert lines[about][0] == "fail"
    assert made["verdict"].endswith("the MCS API is not installed.")
    return lines[about][1]


async def test_without_the_mcs_api_the_cluster_is_diagnosed_though_nothing_names_it(bare):
    text = without_api(*await check(bare, "nginx-test/nginx", "--json"), about="cluster")
    assert "nothing says which cluster this is" in text


async def test_so_it_is_where_only_the_service_is_unknown(bare):
    found = await check(bare, "nginx-test/nginx", "--json", "--cluster", "east")
    text = without_api(*found, about="nginx-test/nginx")
    assert "is not in what is discovered in east" in text


@pytest.mark.parametrize(
    ("namespace", "name", "labels"),
    [("clusterset-exporter", "clusterset-exporter", {}), ("tools", "locality", OWN_LABELS)],
    ids=["in the usual namespace", "wherever it is"],
)
async def test_karmadas_name_is_read_from_the_exporters_own_namespace(
    bare, namespace, name, labels
):
    """The kubeconfig names another namespace."""
    body = {"metadata": {"name": name, "labels": labels, "annotations": STAMP}}
    await bare.api.done("POST", f"/api/v1/namespaces/{namespace}/configmaps", body)
    if not labels:
        # The right to list all of them is missing.
        refuse = faults.status(403, reason="Forbidden")

        async def only_lists(server, asked):
            listed = asked.plural == "configmaps" and not asked.name
            return await refuse(server, asked) if listed else None

        bare.api.server.faults = [Fault(only_lists)]
    text = without_api(*await check(bare, "nginx-test/nginx", "--json"), about="nginx-test/nginx")
    assert "is not in what is discovered in member1" in text


async def test_with_the_mcs_api_the_name_of_the_cluster_is_read_there_too(member):
    for each in NAMES:
        await member.remove(member.objects.get(*each))
    body = {"metadata": {"name": "locality", "labels": OWN_LABELS, "annotations": STAMP}}
    await member.api.done("POST", "/api/v1/namespaces/tools/configmaps", body)
    _, out, _ = await check(member, "nginx-test/nginx")
    assert "member1" in out
