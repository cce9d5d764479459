"""A leader that goes is followed by another, or goes on where it was."""

import os
import signal
import time

import pytest

from tests.node.cluster import RELEASE, pods_in
from tests.node.kube import until
from tests.node.rows import Row

pytestmark = pytest.mark.timeout(300)


def test_a_leader_that_is_deleted_is_followed_without_a_gap(exporters):
    with Row(exporters, "the leader is deleted") as row:
        row.send(3000, 100)
        row.under_way()
        leader = exporters.leads()
        exporters.kube.delete(f"{pods_in(RELEASE)}/{leader.name}")
        sent = row.all_counted()
    exporters.all_ready()
    assert row.counted == sent > 2000


def test_a_leader_that_is_killed_leads_again_at_once_and_loses_no_line(exporters):
    before = exporters.leads()
    with Row(exporters, "the leader is killed (`kill -9`)") as row:
        row.send(3000, 100)
        row.under_way()
        # What no scrape had brought is counted again.
        os.kill(exporters.processes_of(before)[0], signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: exporters.restarted(before), "its container is there again")
        back = time.monotonic() - killed
        until(before.leads, "it leads again")
        led = time.monotonic() - killed - back
        row.title += f"; its container is back after {back:.1f} s, and leads {led:.1f} s later"
        # A kubelet that rotated the log since the last scrape has the newest lines only.
        sent, told = row.all_counted_or_told()
    assert exporters.leads().name == before.name
    assert sent - told <= row.counted <= sent + 200
