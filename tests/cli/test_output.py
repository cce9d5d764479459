"""Output on a narrow terminal, into a pipe that closes, to a full disk; Ctrl-C at once."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from exporter.cli import words
from exporter.cli.errors import UsageMistakeError
from exporter.cli.tables import print_report
from exporter.commands.check import text
from exporter.commands.check.watch import Change, finding_change
from exporter.judge.report import Level
from exporter.web.app import PAGES

PROGRAM = [sys.executable, "-m", "exporter"]


def name(n):
    return f"production-europe-west-{n:02}-blue-cluster"


def report(clusters):
    def source(n):
        counts = {"requests": 123_456 * n, "failures": n, "bytes": 10**9, "probes": 7}
        return {"source_cluster": name(n), "locality": "exported", **counts}

    move = {"at": "2026-11-28T10:00:00+00:00", "sure": True, "source_cluster": name(1)}
    return {
        "lines": {"read": 12_345_678, "access": 12_345_678, "other": 0, "ignored": 0},
        "from": "2026-11-28T10:00:00+00:00",
        "to": "2026-11-28T11:00:00+00:00",
        "services": [
            {
                "destination_service_namespace": "shop-of-the-whole-world",
                "destination_service_name": "checkout-payment-service",
                "destination_cluster": name(to),
                "sources": [source(n) for n in range(1, clusters + 1)],
            }
            for to in range(1, clusters + 1)
        ],
        "failovers": [move | {"from_cluster": name(1), "to_cluster": name(2)}],
    }


@pytest.mark.parametrize("clusters", [1, 2, 5, 10])
@pytest.mark.parametrize("columns", [40, 80, 300])
def test_no_word_is_cut_and_moves_come_first(capsys, monkeypatch, clusters, columns):
    # A dumb terminal has 80 columns for rich, whatever COLUMNS says.
    for variable, value in (("COLUMNS", columns), ("TTY_COMPATIBLE", 1), ("TERM", "xterm")):
        monkeypatch.setenv(variable, str(value))
    print_report(report(clusters))
    printed = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    lines = printed.splitlines()
    assert max(map(len, lines)) <= max(columns, len(name(1)) + 12)
    assert printed.split()[:3] == ["from", "2026-11-28T10:00:00+00:00", "on,"]
    told = printed.split()
    for n in range(1, clusters + 1):
        assert any(name(n) in each for each in told)
        assert any(f"{123_456 * n:,}" in each for each in told)
    assert "…" not in printed


def test_a_small_matrix_is_one(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    print_report(report(2))
    assert "requests by source (rows)" in capsys.readouterr().out


class Finding:
    level, about = Level.WARN, "submariner-lighthouse-coredns"
    text = "answers " + "production-europe-west-01-blue-cluster " * 4


class Looked:
    findings, verdict = (Finding,), "served by the cluster that is right " * 5


@pytest.mark.parametrize("columns", [20, 50, 80])
def test_findings_are_broken_between_words(columns):
    made = text.as_text(Looked, columns)
    assert made.split() == text.as_text(Looked).split()
    assert max(map(len, made.splitlines())) <= max(columns, 45)


def run(*arguments, **streams):
    return subprocess.run(
        [*PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, check=False, **streams
    )


@pytest.mark.parametrize("arguments", [["config", "schema"], ["--help"]])
def test_a_full_disk_is_one_line(arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = run(*arguments, stdout=full)
    told = "clusterset-exporter: standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_a_closed_pipe_is_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    done = run("config", "schema", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("module", ["exporter.cli.main", "exporter.cli.check", "asyncio"])
def test_ctrl_c_while_modules_are_loaded(module):
    code = f"""
import os, signal, sys
class Interrupts:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupts())
from exporter.__main__ import main
sys.argv = ["clusterset-exporter", "check", "shop/cart"]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


def test_a_duration_is_a_time_so_long_ago():
    assert words.unix_time("--since", "1h") == pytest.approx(time.time() - 3600, abs=60)
    at = datetime(2026, 11, 28, 10, tzinfo=UTC).timestamp()
    assert words.unix_time("--since", "2026-11-28T10:00:00") == at
    with pytest.raises(UsageMistakeError, match=r"not a time; write .* or a duration such as 1h"):
        words.unix_time("--since", "yesterday")


@pytest.mark.parametrize("path", ["metrics", "", "/a b", "/a?b", "/{x}", *PAGES])
def test_a_path_of_the_metrics_that_cannot_be(path):
    with pytest.raises(UsageMistakeError, match="write for example /metrics"):
        words.telemetry_path("--web.telemetry-path", path, PAGES)
    assert words.telemetry_path("", "/metrics", PAGES) == "/metrics"


def test_a_change_as_a_line_of_json():
    change = finding_change(Level.WARN, "gateway", "is not\nconnected")
    made = json.loads(change.json())
    assert change.json().count("\n") == 0
    assert made.pop("at").endswith("Z")
    told = {"level": "warn", "about": "gateway", "text": "is not\nconnected"}
    assert made == {"kind": "finding", **told}
    at = datetime(2026, 11, 28, 10, 0, 1, 2000, tzinfo=UTC)
    assert Change(kind="move", text="moved", values={}, at=at).line() == "10:00:01.002 moved"
