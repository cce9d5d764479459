"""The owner of a Lease: the ConfigMap, so that the cluster removes both together."""

import asyncio

import pytest

from exporter.apiserver.client import ApiClient
from exporter.apiserver.lease import Election
from exporter.apiserver.lease_note import owner_of, with_owner
from tests.fakes import apifaults as faults
from tests.fakes.apiaccess import Fixed
from tests.fakes.apifaults import Fault
from tests.fakes.apiserver import ApiServer, serving
from tests.fakes.localscene import local
from tests.fakes.virtual import until

LEASES = ("coordination.k8s.io", "leases")
OURS = {"apiVersion": "v1", "kind": "ConfigMap", "name": "exporter", "uid": "u-1"}
OTHER = {"apiVersion": "v1", "kind": "Secret", "name": "exporter", "uid": "u-2"}


def owners(server, namespace="mon"):
    lease = server.store.objects[LEASES].get((namespace, "exporter"), {})
    return lease.get("metadata", {}).get("ownerReferences")


@pytest.mark.parametrize(
    "found",
    [{}, {"metadata": []}, {"metadata": {"name": "a"}}, {"metadata": {"name": 1, "uid": "u"}}],
)
def test_what_is_not_like_a_config_map_owns_nothing(found):
    assert owner_of(found) is None
    lease = {"metadata": {"name": "exporter"}}
    assert with_owner(lease, None) is lease


def test_other_owners_stay_and_an_older_one_of_the_same_name_is_replaced():
    old = OURS | {"uid": "u-0"}
    for before in ([OTHER, old], [OTHER, OURS], [OTHER]):
        owned = with_owner({"metadata": {"name": "l", "ownerReferences": before}}, OURS)
        assert owned["metadata"] == {"name": "l", "ownerReferences": [OTHER, OURS]}


async def electing(server, group, owner):
    """Start an election; return its task once it leads."""
    leads = asyncio.Event()

    async def run():
        async with (
            serving(server.handle) as port,
            ApiClient(Fixed(f"http://127.0.0.1:{port}")) as client,
        ):
            election = Election(
                client, namespace="mon", name="exporter", identity="a", owner=lambda: owner[0]
            )
            await election.run(leads.set, leads.clear)

    task = group.create_task(run())
    await until(leads.is_set)
    return task


async def test_a_lease_has_its_owner_from_the_start_or_once_it_is_known():
    for known in (True, False):
        server, owner = ApiServer(), [OURS if known else None]
        async with asyncio.TaskGroup() as group:
            task = await electing(server, group, owner)
            assert owners(server) == ([OURS] if known else None)
            owner[0] = OURS
            await until(lambda server=server: owners(server) == [OURS], within=5)
            task.cancel()
        assert owners(server) == [OURS]


async def test_a_lease_that_was_deleted_comes_again_without_an_owner():
    """Its owner may be gone, and then the new Lease would be removed again and again."""
    server = ApiServer()
    async with asyncio.TaskGroup() as group:
        task = await electing(server, group, [OURS])
        server.store.delete(*LEASES, "mon", "exporter")
        await until(lambda: ("mon", "exporter") in server.store.objects[LEASES], within=5)
        await asyncio.sleep(5)
        assert owners(server) is None
        task.cancel()


@pytest.mark.parametrize("code", [403, 422])
async def test_a_cluster_that_refuses_the_owner_still_has_a_leader(code):
    server = ApiServer()
    server.faults = [Fault(faults.status(code), verb="create", plural="leases", times=1)]
    async with asyncio.TaskGroup() as group:
        task = await electing(server, group, [OURS])
        assert owners(server) is None
        task.cancel()


async def test_the_config_map_that_discovery_reads_owns_the_lease(api, tmp_path):
    config = (
        "cluster: cluster-a\n"
        "inventory: {kubernetes: {config_map: ours, lease: exporter}}\n"
        "logs: [{pods: {}}]\n"
    )
    store = api.server.store
    made = store.create("", "configmaps", "default", {"metadata": {"name": "ours"}})
    async with local(api, tmp_path, config=config):
        await until(lambda: owners(api.server, "default"), within=10)
        uid = made["metadata"]["uid"]
        assert owners(api.server, "default") == [OURS | {"name": "ours", "uid": uid}]
