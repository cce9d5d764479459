"""A real nginx is asked, and where its log says that it sent each request is what servers saw."""

import pytest

from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.upstream_counter import UpstreamCounter
from tests.accesslog.test_balancers import sent, wanted
from tests.fakes.nouns import NGINX
from tests.gateways import balancers
from tests.gateways.upstreams import DEAD, record

pytestmark = pytest.mark.system


def test_each_try_of_a_real_nginx_is_counted_where_its_servers_were_asked(tmp_path):
    text, truth = record(tmp_path)
    counter = UpstreamCounter(
        compile_log("ingress-nginx", upstream=True),
        lambda remote, _: remote,
        lambda _: (NGINX, False),
        lambda _, server: (NGINX, "here", server, False),
    )
    counts = counter.count(text.encode())
    found = {
        client.destination: {"requests": hits.requests, "failures": hits.failures}
        for client, hits in counts.upstreams.items()
    }
    # Nobody listens there, so all tries fail and only the gateway knows of them.
    assert found.pop(DEAD) == {"requests": 3, "failures": 3}
    assert found == truth["servers"]


@pytest.mark.parametrize("name", balancers.BALANCERS)
def test_a_real_balancer_logs_the_server_that_answered(name, tmp_path):
    if balancers.found(name) is None:
        # tests/gateways/caddy/build makes a Caddy with log_append.
        pytest.skip(f"{balancers.PROGRAMS[name]} is not installed")
    text, truth = balancers.record(name, tmp_path)
    assert sent(name, text) == wanted(name, truth)
