"""An exporter that knew its cluster by Karmada's name, and learns Submariner's."""

import asyncio
import json

import pytest

from tests.apiserver.conftest import FakeAccess
from tests.fakes import certs
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.members import CONFIG, Member, path_of

pytestmark = pytest.mark.timeout(120)
STAMP = {"work.karmada.io/namespace": "karmada-es-member1"}
NAMES = (("Gateway", "gw1"), ("Submariner", "submariner"))


@pytest.fixture
async def member(tmp_path):
    async with running(ApiServer(), tls=certs.server_context()) as server:
        made = Member(FakeAccess(server), tmp_path)
        await made.fill()
        for each in NAMES:
            await made.remove(made.objects.get(*each))
        body = {"metadata": {"name": "ours", "annotations": STAMP}}
        await made.api.done("POST", "/api/v1/namespaces/mon/configmaps", body)
        yield made


async def test_it_goes_on_under_the_new_name_in_the_same_process(member):
    """No restart of the container, no series of the old name, and nothing taken over from it."""
    (member.folder / "state").mkdir(mode=0o700)
    config = f"{CONFIG}state_directory: state\n"
    kubernetes = "config_map: ours, lease: one"
    async with member.exporter(kubernetes=kubernetes, config=config) as exporter:

        async def named():
            return (await exporter.status())["cluster"] == "member1"

        await exporter.until(named)
        await exporter.until_value(1, "clusterset_exporter_leader")
        await exporter.until_value(1, "clusterset_service_exported", destination_cluster="member1")
        for each in NAMES:
            found = member.objects.get(*each)
            await member.api.done("POST", path_of(found, name=False), found)

        async def renamed():
            status = await exporter.status()
            return status["cluster"] == "cluster1" and status["ready"]

        await exporter.until(renamed, within=60)
        await exporter.until_value(
            1, "clusterset_service_exported", within=60, destination_cluster="cluster1"
        )
        status, text = await exporter.get("/metrics")
        assert status == 200
        assert 'destination_cluster="member1"' not in text
        assert 'source_cluster="member1"' not in text
        assert 'from_cluster="' not in text
        assert exporter.process.returncode is None
        (line,) = [
            each for each in exporter.lines if 'event="name of the local cluster changed"' in each
        ]
        assert "now gateway says cluster1" in line or "now submariner says cluster1" in line
        left = member.folder / "state" / "handover.json"

        async def written():
            text = await asyncio.to_thread(left.read_text)
            return json.loads(text)["cluster"] == "cluster1"

        await exporter.until(written)
        exporter.process.terminate()
        assert await exporter.end() == 0
