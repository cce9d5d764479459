"""A real nginx is asked, and where its log says that it sent each request is what servers saw."""

import pytest

from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.upstream_counter import UpstreamCounter
from tests.fakes.nouns import NGINX
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
