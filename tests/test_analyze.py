"""Yesterday's logs: the command as it is typed, and what it prints."""

import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter import analyze
from exporter.__main__ import cli
from tests.fakes.files import INVENTORY, line

SCENE = Path(__file__).parent / "data" / "scene-cluster-b.log"
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
    ] == [("east", 3, 0, "local"), ("external", 1, 0, "external"), ("west", 4, 4, "remote")]


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
    for words in ("nginx-test/nginx, served by east", "75.0%", "25.0%", "west", "remote"):
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
        "import sys; from exporter import analyze; analyze.PATIENCE = 0.0; "
        "from exporter.__main__ import main; main()"
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
    with analyze._progress(["x"]) as read:
        assert read(1) is None
