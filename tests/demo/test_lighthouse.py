"""The stand-in for Lighthouse, held to what was measured on a real one, and to the oracle."""

import asyncio
from ipaddress import ip_address

import pytest

from exporter.demo.layout import DNS_PORT, claim
from exporter.demo.lighthouse import Lighthouse, serve_dns
from exporter.judge.expect import Outcome, expect
from exporter.model.probes import Question
from exporter.model.verdicts import Policy
from exporter.probe.dns import message as dns
from exporter.probe.dns.records import Type
from exporter.probe.drivers.runner import run_alone
from exporter.probe.resolve import Server, resolve
from tests.fakes.nouns import NGINX, inventory

DOMAIN = "clusterset.local"
PLAIN = "nginx.nginx-test.svc.clusterset.local"
A, B = "100.1.0.10", "100.2.0.10"
# (what is ready, what is connected, the plain answer, a's, b's): the scenarios of a real Lighthouse
# with two clusters, seen from a.
MEASURED = [
    pytest.param("ab", "ab", [A], [A], [B], id="base"),
    pytest.param("b", "ab", [B], [A], [B], id="local not ready"),
    pytest.param("ab", "a", [A], [A], [B], id="link down"),
    pytest.param("b", "a", [], [A], [B], id="both"),
    pytest.param("", "ab", [], [A], [B], id="nobody ready"),
]


@pytest.fixture
def server(tmp_path):
    return Lighthouse(tmp_path / "none", "a", domain=DOMAIN, delay=0.0)


def ask(server, name, type_=Type.A):
    query = dns.encode_query(name, 7, type_)
    response = dns.decode_response(server.answer(dns.decode_query(query)), query)
    return response.rcode, [str(address) for address in response.addresses]


@pytest.mark.parametrize(("ready", "connected", "plain", "a", "b"), MEASURED)
def test_the_measured_answers(server, ready, connected, plain, a, b):
    server._take(inventory(ready=ready, exported="ab", connected=connected))
    assert ask(server, PLAIN) == (0, plain)
    assert ask(server, f"a.{PLAIN}") == (0, a)
    assert ask(server, f"b.{PLAIN}") == (0, b)


@pytest.mark.parametrize("ready", ["", "a", "b", "c", "ab", "bc", "abc", "bcd"])
@pytest.mark.parametrize("connected", ["a", "ab", "abc", "abcd"])
@pytest.mark.parametrize("pinned", [None, "a", "b", "d"])
def test_it_answers_what_the_oracle_allows(server, ready, connected, pinned):
    state = inventory(ready=ready, exported="abc", connected=connected)
    server._take(state)
    question = Question(NGINX, pinned)
    expected = expect(state, question, Policy.LOCAL)
    seen = set()
    for _ in range(8):
        rcode, addresses = ask(server, question.dns_name(DOMAIN))
        if expected.outcome is Outcome.NXDOMAIN:
            assert (rcode, addresses) == (3, [])
        elif not addresses:
            assert expected.outcome is Outcome.NODATA
        else:
            seen.add(state.services[NGINX].owner_of(ip_address(addresses[0])))
    assert seen == set(expected.clusters)


@pytest.mark.parametrize(
    ("name", "type_", "rcode"),
    [
        (f"mars.{PLAIN}", Type.A, 3),
        ("other.nginx-test.svc.clusterset.local", Type.A, 3),
        ("nginx-test.svc.clusterset.local", Type.A, 3),
        ("x.y.clusterset.local", Type.A, 3),
        ("kubernetes.default.svc.cluster.local", Type.A, 5),
        (PLAIN, 16, 4),
        (PLAIN, Type.AAAA, 0),
    ],
)
def test_codes(server, name, type_, rcode):
    server._take(inventory())
    assert ask(server, name, type_) == (rcode, [])


def test_a_stuck_replica_gives_a_part_of_the_answers_until_it_recovers(server):
    server._take(inventory(ready="b", exported="ab", connected="ab"))
    server._take(inventory(ready="ab", exported="ab", connected="ab"))
    assert {ask(server, PLAIN)[1][0] for _ in range(100)} == {A}
    server.add_stuck_replica()
    assert {ask(server, PLAIN)[1][0] for _ in range(100)} == {A, B}
    server._take(inventory(ready="ab", exported="ab", connected="a"))
    assert {ask(server, PLAIN)[1][0] for _ in range(100)} == {A, B}
    server.mend_stuck_replica()
    assert {ask(server, PLAIN)[1][0] for _ in range(100)} == {A}


async def test_over_udp_and_tcp_following_its_file(tmp_path):
    text = (
        "clusters: [{id: a}]\nservices:\n  - namespace: nginx-test\n    name: nginx\n"
        "    exports: [{cluster: a, addresses: [100.1.0.10], ready: true}]\n"
    )
    with claim(["a"], tmp_path) as (site,):
        site.folder.mkdir()
        await asyncio.to_thread(site.inventory.write_text, text)
        server = Lighthouse(site.inventory, "a", domain=DOMAIN, delay=0.0)
        async with serve_dns(server, site.dns, DNS_PORT), asyncio.timeout(10):
            servers = [Server(site.dns, DNS_PORT)]
            while (
                answer := await run_alone(resolve(PLAIN, servers, within=5.0))
            ).rcode == "REFUSED":
                pass
            assert (list(map(str, answer.addresses)), answer.ttl) == ([A], 5)
            reader, writer = await asyncio.open_connection(site.dns, DNS_PORT)
            query = dns.encode_query(PLAIN, 7)
            writer.write(len(query).to_bytes(2) + query)
            reply = await reader.read()
            writer.close()
    assert dns.decode_response(reply[2:], query).addresses == answer.addresses
