"""What a member cluster goes through while an exporter is in it; also run on a real API server."""

import asyncio
import json
import sys
import time

import pytest

from tests.apiserver.conftest import FakeAccess
from tests.fakes import certs
from tests.fakes.apiaccess import EXPORTER
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.members import CONFIG, RULES, Member

pytestmark = pytest.mark.timeout(240)
READY = "clusterset_service_ready"


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


async def follows(member, exporter, *, ready, within=20.0):
    """Change readiness of the other cluster; return the seconds until the exporter shows it."""
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
    assert max(took) < 1


async def test_history_that_is_compacted(member, api):
    async with member.exporter() as exporter:
        await api.compact()
        assert await follows(member, exporter, ready=False) < 1


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
