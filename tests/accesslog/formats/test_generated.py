"""Each preset reads whatever its server writes: requests of any kind, and lines of all servers."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.gateway_lines import HOST, WRITE
from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.guess import guess
from exporter.accesslog.formats.presets import PRESETS
from tests.fakes.depth import examples

DATA = Path(__file__).parents[2] / "data" / "gateways"
NO_AGENT = {"haproxy"}
RAW = {"envoy", "istio", "traefik"}
"""Servers that write quotes in a user agent as they came, or nearly so."""
PROBE = "clusterset-exporter/0.1.0 (cluster=west; service=shop/cart; id=1-abc)"
AGENTS = st.one_of(
    st.just("curl/8.5.0"),
    st.just(PROBE),
    st.just("kube-probe/1.34"),
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f\x85")),
    st.text(st.sampled_from('"\\ []{}|#%$-'), min_size=1, max_size=12),
)
REQUESTS = st.fixed_dictionaries(
    {
        "address": st.sampled_from(["10.1.0.1", "10.2.0.2", "2001:db8::1", "2001:db8::99"]),
        "path": st.text(st.sampled_from("/abc?=&%.0"), max_size=12).map("/{}".format),
        "status": st.sampled_from([200, 204, 304, 404, 499, 500, 503]),
        "size": st.integers(0, 10**12),
        "agent": AGENTS,
        "took": st.integers(0, 60_000).map(lambda ms: ms / 1000),
        "at": st.integers(1_600_000_000, 1_900_000_000),
    }
)


def special(name, request):
    agent = request["agent"]
    return name not in NO_AGENT and agent.startswith(("clusterset-exporter/", "kube-probe/"))


@pytest.mark.parametrize("name", WRITE)
@settings(max_examples=examples(60), deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=12))
def test_requests_of_any_kind_are_counted_as_they_were(name, requests):
    lines = [WRITE[name](request) for request in requests]
    log = compile_log(name, ignore_user_agents=("kube-probe/",))
    counter = Counter(log, lambda remote, _: remote, lambda host: (host, False))
    counts = counter.count("".join(f"{line}\n" for line in lines).encode("latin-1"))
    clients = [each for each in requests if not special(name, each)]
    assert (counts.read, counts.access, counts.other) == (len(lines), len(lines), 0)
    assert len(counts.probes) + counts.ignored == len(requests) - len(clients)
    hits = counts.clients.values()
    assert sum(each.requests for each in hits) == len(clients)
    assert sum(each.failures for each in hits) == sum(r["status"] >= 500 for r in clients)
    assert sum(each.bytes for each in hits) == sum(r["size"] for r in clients)
    if "seconds" in log.fields:
        measured = pytest.approx(sum(r["took"] for r in clients), abs=0.001 * len(clients))
        assert sum(each.seconds for each in hits) == measured
    sure = [r for r in clients if name != "envoy" or '"' not in r["agent"]]
    found = {}
    for client, each in counts.clients.items():
        found[client.source] = found.get(client.source, 0) + each.requests
    for address in {r["address"] for r in sure}:
        assert found[address] == sum(r["address"] == address for r in sure)
    if "host" in log.fields and name not in RAW:
        assert {client.service for client in counts.clients} <= {HOST}


@pytest.mark.parametrize("name", [name for name in WRITE if name != "nginx"])
def test_generated_lines_have_the_shape_of_real_ones(name):
    """The words and brackets of a generated line stand where those of the real server stand."""
    recorded = {"combined": "nginx-combined", "main": "nginx-main", "apache": "apache-combined"}
    real = (DATA / f"{recorded.get(name, name)}.log").read_text(errors="replace").splitlines()[0]
    request = {"address": "127.0.1.1", "path": "/", "status": 200, "size": 615}
    request |= {"agent": "curl/8.5.0", "took": 0.004, "at": 1_795_916_937}
    made = WRITE[name](request)

    def shape(line):
        if line.startswith("{"):
            return set(re.findall(r'"([\w:-]+)":', line))
        quoted = re.sub(r'"[^"]*"', "Q", line)
        return [re.sub(r"[\w.:|@*/<>-]+", "w", word) for word in quoted.split()]

    made_shape, real_shape = shape(made), shape(real)
    if isinstance(made_shape, set):
        varies = {"Accept", "Connection", "Date", "Content-Length", "Server"}
        assert made_shape - varies == real_shape - varies
    else:
        assert made_shape == real_shape


@pytest.mark.parametrize("name", [name for name in WRITE if name != "nginx"])
def test_the_preset_is_found_by_its_lines(name):
    request = {"address": "10.1.0.1", "path": "/", "status": 200, "size": 0, "agent": "curl"}
    line = WRITE[name](request | {"took": 0.1, "at": 1_700_000_000}) + "\n"
    found = guess(line.encode() * 3, "none")
    # With headers HAProxy's lines are read as those without, because their order is not known.
    assert found is not None
    assert found.form == {"haproxy-headers": "haproxy"}.get(name, name)


def test_each_preset_has_lines_that_are_generated():
    assert set(PRESETS) - set(WRITE) == {"json", "istio-json"}
