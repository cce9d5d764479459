"""Gateways that tried a second server: what they log, beside what the servers themselves saw."""

import json
import subprocess
from pathlib import Path

import pytest

from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.upstream_counter import UpstreamCounter
from tests.fakes.nouns import NGINX
from tests.fakes.tools import need
from tests.gateways.balancers import APPEND, BALANCERS, FORMS, HAPROXY, HEADER
from tests.gateways.record import DATA
from tests.gateways.upstreams import DEAD

DOCS = (Path(__file__).parents[2] / "docs" / "log-formats.md").read_text()
# Caddy answers itself if no server does, and its answer has no header of a server.
SILENT = {"caddy-header"}


def sent(name, text=None):
    """Return requests and failures by server, as the exporter counts them in *text* or its log."""
    text = (DATA / f"{name}.log").read_text() if text is None else text
    made = UpstreamCounter(
        compile_log(FORMS[name], upstream=True),
        lambda remote, _: remote,
        lambda _: (NGINX, False),
        lambda _, server: (NGINX, "here", server, False),
    )
    counts = made.count(text.encode())
    assert counts.other == 0
    return {
        client.destination: (hits.requests, hits.failures)
        for client, hits in counts.upstreams.items()
    }


def wanted(name, truth):
    """Return what the log should tell: the server that answered, and the last one if none did."""
    seen = {
        address: (each["requests"], each["failures"]) for address, each in truth["servers"].items()
    }
    # The third server was tried more often than the log tells.
    assert truth["retried"] > 3
    return seen | ({} if name in SILENT else {DEAD: (1, 1)})


@pytest.mark.parametrize("name", BALANCERS)
def test_the_server_that_answered_is_told_and_no_other(name):
    assert sent(name) == wanted(name, json.loads((DATA / f"{name}.json").read_text()))


AWK = r"""
match($0, /http:\/\/[0-9.]+/) {
  address = substr($0, RSTART + 7, RLENGTH - 7); split($0, part, /" /); split(part[2], number, / /)
  asked[address]++; failed[address] += number[1] >= 500
}
END { for (address in asked) print address, asked[address], failed[address] }
"""
JQ = """
map(select(.status > 0) | {{status, server: ({place} // "-" | sub(":[0-9]+$"; ""))}})
| map(select(.server != "-")) | group_by(.server)[]
| "\\(.[0].server) \\(length) \\(map(select(.status >= 500)) | length)"
"""
PLACES = {
    "caddy-header": '.resp_headers["X-Upstream"][0]',
    "caddy-append": ".upstream",
    "haproxy-json": ".upstream",
}


@pytest.mark.parametrize("name", BALANCERS)
def test_awk_and_jq_count_the_same(name):
    log = DATA / f"{name}.log"
    if name in PLACES:
        command = [need("jq"), "--slurp", "--raw-output", JQ.format(place=PLACES[name]), log]
    else:
        command = [need("mawk"), AWK, log]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout
    rows = [row.split() for row in told.splitlines()]
    assert sent(name) == {address: (int(asked), int(failed)) for address, asked, failed in rows}


@pytest.mark.parametrize("name", ["apache-balancer", "haproxy-json"])
def test_the_name_of_the_balancer_is_that_of_the_upstream(name):
    names = set()
    made = UpstreamCounter(
        compile_log(FORMS[name], upstream=True, by_upstream=True),
        lambda remote, _: remote,
        lambda named: names.add(named) or (NGINX, False),
        lambda named, server: (NGINX, named, server, False),
    )
    made.count((DATA / f"{name}.log").read_bytes())
    prefix = "balancer://" if name == "apache-balancer" else ""
    assert {f"{prefix}cart", f"{prefix}gone"} <= names


def test_of_a_header_with_several_values_the_first_counts():
    form = "{remote: a, status: s, upstream: h.X}"
    text = (
        '{"a":"10.1.0.1","s":200,"h":{"X":["10.2.0.1:80","10.3.0.1:80"]}}\n'
        '{"a":"10.1.0.1","s":200,"h":{"X":[]}}\n{"a":"10.1.0.1","s":200,"h":{"X":[7]}}\n'
    )
    made = UpstreamCounter(
        compile_log(form, upstream=True),
        lambda remote, _: remote,
        lambda _: (NGINX, False),
        lambda _, server: (NGINX, "here", server, False),
    )
    counts = made.count(text.encode())
    assert [client.destination for client in counts.upstreams] == ["10.2.0.1"]
    assert (counts.access, counts.other) == (3, 0)


@pytest.mark.parametrize("told", [HEADER, APPEND, HAPROXY, *FORMS.values()])
def test_the_page_says_how_each_is_switched_on(told):
    assert f"`{told}`" in DOCS or f"\n{told}\n" in DOCS
