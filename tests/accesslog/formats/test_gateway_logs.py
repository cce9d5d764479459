"""What real gateways wrote, counted, beside what a client saw of each answer and other readers."""

import csv
import json
import re
from pathlib import Path

import pytest

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from tests.gateways.servers import GATEWAYS

DATA = Path(__file__).parents[2] / "data" / "gateways"
FORMS = {
    "nginx-combined": ("combined", "nginx"),
    "nginx-main": ("main", "nginx"),
    "apache-combined": ("apache", '%h %l %u %t \\"%r\\" %>s %b \\"%{x}i\\" \\"%{User-Agent}i\\"'),
    "apache-common": ("apache", 'LogFormat "%h %l %u %t \\"%r\\" %>s %b" common'),
    "istio": ("istio", GATEWAYS["istio"][1]),
}
NOT_LOGGED = {"caddy", "traefik", "traefik-json"}
"""Go's HTTP server answers what is no request by itself, and nobody logs it."""
CASES = [(name, form) for name in GATEWAYS for form in FORMS.get(name, (name,))]


def counted(form, block, host="fixed"):
    log = compile_log(form, ignore_user_agents=("kube-probe/",))
    counter = Counter(log, lambda remote, _: remote, lambda named: (named or host, False))
    return counter.count(block), log


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_real_log_counts_what_clients_saw(name, form):
    counts, log = counted(form, (DATA / f"{name}.log").read_bytes())
    seen = json.loads((DATA / f"{name}.json").read_text())
    if name in NOT_LOGGED:
        seen = [each for each in seen if each["source"] != "127.0.1.9"]
    assert (counts.read, counts.access, counts.other) == (len(seen), len(seen), 0)
    special = [each for each in seen if each["agent"].startswith(("cluster", "kube-"))]
    has_agent = "agent" in log.fields and name != "apache-common"
    assert (len(counts.probes), counts.ignored) == ((1, 1) if has_agent else (0, 0))
    clients = [each for each in seen if not has_agent or each not in special]
    found, failures = {}, 0
    for client, hits in counts.clients.items():
        found[client.source] = found.get(client.source, 0) + hits.requests
        failures += hits.failures
    wanted = {}
    for each in clients:
        # Envoy's default has no address but in a list that anybody can write to.
        unsure = name == "envoy" and each["source"] in {"127.0.1.2", "127.0.1.9"}
        source = "?" if unsure else each["source"]
        wanted[source] = wanted.get(source, 0) + 1
    if name == "envoy":
        found["?"] = found.pop("1") + found.pop("-")
    assert found == wanted
    assert failures == sum(each["status"] >= 500 for each in clients)
    if not name.startswith("haproxy"):  # which counts the headers, too
        assert sum(hits.bytes for hits in counts.clients.values()) == sum(
            each["size"] for each in clients
        )


def sizes(name, text):
    """Return the sizes in a log by other means than expressions of ours."""
    if text.startswith("{"):
        size = {"caddy": "size", "envoy-gateway": "bytes_sent"}.get(name, "DownstreamContentSize")
        return [json.loads(line)[size] for line in text.splitlines()]
    if name.startswith("haproxy"):
        return [int(line.split()[6]) for line in text.splitlines()]
    place = {"envoy": 5, "istio": 8}.get(name)
    if place is None:
        return [
            int(re.search(r'" \d{3} (\d+|-) ?', line)[1].replace("-", "0"))
            for line in text.splitlines()
        ]
    rows = csv.reader(text.splitlines(), delimiter=" ", quotechar='"', strict=False)
    return [int(row[place]) for row in rows]


@pytest.mark.parametrize("name", [name for name in GATEWAYS if name != "apache-common"])
def test_bytes_are_those_that_another_reader_sums(name):
    form = FORMS.get(name, (name,))[0]
    text = (DATA / f"{name}.log").read_text(errors="replace")
    rows = text.splitlines()
    # Another reader may take all lines; probes and health checks are no clients here.
    kept = [
        size
        for size, row in zip(sizes(name, text), rows, strict=True)
        if "clusterset-exporter/" not in row and "kube-probe/" not in row
    ]
    counts, _ = counted(form, (DATA / f"{name}.log").read_bytes())
    assert sum(hits.bytes for hits in counts.clients.values()) == sum(kept)


@pytest.mark.parametrize("name", ["ingress-nginx", "haproxy", "caddy", "envoy", "istio", "traefik"])
def test_how_long_a_request_took_is_in_seconds(name):
    counts, _ = counted(name, (DATA / f"{name}.log").read_bytes())
    spent = sum(hits.seconds for hits in counts.clients.values())
    measured = sum(sum(hits.durations) for hits in counts.clients.values())
    assert 0 < spent < 5
    assert measured == sum(hits.requests for hits in counts.clients.values())


@pytest.mark.parametrize("name", ["caddy", "envoy", "istio", "envoy-gateway", "traefik-json"])
def test_the_host_is_told(name):
    counts, log = counted(name, (DATA / f"{name}.log").read_bytes())
    assert "host" in log.fields
    hosts = {client.service for client in counts.clients}
    assert hosts <= {"cart.shop.svc.clusterset.local", "fixed", "-"}
    assert "cart.shop.svc.clusterset.local" in hosts


@pytest.mark.parametrize(
    "name", ["ingress-nginx", "envoy", "istio", "envoy-gateway", "traefik", "traefik-json"]
)
def test_the_upstream_is_known_to_be_logged(name):
    assert "upstream" in compile_log(name).fields
