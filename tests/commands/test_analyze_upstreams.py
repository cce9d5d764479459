"""Where the gateways of the past sent requests, as `analyze` tells it."""

import json
import random
import re
from functools import partial

import pytest
from click.testing import CliRunner

from exporter.accesslog.counter import Counter
from exporter.accesslog.formats.compile import compile_log
from exporter.accesslog.readers.past import BLOCK, file_parts
from exporter.cli.main import cli
from exporter.cli.tables import print_report
from exporter.commands.analyze import report as report_module
from exporter.commands.analyze.count import AnalyzeRequest, LogCounter
from exporter.judge.past import past_locality
from exporter.model.clusterset import EXTERNAL, UNKNOWN, VTEP
from tests.accesslog.test_upstreams import DATA, TRUTH
from tests.gateways.upstreams import DEAD, EAST, NAME, WEST

CLUSTERS = """\
clusters:
  - {id: east, pod_cidrs: [10.1.0.0/16]}
  - {id: west, pod_cidrs: [10.2.0.0/16]}
  - {id: north, pod_cidrs: [10.3.0.0/16]}
services:
"""
CART = (
    CLUSTERS
    + f"""\
  - namespace: shop
    name: cart
    exports: [{{cluster: east, addresses: [{EAST}]}}, {{cluster: west, addresses: [{WEST}]}}]
"""
)
HOST = "cart.shop.svc.clusterset.local"
PLAIN = (
    '$remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" $host '
    "$request_time"
)
FORM = f"{PLAIN} [$upstream_addr] [$upstream_status]"


def line(upstream, statuses="200", *, client="192.0.2.7", host=HOST, agent="curl", minute=0):
    clock = f"07/Jul/2022:07:{minute:02}:11 +0000"
    asked = f'{client} [{clock}] "GET / HTTP/1.1" {statuses[-3:]} 10 "{agent}" {host}'
    return f"{asked} 0.010 [{upstream}] [{statuses}]\n"


@pytest.fixture
def inventory(tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(CART)
    return path


def call(inventory, *arguments, cluster="east", **options):
    named = [] if cluster is None else [f"--cluster={cluster}"]
    command = ["analyze", "--inventory", inventory, *named, *arguments]
    done = CliRunner().invoke(cli, list(map(str, command)), **options)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def report(*arguments, **words):
    return json.loads(call(*arguments, "--json", **words))


def sent(made):
    """Return requests, failures and locality by gateway and destination."""
    return {
        (each["source_cluster"], to["destination_cluster"]): (
            to["requests"],
            to["failures"],
            to["locality"],
        )
        for each in made["upstreams"]
        for to in each["destinations"]
    }


def test_a_real_gateway_sent_what_its_servers_say_they_were_asked(inventory):
    made = report(inventory, "--format", "ingress-nginx", DATA / f"{NAME}.log")
    places = {EAST: ("east", "local"), WEST: ("west", "exported"), DEAD: ("unknown", "unknown")}
    seen = {
        address: (each["requests"], each["failures"]) for address, each in TRUTH["servers"].items()
    }
    # Nobody listens there, so only the gateway knows of those tries.
    seen[DEAD] = (3, 3)
    assert sent(made) == {
        ("east", place): (*seen[address], locality) for address, (place, locality) in places.items()
    }
    assert [each["destination_service_name"] for each in made["upstreams"]] == ["cart"]


def test_what_is_told_of_clients_is_the_same_as_without(inventory, tmp_path):
    text = "".join(line("10.1.0.1:80, 10.2.0.1:80", "502, 200", minute=n) for n in range(9))
    (tmp_path / "log").write_text(text)
    (tmp_path / "blind").write_text(re.sub(r" \[[^]]*\] \[[^]]*\]\n", "\n", text))
    made = report(inventory, "--format", FORM, "--every", "1m", tmp_path / "log")
    blind = report(inventory, "--format", PLAIN, "--every", "1m", tmp_path / "blind")
    assert made.pop("upstreams")
    assert made == blind


@pytest.mark.parametrize(
    ("source", "destination", "locality"),
    [
        ("east", "east", "local"),
        ("east", "west", "exported"),
        ("north", "west", "remote"),
        ("east", EXTERNAL, "external"),
        ("east", UNKNOWN, "unknown"),
        ("east", VTEP, "unknown"),
        (EXTERNAL, "east", "external"),
    ],
)
def test_past_logs_know_no_readiness(source, destination, locality):
    assert past_locality(source, destination, frozenset({"east", "west"})) == locality


def test_what_no_gateway_sent_for_a_client_of_a_service_is_left_out(inventory, tmp_path):
    probe = "clusterset-exporter/0.1.0 (cluster=west; service=shop/cart; id=1-abc)"
    rows = [line("10.2.0.1:80"), line("10.3.0.1:80", agent=probe)]
    rows += [line("10.3.0.1:80", agent="kube-probe/1.34"), line("10.3.0.1:80", host="x.example")]
    rows += [line("-", "304"), "started\n"]
    (tmp_path / "log").write_text("".join(rows))
    made = report(inventory, "--format", FORM, tmp_path / "log")
    assert sent(made) == {("east", "west"): (1, 0, "exported")}


def test_only_the_wanted_time_counts(inventory, tmp_path):
    (tmp_path / "log").write_text("".join(line("10.2.0.1:80", minute=n) for n in range(20)))
    span = ["--since=2022-07-07T07:05:00", "--until=2022-07-07T07:08:00"]
    made = report(inventory, "--format", FORM, *span, tmp_path / "log")
    assert sent(made) == {("east", "west"): (3, 0, "exported")}


def test_gateways_of_several_clusters(inventory, tmp_path):
    (tmp_path / "east.log").write_text(line("10.1.0.1:80", "502") * 3)
    (tmp_path / "north.log").write_text(line("10.1.0.1:80, 10.2.0.1:80", "502, 200") * 3)
    logs = [f"--cluster={each}={tmp_path}/{each}.log" for each in ("east", "north")]
    made = report(inventory, "--format", FORM, *logs, cluster=None)
    assert sent(made) == {
        ("east", "east"): (3, 3, "local"),
        ("north", "east"): (3, 3, "remote"),
        ("north", "west"): (3, 0, "remote"),
    }


def test_a_log_that_tells_no_upstream_has_no_such_key(inventory, tmp_path):
    (tmp_path / "log").write_text(line("10.1.0.1:80").split(" [10.1")[0] + "\n")
    assert "upstreams" not in report(inventory, "--format", PLAIN, tmp_path / "log")
    assert "gateways" not in call(inventory, "--format", PLAIN, tmp_path / "log")


@pytest.mark.parametrize("form", ["main", "combined", "apache", "haproxy", "json-map"])
def test_a_format_without_upstream_is_read_as_if_nobody_asked(form):
    form = "{remote: a, status: s}" if form == "json-map" else form
    asked, plain = compile_log(form, upstream=True), compile_log(form)
    assert not asked.upstream
    assert (asked.block, asked.line, asked.order) == (plain.block, plain.line, plain.order)


def test_such_a_format_is_counted_by_what_knows_no_upstreams(inventory):
    request = AnalyzeRequest(inventory_file=inventory, logs={"east": ()}, form="main")
    made = LogCounter(request, {})._lines_of("east", "main", "none")
    assert type(made._counter) is Counter


@pytest.mark.parametrize("flags", [[], ["--every", "1m", "--since", "2022-07-07T07:10:00"]])
def test_several_jobs_print_what_one_prints(inventory, tmp_path, monkeypatch, flags):
    monkeypatch.setattr(report_module, "file_parts", partial(file_parts, size=BLOCK))
    chance, logs = random.Random(5), []
    for name, rows in (("a.log", 5000), ("b.log", 500)):
        servers = [f"10.{chance.randrange(1, 5)}.0.{n % 250}:80" for n in range(rows)]
        text = (
            line(f"{one}, {two}", "503, 200", minute=n // 90)
            for n, (one, two) in enumerate(zip(servers, reversed(servers), strict=True))
        )
        (tmp_path / name).write_text("".join(text))
        logs.append(tmp_path / name)
    one, three = (
        call(inventory, "--format", FORM, "--jobs", jobs, "--json", *flags, *logs)
        for jobs in (1, 3)
    )
    assert one == three
    assert len(file_parts(str(logs[0]), size=BLOCK)) > 4
    assert set(sent(json.loads(one))) == {
        ("east", each) for each in ("east", "west", "north", "external")
    }


@pytest.mark.parametrize("columns", [40, 80])
def test_they_are_a_section_of_its_own_and_no_word_is_cut(capsys, monkeypatch, columns):
    for variable, value in (("COLUMNS", columns), ("TTY_COMPATIBLE", 1), ("TERM", "xterm")):
        monkeypatch.setenv(variable, str(value))
    destination = {"destination_cluster": "west-2", "locality": "exported", "failures": 7}
    upstream = {
        "destination_service_namespace": "shop",
        "destination_service_name": "cart",
        "source_cluster": "east-1",
        "destinations": [destination | {"requests": 1_234_567}],
    }
    lines = {"read": 2_000_000}
    print_report({"lines": lines, "from": None, "services": [], "upstreams": [upstream]})
    shown = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert max(map(len, shown.splitlines())) <= columns
    words = re.sub(r"[│┃\s]+", " ", shown)
    assert "shop/cart: requests that gateways sent to servers, each try of a retry" in words
    for word in ("east-1", "west-2", "exported", "1,234,567", "100.0%", "7"):
        assert re.search(rf"(?<!\S){re.escape(word)}(?=[\s,]|$)", words), word
    assert words.rstrip().endswith("lines: 2,000,000 read")
