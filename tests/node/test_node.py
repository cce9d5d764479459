"""The exporter on a real node: what nginx answered is counted, or a gap is told."""

import pytest

from tests.node.conftest import answered
from tests.node.kube import until

pytestmark = pytest.mark.timeout(300)


def test_requests_over_ten_rotations_are_all_counted(exporters):
    before = exporters.counted()
    sent = answered(exporters.start_client(4000, 400))
    until(lambda: exporters.counted() - before >= sent, "all requests are counted")
    assert exporters.counted() - before == sent
