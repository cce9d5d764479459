"""The release is switched from logs of pods to files of the node by an upgrade, and back."""

import pytest

from tests.node.cluster import NODE_LOGS
from tests.node.rows import Row

pytestmark = pytest.mark.timeout(600)
RATE = 100
REPLACED = 120
"""Seconds in which an upgrade replaces the pods."""


def test_while_an_upgrade_to_node_files_replaces_pods_each_line_is_counted_once(exporters):
    """The pods of node logs wait for the leader, and begin where it stopped."""
    with Row(exporters, "switch to node files by `helm upgrade`") as row:
        row.send(REPLACED * RATE, RATE)
        row.under_way()
        exporters.install(**NODE_LOGS)
        exporters.node_logs_ready()
        sent, told = row.all_counted_or_told()
    assert sent - told <= row.counted <= sent


def test_what_nobody_reads_while_an_upgrade_goes_back_to_logs_of_pods_is_told(exporters):
    exporters.install(**NODE_LOGS)
    exporters.node_logs_ready()
    with Row(exporters, "switch back to pod logs by `helm upgrade`") as row:
        row.send(REPLACED * RATE, RATE)
        row.under_way()
        exporters.install()
        sent, told = row.all_counted_or_told()
    assert sent - told <= row.counted <= sent
