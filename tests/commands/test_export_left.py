"""A Service is deleted and its ServiceExport is left: exported, and served elsewhere."""

import asyncio

from exporter.model.verdicts import Locality, Mode, Reason
from tests.fakes.members import path_of
from tests.fakes.memberscene import in_virtual_time
from tests.fakes.nouns import NGINX, probe

LONG = 700.0
"""Seconds, more than the grace of an export that vanished."""


async def probed(here, by, times=3):
    """Let plain probes end that the cluster with this letter served, one each second."""
    for _ in range(times):
        await asyncio.sleep(1)
        here.monitor.probed(probe(asyncio.get_running_loop().time() - 0.1, by=by))


async def lose_the_service(member):
    """Delete the Service as a person does, and do what Lighthouse does then."""
    export = member.objects.get("ServiceExport", "nginx")
    refused = {"type": "Valid", "status": "False", "reason": "ServiceUnavailable"}
    export["status"] = {"conditions": [refused]}
    await member.remove(member.objects.get("Service", "nginx"))
    await member.remove(member.objects.get("EndpointSlice", "nginx-k8s"))
    await member.change(export)
    await member.remove(member.objects.slice_of("cluster1"))


def test_an_export_whose_service_is_deleted_counts_as_exported_and_not_served(tmp_path):
    """Issue 14.19, seen by the clients of its own cluster."""

    async def scenario(member, here):
        await probed(here, "a")
        assert here.verdicts.mode(NGINX) is Mode.LOCAL
        await lose_the_service(member)
        await here.until_ready("cluster2", within=1)
        await probed(here, "b")
        assert here.verdicts.mode(NGINX) is Mode.FAILOVER
        await asyncio.sleep(LONG)
        await probed(here, "b")
        # The export is there as long as its object is, so this never becomes `remote`.
        assert here.verdicts.mode(NGINX) is Mode.FAILOVER
        exposed = await here.metrics()

        def value(name, **labels):
            every = exposed[name].samples
            return [each.value for each in every if labels.items() <= each.labels.items()]

        assert value("clusterset_service_exported") == [1]
        assert value("clusterset_service_ready", destination_cluster="cluster1") == [0]
        assert value("clusterset_service_export_condition", type="Valid") == [0]
        assert await reasons(here) == [Reason.UNEXPORT]

    in_virtual_time(scenario, tmp_path)


async def reasons(here):
    """Return why the service moved, the newest move first."""
    return [each["reason"] for each in (await here.page_data.status())["failovers"]]


def test_a_service_that_is_made_again_comes_back_by_a_new_export(tmp_path):
    async def scenario(member, here):
        await probed(here, "a")
        await lose_the_service(member)
        await here.until_ready("cluster2", within=1)
        await probed(here, "b")
        again = member.objects.slice_of("cluster1")
        await member.api.done("POST", path_of(again, name=False), again)
        await here.until_ready("cluster1", "cluster2", within=1)
        await probed(here, "a")
        assert await reasons(here) == [Reason.EXPORT, Reason.UNEXPORT]

    in_virtual_time(scenario, tmp_path)


def crossing(here):
    """Return the verdict on requests of cluster2's clients that are served here now."""
    return here.verdicts.locality(NGINX, "cluster2", asyncio.get_running_loop().time())


def test_hits_from_a_cluster_that_exports_and_is_not_ready_are_failovers_for_ever(tmp_path):
    async def scenario(member, here):
        await asyncio.sleep(LONG)
        assert crossing(here) is Locality.LEAK
        member.objects.not_ready("cluster2")
        await member.change(member.objects.slice_of("cluster2"))
        await here.until_ready("cluster1", within=1)
        assert crossing(here) is Locality.FAILOVER
        await asyncio.sleep(LONG)
        assert crossing(here) is Locality.FAILOVER

    in_virtual_time(scenario, tmp_path)


def test_hits_from_a_cluster_whose_service_was_deleted_are_failovers_within_the_grace(tmp_path):
    """Only that cluster sees its ServiceExport. For others the export has vanished."""

    async def scenario(member, here):
        await asyncio.sleep(LONG)
        await member.remove(member.objects.slice_of("cluster2"))
        await here.until_ready("cluster1", within=1)
        await asyncio.sleep(599)
        assert crossing(here) is Locality.FAILOVER
        await asyncio.sleep(2)
        assert crossing(here) is Locality.REMOTE

    in_virtual_time(scenario, tmp_path)
