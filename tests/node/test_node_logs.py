"""The files of the node are read by a DaemonSet: each request is counted once."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.node.cluster import NODE_LOGS, NODE_LOGS_NAME
from tests.node.kube import until
from tests.node.rows import Row
from tests.node.test_outages import AWAY, LONG, kill_for

pytestmark = pytest.mark.timeout(400)
DAEMON_SET = f"/apis/apps/v1/namespaces/{NODE_LOGS_NAME}/daemonsets/{NODE_LOGS_NAME}"


@pytest.fixture(scope="module")
def readers(cluster):
    """Return the cluster with an exporter that reads the node's files."""
    cluster.install(**NODE_LOGS)
    cluster.node_logs_ready()
    return cluster


def test_node_files_over_ten_rotations_are_all_counted(readers):
    with Row(readers, "node files: 4,000 requests at 400/s over ten rotations") as row:
        row.send(4000, 400)
        sent = row.all_counted()
    assert row.counted == sent > 3000


def test_node_files_of_a_container_of_nginx_that_is_restarted_lose_no_line(readers):
    with Row(readers, "node files: nginx quits, and its container is restarted") as row:
        row.send(2000, 100)
        row.under_way()
        (pod,) = readers.nginx_pods()
        os.kill(readers.processes_of(pod)[0], signal.SIGQUIT)
        sent = row.all_counted()
    readers.nginx_ready()
    assert row.counted == sent > 1000


def test_node_files_over_a_rollout_of_nginx_lose_no_line(readers):
    # Few lines and a fresh log: a rotation just before the files of a pod are removed costs lines.
    readers.restart_nginx()
    readers.nginx_ready()
    with Row(readers, "node files: rollout of nginx") as row:
        row.send(500, 20)
        row.under_way(20)
        readers.restart_nginx()
        sent = row.all_counted()
    readers.nginx_ready()
    assert row.counted == sent > 400


def test_node_files_are_read_while_the_kubelet_is_killed(readers):
    with Row(readers, "node files: kubelet is killed for 8 s at 200/s, with rotations") as row:
        row.send(6000, 200)
        row.under_way()
        kill_for(readers, AWAY, "kubelet")
        sent = row.all_counted()
    assert row.counted == sent > 5000


def test_node_files_are_read_while_containerd_is_killed(readers):
    with Row(readers, "node files: containerd is killed for 8 s") as row:
        # Few enough for the pipe that holds what nginx writes meanwhile.
        row.send(600, 20)
        row.under_way(20)
        kill_for(readers, AWAY, "containerd")
        sent = row.all_counted()
    readers.all_ready()
    assert row.counted == sent > 300


def test_node_files_are_read_while_the_api_server_is_away(readers):
    with Row(readers, "node files: API server is killed for 30 s at 200/s, with rotations") as row:
        row.send(12000, 200)
        row.under_way()
        control = readers.node.control
        control.kill()
        # What is counted meanwhile can only be of the files.
        until(lambda: row.counted >= LONG * 100, "requests are counted without an API server")
        control.restart()
        control.wait()
        sent = row.all_counted()
    readers.all_ready()
    assert row.counted == sent > 10000


def test_a_rollout_of_the_reader_of_node_files_loses_no_line(readers):
    (before,) = (pod for pod in readers.pods() if pod.namespace == NODE_LOGS_NAME)
    with Row(readers, "node files: rollout of the DaemonSet, with rotations") as row:
        row.send(6000, 100)
        row.under_way()
        about = {"annotations": {"restarted": str(time.time())}}
        readers.kube.patch(DAEMON_SET, {"spec": {"template": {"metadata": about}}})
        readers.node_logs_ready()
        sent = row.all_counted()
    (after,) = (pod for pod in readers.pods() if pod.namespace == NODE_LOGS_NAME)
    assert after.uid != before.uid
    assert row.counted == sent > 5000


def test_lines_that_were_compressed_while_nobody_read_them_are_counted(readers):
    with Row(readers, "node files: no pod reads them until the kubelet compressed one") as row:
        row.send(12000, 200)
        row.under_way()
        readers.kube.patch(DAEMON_SET, placed({"there": "nowhere"}))
        until(lambda: not node_log_pods(readers), "nobody reads the files")
        before = compressed()
        until(lambda: compressed() - before, "a file is compressed")
        readers.kube.patch(DAEMON_SET, placed({"there": None}))
        readers.node_logs_ready()
        sent = row.all_counted()
    assert row.counted == sent > 10000


def placed(labels):
    """Return a change of the DaemonSet: the labels of the nodes that have a pod."""
    return {"spec": {"template": {"spec": {"nodeSelector": labels}}}}


def node_log_pods(readers):
    return [pod for pod in readers.pods() if pod.namespace == NODE_LOGS_NAME]


def compressed():
    return set(Path("/var/log/pods").glob("nginx-test_nginx-*/*/*.gz"))


def test_a_reader_of_node_files_that_is_killed_loses_no_line(readers):
    (before,) = (pod for pod in readers.pods() if pod.namespace == NODE_LOGS_NAME)
    with Row(readers, "node files: the exporter is killed (`kill -9`)") as row:
        row.send(3000, 100)
        row.under_way()
        os.kill(readers.processes_of(before)[0], signal.SIGKILL)
        until(lambda: readers.restarted(before), "its container is there again")
        sent = row.all_counted()
    assert sent <= row.counted <= sent + 200
