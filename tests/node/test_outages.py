"""Parts of the node are killed. What cannot be read any more is told."""

import time

import pytest

from tests.node.rows import Row

pytestmark = pytest.mark.timeout(400)
AWAY = 8.0
LONG = 30.0


def test_a_kubelet_that_is_killed_without_a_rotation_loses_no_line(exporters):
    # A fresh log, so that it is not rotated.
    exporters.restart_nginx()
    exporters.nginx_ready()
    with Row(exporters, "kubelet is killed for 8 s, no rotation") as row:
        row.send(400, 20)
        row.under_way(20)
        kill_for(exporters, AWAY, "kubelet")
        sent = row.all_counted()
    assert row.counted == sent > 300


def test_lines_that_a_kubelet_rotated_away_when_it_came_back_are_told(exporters):
    with Row(exporters, "kubelet is killed for 8 s at 200/s, with rotations") as row:
        row.send(6000, 200)
        row.under_way()
        kill_for(exporters, AWAY, "kubelet")
        sent, told = row.all_counted_or_told()
    assert sent - told <= row.counted <= sent


def test_lines_that_were_rotated_away_while_the_api_server_was_away_are_told(exporters):
    with Row(exporters, "API server is killed for 30 s at 200/s, with rotations") as row:
        row.send(12000, 200)
        row.under_way()
        exporters.node.control.kill()
        time.sleep(LONG)
        exporters.node.control.restart()
        exporters.node.control.wait()
        sent, told = row.all_counted_or_told()
        assert told, "30 s of 200/s are more than a file of 100 KiB holds"
        shown = exporters.page_problems()
    exporters.all_ready()
    assert sent - told <= row.counted < sent
    assert any("may be missing" in each for each in shown), shown


def test_a_containerd_that_is_killed_loses_no_line(exporters):
    with Row(exporters, "containerd is killed for 8 s") as row:
        # Few enough for the pipe that holds what nginx writes meanwhile.
        row.send(600, 20)
        row.under_way(20)
        kill_for(exporters, AWAY, "containerd")
        sent = row.all_counted()
    exporters.all_ready()
    assert row.counted == sent > 300


def kill_for(cluster, seconds, part):
    cluster.node.kill(part)
    time.sleep(seconds)
    cluster.node.start(part)
