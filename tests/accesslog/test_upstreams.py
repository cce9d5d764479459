"""Where the gateway sent each request: lists of servers, beside what the servers themselves saw."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.log_format import FormatError, is_access
from exporter.accesslog.formats.upstreams import MAX_TRIES, Try, read_tries
from exporter.accesslog.pod_logs import WantedLog
from exporter.accesslog.readers.workloads import source_of
from exporter.accesslog.source import LogSource, tells_upstream
from exporter.accesslog.upstream_counter import MAX_TALLIES, UpstreamCounter
from exporter.model.traffic import Hits, LogCounts
from tests.fakes.depth import examples
from tests.fakes.nouns import NGINX
from tests.fakes.tools import need
from tests.gateways.upstreams import NAME

DATA = Path(__file__).parent.parent / "data" / "gateways"
LOG, TRUTH = DATA / f"{NAME}.log", json.loads((DATA / f"{NAME}.json").read_text())
MAIN = '$remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" '
SENT = MAIN + "$request_time $host [$upstream_addr] [$upstream_status]"
BLIND = MAIN + "$request_time $host [$upstream_addr]"
STAMP = "07/Jul/2022:07:42:11 +0000"


def first(name):
    """Return the first line that a real gateway wrote."""
    return (DATA / f"{name}.log").read_bytes().decode("latin-1").splitlines()[0]


def line(upstream, statuses="", status=200, host="a.example", agent="curl", path="/"):
    request = f'10.1.0.1 [{STAMP}] "GET {path} HTTP/1.1" {status} 5 "{agent}" 0.010 {host}'
    return f"{request} [{upstream}]" + (f" [{statuses}]\n" if statuses else "\n")


def counter(form, span_of=None, **words):
    log = compile_log(form, upstream=True, stamps=span_of is not None, **words)

    def sent_to(host, server):
        return None if host == "other.example" else (NGINX, "here", server, host == server)

    def service_of(host):
        return None if host == "other.example" else (NGINX, False)

    return UpstreamCounter(log, lambda remote, _: remote, service_of, sent_to, span_of)


def sent(form, text, **words):
    counts = counter(form, **words).count(text.encode("latin-1"))
    return {
        client.destination: (hits.requests, hits.failures)
        for client, hits in counts.upstreams.items()
    }


def test_real_nginx_was_sent_where_its_servers_say_they_were_asked():
    found = sent("ingress-nginx", LOG.read_text())
    # Nobody listens at the third: only the gateway knows of those tries.
    assert found.pop("127.3.0.1") == (3, 3)
    seen = {
        address: (each["requests"], each["failures"]) for address, each in TRUTH["servers"].items()
    }
    assert found == seen


AWK = r"""
{ sub(/.*\] \[\] /, "")                      # addresses, bytes, times, status
  n = split($0, part, / /); k = (n - 1) / 4  # the last word is an id
  for (i = 1; i <= k; i++) {
    address = part[i]; status = part[3 * k + i]
    sub(/:[0-9]+,?$/, "", address); sub(/,/, "", status)
    if (address ~ /^[0-9.]+$/) { asked[address]++; failed[address] += status >= 500 }
  } }
END { for (address in asked) print address, asked[address], failed[address] }
"""


def test_awk_counts_the_same_tries():
    told = subprocess.run(
        [need("mawk"), AWK, LOG], check=True, capture_output=True, text=True, timeout=20
    )
    rows = [row.split() for row in told.stdout.splitlines()]
    assert sent("ingress-nginx", LOG.read_text()) == {
        address: (int(asked), int(failed)) for address, asked, failed in rows
    }


def test_each_request_is_also_that_of_a_client():
    with_upstreams = counter("ingress-nginx").count(LOG.read_bytes())
    plain = Counter(
        compile_log("ingress-nginx"), lambda remote, _: remote, lambda _: (NGINX, False)
    ).count(LOG.read_bytes())
    assert with_upstreams.clients == plain.clients
    assert sum(hits.requests for hits in plain.clients.values()) == len(TRUTH["statuses"])


@pytest.mark.parametrize(
    ("upstream", "statuses", "status", "tries"),
    [
        ("10.1.0.1:80", "", "200", [("10.1.0.1", False)]),
        ("10.1.0.1:80", "", "503", [("10.1.0.1", True)]),
        # The answer of the server counts, and not what the gateway made of it.
        ("10.1.0.1:80", "200", "502", [("10.1.0.1", False)]),
        ("10.1.0.1:80, 10.2.0.1:80", "", "200", [("10.1.0.1", True), ("10.2.0.1", False)]),
        ("10.1.0.1:80, 10.2.0.1:80", "404, 500", "500", [("10.1.0.1", False), ("10.2.0.1", True)]),
        # Of a server before a redirect nothing is known but its own status.
        ("10.1.0.1:80 : 10.2.0.1:80", "", "200", [("10.1.0.1", False), ("10.2.0.1", False)]),
        (
            "10.1.0.1:80 : 10.2.0.1:80",
            "502 : 200",
            "200",
            [("10.1.0.1", True), ("10.2.0.1", False)],
        ),
        # Another shape than that of the servers: they are not the statuses of these.
        ("10.1.0.1:80, 10.2.0.1:80", "502 : 200", "200", [("10.1.0.1", True), ("10.2.0.1", False)]),
        ("10.1.0.1:80, 10.2.0.1:80", "502", "200", [("10.1.0.1", True), ("10.2.0.1", False)]),
        # The client went away.
        ("10.1.0.1:80", "-", "499", [("10.1.0.1", False)]),
        ("10.1.0.1:80", "", "0", [("10.1.0.1", False)]),
        ("[2001:db8::1]:80", "", "200", [("2001:db8::1", False)]),
        ("2001:db8::1", "", "200", [("2001:db8::1", False)]),
        ("10.1.0.1", "", "200", [("10.1.0.1", False)]),
        ("http://10.1.9.9:8080", "", "200", [("10.1.9.9", False)]),
        ("h2c://[2001:db8::1]:8443/x", "", "200", [("2001:db8::1", False)]),
        ("https://10.1.9.9", "", "200", [("10.1.9.9", False)]),
        ("cart.shop.svc:80", "", "200", [("cart.shop.svc", False)]),
        ("unix:/run/app.sock", "", "200", [("unix:/run/app.sock", False)]),
        # Nothing was sent: no server, or the name of a group without a live one.
        ("-", "-", "304", []),
        ("", "", "304", []),
        ("cart", "502", "502", []),
        ("10.1.0.1:80 : cart", "503 : 502", "502", [("10.1.0.1", True)]),
    ],
)
def test_servers_of_one_request(upstream, statuses, status, tries):
    assert read_tries(upstream, statuses, status) == [Try(*each) for each in tries]


SERVERS = st.one_of(
    st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda address: f"[{address}]")
).map("{}:8080".format)
GROUPS = st.lists(
    st.lists(st.tuples(SERVERS, st.sampled_from([200, 302, 404, 500, 502, 504])), min_size=1),
    min_size=1,
    max_size=4,
)


@settings(max_examples=examples(300), deadline=None)
@given(GROUPS)
def test_any_list_that_nginx_writes_is_read_as_it_was_meant(groups):
    texts = [" : ".join(", ".join(str(t[n]) for t in g) for g in groups) for n in (0, 1)]
    tries = [each for group in groups for each in group][:MAX_TRIES]
    wanted = [(a.rpartition(":")[0].strip("[]"), status >= 500) for a, status in tries]
    assert read_tries(*texts, "200") == [Try(*each) for each in wanted]
    last = [n == len(group) - 1 for group in groups for n, _ in enumerate(group)][:MAX_TRIES]
    blind = read_tries(texts[0], "", "200")
    assert [each.failed for each in blind] == [not is_last for is_last in last]


@settings(max_examples=examples(300), deadline=None)
@given(
    st.text(st.sampled_from(":, 1.[]a/-\xff"), max_size=80),
    st.text(st.sampled_from(":, -5"), max_size=40),
    st.sampled_from(["200", "503", "0", "-"]),
)
@example("https://" * 9, "", "200")
def test_any_text_is_data(upstream, statuses, status):
    tries = read_tries(upstream, statuses, status)
    assert len(tries) <= upstream.count(",") + upstream.count(":") + 1
    assert all(each.server for each in tries)


@pytest.mark.parametrize("many", ["10.1.0.1:80, ", "10.1.0.1:80 : ", ":", "[", "http://", "1"])
def test_a_huge_list_is_bounded_and_takes_no_more_time_than_its_bytes(many):
    def spent(size):
        text = many * (size // len(many))
        began = time.process_time()
        for _ in range(5):
            assert len(read_tries(text, text, "200")) <= MAX_TRIES
        return time.process_time() - began

    assert min(spent(600_000) for _ in range(3)) < 40 * (
        min(spent(60_000) for _ in range(3)) + 1e-4
    )


def test_no_more_is_remembered_of_hosts_than_there_is_room_for():
    made = counter(SENT)
    for start in range(0, 2 * MAX_TALLIES, 5_000):
        text = "".join(
            line("10.1.0.1:80", "200", host=f"h{n}.x") for n in range(start, start + 5_000)
        )
        assert sum(h.requests for h in made.count(text.encode()).upstreams.values()) == 5_000
    assert len(made._tallies) <= MAX_TALLIES
    assert len(made._destinations) <= MAX_TALLIES


def test_a_long_list_counts_each_time_and_is_not_remembered():
    made = counter(SENT)
    text = line(", ".join(f"10.1.0.{n % 9}:80" for n in range(90)), "200")
    for _ in range(2):
        counts = made.count(text.encode())
        assert sum(hits.requests for hits in counts.upstreams.values()) == 90
    assert not made._tallies


def test_tries_are_counted_again_in_each_block_and_added():
    made, counts = counter(SENT), LogCounts()
    for _ in range(3):
        made.count(line("10.1.0.1:80, 10.2.0.1:80", "502, 200").encode() * 2, counts)
    hits = {client.destination: each for client, each in counts.upstreams.items()}
    assert hits == {"10.1.0.1": Hits(6, 6), "10.2.0.1": Hits(6, 0)}
    total = LogCounts()
    total.add(counts)
    total.add(counts)
    assert total.upstreams[next(iter(counts.upstreams))].requests == 12


def test_what_is_no_request_of_a_client_of_a_service_is_not_sent():
    probe = "clusterset-exporter/0.1.0 (cluster=west; service=shop/cart; id=1-abc)"
    text = line("10.1.0.1:80", "200")
    text += line("10.1.0.2:80", "200", agent=probe) + line(
        "10.1.0.2:80", "200", agent="kube-probe/1"
    )
    text += line("10.1.0.2:80", "200", path="/healthz") + line(
        "10.1.0.2:80", "200", host="other.example"
    )
    text += "2022/07/07 07:42:11 [error] no access line [10.1.0.2:80] [200]\n"
    words = {"ignore_user_agents": ("kube-probe/",), "ignore_paths": ("/healthz",)}
    assert sent(SENT, text, **words) == {"10.1.0.1": (1, 0)}


def test_each_second_is_counted_apart_by_when_the_request_came():
    text = line("10.1.0.1:80", "200") + line("10.1.0.1:80", "200").replace("0.010", "5.010")
    text += line("10.1.0.1:80", "200").replace("0.010", "900.0")
    made = counter(SENT, lambda at: None if at < 1657179700 else at // 1)
    counts = made.count(text.encode())
    moments = {client.at: hits.requests for client, hits in counts.upstreams.items()}
    # Stamped at :31, they came a moment and five seconds before.
    assert moments == {1657179730.0: 1, 1657179725.0: 1}


ASKED = {
    "ingress-nginx": b"[] 127.0.0.1:",
    "envoy": b' "127.0.0.1:',
    "istio": b' "127.0.0.1:',
    "envoy-gateway": b'"upstream_host":"127.0.0.1:',
    "traefik": b'"http://127.0.0.1:',
    "traefik-json": b'"ServiceAddr":"127.0.0.1:',
}
"""What stands in the lines of requests that were sent on."""


@pytest.mark.parametrize("name", ASKED)
def test_real_gateways_sent_to_their_backend_what_it_answered(name):
    rows = (DATA / f"{name}.log").read_bytes().splitlines(keepends=True)
    rows = [row for row in rows if b"clusterset-exporter/" not in row]
    seen = json.loads((DATA / f"{name}.json").read_text())
    counts = counter(name).count(b"".join(rows))
    ((client, hits),) = counts.upstreams.items()
    assert client.destination == "127.0.0.1"
    assert hits.requests == sum(ASKED[name] in row for row in rows) > 10
    assert hits.failures == sum(each["status"] >= 500 for each in seen)


@pytest.mark.parametrize("form", ["haproxy", "haproxy-headers", "caddy", "main", "apache"])
def test_servers_that_log_no_address_tell_no_upstream(form):
    assert not compile_log(form, upstream=True).upstream


def test_a_log_whose_upstream_is_not_wanted_is_read_as_before():
    assert not compile_log("ingress-nginx").upstream
    assert len(compile_log("traefik-json").order) == len(compile_log("caddy", upstream=True).order)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({}, True),
        ({"form": "main"}, False),
        # Whom a pod of the service asks is asked for another one.
        ({"pods": 200, "gateway": False}, False),
        ({"by_pod": True, "gateway": False}, False),
    ],
)
def test_only_the_log_of_a_gateway_tells_upstreams(words, told):
    given = {"files": ("a.log",), "syslog": None, "form": "ingress-nginx", "wrapper": "none"}
    source = LogSource(**{**given, "service": NGINX, **words})
    assert tells_upstream(source) is told
    # As it is for one of the pods that the source leads to.
    log = WantedLog(namespace="shop", pod="cart", container="nginx", services=(NGINX,))
    assert tells_upstream(source_of(log, source)) is told


def test_apache_with_a_balancer_names_its_server():
    form = '%h %t "%r" %>s %b %{BALANCER_WORKER_NAME}e'
    text = f'10.1.0.1 [{STAMP}] "GET / HTTP/1.1" 200 5 http://10.2.0.9:80\n'
    text += f'10.1.0.1 [{STAMP}] "GET / HTTP/1.1" 200 5 -\n'
    assert sent(form, text) == {"10.2.0.9": (1, 0)}


@pytest.mark.parametrize(
    ("upstream", "status"),
    [("[1]", "1"), ("7", '"x"'), ("null", "null"), ('{"a":1}', "[]"), ('"-"', "9" * 5000)],
)
def test_json_of_another_kind_is_no_upstream(upstream, status):
    form = "{remote: a, status: s, upstream: u, upstream_status: v}"
    text = f'{{"a":"10.1.0.1","s":200,"u":{upstream},"v":{status}}}\n'
    good = '{"a":"10.1.0.1","s":200,"u":"10.2.0.1:80","v":503}\n'
    assert sent(form, good + text) == {"10.2.0.1": (1, 1)}


@pytest.mark.parametrize(
    ("form", "text", "name"),
    [
        ("ingress-nginx", first(NAME), "shop-cart-80"),
        ("istio", first("istio"), "cart"),
        ("envoy-gateway", first("envoy-gateway"), "cart"),
        ("traefik-json", first("traefik-json"), "cart@file"),
    ],
)
def test_the_name_of_the_upstream_can_stand_in_for_the_host(form, text, name):
    names = set()
    log = compile_log(form, upstream=True, by_upstream=True)
    made = UpstreamCounter(
        log,
        lambda remote, _: remote,
        lambda named: names.add(named) or (NGINX, False),
        lambda named, server: names.add(named) or (NGINX, "here", server, False),
    )
    made.count(text.encode() + b"\n")
    assert names == {name}


@pytest.mark.parametrize("form", ["main", "envoy", "traefik", "haproxy", "apache", "caddy"])
def test_a_format_without_the_name_of_the_upstream_is_refused(form):
    with pytest.raises(FormatError, match=r"(?i)upstream|balancer|name of a service"):
        compile_log(form, by_upstream=True)


@pytest.mark.parametrize("form", ["json", "envoy-gateway", "traefik-json", "ingress-nginx"])
def test_a_line_of_another_format_is_told_from_an_access_line(form):
    log_format = compile_log(form, upstream=True)
    assert log_format.upstream
    assert not is_access(log_format, b'10.1.0.9 - - "GET / HTTP/1.1" 200 615')
