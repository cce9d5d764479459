"""Kubernetes Events on a real API server, with the rights that the chart grants."""

import asyncio

from tests.apiserver.test_events import (  # noqa: F401 - the tests, run here too
    test_a_long_message_is_cut_and_a_service_that_is_not_there_is_passed_over,
    test_an_event_that_is_gone_begins_anew,
    test_another_replica_counts_on,
    test_kubectl_describe_finds_what_happened_at_the_service,
    test_leaks_of_two_clusters_are_two_events,
    test_the_same_reason_again_is_the_same_event_with_a_count,
)
from tests.e2e.test_deploy_real import kubeconfig
from tests.fakes.apiaccess import ADMIN
from tests.fakes.described import NAMESPACE, happened, until_told, writing
from tests.fakes.tools import need
from tests.system.test_events import test_a_leak_in_the_files_of_a_node_is_told_and_its_end  # noqa: F401 - the test, run here too


async def test_kubectl_describe_shows_them(api, cart, tmp_path):
    async with writing(api) as written:
        for n in range(3):
            written.writer.add(happened(text=f"Clients are now served by west ({n})", at=n))
            await until_told(
                api, cart, ("FailedOver", n + 1, f"Clients are now served by west ({n})")
            )
    access = kubeconfig(api, tmp_path, ADMIN)
    process = await asyncio.create_subprocess_exec(
        *(need("kubectl"), "--kubeconfig", str(access), "--namespace", NAMESPACE),
        *("describe", "service", "cart"),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    (row,) = [line for line in out.decode().splitlines() if "FailedOver" in line]
    assert row.split()[:2] == ["Warning", "FailedOver"]
    assert "(x3 over " in row
    assert row.endswith("clusterset-exporter  Clients are now served by west (2)")
