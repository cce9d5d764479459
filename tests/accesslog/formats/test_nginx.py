"""Formats that operators have, each with lines that nginx writes in it and hand-counted truth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log, format_with_host
from exporter.accesslog.formats.log_format import FormatError
from exporter.model.clusterset import ServiceName
from exporter.model.probes import LATENCIES
from exporter.model.traffic import Client, Hits

NGINX, CART = ServiceName("nginx-test", "nginx"), ServiceName("shop", "cart")
DOMAIN = ".svc.clusterset.local"
PROBE = "clusterset-exporter/0.1.0 (cluster=b; service=shop/cart; id=1-a)"


def service_of(host):
    names = host.partition(":")[0].removesuffix(DOMAIN).split(".")
    if not host:
        return NGINX, False
    if not host.partition(":")[0].endswith(DOMAIN):
        return None
    return ServiceName(names[-1], names[-2]), len(names) == 3


def count(form, text, **words):
    log = compile_log(form, **{"ignore_user_agents": ("kube-probe/",)} | words)
    counter = Counter(log, lambda remote, forwarded: forwarded or remote, service_of)
    return counter.count(text.encode() if isinstance(text, str) else text)


def requests(counts):
    return {client.source: hits.requests for client, hits in counts.clients.items()}


TIMED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_time "$host"'
)
JSON = (
    'escape=json {"time":"$time_iso8601","client":"$remote_addr","status":$status,'
    '"bytes":$body_bytes_sent,"agent":"$http_user_agent","took":"$request_time",'
    '"host":"$host","request":"$request"}'
)


def timed(address="10.1.0.1", *, took="0.003", host="cart.shop" + DOMAIN, agent="curl", status=200):
    return (
        f'{address} - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" {status} 10 "-" '
        f'"{agent}" {took} "{host}"\n'
    )


def test_times_become_a_histogram():
    counts = count(TIMED, timed() + timed(took="0.001") + timed(took="9.000", status=500))
    (hits,) = counts.clients.values()
    assert (hits.requests, hits.failures, hits.bytes) == (3, 1, 30)
    assert hits.seconds == pytest.approx(9.004)
    wanted = [0] * (len(LATENCIES) + 1)
    wanted[LATENCIES.index(0.001)] = wanted[LATENCIES.index(0.005)] = wanted[-1] = 1
    assert hits.durations == wanted


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0.120", 0.12), ("-", None), ("0.1, 0.2", 0.3), ("0.1 : 0.200", 0.3), ("0.1, -", 0.1)],
)
def test_an_upstreams_times_are_summed(text, seconds):
    form = TIMED.replace("$request_time", "$upstream_response_time")
    (hits,) = count(form, timed(took=text)).clients.values()
    assert hits.seconds == pytest.approx(seconds or 0)
    assert sum(hits.durations) == (seconds is not None)


def test_the_host_tells_the_service_and_whether_it_was_pinned():
    text = (
        timed()
        + timed(host="a.cart.shop" + DOMAIN)
        + timed(host="example.com")
        + timed(agent=PROBE)
        + timed(agent="kube-probe/1")
    )
    counts = count(TIMED, text)
    assert {client: hits.requests for client, hits in counts.clients.items()} == {
        Client(CART, "10.1.0.1"): 1,
        Client(CART, "10.1.0.1", pinned=True): 1,
    }
    assert (counts.access, counts.foreign, counts.ignored) == (5, 1, 1)
    assert [hit.service for hit in counts.probes] == [CART]


def json_line(agent="curl", *, status=200, host="cart.shop" + DOMAIN):
    return (
        f'{{"time":"2022-07-07T07:42:11+00:00","client":"10.1.0.1","status":{status},"bytes":10,'
        f'"agent":"{agent}","took":"0.003","host":"{host}","request":"GET / HTTP/1.1"}}\n'
    )


def test_json_written_by_a_format():
    text = json_line() + json_line(r"quo\"ted \\ back") + json_line(PROBE) + json_line(status=503)
    counts = count(JSON, text + "started\n")
    assert (counts.read, counts.access, counts.other, len(counts.probes)) == (5, 4, 1, 1)
    (hits,) = counts.clients.values()
    assert (hits.requests, hits.failures, hits.bytes) == (3, 1, 30)
    assert counts.first == counts.last == 1657179731.0


def test_a_value_cannot_pretend_to_be_the_rest_of_a_json_line():
    forged = r"x\",\"took\":\"9.000\",\"host\":\"evil\",\"request\":\"y"
    (hits,) = count(JSON, json_line(forged)).clients.values()
    assert (hits.requests, hits.seconds) == (1, 0.003)
    bare = 'escape=json {"client":"$remote_addr","agent":"$http_user_agent",$status}'
    line = r'{"client":"10.1.0.1","agent":"a\",500}","x",200}' + "\n"
    assert count(bare, line).access == 0
    line = r'{"client":"10.1.0.1","agent":"a\",500",200}' + "\n"
    (hits,) = count(bare, line).clients.values()
    assert hits.failures == 0


OBJECT = (
    '{"status": "200", "remote_addr": "10.1.0.1", "http_user_agent": "curl", "extra": [1, {}],'
    ' "body_bytes_sent": 10, "request_time": 0.003, "time_iso8601": "2022-07-07T07:42:11+00:00",'
    ' "host": "cart.shop.svc.clusterset.local", "request": "GET /healthz HTTP/1.1"}\n'
)


def test_json_objects_in_any_order():
    text = (
        OBJECT
        + OBJECT.replace('"curl"', f'"{PROBE}"')
        + OBJECT.replace('"200"', "503").replace('"extra": [1, {}],', "")
        + OBJECT.replace('"curl"', '"kube-probe/1"')
        + '{"level": "info"}\nnot json\n\n'
        + OBJECT.replace('"200"', '"20"')
    )
    counts = count("json", text)
    assert (counts.read, counts.access, counts.other, counts.ignored) == (8, 4, 4, 1)
    (hits,) = counts.clients.values()
    assert (hits.requests, hits.failures, hits.bytes, hits.seconds) == (2, 1, 20, 0.006)
    assert len(counts.probes) == 1
    assert counts.first == 1657179731.0
    assert count("json", OBJECT, ignore_paths=("/healthz",)).ignored == 1


@pytest.mark.parametrize(
    ("form", "line", "source"),
    [
        pytest.param(
            "log_format x '$remote_addr - $remote_user [$time_local] '\n"
            "             '\"$request\" $status $body_bytes_sent';",
            '10.1.0.1 - john doe [07/Jul/2022:07:42:11 +0000] "GET /" 200 10\n',
            "10.1.0.1",
            id="a directive over two lines",
        ),
        pytest.param(
            r"log_format x escape=json '$remote_addr\t$status\t$request';",
            "10.1.0.1\t200\tGET / HTTP/1.1 \x22 and more\n",
            "10.1.0.1",
            id="tabs",
        ),
        pytest.param(
            "${remote_addr}|$remote_port $status $msec",
            "10.1.0.1|4711 200 1657179731.123\n",
            "10.1.0.1",
            id="braces, a port, milliseconds",
        ),
        pytest.param(
            '$server_port $scheme $status $realip_remote_addr "$request"',
            '8080 https 200 ::ffff:10.1.0.1 "GET /"\n',
            "::ffff:10.1.0.1",
            id="the peer behind realip",
        ),
        pytest.param(
            "$status [$remote_addr] $time_iso8601 $request_method $request_uri",
            "200 [2001:db8::1] 2022-07-07T07:42:11+00:00 GET /a?b=c\n",
            "2001:db8::1",
            id="brackets and IPv6",
        ),
        pytest.param(
            "$remote_addr $status $http_user_agent",
            '10.1.0.1 200 a "b" c\n',
            "10.1.0.1",
            id="an open end",
        ),
        pytest.param(
            "escape=none $remote_addr $status $http_user_agent",
            '10.1.0.1 200 a "b" \\ c\n',
            "10.1.0.1",
            id="nothing escaped, an open end",
        ),
    ],
)
def test_formats_of_all_kinds(form, line, source):
    counts = count(form, line * 3 + "other\n")
    assert requests(counts) == {source: 3}
    assert (counts.access, counts.other) == (3, 1)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("$status", "has no $remote_addr; add it to the log_format in nginx"),
        ("$remote_addr", "has no $status; add it to the log_format in nginx"),
        (
            "$remote_addr$status",
            (
                "$remote_addr at character 1 is followed by $status with nothing between; "
                "put a space there"
            ),
        ),
        (
            "$remote_addr $request $status",
            (
                "$request at character 14 may itself hold the ' ' that ends it; put it in double "
                'quotes, as "$request"'
            ),
        ),
        (
            'escape=none $remote_addr "$request" $status',
            (
                "$request at character 15 may itself hold the '\"' that ends it, since escape=none "
                "escapes nothing; take escape=none away"
            ),
        ),
        ("$remote_addr:$status", "$remote_addr at character 1 may itself hold the ':'"),
        ("escape=xml $remote_addr $status", "escape=xml is none of default, json and none"),
        ("$remote_addr\n$status", "has a line feed at character 13"),
        ("mian", "'mian' is no format; write one of main, combined, nginx, "),
    ],
)
def test_what_could_only_be_guessed_is_refused(form, told):
    with pytest.raises(FormatError) as refused:
        compile_log(form)
    assert told in str(refused.value)


def test_what_is_needed_has_to_be_logged():
    with pytest.raises(FormatError, match=r"has no \$host"):
        compile_log("main", host=True)
    with pytest.raises(FormatError, match=r"has no \$request"):
        compile_log("$remote_addr $status", ignore_paths=["/x"])


def test_a_proxys_word_is_handed_on():
    form = '$remote_addr $status "$http_x_forwarded_for"'
    line = '10.1.0.1 200 "10.9.9.9, 10.8.8.8"\n'
    assert requests(count(form, line, forwarded=True)) == {"10.9.9.9, 10.8.8.8": 1}
    assert requests(count(form, line)) == {"10.1.0.1": 1}


def test_spans_of_time():
    log = compile_log("main", stamps=True)
    line = '10.1.0.1 - - [07/Jul/2022:07:4%d:11 +0000] "GET / HTTP/1.1" 200 6 "-" "c" "-"\n'
    counter = Counter(
        log, lambda *_: "a", service_of, lambda at: at // 60 * 60 if at >= 1657179720 else None
    )
    counts = counter.count("".join(line % minute for minute in (1, 2, 2, 3)).encode())
    assert counts.clients == {
        Client(NGINX, "a", at=1657179720.0): Hits(requests=2, bytes=12),
        Client(NGINX, "a", at=1657179780.0): Hits(requests=1, bytes=6),
    }
    assert counts.foreign == 1


VARIABLES = ["remote_addr", "status", "request", "http_user_agent", "host", "request_time", "pid"]


@given(
    st.lists(
        st.sampled_from([*(f"${name}" for name in VARIABLES), " ", '"', "\t", "|", "x", "[", "]"]),
        max_size=14,
    ).map("".join),
    st.text(max_size=200),
)
def test_any_format_is_compiled_or_refused_and_counts_all_lines(form, text):
    try:
        log = compile_log(form)
    except FormatError:
        return
    block = (text + "\n").encode("utf-8", "replace")
    counts = Counter(log, lambda *_: "a", service_of).count(block)
    assert counts.read == block.count(b"\n") == counts.access + counts.other


@pytest.mark.parametrize(
    ("form", "made"),
    [
        pytest.param("$remote_addr $status", '$remote_addr $status "$host"', id="a string"),
        pytest.param(
            'escape=json {"a":"$remote_addr","s":"$status"}',
            'escape=json {"a":"$remote_addr","s":"$status","host":"$host"}',
            id="JSON",
        ),
        pytest.param(
            "log_format x '$remote_addr ' '$status';",
            '$remote_addr $status "$host"',
            id="a directive",
        ),
        pytest.param(
            "$remote_addr $status $http_cookie",
            '"$host" $remote_addr $status $http_cookie',
            id="an end that cannot be told",
        ),
        pytest.param("json", "", id="JSON in any order"),
        pytest.param("$status", "", id="a format that is of no use"),
    ],
)
def test_a_format_with_host_is_offered_that_compiles(form, made):
    assert format_with_host(form) == made
    if made:
        assert "host" in compile_log(made, host=True).fields


@pytest.mark.parametrize("form", ["combined", "main"])
def test_with_host_a_named_format_keeps_all_its_fields(form):
    fields = compile_log(format_with_host(form)).fields
    assert fields == compile_log(form).fields | {"host"}
