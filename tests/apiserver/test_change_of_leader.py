"""A failover during a change of leader is counted exactly once, with its cause."""

import asyncio
import time

import pytest

from exporter.apiserver.lease_note import ANNOTATION, renewed_at
from exporter.apiserver.log_place import since
from exporter.metrics import families as series
from tests.fakes.localscene import local
from tests.fakes.members import Member
from tests.fakes.nouns import NGINX, probe
from tests.fakes.virtual import until

CONFIG = "inventory: {kubernetes: {lease: exporter}}\nlogs: [{pods: {}}]\n"
LEASES = ("coordination.k8s.io", "leases")


@pytest.fixture
async def member(api, tmp_path):
    made = Member(api, tmp_path)
    await made.fill()
    return made


def now():
    return asyncio.get_running_loop().time()


def see(here, story):
    """Let plain probes end that the clusters with these letters served."""
    for letter in story:
        here.monitor.probed(probe(now() - 0.1, by=letter))


def failovers(here):
    """Return the failovers counted, by their clusters and reason."""
    counted = here.store.series[series.FAILOVERS].items()
    return {labels[-3:]: int(value) for labels, value in counted if value}


def leads(here):
    return here.cluster.leadership()[0]


@pytest.mark.slow
@pytest.mark.parametrize("orderly", [True, False], ids=["SIGTERM", "kill -9"])
@pytest.mark.parametrize("begun", [True, False], ids=["cause before", "cause after"])
async def test_a_failover_during_a_change_of_leader(member, api, tmp_path, orderly, begun):
    unix = time.time() - now()
    async with local(api, tmp_path, config=CONFIG, unix=unix) as one:
        await one.until_ready("cluster1", "cluster2", within=30)
        see(one, "aaa")
        async with local(api, tmp_path, config=CONFIG, unix=unix) as two:
            await until(lambda: not two.page_data.not_ready(), within=30)
            await asyncio.sleep(10)
            assert (leads(one), leads(two), two.monitor.inventory) == (True, False, None)
            member.objects.not_ready("cluster1")
            if begun:
                await member.change(member.objects.slice_of("cluster1"))
                await one.until_ready("cluster2", within=5)
                see(one, "b")
                await asyncio.sleep(5)
            if not orderly:
                one.cluster._election.leading = False
            for task in one.tasks:
                task.cancel()
            if not begun:
                await member.change(member.objects.slice_of("cluster1"))
            await until(lambda: leads(two), within=30)
            (lease,) = api.server.store.objects[LEASES].values()
            assert "nginx-test/nginx" in lease["metadata"]["annotations"][ANNOTATION]
            assert two.accelerated[-1] == NGINX
            see(two, "bb")
            assert failovers(one) == {}
            assert list(failovers(two).values()) == [1]
            assert "readiness" in str(failovers(two))
            for task in two.tasks:
                task.cancel()


async def test_a_failover_that_the_leader_counted_is_not_counted_again(member, api, tmp_path):
    unix = time.time() - now()
    async with local(api, tmp_path, config=CONFIG, unix=unix) as one:
        await one.until_ready("cluster1", "cluster2", within=30)
        see(one, "aaa")
        member.objects.not_ready("cluster1")
        await member.change(member.objects.slice_of("cluster1"))
        await one.until_ready("cluster2", within=5)
        see(one, "bb")
        assert list(failovers(one).values()) == [1]
        async with local(api, tmp_path, config=CONFIG, unix=unix) as two:
            await until(lambda: not two.page_data.not_ready(), within=30)
            for task in one.tasks:
                task.cancel()
            await until(lambda: leads(two), within=30)
            assert two.verdicts.mode(NGINX).value == "failover"
            see(two, "bbb")
            assert failovers(two) == {}
            for task in two.tasks:
                task.cancel()


@pytest.mark.usefixtures("member")
async def test_a_leader_that_ends_reads_logs_of_pods_until_the_moment_its_lease_says(api, tmp_path):
    async with local(api, tmp_path, config=CONFIG) as one:
        await one.until_ready("cluster1", "cluster2", within=30)
        for task in one.tasks:
            task.cancel()
        ended = one.cluster._pods._behind_services._ends()
        await until(lambda: not lease_of(api)["spec"]["holderIdentity"])
        assert since(renewed_at(lease_of(api)["spec"])) == since(ended)


def lease_of(api):
    (lease,) = api.server.store.objects[LEASES].values()
    return lease
