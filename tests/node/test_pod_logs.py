"""The logs of pods are read from the API server of a real node: each request is counted once."""

import os
import signal
import time

import pytest

from tests.node.kube import until
from tests.node.rows import Row

LEAK_GRACE = 40.0
"""Seconds: the default of 30, and time to begin."""
pytestmark = pytest.mark.timeout(300)


def test_requests_over_ten_rotations_are_all_counted(exporters):
    with Row(exporters, "4,000 requests at 400/s over ten rotations") as row:
        row.send(4000, 400)
        sent = row.all_counted()
    assert row.counted == sent > 3000


def test_a_container_of_nginx_that_is_restarted_loses_no_line(exporters):
    with Row(exporters, "nginx quits, and its container is restarted") as row:
        row.send(2000, 100)
        row.under_way()
        (pod,) = exporters.nginx_pods()
        os.kill(exporters.processes_of(pod)[0], signal.SIGQUIT)
        sent = row.all_counted()
    exporters.nginx_ready()
    assert row.counted == sent > 1000


def test_a_rollout_of_nginx_loses_no_line(exporters):
    with Row(exporters, "rollout of nginx") as row:
        row.send(2500, 100)
        row.under_way()
        exporters.restart_nginx()
        sent = row.all_counted()
    exporters.nginx_ready()
    assert row.counted == sent > 2000


def test_requests_of_the_other_cluster_are_leaks(exporters):
    # Who began a moment ago does not know for how long the other cluster has been ready.
    begun = exporters.leads().value("process_start_time_seconds")
    until(lambda: time.time() - begun > LEAK_GRACE, "the exporter knows the leak grace before now")
    leaks = {"source_cluster": "cluster2", "locality": "leak"}
    with Row(exporters, "300 requests of a pod of the other cluster, as leaks", **leaks) as row:
        row.send(300, 50, name="other")
        sent = row.all_counted()
    assert row.counted == sent == 300
