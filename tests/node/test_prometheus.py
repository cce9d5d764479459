"""What a real Prometheus sums up while exporters are replaced: within 1 % of what was answered."""

import os
import signal
import time

import pytest

from tests.node.cluster import RELEASE, answered, pods_in
from tests.node.kube import LIMIT, until
from tests.node.prometheus import INTERVAL, Prometheus
from tests.node.rows import gaps_in, in_gaps, write
from tests.node.test_outages import AWAY, kill_for

pytestmark = pytest.mark.timeout(600)
TOLERANCE = 0.01
ALERT = 'ALERTS{alertname="ClustersetExporterLogsLost",alertstate="firing"}'
FIRED = f"max_over_time({ALERT}[1h])"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{RELEASE}/deployments/{RELEASE}"


@pytest.fixture(scope="module")
def prometheus(exporters):
    with Prometheus(exporters) as running:
        running.scraped(0.0)
        yield running


@pytest.fixture
def summed(exporters, prometheus):
    """Return what compares the sums of Prometheus while something happens."""

    def compare(title, event, count):
        prometheus.scraped(time.time())
        begun = time.time()
        exporters.hold_messages()
        client = exporters.start_client(count, 100)
        until(lambda: prometheus.added(begun) > 0, "Prometheus saw requests")
        event()
        moments = answered(client)
        sent = len(moments)
        exporters.all_ready()

        def missing():
            """Return what neither the sums have nor a gap tells."""
            return sent - prometheus.added(begun) - in_gaps(moments, exporters.messages(begun))

        until(lambda: missing() <= sent * TOLERANCE, "nearly all are seen or told", 2 * LIMIT)
        # What is too much would come now.
        prometheus.scraped(time.time())
        counted, increase = prometheus.added(begun), prometheus.increase(begun - INTERVAL)
        messages = exporters.messages(begun)
        inside = in_gaps(moments, messages)
        seconds = sum(end - start for start, end in gaps_in(messages))
        told = f"a gap of {seconds:.0f} s, {inside:,} of them in it; " if inside else ""
        told += f"`increase()`: {increase:,.0f}"
        texts = [text for _, text in messages]
        write(title, sent, counted, told, texts, graph=prometheus.graph(begun))
        assert counted - sent <= TOLERANCE * sent
        assert sent > count / 2

    return compare


def test_sums_are_complete_when_the_leader_is_deleted(exporters, summed):
    def delete():
        exporters.kube.delete(f"{pods_in(RELEASE)}/{exporters.leads().name}")

    summed("Prometheus each 30 s: the leader is deleted", delete, 6000)


def test_sums_are_complete_when_the_leader_is_killed(exporters, summed):
    """
    Nobody scraped what it had counted last, so it is counted again.

    If the kubelet rotated the log since that scrape, the gap is told.
    """

    def kill():
        os.kill(exporters.processes_of(exporters.leads())[0], signal.SIGKILL)

    summed("Prometheus each 30 s: the leader is killed (`kill -9`)", kill, 6000)


def test_sums_are_complete_when_another_one_follows_a_leader_that_was_killed(exporters, summed):
    """What it had counted after its last scrape is known to nobody, so that is told as a gap."""

    def kill():
        leader, scraped = exporters.leads(), time.time()
        # It notes on the Lease when it was scraped last, at its next renewal.
        until(lambda: exporters.renewed() > scraped, "it renews its Lease")
        path = f"{pods_in(RELEASE)}/{leader.name}"
        about = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        os.kill(exporters.processes_of(leader)[0], signal.SIGKILL)
        # So its container is not started again, and another replica waits for the Lease's end.
        exporters.kube.delete(path, **about)
        until(lambda: exporters.leads().name != leader.name, "another one leads")

    summed("Prometheus each 30 s: the leader is killed, and another one follows it", kill, 6000)


def test_sums_are_complete_when_the_node_of_the_leader_is_drained(exporters, summed):
    def drain():
        """Evict the leader, as `kubectl drain` does; no other pod may come to the node."""
        node = "/api/v1/nodes/node"
        exporters.kube.patch(node, {"spec": {"unschedulable": True}})
        name = exporters.leads().name
        about = {"name": name, "namespace": RELEASE}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": about}
        path = f"{pods_in(RELEASE)}/{name}"
        status, said = exporters.kube.call("POST", f"{path}/eviction", eviction)
        assert status == 201, said
        until(lambda: exporters.kube.call("GET", path)[0] == 404, "the leader is gone")
        exporters.kube.patch(node, {"spec": {"unschedulable": False}})

    summed("Prometheus each 30 s: the leader's node is drained", drain, 9000)


def test_sums_are_complete_over_a_rollout(exporters, summed):
    def restart():
        about = {"annotations": {"restarted": str(time.time())}}
        exporters.kube.patch(DEPLOYMENT, {"spec": {"template": {"metadata": about}}})

    summed("Prometheus each 30 s: `kubectl rollout restart`", restart, 12000)


def test_sums_are_complete_over_an_upgrade(exporters, summed):
    def upgrade():
        exporters.begin_upgrade(config={"probe": {"interval": "3s"}})

    summed("Prometheus each 30 s: `helm upgrade`", upgrade, 18000)


def test_the_alert_on_lost_logs_fires_after_a_gap(exporters, prometheus):
    """The tests before this one left gaps; if it runs alone, it makes one."""
    if not gaps_in(exporters.messages(prometheus.begun)):
        client = exporters.start_client(6000, 200)
        kill_for(exporters, AWAY, "kubelet")
        answered(client)
    # It has to hold for five minutes.
    until(lambda: prometheus.ask("query", query=FIRED), "the alert fired", 4 * LIMIT)
