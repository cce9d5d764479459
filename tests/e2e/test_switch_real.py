"""From logs of pods to files of a node, on a real API server."""

import pytest

from tests.e2e.test_deploy_real import cluster, in_a_pod, pod_name  # noqa: F401 - the fixtures
from tests.fakes.charts import NODE_LOGS_BY_POD
from tests.fakes.nodelogs import Node
from tests.system.test_cluster_life import member  # noqa: F401 - the fixture
from tests.system.test_switch import runtime, test_no_line_is_lost_or_counted_twice  # noqa: F401 - the fixture and the test, run here too

pytestmark = pytest.mark.timeout(240)


async def test_pods_of_the_chart_may_see_the_lease(cluster, tmp_path):  # noqa: F811 - the fixture
    source = {"files": [Node(tmp_path).glob], "service": {"pod": True}}
    values = {"nodeLogs": NODE_LOGS_BY_POD["nodeLogs"] | {"logs": [source]}}
    async with in_a_pod(cluster, tmp_path, values, "DaemonSet") as running:
        told = "\n".join(running.lines)
        assert 'event="there is no Lease, so nobody reads logs of pods"' in told
        assert "cannot be read" not in told
