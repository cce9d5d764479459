"""Yesterday's logs: the command as it is typed, and what it prints."""

import gzip
import json
import os
import pty
import random
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.accesslog.readers.past import BLOCK, file_parts
from exporter.cli.main import cli
from exporter.cli.progress import progress
from exporter.commands.analyze import report as report_module
from exporter.commands.analyze.count import LogCounter
from tests.fakes.files import INVENTORY, line

SCENE = Path(__file__).parents[1] / "data" / "scene-cluster-b.log"
TWO = """\
clusters:
  - {id: k8s-node4, pod_cidrs: [%s]}
  - {id: k8s-node5, pod_cidrs: [%s]}
"""


@pytest.fixture
def inventory(tmp_path):
    path = tmp_path / "inventory.yaml"
    path.write_text(INVENTORY)
    return path


def call(inventory, *arguments, cluster="east", service="nginx-test/nginx", data=None):
    named = [] if service is None else ["--service", service]
    command = ["analyze", "--inventory", str(inventory), "--cluster", cluster, *named]
    return CliRunner().invoke(cli, [*command, *map(str, arguments)], input=data)


def report(*arguments, **words):
    done = call(*arguments, "--json", **words)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("first", "second", "source", "locality"),
    [
        ("10.1.0.0/16", "10.150.0.0/16", "k8s-node5", "local"),
        ("10.150.0.0/16", "10.1.0.0/16", "k8s-node4", "remote"),
        ("10.1.0.0/16", "10.2.0.0/16", "external", "external"),
    ],
)
def test_the_scene(tmp_path, first, second, source, locality):
    path = tmp_path / "i.yaml"
    path.write_text(TWO % (first, second))
    assert report(path, "--format", "main", SCENE, cluster="k8s-node5") == {
        "lines": {"read": 20, "access": 2, "other": 18, "ignored": 0, "truncated": 0},
        "from": "2022-07-07T07:42:11+00:00",
        "to": "2022-07-07T07:42:14+00:00",
        "services": [
            {
                "destination_service_namespace": "nginx-test",
                "destination_service_name": "nginx",
                "destination_cluster": "k8s-node5",
                "sources": [
                    {
                        "source_cluster": source,
                        "requests": 2,
                        "failures": 0,
                        "bytes": 1230,
                        "probes": 0,
                        "locality": locality,
                    }
                ],
            }
        ],
    }


def test_several_files_packed_ones_and_standard_input(tmp_path, inventory):
    (tmp_path / "a.log").write_text(line("10.1.0.1") * 3)
    (tmp_path / "b.gz").write_bytes(gzip.compress(line("10.2.0.1", status=503).encode() * 4))
    made = report(
        inventory, tmp_path / "a.log", "-", tmp_path / "b.gz", data=line("192.0.2.1", end="")
    )
    assert made["lines"]["access"] == 8
    assert [
        (each["source_cluster"], each["requests"], each["failures"], each["locality"])
        for each in made["services"][0]["sources"]
    ] == [("east", 3, 0, "local"), ("external", 1, 0, "external"), ("west", 4, 4, "exported")]


def test_a_cluster_that_exports_the_service_too_is_exported_and_any_other_is_remote(tmp_path):
    text = INVENTORY.replace("services:", "  - {id: north, pod_cidrs: [10.3.0.0/16]}\nservices:")
    (tmp_path / "i.yaml").write_text(text)
    clients = ("10.1.0.1", "10.2.0.1", "10.3.0.1", "192.0.2.1", "-")
    (tmp_path / "log").write_text("".join(map(line, clients)))
    made = report(tmp_path / "i.yaml", tmp_path / "log")
    found = {each["source_cluster"]: each["locality"] for each in made["services"][0]["sources"]}
    assert found == {
        "east": "local",
        "west": "exported",
        "north": "remote",
        "external": "external",
        "unknown": "unknown",
    }


def test_a_service_that_the_inventory_does_not_know_is_exported_by_nobody(tmp_path, inventory):
    (tmp_path / "log").write_text(line("10.2.0.1"))
    made = report(inventory, tmp_path / "log", service="shop/cart")
    assert made["services"][0]["sources"][0]["locality"] == "remote"
    why = f"shop/cart is not in {inventory}, so nobody is taken to export it"
    assert made["hints"] == [f"{why}; known are nginx-test/nginx"]
    done = call(inventory, tmp_path / "log", service="shop/cart")
    assert f"clusterset-exporter: {why}" in done.stderr
    assert "hints" not in report(inventory, tmp_path / "log", service="nginx-test/nginx")


def test_probes_and_health_checks_are_no_clients(tmp_path, inventory):
    probe = "clusterset-exporter/0.1.0 (cluster=west; service=nginx-test/nginx; id=1-a)"
    text = line("10.2.0.1", agent=probe) + line("10.1.0.1", agent="kube-probe/1.29")
    (tmp_path / "log").write_text(text + "torn\n")
    made = report(inventory, tmp_path / "log")
    assert made["lines"] == {"read": 3, "access": 2, "other": 1, "ignored": 1, "truncated": 0}
    (source,) = made["services"][0]["sources"]
    assert (source["source_cluster"], source["requests"], source["probes"]) == ("west", 0, 1)


def test_the_only_service_need_not_be_named(tmp_path, inventory):
    (tmp_path / "log").write_text(line("10.1.0.1"))
    made = report(inventory, tmp_path / "log", service=None)
    assert made["services"][0]["destination_service_name"] == "nginx"


def test_a_log_with_nothing_in_it_is_well(tmp_path, inventory):
    (tmp_path / "log").touch()
    made = report(inventory, tmp_path / "log")
    assert (made["from"], made["to"], made["services"][0]["sources"]) == (None, None, [])


def test_a_line_that_is_too_long_is_counted(tmp_path, inventory):
    (tmp_path / "log").write_text(line("10.1.0.1") + "x" * 400_000 + "\n" + line("10.1.0.1"))
    lines = report(inventory, tmp_path / "log")["lines"]
    assert lines == {"read": 3, "access": 2, "other": 0, "ignored": 0, "truncated": 1}


def test_the_table_is_for_a_person(tmp_path, inventory):
    (tmp_path / "log").write_text(line("10.1.0.1") * 3 + line("10.2.0.1") + "other\n")
    done = call(inventory, tmp_path / "log")
    assert done.exit_code == 0
    for words in ("nginx-test/nginx, served by east", "75.0%", "25.0%", "west", "exported"):
        assert words in done.stdout
    assert "lines: 5 read, 4 access, 1 other, 0 ignored, 0 truncated" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words", "told"),
    [
        (["none.log"], {}, "none.log: no such file or directory"),
        (["x"], {"service": "nginx"}, "--service nginx: should be namespace/name"),
        (["x"], {"cluster": "north"}, "inventory.yaml: clusters: has no north"),
    ],
)
def test_mistakes_are_one_line(tmp_path, inventory, monkeypatch, arguments, words, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").touch()
    done = call(inventory, *arguments, **words)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr


def test_without_a_service_it_says_which_there_are(tmp_path):
    (tmp_path / "i.yaml").write_text(TWO % ("10.1.0.0/16", "10.2.0.0/16"))
    (tmp_path / "x").touch()
    done = call(tmp_path / "i.yaml", tmp_path / "x", cluster="k8s-node4", service=None)
    assert done.exit_code == 2
    assert "--service is missing" in done.stderr


def test_a_bar_shows_on_a_terminal_when_it_takes_long(tmp_path, inventory):
    """On a real terminal, with the patience of a second taken away."""
    (tmp_path / "log").write_text(line("10.1.0.1") * 50_000)
    code = (
        "import sys; from exporter.cli import progress; progress.BAR_AFTER = 0.0; "
        "from exporter.cli.main import main; main()"
    )
    master, slave = pty.openpty()
    arguments = ["analyze", "--inventory", inventory, "--cluster", "east", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, tmp_path / "log"],
        stdout=subprocess.PIPE,
        stderr=slave,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(slave)
    out, _ = process.communicate(timeout=60)
    shown = os.read(master, 65536).decode()
    os.close(master)
    assert process.returncode == 0
    assert "reading" in shown
    assert json.loads(out)["lines"]["access"] == 50_000


def test_without_a_terminal_there_is_none():
    with progress(["x"]) as read:
        assert read(1) is None


def at(minute, address, *, second=0, status=200, agent="curl"):
    return (
        f"{address} - - [07/Jul/2022:07:{minute:02}:{second:02} +0000] "
        f'"GET / HTTP/1.1" {status} 10 "-" "{agent}" "-"\n'
    )


@pytest.fixture
def two(tmp_path):
    """Logs of two clusters: east's clients moved to west at 07:10, and back at 07:20."""
    here = [at(m, "10.1.0.1") for m in range(10)] + [at(m, "10.1.0.1") for m in range(20, 30)]
    there = [at(m, "10.2.0.1", second=5) for m in range(30)]
    there += [at(m, "10.1.0.1", second=9, status=503) for m in range(10, 20)]
    (tmp_path / "east.log").write_text("".join(here))
    (tmp_path / "west.log").write_text(
        "".join(sorted(there, key=lambda row: row[row.index("[") :]))
    )
    return [f"--cluster=east={tmp_path}/east.log", f"--cluster=west={tmp_path}/west*.log"]


def several(inventory, *arguments, **options):
    command = ["analyze", "--inventory", str(inventory), *arguments]
    return CliRunner().invoke(cli, command, **options)


def test_logs_of_several_clusters_give_the_matrix_and_the_moves(inventory, two):
    done = several(inventory, *two, "--json")
    made = json.loads(done.stdout)
    assert {
        (each["source_cluster"], service["destination_cluster"]): each["requests"]
        for service in made["services"]
        for each in service["sources"]
    } == {("east", "east"): 20, ("east", "west"): 10, ("west", "west"): 30}
    assert [
        (each["at"], each["source_cluster"], each["from_cluster"], each["to_cluster"], each["sure"])
        for each in made["failovers"]
    ] == [
        ("2022-07-07T07:10:00+00:00", "east", "east", "west", True),
        ("2022-07-07T07:20:00+00:00", "east", "west", "east", True),
    ]
    assert "course" not in made


def test_for_a_person(inventory, two):
    done = several(inventory, *two, "--every", "15m")
    assert done.exit_code == 0
    assert "20 (66.7%)" in done.stdout
    assert "10 (33.3%)" in done.stdout
    assert "requests by source (rows)" in done.stdout
    assert "clients of east were served by west instead of east" in several(inventory, *two).stdout


def test_their_course_over_time(inventory, two):
    made = json.loads(several(inventory, *two, "--every", "15m", "--json").stdout)
    assert [
        (each["at"][11:16], each["source_cluster"], each["destination_cluster"], each["requests"])
        for each in made["course"]
    ] == [
        ("07:00", "east", "east", 10),
        ("07:00", "east", "west", 5),
        ("07:00", "west", "west", 15),
        ("07:15", "east", "east", 10),
        ("07:15", "east", "west", 5),
        ("07:15", "west", "west", 15),
    ]


def test_nothing_is_cut_off_on_a_narrow_terminal(inventory, two):
    shown = several(inventory, *two, "--every", "15m", env={"COLUMNS": "80"}).stdout
    assert "…" not in shown
    assert "2022-07-07T0" in shown


def test_a_span_of_time(inventory, two):
    span = ["--since", "2022-07-07T07:10:00", "--until", "2022-07-07T10:20:00+03:00"]
    made = json.loads(several(inventory, *two, *span, "--json").stdout)
    assert (
        sum(each["requests"] for service in made["services"] for each in service["sources"]) == 20
    )
    assert made["lines"]["foreign"] == 40


def test_a_move_where_a_log_begins_is_not_sure(tmp_path, inventory):
    (tmp_path / "east.log").write_text("".join(at(m, "10.1.0.1") for m in range(5)))
    (tmp_path / "west.log").write_text("".join(at(m, "10.1.0.1") for m in range(5, 9)))
    logs = [f"--cluster={id_}={tmp_path}/{id_}.log" for id_ in ("east", "west")]
    (move,) = json.loads(several(inventory, *logs, "--json").stdout)["failovers"]
    assert move["sure"] is False
    assert "(where its log begins)" in several(inventory, *logs).stdout


def test_turns_are_no_move(tmp_path, inventory):
    for id_, number in (("east", 2), ("west", 2)):
        lines = [at(m, "10.1.0.1", second=s) for m in range(5) for s in range(number)]
        (tmp_path / f"{id_}.log").write_text("".join(lines))
    logs = [f"--cluster={id_}={tmp_path}/{id_}.log" for id_ in ("east", "west")]
    assert json.loads(several(inventory, *logs, "--json").stdout)["failovers"] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--cluster=east", "--cluster=west"], "name each file as --cluster ID=FILE"),
        (["--cluster=east=a", "b"], "name each file as --cluster ID=FILE"),
        (["--cluster=east"], "FILE is missing; name the access logs, - for standard input"),
        (["--cluster=east", "--since=now", "x"], "--since: 'now' is not a time; write 2026-"),
        (["--cluster=east", "--every=often", "x"], "--every: 'often' is not a duration"),
        (["--cluster=east", "--format=mian", "x"], "--format: 'mian' is no format"),
        (
            ["--cluster=east", "--format=$remote_addr $status", "--every=1m", "x"],
            "--format: has no $time_local",
        ),
        (["--cluster=east", "--nginx-conf=none.conf", "x"], "none.conf: No such file"),
    ],
)
def test_more_mistakes(inventory, arguments, told):
    done = several(inventory, "--service=a/b", *arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr


def test_the_host_tells_the_service(tmp_path, inventory):
    (tmp_path / "nginx.conf").write_text(
        "http { log_format timed '$remote_addr $status $body_bytes_sent $host'; }\n"
    )
    (tmp_path / "log").write_text(
        "10.1.0.1 200 5 cart.shop.svc.clusterset.local\n"
        "10.2.0.1 200 5 east.nginx.nginx-test.svc.clusterset.local\n"
        "10.2.0.1 200 5 example.com\n"
    )
    done = call(
        inventory, "--nginx-conf", tmp_path / "nginx.conf", "--json", tmp_path / "log", service=None
    )
    made = json.loads(done.stdout)
    assert [
        (each["destination_service_name"], each["sources"][0]["source_cluster"])
        for each in made["services"]
    ] == [("nginx", "west"), ("cart", "east")]
    assert made["lines"]["foreign"] == 1


def test_containers_logs(tmp_path, inventory):
    text = line("10.1.0.1", end="")
    head = "2022-07-07T07:42:11.1Z stdout"
    (tmp_path / "log").write_text(f"{head} P {text[:20]}\n{head} F {text[20:]}\n{head} F other\n")
    made = report(inventory, "--wrapper", "cri", tmp_path / "log")
    assert made["lines"]["access"] == made["lines"]["other"] == 1


@pytest.fixture
def large(tmp_path, monkeypatch):
    """Return three logs, one of which is cut into several parts."""
    monkeypatch.setattr(report_module, "file_parts", partial(file_parts, size=BLOCK))
    chance, names = random.Random(3), []
    for number, name in enumerate(["a.log", "b.log", "c.log.gz"]):
        rows = []
        for n in range(6000 if number == 0 else 700):
            agent = "curl" if n % 9 else f"clusterset-exporter/1 (x={n})"
            clock = f"{7 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}"
            address = f"10.{chance.randrange(1, 4)}.{chance.randrange(99)}.{n % 250}"
            rows.append(
                f"{address} - - [07/Jul/2022:{clock} +0000] "
                f'"GET /{"x" * (n % 50)} HTTP/1.1" {chance.choice((200, 404, 503))} {n} "-" '
                f'"{agent}" "-"\n'
                if n % 100
                else f"notice {n}\n"
            )
        text = "".join(rows).encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        names.append(tmp_path / name)
    return names


@pytest.mark.parametrize("flags", [[], ["--every", "1m", "--since", "2022-07-07T07:10:00"]])
def test_several_jobs_print_what_one_prints(inventory, large, flags):
    one, three = (
        call(inventory, "--format", "main", "--json", "--jobs", n, *flags, *large) for n in (1, 3)
    )
    assert one.exit_code == three.exit_code == 0
    assert one.stdout == three.stdout
    assert json.loads(one.stdout)["lines"]["read"] == 7400
    assert len(file_parts(str(large[0]), size=BLOCK)) > 4


def test_a_file_that_one_of_several_jobs_cannot_read_is_told(inventory, large, tmp_path):
    (tmp_path / "bad.gz").write_bytes(gzip.compress(b"x" * 5000)[:-5])
    done = call(inventory, "--jobs", 2, *large, tmp_path / "bad.gz", tmp_path / "none")
    assert done.exit_code == 2
    assert "bad.gz: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_that_is_killed_is_told(inventory, large, monkeypatch):
    monkeypatch.setattr(LogCounter, "count", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    done = call(inventory, "--jobs", 2, *large)
    assert done.exit_code == 2
    assert "a process that counts was killed" in done.stderr
    assert "--jobs 1" in done.stderr


def test_jobs_end_with_the_process_that_began_them():
    script = (
        "import os, sys, time\n"
        "from exporter.commands.analyze import jobs\n"
        "class Waits:\n"
        "    def count(self, cluster, part, read):\n"
        "        print(os.getpid(), flush=True)\n"
        "        time.sleep(600)\n"
        "list(jobs.count_all([('x', 1), ('y', 2)], 2, print, Waits))\n"
    )
    first = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with first:
        workers = [int(first.stdout.readline()) for _ in range(2)]
        first.kill()
        # The pipe is open for as long as one of them is there.
        assert first.stdout.read() == ""
    assert len(set(workers)) == 2
