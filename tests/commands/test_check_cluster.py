"""`check` in a cluster, in this process: how long it waits, what watching tells of the cluster."""

import asyncio
from contextlib import asynccontextmanager

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
from tests.fakes.virtual import VirtualLoop, until

NGINX = ServiceName("nginx-test", "nginx")


@asynccontextmanager
async def member_in(tmp_path):
    async with running(ApiServer(), tls=certs.server_context()) as server:
        made = Member(FakeAccess(server), tmp_path)
        await made.fill()
        (tmp_path / "config.yaml").write_text(CONFIG.replace("KUBERNETES", ""))
        yield made


@pytest.fixture
async def member(tmp_path):
    async with member_in(tmp_path) as made:
        yield made


async def asked(member):
    loaded = await asyncio.to_thread(load, member.folder / "config.yaml", None)
    return loaded, NGINX, checkcluster.Reach(kubeconfig=str(member.kubeconfig()), context=None)


def test_the_limit_is_what_the_docs_say():
    assert checkcluster.FIRST_WITHIN == 30


def test_an_api_server_that_does_not_answer_is_given_up(tmp_path, monkeypatch):
    async def give_up():
        async with member_in(tmp_path) as member:
            # Without the thread that reads a kubeconfig: time would pass while it works.
            monkeypatch.setattr(checkcluster, "open_client", lambda *_: member.api.client())
            member.api.server.faults = [Fault(faults.hang, plural="gateways")]
            began = asyncio.get_running_loop().time()
            with pytest.raises(SettingsError) as told:
                await checkcluster.look_in_cluster(*await asked(member))
            return str(told.value), asyncio.get_running_loop().time() - began

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        message, took = runner.run(give_up())
    assert message == "waiting for the API server's gateways.submariner.io; gave up after 30 s"
    assert 30 <= took < 31


async def test_watching_tells_what_becomes_of_the_cluster(member, monkeypatch):
    monkeypatch.setattr(checkcluster, "DIAGNOSE_EVERY", 0.1)
    monkeypatch.setattr("exporter.commands.check.watch.WATCH_EVERY", 0.1)
    group, version, plural = PLURALS["Submariner"]
    lines = []
    async with asyncio.TaskGroup() as tasks:
        watching = checkcluster.watch_in_cluster(
            *await asked(member), lambda change: lines.append(change.line()), lambda _: None
        )
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
