"""Formats in the languages of other servers than nginx, and maps of JSON keys."""

import json

import pytest

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.log_format import FormatError
from exporter.accesslog.formats.presets import PRESETS

TIME = "07/Jul/2022:07:42:11 +0000"


def count(form, *lines, **words):
    counter = Counter(
        compile_log(form, **words), lambda remote, _: remote, lambda host: (host, False)
    )
    return counter.count("".join(f"{line}\n" for line in lines).encode())


def sources(counts):
    return {client.source: hits.requests for client, hits in counts.clients.items()}


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("$remote_addr:$remote_port $status", "{}:51234 200"),
        ("[$remote_addr:$remote_port] $status", "[{}:51234] 200"),
        ("%a:%{{remote}}p %>s".replace("{{", "{").replace("}}", "}"), "{}:51234 200"),
        ("%DOWNSTREAM_REMOTE_ADDRESS% %RESPONSE_CODE%", "{}:51234 200"),
    ],
    ids=["nginx", "in brackets", "apache", "envoy"],
)
@pytest.mark.parametrize("address", ["10.1.0.1", "2001:db8::1", "2001:db8::25:1234", "::1"])
def test_a_port_is_no_part_of_the_address(form, line, address):
    assert sources(count(form, line.format(address))) == {address: 1}
    if ":" in address and "[" not in line:
        assert sources(count(form, line.format(f"[{address}]"))) == {address: 1}


def test_a_client_without_an_address_still_counts():
    form = "%DOWNSTREAM_REMOTE_ADDRESS% %RESPONSE_CODE%"
    text = "envoy://internal_client_address/ 200"
    assert sources(count(form, text)) == {"envoy://internal_client_address/": 1}


@pytest.mark.parametrize(
    ("form", "line", "seconds"),
    [
        ("%h %>s %D", "10.1.0.1 200 1500", 0.0015),
        ("%h %>s %T", "10.1.0.1 200 2", 2),
        ("%h %>s %{ms}T", "10.1.0.1 200 20", 0.02),
        ("%h %>s %{us}T", "10.1.0.1 200 20", 0.00002),
        ("%DOWNSTREAM_REMOTE_ADDRESS% %RESPONSE_CODE% %DURATION%", "10.1.0.1:1 200 250", 0.25),
        ("{remote: a, status: s, seconds: t}", '{"a":"10.1.0.1","s":200,"t":0.25}', 0.25),
        ("{remote: a, status: s, milliseconds: t}", '{"a":"10.1.0.1","s":200,"t":250}', 0.25),
        ("{remote: a, status: s, nanoseconds: t}", '{"a":"10.1.0.1","s":200,"t":250000000}', 0.25),
        ("{remote: a, status: s, milliseconds: t}", '{"a":"10.1.0.1","s":200,"t":"250"}', 0.25),
    ],
)
def test_units_of_time(form, line, seconds):
    (hits,) = count(form, line).clients.values()
    assert hits.seconds == pytest.approx(seconds)


APACHE = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'


@pytest.mark.parametrize("user", ["-", "alice", '""', "a b", "we [ird]", r"x\" [y"])
def test_apaches_users(user):
    counts = count(APACHE, f'10.1.0.1 - {user} [{TIME}] "GET / HTTP/1.1" 200 - "-" "c"')
    assert sources(counts) == {"10.1.0.1": 1}
    assert counts.first == 1657179731


def test_a_quote_that_apache_escapes_ends_no_value():
    agent = r"x\" \"clusterset-exporter/0.1.0"
    counts = count(
        APACHE,
        f'10.1.0.1 - - [{TIME}] "GET /\\"a HTTP/1.1" 503 7 "-" "{agent}"',
        f'10.1.0.1 - - [{TIME}] "-" 408 - "-" "-"',
        f'10.1.0.1 - - [{TIME}] "GET / HTTP/1.1" 200 10 "x\\" " "clusterset-exporter/0.1.0 ()"',
    )
    (hits,) = counts.clients.values()
    assert (hits.requests, hits.failures, hits.bytes, len(counts.probes)) == (2, 1, 7, 1)


ISTIO_LINE = (
    '[2026-11-29T01:48:11.569Z] "GET / HTTP/1.1" 503 - via_upstream - "-" 0 615 10 9 "{xff}" '
    '"{agent}" "ce8b" "cart.shop" "10.1.0.9:80" outbound|80||cart 10.1.0.8:37 10.1.0.7:80 '
    "10.1.0.1:51923 - default"
)


@pytest.mark.parametrize(
    "agent",
    [
        "curl",
        'a "b"',
        '"',
        '" "" "" "other.host" "10.2.0.1:80" x 1:1 2:2 10.2.0.1:9 - r',
        'x" "id" "evil" "10.2.0.9:80" c 10.2.0.8:37 10.2.0.7:80 10.2.0.1:51923 - d',
    ],
)
def test_a_header_cannot_pretend_to_be_the_rest_of_envoys_line(agent):
    counts = count("istio", ISTIO_LINE.format(xff="10.2.0.1", agent=agent))
    ((client, hits),) = counts.clients.items()
    assert (client.source, client.service) == ("10.1.0.1", "cart.shop")
    assert (hits.requests, hits.failures, hits.bytes, hits.seconds) == (1, 1, 615, 0.01)


ENVOY_LINE = (
    '[2026-11-29T01:48:11.569Z] "GET / HTTP/1.1" 200 - 0 615 10 9 "{xff}" "{agent}" "ce8b" '
    '"cart.shop" "10.1.0.9:80"'
)


@pytest.mark.parametrize(
    ("xff", "agent", "source"),
    [
        ("10.1.0.1", "curl", "10.1.0.1"),
        ("10.2.0.1,10.1.0.1", "curl", "10.1.0.1"),
        ("10.2.0.1, 10.1.0.1", "curl", "10.1.0.1"),
        # Who wrote what cannot be told: the client must not choose its cluster.
        ('10.2.0.1" "x,10.1.0.1', "curl", "1"),
        ('" "10.2.0.1', "curl", '"'),
        ("10.1.0.1", 'a "b"', "1"),
    ],
)
def test_envoys_default_has_the_client_only_in_a_list(xff, agent, source):
    counts = count("envoy", ENVOY_LINE.format(xff=xff, agent=agent))
    assert sources(counts) == {source: 1}


def test_a_connection_of_tcp_is_no_request():
    line = (
        '[2026-11-29T01:48:11.569Z] "- - -" 0 - - - "-" 10 20 30 - "-" "-" "-" "-" "10.1.0.9:80" '
        "outbound|80||cart 10.1.0.8:37 10.1.0.7:80 10.1.0.1:51923 - -"
    )
    assert count("istio", line).other == 1
    gateway = {"downstream_remote_address": "10.1.0.1:9", "response_code": 0, "method": None}
    assert count("envoy-gateway", json.dumps(gateway)).other == 1


HAPROXY = (
    "{prefix}10.1.0.1:52721 [29/Nov/2026:01:49:02.723] web~ cart/one 0/0/0/0/{took} {status} "
    '{size} - - ---- 1/1/0/0/0 0/0 {captured}"GET / HTTP/1.1"'
)


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"prefix": "Feb  6 12:14:14 localhost haproxy[14389]: "},
        {"prefix": "2026-11-29T01:49:02.7+00:00 lb-1 haproxy[1]: "},
        {"captured": "{shop.example.com|curl} "},
        {"captured": "{a|b} {c} "},
        {"took": "+5", "size": "+615"},
    ],
)
def test_haproxys_lines_with_what_may_stand_around(words):
    counts = count(
        "haproxy",
        HAPROXY.format(
            **{"prefix": "", "captured": "", "took": "5", "status": 200, "size": "615"} | words
        ),
    )
    ((client, hits),) = counts.clients.items()
    assert (client.source, hits.requests, hits.bytes, hits.seconds) == ("10.1.0.1", 1, 615, 0.005)


def test_haproxys_request_that_was_never_answered_counts():
    line = HAPROXY.format(prefix="", captured="", took="-1", status="-1", size="0")
    (hits,) = count("haproxy", line).clients.values()
    assert (hits.requests, hits.failures, hits.durations) == (1, 0, [])


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("{remote: r.ip, status: s}", '{"s":200,"r":{"ip":"10.1.0.1","x":[{}]}}'),
        ('{remote: "r.ip", status: "s"}', '{"r":{"ip":"10.1.0.1"},"s":"200"}'),
        (r"{remote: r\.ip, status: s}", '{"r.ip":"10.1.0.1","s":200}'),
        ("{remote: a|b|r.ip, status: s}", '{"a":"","b":"-","r":{"ip":"10.1.0.1"},"s":200}'),
        ("{remote: ip, status: s}", '{"ip":"10.1.0.1:443","s":200}'),
    ],
)
def test_a_map_says_where_a_value_stands(form, line):
    assert sources(count(form, line)) == {"10.1.0.1": 1}


def test_a_map_tells_all_that_a_format_tells():
    form = (
        "{remote: ip, status: s, size: n, host: h, user_agent: ua, path: p, time: t, forwarded: f}"
    )
    line = {"ip": "10.1.0.1", "s": 500, "n": 9, "h": "cart.shop", "t": 1657179731.5, "p": "/x?y"}
    counts = count(
        form,
        *(json.dumps(line | {"ua": agent}) for agent in ("curl", "kube-probe/1")),
        json.dumps(line | {"p": "/healthz"}),
        ignore_user_agents=("kube-probe/",),
        ignore_paths=("/healthz",),
    )
    ((client, hits),) = counts.clients.items()
    assert (client.service, hits.failures, hits.bytes) == ("cart.shop", 1, 9)
    assert (counts.ignored, counts.first) == (2, 1657179731.5)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("{remote: ip}", "has no status; add status: and the key that has it"),
        ("{status: s}", "has no remote"),
        ("{remote: ip, status: s, colour: c}", "colour is nothing that a line tells"),
        ("{remote: ip, status: }", "cannot be read from"),
        ("{remote: ip, status: s", "has no } at its end"),
        ("{remote: ip..x, status: s}", "remote: 'ip..x' is not a key"),
        ("{remote: a, status: a.b}", "a is both a value and an object"),
        ("{remote: a, status: s, seconds: x, milliseconds: y}", "are the same; keep one"),
        ("%h %b", "has no %>s; add it to LogFormat in Apache"),
        ("%>s", "has no %h"),
        ("%h %r %>s", "%r at character 4 may itself hold the ' ' that ends it"),
        ("%h %t %{Referer}i %>s", "%{Referer}i at character 7 may itself hold"),
        ("%RESPONSE_CODE%", "has no %DOWNSTREAM_REMOTE_ADDRESS%"),
        ("%DOWNSTREAM_REMOTE_ADDRESS%", "has no %RESPONSE_CODE%"),
        (
            "%DOWNSTREAM_REMOTE_ADDRESS% %REQ(USER-AGENT)% %RESPONSE_CODE%",
            "at character 29 may itself hold the ' ' that ends it; put it in double quotes, as",
        ),
        ("%DOWNSTREAM_REMOTE_ADDRESS%%RESPONSE_CODE%", "with nothing between"),
        ("$remote_addr:$status", "$remote_addr at character 1 may itself hold the ':'"),
    ],
)
def test_what_cannot_be_told_is_refused(form, told):
    with pytest.raises(FormatError) as refused:
        compile_log(form)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("haproxy", "HAProxy's httplog has no host; capture Host and User-Agent there"),
        ("traefik", "Traefik's common format has no host; set accesslog.format=json"),
        ("apache", "has no %{Host}i; add it to LogFormat in Apache"),
        ("{remote: a, status: s}", "has no host; add host: and the key that has it"),
    ],
)
def test_a_format_without_host_says_how_to_get_one(form, told):
    with pytest.raises(FormatError) as refused:
        compile_log(form, host=True)
    assert told in str(refused.value)


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_compiles_in_all_ways(name):
    for words in ({}, {"stamps": True}, {"forwarded": True}, {"ignore_paths": ("/healthz",)}):
        assert {"address", "status"} <= compile_log(name, **words).fields
