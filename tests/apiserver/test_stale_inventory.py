"""What an exporter says while its API server is away: one problem, one series, two log lines."""

import asyncio

import pytest
from structlog.testing import capture_logs

from exporter.metrics import families as series
from exporter.model.clusterset import ServiceName
from exporter.model.verdicts import Locality
from tests.fakes import apifaults as faults
from tests.fakes.apifaults import Fault
from tests.fakes.localscene import CONFIG, UNIX, local
from tests.fakes.members import Member
from tests.fakes.turns import whole
from tests.fakes.virtual import until


def now():
    return asyncio.get_running_loop().time()


def cut_all(server):
    for asked in server.asked:
        if asked.request.transport is not None:
            asked.request.transport.abort()


@pytest.fixture
async def member(api, tmp_path):
    made = Member(api, tmp_path)
    await made.fill()
    return made


def stale_since(here):
    return dict(here.store.series[series.INVENTORY_STALE_SINCE].items()).get(())


def problems(here):
    return [
        each for each in whole(here.page_data.status())["problems"] if "pods" not in each["what"]
    ]


async def test_one_problem_one_series_and_two_log_lines(member, api, tmp_path):
    async with local(api, tmp_path) as here:
        await here.until_ready("cluster1", "cluster2", within=10)
        await asyncio.sleep(10)
        assert stale_since(here) is None
        before = problems(here)
        with capture_logs() as said:
            api.server.faults = [Fault(faults.reset)]
            cut_all(api.server)
            began = now()
            await until(lambda: here.unseen.since is not None, within=0.1)
            assert here.unseen.since == pytest.approx(began, abs=0.1)
            await asyncio.sleep(100)
            (shown,) = [each for each in problems(here) if each not in before]
            assert shown["what"] == "inventory is stale"
            assert shown["message"].startswith("the API server does not answer since 2027-01-15T")
            assert "the inventory is as it was then (GET /" in shown["message"]
            assert stale_since(here) == pytest.approx(UNIX + began, abs=0.1)
            member.objects.not_ready("cluster2")
            api.server.faults = []
            await member.change(member.objects.slice_of("cluster2"))
            await here.until_ready("cluster1", within=40)
            await until(lambda: here.unseen.since is None, within=5)
            took = now() - began
        assert stale_since(here) is None
        assert problems(here) == before
        told = [each for each in said if "inventory" in each["event"] and "service" not in each]
        assert [each["event"] for each in told] == [
            "inventory became stale",
            "inventory is current again",
        ]
        assert told[1]["seconds"] == pytest.approx(took, abs=1)
        assert here.unseen.overlaps(began + 1, began + 2)
        assert here.unseen.overlaps(now() - took + 0.2, now())
        assert not here.unseen.overlaps(now(), now() + 1)


@pytest.mark.usefixtures("member")
async def test_each_resource_counts_by_itself_and_some_do_not(api, tmp_path):
    async with local(api, tmp_path) as here:
        await here.until_ready("cluster1", "cluster2", within=10)
        for plural, counts in (("gateways", True), ("nodes", False), ("submariners", False)):
            await asyncio.sleep(130)
            api.server.faults = [Fault(faults.reset, plural=plural)]
            cut_all(api.server)
            await until(lambda: here.troubled() == [plural], within=60)  # noqa: B023
            await asyncio.sleep(5)
            assert (here.unseen.since is not None) is counts
            assert any(f"answer for {plural} " in p["message"] for p in problems(here)) is counts
            api.server.faults = []
            await until(lambda: not here.troubled(), within=60)
            await until(lambda: here.unseen.since is None, within=6)


@pytest.mark.usefixtures("member")
async def test_what_is_forbidden_from_the_start_is_not_known_until_it_is_allowed(api, tmp_path):
    """Without its gateways each cluster would count as connected, and no verdict would say so."""
    name = ServiceName("nginx-test", "nginx")
    refuse = faults.status(403, reason="Forbidden")
    api.server.faults = [Fault(refuse, plural="gateways")]
    async with local(api, tmp_path) as here:

        def locality():
            return here.verdicts.locality(name, "cluster2", now() - 1, now(), pinned=False)

        await here.until_ready("cluster1", "cluster2", within=10)
        await asyncio.sleep(30)
        assert here.unseen.since is not None
        assert any("answer for gateways " in each["message"] for each in problems(here))
        assert locality() is Locality.UNKNOWN
        api.server.faults = []
        await until(lambda: here.unseen.since is None, within=400)
        await asyncio.sleep(30)
        assert locality() is Locality.LEAK


async def until_stale(here, *, within):
    """Wait until something is not seen; return what it is, as the page says."""
    await until(lambda: here.unseen.since is not None, within=within)
    return [each["message"] for each in problems(here) if each["what"] == "inventory is stale"]


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize("fault", [faults.hang, faults.status(503)])
async def test_a_lease_that_cannot_be_renewed_shows_that_a_silent_api_server_hangs(
    api, tmp_path, fault
):
    """The watches stay open and say nothing, as if nothing changed."""
    config = CONFIG.replace("{}", "{lease: mine}", 1)
    async with local(api, tmp_path, config=config) as here:
        await here.until_ready("cluster1", "cluster2", within=10)
        await until(lambda: here.cluster.leadership()[0], within=10)
        await asyncio.sleep(10)
        began = now()
        api.server.faults = [Fault(fault, plural="leases")]
        (message,) = await until_stale(here, within=10)
        assert "does not answer for leases since" in message
        # Since the last renewal that was answered.
        assert began - 2.1 < here.unseen.since <= began
        await asyncio.sleep(20)
        api.server.faults = []
        await until(lambda: here.unseen.since is None, within=10)
        # What the watches held back comes first.
        assert here.unseen.overlaps(began + 1, began + 2)
        assert stale_since(here) is None


@pytest.mark.usefixtures("member")
async def test_a_lease_that_may_not_be_renewed_says_nothing_about_the_watches(api, tmp_path):
    config = CONFIG.replace("{}", "{lease: mine}", 1)
    async with local(api, tmp_path, config=config) as here:
        await here.until_ready("cluster1", "cluster2", within=10)
        await until(lambda: here.cluster.leadership()[0], within=10)
        api.server.faults = [Fault(faults.status(403), plural="leases")]
        await asyncio.sleep(60)
        assert here.unseen.since is None
