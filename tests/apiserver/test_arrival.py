"""Submariner comes to a cluster that only Karmada has named until then."""

import asyncio
import contextlib

import pytest

from exporter.apiserver.waits import LOOK_AGAIN
from exporter.config.label_selector import EVERYTHING
from exporter.discover.arrival import NAMED_WITHIN
from exporter.discover.identity import BetterNameError
from exporter.discover.kubernetes import KubernetesInventory
from tests.fakes.members import CUSTOM, PLURALS, Member, path_of

STAMP = {"work.karmada.io/namespace": "karmada-es-member1"}
OURS = {"metadata": {"name": "ours", "annotations": STAMP}}
IDENTITY = ("Gateway", "Submariner")


@pytest.fixture
async def member(api, tmp_path):
    """Yield a member whose API server has nothing of Submariner, and whose scene comes later."""
    for kind in CUSTOM:
        group, version, plural = PLURALS[kind]
        if (await api.call("GET", f"/apis/{group}/{version}/{plural}"))[0] == 200:
            await api.uninstall(group, plural)
    await api.done("POST", "/api/v1/namespaces/mon/configmaps", dict(OURS))
    return Member(api, tmp_path)


async def ours():
    return "mon", "ours"


class Published:
    """Runs a discovery and keeps which services were published, and under which name."""

    def __init__(self, client):
        self.names, self.first = set(), asyncio.Event()
        self.discovery = KubernetesInventory(
            client,
            setting="",
            config_map="ours",
            locate=ours,
            selection=EVERYTHING,
            unix=lambda: 1.0,
            changed=self._take,
        )

    async def _take(self, found):
        self.first.set()
        if found.inventory.services:
            self.names.add(found.inventory.local)


@contextlib.asynccontextmanager
async def discovering(api):
    async with api.client() as client:
        made = Published(client)
        running = asyncio.create_task(made.discovery.run())
        try:
            await made.first.wait()
            yield made, running
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, BaseExceptionGroup):
                await running


async def create(member, *, wanted):
    for each in member.objects.all:
        if wanted(each["kind"]):
            await member.api.done("POST", path_of(each, name=False), each)


@pytest.mark.parametrize("before", [(), ("ServiceExport", "ServiceImport")], ids=["", "mcs"])
async def test_no_service_is_reported_under_the_old_name(api, member, before):
    """CRDs come one after the other, then what Karmada held back, and the names at the end."""
    for kind in before:
        await member.install(kind)
    async with discovering(api) as (published, running):
        assert published.discovery.identity.cluster == "member1"
        await asyncio.sleep(1.5 * LOOK_AGAIN)
        for kind in CUSTOM:
            await member.install(kind)
            await asyncio.sleep(1)
        await create(member, wanted=lambda kind: kind not in IDENTITY)
        # Each resource is looked for at another moment.
        await asyncio.sleep(0.9 * NAMED_WITHIN)
        assert published.names == set()
        began = asyncio.get_running_loop().time()
        await create(member, wanted=lambda kind: kind in IDENTITY)
        await asyncio.wait([running], timeout=LOOK_AGAIN)
        assert asyncio.get_running_loop().time() - began < 10
        (error,) = running.exception().exceptions
        assert isinstance(error, BetterNameError)
        assert "now gateway says cluster1" in str(error) or "submariner says" in str(error)
        assert published.names == set()


async def test_where_nothing_names_the_cluster_better_karmadas_name_stays(api, member):
    async with discovering(api) as (published, _):
        for kind in CUSTOM:
            await member.install(kind)
        await create(member, wanted=lambda kind: kind not in IDENTITY)
        began = asyncio.get_running_loop().time()
        while not published.names:  # noqa: ASYNC110 - time is virtual
            await asyncio.sleep(1)
        assert published.names == {"member1"}
        assert asyncio.get_running_loop().time() - began < LOOK_AGAIN + NAMED_WITHIN + 10


async def test_the_mcs_api_alone_makes_nobody_wait(api, member):
    """Karmada has an implementation of it, too. It is looked for each minute."""
    async with discovering(api) as (published, _):
        for kind in ("ServiceExport", "ServiceImport"):
            await member.install(kind)
        await create(member, wanted=lambda kind: kind in {"ServiceExport", "Service"})
        began = asyncio.get_running_loop().time()
        while not published.names:  # noqa: ASYNC110 - time is virtual
            await asyncio.sleep(0.1)
        assert asyncio.get_running_loop().time() - began < LOOK_AGAIN + 10
