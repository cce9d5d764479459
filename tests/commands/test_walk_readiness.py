"""The first walk of docs/architecture.md: from a readiness change in the API to a failover."""

import asyncio

from exporter.model.verdicts import FailoverStage, Mode
from tests.apiserver.conftest import FakeAccess
from tests.fakes import certs
from tests.fakes.apiserver import ApiServer, running
from tests.fakes.localscene import local
from tests.fakes.members import Member
from tests.fakes.nouns import NGINX, probe
from tests.fakes.virtual import VirtualLoop

SERVICE = (
    'source_cluster="cluster1",'
    f'destination_service_namespace="{NGINX.namespace}",destination_service_name="{NGINX.name}"'
)
SERVICE_HERE = 'source_cluster="cluster1",destination_cluster='


async def probed(here, by):
    """Let a second pass and a plain probe end that the cluster with this letter served."""
    await asyncio.sleep(1)
    here.monitor.probed(probe(asyncio.get_running_loop().time() - 0.1, by=by))


async def text(here):
    """Return what a scrape gets."""
    return b"".join([piece async for piece in here.render(False)]).decode()


async def walk(folder):
    """Return the scrapes before the readiness change, after it, and after the failover."""
    async with running(ApiServer(), tls=certs.server_context()) as server:
        api = FakeAccess(server)
        member = Member(api, folder)
        await member.fill()
        async with local(api, folder) as here:
            await here.until_ready("cluster1", "cluster2", within=10)
            for _ in range(3):
                await probed(here, "a")
            scrapes = [await text(here)]
            member.objects.not_ready("cluster1")
            await member.change(member.objects.slice_of("cluster1"))
            await here.until_ready("cluster2", within=1)
            scrapes.append(await text(here))
            # The first probe that the other cluster serves confirms nothing yet.
            await probed(here, "b")
            scrapes.append(await text(here))
            await probed(here, "b")
            scrapes.append(await text(here))
            assert here.ends == []
    return scrapes


def value(scrape, name, **labels):
    """Return the value of the one series with this name and these labels, as text."""
    wanted = [f'{key}="{text}"' for key, text in labels.items()]
    (line,) = [
        line
        for line in scrape.splitlines()
        if line.startswith((f"{name}{{{SERVICE}", f"{name}{{{SERVICE_HERE}"))
        and all(each in line for each in wanted)
    ]
    return line.rpartition(" ")[2]


def mode(scrape):
    """Return the mode that holds."""
    (held,) = [
        each for each in Mode if value(scrape, "clusterset_service_mode", mode=each) != "0.0"
    ]
    return held


def test_a_readiness_change_becomes_a_counted_failover(tmp_path):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        steady, changed, first, confirmed = runner.run(walk(tmp_path))
    ready = "clusterset_service_ready"
    assert [value(each, ready, destination_cluster="cluster1") for each in (steady, changed)] == [
        "1.0",
        "0.0",
    ]
    assert value(changed, ready, destination_cluster="cluster2") == "1.0"
    assert [mode(each) for each in (steady, changed, first, confirmed)] == [
        Mode.LOCAL,
        Mode.LOCAL,
        Mode.LOCAL,
        Mode.FAILOVER,
    ]
    counted = {"from_cluster": "cluster1", "to_cluster": "cluster2", "reason": "readiness"}
    assert value(confirmed, "clusterset_failovers_total", **counted) == "1"
    for before in (steady, changed, first):
        assert not any(
            line.startswith("clusterset_failovers_total") and not line.endswith(" 0")
            for line in before.splitlines()
        )
    took = "clusterset_failover_duration_seconds_count"
    assert {stage: value(confirmed, took, stage=stage) for stage in FailoverStage} == {
        FailoverStage.DNS: "1",
        FailoverStage.SERVED: "1",
        FailoverStage.OUTAGE: "1",
    }
    last = "clusterset_failover_last_duration_seconds"
    assert value(confirmed, last, stage="outage") == "0.0"
