"""The exporter on a real node: what nginx answered is counted, or a gap is told."""

import os
import signal
import time

import pytest

from tests.node.cluster import PODS, answered
from tests.node.kube import until
from tests.node.pods import Totals

LEAK_GRACE = 40.0
"""Seconds: the default of 30, and time to begin."""
pytestmark = pytest.mark.timeout(300)


def counts(totals, sent):
    """Wait until as many requests are counted as were answered; return how many are."""
    try:
        until(lambda: totals.since_begin() >= sent, f"{sent} requests are counted")
    except AssertionError as error:
        pytest.fail(f"{error}, but {totals.since_begin()}: {totals.requests()}")
    return totals.since_begin()


def test_requests_over_ten_rotations_are_all_counted(exporters, tell):
    with Totals(exporters) as totals:
        sent = answered(exporters.start_client(4000, 400))
        counted = counts(totals, sent)
    tell("4,000 requests at 400/s over rotations of 100 KiB", sent, counted, "")
    assert counted == sent


def test_a_container_of_nginx_that_is_restarted_loses_no_line(exporters, tell):
    with Totals(exporters) as totals:
        client = exporters.start_client(2000, 100)
        time.sleep(8)
        (pod,) = exporters.nginx_pods()
        os.kill(exporters.processes_of(pod)[0], signal.SIGQUIT)
        sent = answered(client)
        counted = counts(totals, sent)
    exporters.nginx_ready()
    tell("nginx quits and its container is restarted", sent, counted, "")
    assert counted == sent > 1000


def test_a_rollout_of_nginx_loses_no_line(exporters, tell):
    with Totals(exporters) as totals:
        client = exporters.start_client(2500, 100)
        time.sleep(5)
        exporters.restart_nginx()
        sent = answered(client)
        counted = counts(totals, sent)
    exporters.nginx_ready()
    tell("rollout of nginx", sent, counted, "")
    assert counted == sent > 2000


def test_requests_of_the_other_cluster_are_leaks(exporters, tell):
    name, labels = "clusterset_requests_total", {"source_cluster": "cluster2", "locality": "leak"}
    # Who began a moment ago does not know for how long the other cluster has been ready.
    begun = exporters.leads().value("process_start_time_seconds")
    until(lambda: time.time() - begun > LEAK_GRACE, "the exporter knows the leak grace before now")
    with Totals(exporters, name, **labels) as totals:
        sent = answered(exporters.start_client(300, 50, name="other"))
        counted = counts(totals, sent)
    tell("300 requests of a pod of the other cluster, as leaks", sent, counted, "")
    assert counted == sent == 300


def test_a_leader_that_is_deleted_is_followed_without_a_gap(exporters, tell):
    with Totals(exporters) as totals:
        client = exporters.start_client(3000, 100)
        time.sleep(8)
        leader = exporters.leads()
        exporters.kube.delete(f"{PODS}/{leader.name}")
        sent = answered(client)
        counted = counts(totals, sent)
    exporters.all_ready()
    tell("the leader is deleted", sent, counted, "")
    assert counted == sent


def test_a_leader_that_is_killed_leads_again_at_once_and_loses_no_line(exporters, tell):
    before = exporters.leads()
    with Totals(exporters) as totals:
        client = exporters.start_client(3000, 100)
        time.sleep(8)
        # Its last checkpoint is at most a second old; what came after that is counted again.
        os.kill(exporters.processes_of(before)[0], signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: exporters.restarted(before), "its container is there again")
        back = time.monotonic() - killed
        until(before.leads, "it leads again")
        led = time.monotonic() - killed - back
        sent = answered(client)
        counted = counts(totals, sent)
    assert exporters.leads().name == before.name
    row = f"the leader is killed; its container is back after {back:.1f} s, leads {led:.1f} s later"
    tell(row, sent, counted, "")
    assert sent <= counted <= sent + 200


def test_a_kubelet_that_is_killed_without_a_rotation_loses_no_line(exporters, tell):
    with Totals(exporters) as totals:
        client = exporters.start_client(200, 10)
        time.sleep(3)
        exporters.node.kill("kubelet")
        time.sleep(8)
        exporters.node.start("kubelet")
        sent = answered(client)
        counted = counts(totals, sent)
    tell("kubelet is killed for 8 s, no rotation", sent, counted, "")
    assert counted == sent
