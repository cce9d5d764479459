"""What works with the API server fails once because of a bug: it goes on, and nothing is lost."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from exporter.accesslog.line_reader import Lines
from exporter.apiserver.lease import Election
from exporter.apiserver.reflector import Reflector
from exporter.commands.run.cluster import LocalCluster
from exporter.discover.kubernetes import KubernetesInventory
from exporter.metrics import families as series
from tests.fakes.localscene import CONFIG, local
from tests.fakes.members import Member
from tests.fakes.virtual import until

WITH_LEASE = CONFIG.replace("kubernetes: {}", "kubernetes: {lease: exporter}")


class OddError(Exception):
    """A bug."""


@pytest.fixture(autouse=True)
def logs():
    with capture_logs() as found:
        yield found


@pytest.fixture
async def member(api, tmp_path):
    made = Member(api, tmp_path)
    await made.fill()
    return made


def breaking(monkeypatch, where, name):
    """Let a method fail once, when it is called after *breaks* is set."""
    breaks, done, original = asyncio.Event(), [], getattr(where, name)

    def spoilt(self, *arguments, **words):
        if breaks.is_set() and not done:
            done.append(arguments)
            raise OddError
        return original(self, *arguments, **words)

    monkeypatch.setattr(where, name, spoilt)
    return breaks, done


def restarts(here):
    children = here.store.series[series.STAGE_RESTARTS].items()
    return {stage: number for (stage,), number in children if number}


@pytest.mark.parametrize(
    ("where", "name", "stage"),
    [(Reflector, "_take", "watch"), (KubernetesInventory, "_make", "discovery")],
)
async def test_a_change_is_seen_although_its_stage_failed(
    member, api, tmp_path, monkeypatch, where, name, stage
):
    breaks, done = breaking(monkeypatch, where, name)
    unix = time.time() - asyncio.get_running_loop().time()
    async with local(api, tmp_path, unix=unix, kept=True) as here:
        await here.until_ready("cluster1", "cluster2", within=10)
        breaks.set()
        member.objects.not_ready("cluster1")
        await member.change(member.objects.slice_of("cluster1"))
        await until(lambda: done, within=10)
        # Until it works again, no verdict is given by what may be old.
        await until(lambda: here.unseen.since is not None, within=0.1)
        await here.until_ready("cluster2", within=10)
        await until(lambda: here.unseen.since is None, within=10)
        assert restarts(here) == {stage: 1}
        assert here.ends == []


@pytest.mark.usefixtures("member")
async def test_a_leader_whose_stage_failed_goes_on_leading(api, tmp_path, monkeypatch):
    breaks, done = breaking(monkeypatch, Election, "_attempt")
    unix = time.time() - asyncio.get_running_loop().time()
    async with local(api, tmp_path, config=WITH_LEASE, unix=unix, kept=True) as here:
        await here.until_ready("cluster1", "cluster2", within=10)
        breaks.set()
        await until(lambda: restarts(here), within=30)
        await asyncio.sleep(60)
        assert (len(done), restarts(here), here.ends) == (1, {"lease": 1}, [])
        election = here.cluster._election
        assert (election.leading, election.certain) == (True, True)


@pytest.mark.usefixtures("member")
async def test_a_leader_that_failed_when_it_began_begins_again(api, tmp_path, monkeypatch):
    breaks, done = breaking(monkeypatch, LocalCluster, "_started")
    breaks.set()
    unix = time.time() - asyncio.get_running_loop().time()
    async with local(api, tmp_path, config=WITH_LEASE, unix=unix, kept=True) as here:
        await here.until_ready("cluster1", "cluster2", within=20)
        assert (len(done), restarts(here), here.ends) == (1, {"lease": 1}, [])
        assert here.cluster._election.leading


@pytest.mark.usefixtures("member")
async def test_an_inventory_that_failed_to_be_used_is_used_later(api, tmp_path, monkeypatch):
    breaks, done = breaking(monkeypatch, LocalCluster, "_take")
    breaks.set()
    unix = time.time() - asyncio.get_running_loop().time()
    async with local(api, tmp_path, unix=unix, kept=True) as here:
        await here.until_ready("cluster1", "cluster2", within=20)
        assert (len(done), restarts(here), here.ends) == (1, {"discovery": 1}, [])


@pytest.mark.usefixtures("member")
async def test_of_pods_only_the_block_that_failed_is_not_counted(api, tmp_path, monkeypatch):
    breaks, done = breaking(monkeypatch, Lines, "count")
    unix = time.time() - asyncio.get_running_loop().time()
    line = b'10.1.0.9 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 6 "-" "c" "-"'
    async with local(api, tmp_path, unix=unix, kept=True) as here:
        await here.until_ready("cluster1", "cluster2", within=10)
        pods = here.cluster._workloads.names
        assert pods
        logs = [await api.pod(*pod) for pod in sorted(pods)]
        await asyncio.sleep(60)
        for log in logs:
            log.write(line, unix + asyncio.get_running_loop().time())
        await until(lambda: here.lines() == len(logs), within=10)
        breaks.set()
        for number in range(10):
            logs[0].write(line, unix + asyncio.get_running_loop().time())
            await asyncio.sleep(1 + number)
        await asyncio.sleep(60)
        assert len(done) == 1
        (_, block), *_ = done
        assert here.lines() == len(logs) + 10 - block.count(b"\n")
        assert restarts(here) == {"log": 1}
