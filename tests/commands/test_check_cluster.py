"""`check` in a cluster, in this process: how long it waits, what watching tells of the cluster."""

import asyncio

import pytest

from exporter.commands.check import cluster as checkcluster
from exporter.commands.load import load
from exporter.config.yaml_reader import SettingsError
from exporter.model.clusterset import ServiceName
from tests.apiserver.conftest import FakeAccess
from tests.fakes import apifaults as faults
from tests.fakes import certs
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.members import CONFIG, PLURALS, Member
from tests.fakes.virtual import until

NGINX = ServiceName("nginx-test", "nginx")


@pytest.fixture
async def member(tmp_path):
    async with running(ApiServer(), tls=certs.server_context()) as server:
        made = Member(FakeAccess(server), tmp_path)
        await made.fill()
        (tmp_path / "config.yaml").write_text(CONFIG.replace("KUBERNETES", ""))
        yield made


async def asked(member):
    loaded = await asyncio.to_thread(load, member.folder / "config.yaml", None)
    return loaded, NGINX, checkcluster.Reach(kubeconfig=str(member.kubeconfig()), context=None)


def test_the_limit_is_what_the_docs_say():
    assert checkcluster.FIRST_WITHIN == 30


async def test_an_api_server_that_does_not_answer_is_given_up(member, monkeypatch):
    monkeypatch.setattr(checkcluster, "FIRST_WITHIN", 0.5)
    member.api.server.faults = [Fault(faults.hang, plural="gateways")]
    missing = "waiting for the API server's gateways.submariner.io"
    first, began = checkcluster._first, []

    async def when_all_others_have_answered(discovery, newest):
        await until(lambda: discovery.waits_for() == missing)
        began.append(asyncio.get_running_loop().time())
        await first(discovery, newest)

    monkeypatch.setattr(checkcluster, "_first", when_all_others_have_answered)
    with pytest.raises(SettingsError) as told:
        await checkcluster.look_in_cluster(*await asked(member))
    assert str(told.value) == f"{missing}; gave up after 0.5 s"
    assert asyncio.get_running_loop().time() - began[0] < 10


async def test_watching_tells_what_becomes_of_the_cluster(member, monkeypatch):
    monkeypatch.setattr(checkcluster, "DIAGNOSE_EVERY", 0.1)
    monkeypatch.setattr("exporter.commands.check.watch.WATCH_EVERY", 0.1)
    group, version, plural = PLURALS["Submariner"]
    lines = []
    async with asyncio.TaskGroup() as tasks:
        watching = checkcluster.watch_in_cluster(*await asked(member), lines.append, lambda _: None)
        task = tasks.create_task(watching)

        def said(*words):
            return [each for each in lines if all(word in each for word in words)]

        await until(lambda: said("fail", "Lighthouse pods"), within=30)
        assert not said("submariner.io", "not installed")
        await member.api.uninstall(group, plural)
        await until(lambda: said("fail", "submariner.io"), within=10)
        await member.api.install(group, plural, "Submariner", version)
        await until(lambda: said("ok", "submariner.io", "is well again"), within=10)
        # Told once, not at each look.
        assert len(said("fail", "Lighthouse pods")) == 1
        task.cancel()
