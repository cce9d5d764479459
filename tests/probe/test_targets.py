"""Which names are probed, and how."""

import ssl
from dataclasses import replace
from ipaddress import ip_address

import pytest

from exporter.commands.load import load
from exporter.model.clusterset import Port, Profile
from exporter.model.probes import Lookup, Record, Vantage
from exporter.probe.http import Request
from exporter.probe.resolve import Server
from exporter.probe.targets import targets
from exporter.probe.tcp import TcpRequest
from tests.fakes.files import CONFIG, write
from tests.fakes.nouns import NGINX, inventory

PLAIN = "nginx.nginx-test.svc.clusterset.local"


def found(folder, words="", where=None):
    """Return the targets of nginx in clusters a and b by a configuration."""
    text = CONFIG.replace("cluster: east", "cluster: a").replace("probe: {", f"probe: {{{words}")
    return list(targets(where or inventory(), load(write(folder, config=text), None).probes))


def test_by_default(tmp_path):
    shown = [(each.name, each.lookup, each.port) for each in found(tmp_path)]
    assert shown == [
        (PLAIN, Lookup.A, 8080),
        (f"a.{PLAIN}", Lookup.A, 8080),
        (f"b.{PLAIN}", Lookup.A, 8080),
        (PLAIN, Lookup.CLIENT, None),
    ]
    assert {each.decides for each in found(tmp_path)[:3]} == {True}
    assert found(tmp_path)[0].request == Request(expected=frozenset(range(200, 400)))


def test_each_replica_of_lighthouse_is_asked(tmp_path):
    words = 'lighthouse: ["10.0.0.1:53", "10.0.0.2:53"], lookup: [srv], pinned: false, '
    _, *others = found(tmp_path, words)
    shown = [(each.lookup, each.vantage, each.server, each.question.record) for each in others]
    assert shown == [
        (Lookup.SRV, Vantage.RESOLVER, None, Record.SRV),
        (Lookup.A, Vantage.LIGHTHOUSE, Server("10.0.0.1", 53), Record.A),
        (Lookup.A, Vantage.LIGHTHOUSE, Server("10.0.0.2", 53), Record.A),
    ]
    assert not any(each.decides or each.request for each in others)
    assert len({each.key for each in others}) == 3


def test_the_replicas_that_are_discovered_are_asked_unless_others_are_named(tmp_path):
    where = inventory(lighthouse=((ip_address("10.0.0.3"), 5353), (ip_address("fd00::3"), 53)))
    config = CONFIG.replace("cluster: east", "cluster: a").replace(
        "static: inventory.yaml", "kubernetes: {}"
    )
    asked = []
    for words in ("", "lighthouse: [], ", 'lighthouse: ["10.0.0.9:53"], '):
        text = config.replace("probe: {", f"probe: {{{words}")
        loaded = load(write(tmp_path, config=text), None)
        asked.append([each.server for each in targets(where, loaded.probes) if each.server])
    assert asked == [
        [Server("10.0.0.3", 5353), Server("fd00::3", 53)],
        [],
        [Server("10.0.0.9", 53)],
    ]


def test_the_second_and_the_third_resolver_are_asked_alone_too(tmp_path):
    servers = [Server(f"10.0.0.{n}", 53) for n in range(1, 5)]
    named = ", ".join(f'"{server.host}:53"' for server in servers)
    text = CONFIG.replace("cluster: east", "cluster: a").replace('"127.0.0.1:1"', named)
    plan = load(write(tmp_path, config=text), None).probes
    assert [
        (each.vantage, each.server, each.lookup)
        for each in targets(inventory(), plan)
        if each.server
    ] == [(Vantage.RESOLVER_2, servers[1], Lookup.A), (Vantage.RESOLVER_3, servers[2], Lookup.A)]


def test_ipv6_is_asked_for(tmp_path):
    records = {each.question.record for each in found(tmp_path, "record: AAAA, ")}
    assert records == {Record.AAAA}


def test_tcp_and_dns_only(tmp_path):
    assert found(tmp_path, "tcp: {}, ")[0].request == TcpRequest()
    assert found(tmp_path, "tcp: {port: 7}, ")[0].port == 7
    assert found(tmp_path, "http: null, ")[0].request is None


def test_https_has_its_context_and_its_port(tmp_path):
    words = "http: {scheme: https, tls_config: {server_name: x.example}}, "
    target = found(tmp_path, words)[0]
    assert isinstance(target.request.tls.context, ssl.SSLContext)
    assert target.request.tls.context.verify_mode is ssl.CERT_REQUIRED
    assert (target.request.tls.server_name, target.port) == ("x.example", 8080)
    off = words.replace("server_name: x.example", "insecure_skip_verify: true")
    assert found(tmp_path, off)[0].request.tls.context.verify_mode is ssl.CERT_NONE


def test_a_headless_service_is_asked_at_every_address(tmp_path):
    assert found(tmp_path, where=inventory(headless=True))[0].every_address
    assert not found(tmp_path)[0].every_address


def test_without_pinned_names_there_are_none(tmp_path):
    where = replace(inventory(), profile=Profile.CILIUM)
    assert {each.name for each in found(tmp_path, where=where)} == {PLAIN}


def test_a_service_that_is_not_probed(tmp_path):
    rule = f'services: [{{match: "{NGINX}", enabled: false}}], '
    assert found(tmp_path, rule) == []


def changed(**words):
    where = inventory()
    return replace(where, services={NGINX: replace(where.services[NGINX], **words)})


def test_a_service_that_asks_to_be_left_alone_is(tmp_path):
    assert found(tmp_path, where=changed(probed=False)) == []


@pytest.mark.parametrize(
    ("ports", "asked"),
    [
        ([("metrics", 9100), ("http", 8080)], 8080),
        ([("metrics", 9100), ("web", 8080)], 9100),
        ([], None),
    ],
)
def test_the_port_named_http_is_asked_else_the_first(tmp_path, ports, asked):
    made = tuple(Port(name=name, port=port) for name, port in ports)
    assert found(tmp_path, where=changed(ports=made))[0].port == asked
