"""Any line is data: it is counted as what it is, and never ends or stalls a reader."""

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.gateway_lines import WRITE
from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.line_times import MAX_PASSED, MAX_TIMES
from exporter.model.traffic import LogCounts
from tests.fakes.depth import examples
from tests.fakes.nouns import NGINX

STAMP = "07/Jul/2022:07:42:11 +0000"
GOOD = {
    "main": f'10.1.0.1 - - [{STAMP}] "GET / HTTP/1.1" 200 615 "-" "curl/7.69.1" "-"',
    "json": '{"remote_addr":"10.1.0.1","status":200,"body_bytes_sent":615,'
    '"time_iso8601":"2022-07-07T07:42:11+00:00","http_user_agent":"curl"}',
    'escape=json {"a":"$remote_addr","t":"$time_iso8601","u":"$http_user_agent","s":$status,'
    '"b":$body_bytes_sent}': '{"a":"10.1.0.1","t":"2022-07-07T07:42:11+00:00","u":"curl","s":200,'
    '"b":615}',
    "$remote_addr\t$time_local\t$request\t$status\t$body_bytes_sent": f"10.1.0.1\t{STAMP}\tGET /\t"
    "200\t615",
}
REQUEST = {"address": "10.1.0.1", "path": "/", "status": 200, "size": 615, "agent": "curl/8.5.0"}
REQUEST |= {"took": 0.003, "at": 1_657_179_731}
PRESET_LINES = {name: write(REQUEST) for name, write in WRITE.items() if name != "main"}
GOOD |= PRESET_LINES
FORMATS = list(GOOD)
WRAPPED = {
    "none": "{}",
    "cri": "2022-07-07T07:42:11.000000001Z stdout F {}",
    "docker": '{{"log":"{}\\n","stream":"stdout","time":"2022-07-07T07:42:11Z"}}',
}


def reader(form, wrapper="none", **words):
    counter = Counter(
        compile_log(form), lambda address, _: "east", lambda _: (NGINX, False), **words
    )
    return Lines(counter, wrapper)


def good(form, wrapper="none"):
    line = GOOD[form]
    if wrapper == "docker":
        line = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return WRAPPED[wrapper].format(line).encode() + b"\n"


HOSTILE = {
    "a byte that is no text": b'10.1.0.9 - - [x] "GET / HTTP/1.1" 200 1 "-" "\xff" "-"',
    "no text in JSON": b'{"remote_addr":"10.1.0.9","status":200,"http_user_agent":"\xff"}',
    "a size of 400 digits": f'10.1.0.9 - - [{STAMP}] "GET /" 200 {"9" * 400} "-" "c" "-"'.encode(),
    "deep JSON": b'{"remote_addr":' + b"[" * 20_000,
    "deep JSON elsewhere": b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "half a string": b'{"remote_addr":"\\ud800',
    "an integer of 5,000 digits": b'{"remote_addr":"10.1.0.9","status":' + b"9" * 5000 + b"}",
    "NUL bytes": b"\0" * 100,
    "a quote that never ends": b"10.1.0.9 - - [" + STAMP.encode() + b'] "' + b"x" * 1000,
}


@pytest.mark.parametrize("wrapper", WRAPPED)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_line_is_other_and_the_rest_of_its_block_is_exact(line, form, wrapper):
    whole = good(form, wrapper)
    counts = reader(form, wrapper).count("", whole * 3 + line + b"\n" + whole * 2)
    hits = sum(each.requests for each in counts.clients.values())
    assert (counts.read, counts.access, counts.other, hits) == (6, 5, 1, 5)
    assert sum(each.bytes for each in counts.clients.values()) == 5 * 615


@settings(max_examples=examples(200), deadline=None)
@given(
    st.sampled_from(FORMATS),
    st.sampled_from(list(WRAPPED)),
    st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"")), max_size=8),
)
def test_counting_never_raises_and_loses_no_line(form, wrapper, lines):
    block = b"".join(line + b"\n" for line in lines) + good(form, wrapper)
    counts = reader(form, wrapper).count("", block)
    assert counts.read + len(reader(form, wrapper).all_parts()) <= len(lines) + 1
    assert counts.access + counts.other == counts.read
    assert counts.read >= 1


def cost(lines, block):
    """Return the CPU seconds that counting *block* takes, the least of three tries."""
    best = float("inf")
    for _ in range(3):
        began = time.thread_time()
        lines.count("", block, LogCounts())
        best = min(best, time.thread_time() - began)
    return best


SLOW = {
    "line feeds": b"\n",
    "short lines": b"x\n",
    "addresses": b"1 - x\n",
    "torn quotes": b"10.1.0.9 - - [" + STAMP.encode() + b'] "x\n',
    "quotes": b'"\n',
    "spaces": b"                    \n",
    "braces": b'{"a":"\n',
    "brackets": b"10.1.0.9 - [ [ [ [ [ [ [ [\n",
    "probes": f'1.1.1.1 - - [{STAMP}] "GET" 200 1 "-" "clusterset-exporter/'.encode()
    + b'\xff" "-"\n',
    "wrapped halves": b"2022-07-07T07:42:11Z stdout F 10.1.0.9 - x\n",
}


@pytest.mark.parametrize("wrapper", WRAPPED)
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("piece", SLOW.values(), ids=SLOW)
def test_no_line_makes_counting_slow(piece, form, wrapper):
    """Four times the bytes may cost eight times the work; the square of it would be sixteen."""
    lines = reader(form, wrapper)
    size = 16_000
    small, large = (piece * (n // len(piece)) for n in (size, 4 * size))
    assert cost(lines, large) <= 8 * cost(lines, small) + 0.002


AGENT_PIECES = ('"', '" "', '" 1 "', "\\", '\\"', "1:", ", ", "[1]: ", "{|} ", " - [", "é", " ")


@pytest.mark.parametrize("form", WRITE)
@pytest.mark.parametrize("piece", AGENT_PIECES)
def test_no_user_agent_makes_a_line_slow(form, piece):
    """The same for one long line, as the server writes it of a user agent that somebody chose."""
    lines = reader(form)
    small, large = (
        WRITE[form](REQUEST | {"agent": piece * (size // len(piece))}).encode("latin-1") + b"\n"
        for size in (3_000, 12_000)
    )
    assert cost(lines, large * 4) <= 8 * cost(lines, small * 4) + 0.002
    counts = lines.count("", large)
    assert (counts.access, counts.other) == (1, 0)


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("main", '10.1.0.1 - {user} [{at}] "GET / HTTP/1.1" 200 1 "-" "c" "-"'),
        ("combined", '10.1.0.1 - {user} [{at}] "GET / HTTP/1.1" 200 1 "-" "c"'),
        (
            '$remote_addr $host $remote_user [$time_local] "$request" $status $body_bytes_sent',
            '10.1.0.1 nginx.example {user} [{at}] "GET / HTTP/1.1" 200 1',
        ),
    ],
    ids=["main", "combined", "verbatim"],
)
def test_a_user_name_may_hold_brackets_and_spaces(form, line):
    users = ("-", "alice", "a b", "[", "]", "a [b] c", f"x [{STAMP}] y")
    block = "".join(f"{line.format(user=user, at=STAMP)}\n" for user in users)
    counts = reader(form).count("", block.encode())
    assert (counts.access, counts.other) == (len(users), 0)
    assert {each.source for each in counts.clients} == {"east"}


TIMED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent $request_time'
)


def timed(second, spent):
    at = f"07/Jul/2022:07:42:{second:02} +0000"
    return f'10.1.0.1 - - [{at}] "GET /" 200 1 {spent}\n'.encode()


def spans(form, block):
    counter = Counter(
        compile_log(form, stamps=True),
        lambda *_: "east",
        lambda _: (NGINX, False),
        lambda at: at // 1,
        by_arrival=True,
    )
    counts = counter.count(block)
    return {
        client.at - 1_657_179_720: hits.requests for client, hits in counts.clients.items()
    }, counts


def test_a_long_request_counts_at_the_second_in_which_it_came():
    hits, counts = spans(TIMED, timed(30, "0.200") + timed(31, "20.500"))
    assert hits == {29: 1, 10: 1}
    # The block as a whole may have requests from then on.
    assert counts.first == 1_657_179_750 - 20.5


def test_lines_of_several_workers_have_the_true_first_and_last_time():
    block = timed(30, "0.001") + timed(5, "0.001") + timed(50, "0.001") + timed(40, "0.001")
    _, counts = spans(TIMED.removesuffix(" $request_time"), block.replace(b" 0.001", b""))
    assert counts.last - counts.first == 45


OBJECT = b'{"remote_addr":"10.1.0.1","status":200}'


@pytest.mark.parametrize("msec", ['"nan"', '"inf"', '"-inf"', '"1e999"', '"1e300"', "-1e300"])
def test_a_time_that_is_no_moment_is_none(msec):
    counter = Counter(compile_log("json"), lambda *_: "east", lambda _: (NGINX, False), math.floor)
    line = OBJECT[:-1] + f',"msec":{msec}}}\n'.encode()
    counts = counter.count(line)
    assert (counts.access, counts.foreign, counts.first) == (1, 1, None)


@pytest.mark.parametrize(
    "block", [OBJECT + OBJECT + b"\n\n", OBJECT * 2 + b"\n" + OBJECT[:-1] + b"\n}\n{\n"]
)
def test_two_objects_on_one_line_are_other(block):
    counts = reader("json").count("", block)
    assert (counts.access, counts.other) == (0, block.count(b"\n"))


def test_long_hosts_do_not_fill_the_memory():
    form = '$remote_addr $status "$host"'
    counter = Counter(compile_log(form), lambda *_: "east", lambda _: None)
    for number in range(100):
        counts = counter.count(b'10.1.0.1 200 "%d%s"\n' % (number, b"h" * 8000))
        assert counts.foreign == 1
    assert counter._memo == {}


def test_times_that_have_passed_do_not_fill_the_memory():
    counter = Counter(
        compile_log(TIMED, stamps=True), lambda *_: "east", lambda _: (NGINX, False), math.floor
    )
    for hour in range(3):
        stamps = (f"07/Jul/2022:{hour:02}:{n // 60:02}:{n % 60:02} +0000" for n in range(3600))
        lines = (
            f'10.1.0.1 - - [{stamp}] "GET /" 200 1 {n}.{hour}\n' for n, stamp in enumerate(stamps)
        )
        counts = counter.count("".join(lines).encode())
        assert counts.access == 3600
        times = counter._times
        assert len(times.spent) <= MAX_TIMES
        assert max(len(times._spans), len(times._stamps)) <= MAX_PASSED
