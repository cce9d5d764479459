"""What Helm leaves behind, and what a start looks like to people who read events."""

import pytest

from tests.node.cluster import LEASE, RELEASE, pods_in
from tests.node.kube import until

pytestmark = pytest.mark.timeout(300)
EVENTS = f"/api/v1/namespaces/{RELEASE}/events"


def test_an_uninstalled_release_leaves_no_lease_and_a_start_leaves_no_warning(exporters):
    exporters.helm("uninstall", RELEASE)
    kube = exporters.kube
    until(lambda: kube.call("GET", LEASE)[0] == 404, "the Lease is gone")
    until(lambda: not kube.items(pods_in(RELEASE)), "the pods are gone")
    # No pod was there to make the Lease anew.
    assert kube.call("GET", LEASE)[0] == 404
    exporters.install()
    exporters.leads()
    pods = {each["metadata"]["uid"] for each in kube.items(pods_in(RELEASE))}
    found = [each for each in kube.items(EVENTS) if each["involvedObject"].get("uid") in pods]
    reasons = {each["reason"] for each in found}
    assert "Started" in reasons
    assert "Unhealthy" not in reasons, [each["message"] for each in found]
