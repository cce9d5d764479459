"""
Each format in each wrapper, with truth counted by hand.

The same thirteen events in each file: 2 start-up lines, 1 line of the error log, and 10 requests,
of which one is a health check and one an exporter's probe. In the wrapped files two of the
requests are cut in parts, each with a line of the other stream in between.
"""

from pathlib import Path

import pytest

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.line_reader import Lines
from exporter.accesslog.readers.past import FilePart, read_blocks
from exporter.model.clusterset import ServiceName
from exporter.model.probes import LATENCIES
from exporter.model.traffic import LogCounts

GOLDEN = Path(__file__).parent.parent / "data" / "golden"
NGINX = ServiceName("nginx-test", "nginx")
FORMATS = {
    "combined": "combined",
    "main": "main",
    "timed": (
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" $request_time "$host"'
    ),
    "json": (
        'escape=json {"time":"$time_iso8601","client":"$remote_addr","request":"$request",'
        '"status":$status,"bytes":$body_bytes_sent,"agent":"$http_user_agent",'
        '"took":$request_time,"host":"$host"}'
    ),
}
# By address: requests, answers with 5xx, bytes.
TRUTH = {
    "10.150.108.64": (2, 0, 1230),
    "10.1.0.2": (1, 0, 10),
    "10.1.0.3": (2, 0, 157),
    "2001:db8::7": (1, 0, 0),
    "10.1.0.4": (1, 1, 157),
    "::ffff:10.1.0.7": (1, 0, 99),
}


@pytest.mark.parametrize("wrapping", ["none", "cri", "docker"])
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [1 << 17, 200], ids=["one block", "small blocks"])
def test_golden(name, wrapping, size, monkeypatch):
    monkeypatch.setattr("exporter.accesslog.readers.past.BLOCK", size)
    log = compile_log(FORMATS[name], ignore_user_agents=("kube-probe/",))
    counter = Counter(log, lambda remote, _: remote, lambda _: (NGINX, False))
    lines, counts = Lines(counter, wrapping), LogCounts()
    path = str(GOLDEN / f"{name}.{wrapping}.log")
    for block in read_blocks(FilePart(path), read=lambda _: None, cut=lambda: None):
        lines.count(path, block, counts)
    between = 0 if wrapping == "none" else 2
    assert (counts.read, counts.access, counts.other) == (13 + between, 10, 3 + between)
    assert (counts.ignored, len(counts.probes), counts.truncated) == (1, 1, 0)
    assert {
        client.source: (hits.requests, hits.failures, hits.bytes)
        for client, hits in counts.clients.items()
    } == TRUTH
    assert (counts.first, counts.last) == (1657179731.0, 1657179741.0)
    if name in {"timed", "json"}:
        durations = [
            sum(each) for each in zip(*(h.durations for h in counts.clients.values()), strict=False)
        ]
        by_hand = dict(zip([*LATENCIES, "more"], durations, strict=True))
        assert {bound: number for bound, number in by_hand.items() if number} == {
            0.001: 2,
            0.005: 1,
            0.025: 1,
            0.05: 1,
            0.25: 2,
            "more": 1,
        }
