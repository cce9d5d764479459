"""Counting by blocks, held to a counter that reads one character at a time."""

from collections import Counter as Tally
from datetime import UTC, datetime
from math import floor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.accesslog import counter as count
from exporter.accesslog import special_lines
from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.formats.times import parse_time
from exporter.model.clusterset import ServiceName
from exporter.model.traffic import Client, Hits, LogCounts, ProbeHit
from tests.fakes import plain_counter
from tests.fakes.depth import examples

DATA = Path(__file__).parents[1] / "data"
HARD = (DATA / "hard.log").read_bytes()
IGNORED = ("kube-probe/",)


NGINX = ServiceName("nginx-test", "nginx")


def by_address(remote, _):
    return remote


def nginx(_):
    return NGINX, False


def counter(name="main", **words):
    return Counter(compile_log(name, **{"ignore_user_agents": IGNORED} | words), by_address, nginx)


def plain(block, name="main"):
    lines, other, ignored, probes, clients = plain_counter.count(block, name)
    return lines, other, ignored, probes, clients


def ours(counts):
    clients = {
        client.source: [hits.requests, hits.failures, hits.bytes]
        for client, hits in counts.clients.items()
    }
    return counts.read, counts.other, counts.ignored, len(counts.probes), clients


def test_the_hard_lines():
    counts = counter().count(HARD)
    assert ours(counts) == (
        18,
        7,
        1,
        1,
        {
            "10.1.0.1": [1, 0, 615],
            "10.1.0.2": [1, 0, 1],
            "10.1.0.3": [1, 0, 157],
            "10.1.0.4": [1, 0, 0],
            "2001:db8::7": [1, 0, 0],
            "::ffff:10.1.0.5": [1, 1, 157],
            "unix:": [1, 0, 5],
            "10.1.0.6": [1, 0, 12345678901234],
            "10.1.0.13": [1, 1, 0],
        },
    )
    assert counts.access == 11
    agent = "clusterset-exporter/0.1.0 (cluster=east; service=a/b; id=1-a)"
    assert counts.probes == [ProbeHit(NGINX, "10.1.0.8", agent, at=1657179740.0, bytes=2)]


def test_each_probe_has_the_time_of_its_own_line():
    """Also if the same one is repeated, or others before it are no text."""
    agents = [b"clusterset-exporter/" + end for end in (b"1", b"1", b"\xff", b"2", b"1")]
    block = b"".join(
        b'10.1.0.8 - - [07/Jul/2022:07:42:%02d +0000] "GET / HTTP/1.1" 200 2 "-" "%b" "-"\n'
        % (second, agent)
        for second, agent in enumerate(agents)
    )
    counts = LogCounts()
    counter().count(block, counts)
    counter().count(block, counts)
    assert [hit.at - 1657179720 for hit in counts.probes] == [0, 1, 2, 3, 4] * 2


def test_who_sends_probes_is_asked_anew_after_the_inventory_changed():
    asked = []
    made = Counter(
        compile_log("main"), lambda remote, _: asked.append(remote) or "b", lambda _: (NGINX, False)
    )
    line = (
        b'10.1.0.8 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 2 "-" '
        b'"clusterset-exporter/1" "-"\n'
    )
    assert [hit.source for hit in made.count(line * 3).probes] == ["b"] * 3
    made.forget()
    made.count(line)
    assert asked == ["10.1.0.8"] * 2


def test_a_probe_in_a_json_log_has_its_time():
    line = (
        b'{"remote_addr":"10.1.0.8","status":502,"body_bytes_sent":7,"request_time":"0.250",'
        b'"time_iso8601":"2022-07-07T07:42:20+00:00","http_user_agent":"clusterset-exporter/1"}\n'
    )
    made = Counter(compile_log("json"), by_address, lambda _: (NGINX, False), by_arrival=True)
    (hit,) = made.count(line).probes
    assert hit == ProbeHit(
        NGINX,
        "10.1.0.8",
        "clusterset-exporter/1",
        at=1657179739.75,
        failed=True,
        bytes=7,
        seconds=0.25,
    )


def test_a_torn_line_that_swallows_the_next_is_found_out():
    line = b'10.1.0.1 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 6 "-" "c" "-"\n'
    torn = b'10.9.9.9 - - [07/Jul/2022:07:42:11 +0000] "GET / HT\n'
    swallowed = torn + b'" 200 5 "-" "c" "-"\n'
    block = line * 3 + swallowed + line * 2
    counts = counter().count(block)
    assert counts.slow_blocks == 1
    assert ours(counts) == (7, 2, 0, 0, {"10.1.0.1": [5, 0, 30]})


def test_the_scene():
    counts = counter().count((DATA / "scene-cluster-b.log").read_bytes())
    assert (counts.read, counts.access, counts.other) == (20, 2, 18)
    assert ours(counts)[-1] == {"10.150.108.64": [2, 0, 1230]}
    moments = [datetime.fromtimestamp(at, UTC).isoformat() for at in (counts.first, counts.last)]
    assert moments[0].startswith("2022-07-07T07:42:11")


@pytest.mark.parametrize("name", ["combined", "main"])
@pytest.mark.parametrize("words", [{}, {"forwarded": True}, {"ignore_paths": ("/never",)}])
def test_wide_and_narrow_agree_with_the_plain_counter_on_hard_lines(name, words):
    assert ours(counter(name, **words).count(HARD)) == plain(HARD, name)


PARTS = st.sampled_from(
    [
        *HARD.splitlines(keepends=True),
        b'10.1.0.1 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 615 "-" "curl" "-"\n',
        b'10.1.0.1 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 615 "-" "curl"\n',
        b'10.2.0.1 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 500 61 "-" "curl" "-"\n',
        b'"',
        b'" "',
        b"\n",
        b" ",
        b"[",
        b"\x00",
        b"\r",
        b"\xff\xfe",
        b"clusterset-exporter/",
    ]
)


@settings(max_examples=examples(400))
@given(
    st.lists(PARTS, max_size=12).map(b"".join),
    st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=3)), max_size=4),
    st.sampled_from(["combined", "main"]),
    st.sampled_from([{}, {"forwarded": True}, {"ignore_paths": ("/never",)}]),
)
def test_damaged_blocks_are_counted_exactly(block, damage, name, words):
    for place, put in damage:
        block = block[:place] + put + block[place + 1 :]
    block += b"\n"
    # Only ASCII digits are digits, and time stamps hold no line feed: the plain one says so too.
    assert ours(counter(name, **words).count(block)) == plain(block, name)


@settings(max_examples=examples(100))
@given(st.lists(PARTS, max_size=12).map(b"".join), st.data())
def test_how_blocks_are_cut_changes_nothing(text, data):
    lines = (text + b"\n").split(b"\n")[:-1]
    whole = counter().count(text + b"\n")
    pieces, made = LogCounts(), counter()
    while lines:
        number = data.draw(st.integers(1, len(lines)))
        made.count(b"".join(line + b"\n" for line in lines[:number]), pieces)
        lines = lines[number:]
    assert ours(pieces) == ours(whole)


def test_ignored_paths_are_exact():
    line = b'10.1.0.1 - - [07/Jul/2022:07:42:11 +0000] "GET %s HTTP/1.1" 200 6 "-" "c" "-"\n'
    block = b"".join(line % path for path in (b"/healthz", b"/healthz?x=1", b"/healthzz", b"/x"))
    counts = counter(ignore_paths=("/healthz",)).count(block)
    assert (counts.access, counts.ignored) == (4, 2)
    assert ours(counts)[-1] == {"10.1.0.1": [2, 0, 12]}


def test_what_a_proxy_says_is_handed_on():
    seen = []

    def source_of(remote, forwarded):
        seen.append((remote, forwarded))
        return "x"

    Counter(compile_log("main", forwarded=True), source_of, nginx).count(HARD)
    assert ("2001:db8::7", "10.9.9.9, 10.8.8.8") in seen


def test_a_source_is_asked_for_once_until_it_is_forgotten():
    asked = []

    def source_of(remote, _):
        asked.append(remote)
        return "x"

    line = b'10.1.0.1 - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 6 "-" "c" "-"\n'
    made = Counter(compile_log("main"), source_of, nginx)
    for _ in range(3):
        made.count(line * 5)
    assert asked == ["10.1.0.1"]
    made.forget()
    assert made.count(line).clients == {Client(NGINX, "x"): Hits(requests=1, bytes=6)}
    assert asked == ["10.1.0.1"] * 2


def test_memory_for_addresses_is_bounded(monkeypatch):
    monkeypatch.setattr(count, "MAX_MEMO", 10)
    made, counts = counter(), LogCounts()
    line = '10.1.0.%d - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 6 "-" "c" "-"\n'
    for n in range(100):
        made.count((line % n).encode(), counts)
        assert len(made._memo) <= 10
        assert len(made._groups) <= 10
    assert len(counts.clients) == 100


def test_seconds_that_passed_take_no_memory(monkeypatch):
    monkeypatch.setattr(count, "MAX_PASSED", 10)
    monkeypatch.setattr(count, "MAX_SPANNED", 20)
    made, counts = Counter(compile_log("main", stamps=True), lambda *_: "x", nginx, floor), 0
    line = '10.1.0.%d - - [07/Jul/2022:07:%02d:%02d +0000] "GET / HTTP/1.1" 200 6 "-" "c" "-"\n'
    for n in range(300):
        block = "".join(line % (each, *divmod(n, 60)) for each in range(3)).encode()
        counts += len(made.count(block).clients)
        assert len(made._sums) <= 10
        assert len(made._memo) <= 20
    assert counts == 300


@pytest.mark.parametrize("form", ["main", 'at $remote_addr $status "$host" "$http_user_agent"'])
def test_probes_that_are_only_summed_are_the_same_probes(form):
    line = (
        '10.1.0.{} - - [07/Jul/2022:07:42:11 +0000] "GET / HTTP/1.1" 200 6 "-" "{}" "-"\n'
        if form == "main"
        else 'at 10.1.0.{} 200 "nginx" "{}"\n'
    )
    agents = ["curl", "clusterset-exporter/1 (x)", "clusterset-exporter/2", "kube-probe/1", "-"]
    block = "".join(line.format(n % 7, agents[n % 5]) for n in range(300)).encode()
    words = {"ignore_user_agents": IGNORED}

    def service_of(host):
        return None if host == "other" else (NGINX, False)

    each = Counter(compile_log(form, **words), by_address, service_of).count(block)
    summed = Counter(compile_log(form, **words), by_address, service_of, sum_probes=True).count(
        block
    )
    assert summed.probes == []
    assert summed.probe_sums == Tally((p.service, p.pinned, p.source) for p in each.probes)
    assert summed.probe_sums.total() == 120
    assert (summed.clients, summed.ignored) == (each.clients, each.ignored)


def test_memory_for_sums_of_probes_is_bounded(monkeypatch):
    monkeypatch.setattr(special_lines, "MAX_MEMO", 10)
    log = compile_log('at $remote_addr $status "$host" "$http_user_agent"')
    made = Counter(log, by_address, lambda host: (ServiceName("a", host), False), sum_probes=True)
    counts, hosts = LogCounts(), [f"host-{n}" for n in range(50)] * 2
    for host in hosts:
        made.count(f'at 10.1.0.1 200 "{host}" "clusterset-exporter/1 (x)"\n'.encode() * 3, counts)
        assert len(made._special._sums) <= 10
        assert len(made._special._tallies) <= 10
    told = {(ServiceName("a", host), False, "10.1.0.1"): 6 for host in hosts}
    assert counts.probe_sums == told


@pytest.mark.parametrize(
    ("stamp", "unix"),
    [
        (b"07/Jul/2022:07:42:11 +0000", 1657179731.0),
        (b"07/Jul/2022:09:42:11 +0200", 1657179731.0),
        (b"07/Jul/2022:03:12:11 -0430", 1657179731.0),
        (b"07/Zzz/2022:07:42:11 +0000", None),
        (b"xx", None),
        (b"99/Jul/2022:07:42:11 +00x0", None),
    ],
)
def test_time(stamp, unix):
    assert parse_time(stamp) == unix
