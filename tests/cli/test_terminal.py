"""`check` and `analyze` on a real terminal of 80 columns, and where their output ends."""

import os
import subprocess
import sys
import time

import pytest

from tests.fakes.files import line
from tests.fakes.terminal import STARTED, Terminal

CLUSTERS = [f"production-europe-west-{n:02}-blue-cluster" for n in range(1, 6)]
SERVICE = "shop-of-the-whole-world/checkout-payment-service"
COLUMNS = 80
CTRL_C, INTERRUPTED = b"\x03", 130


@pytest.fixture
def files(tmp_path):
    """Return the arguments of both commands, with five clusters of long names."""
    exports = "".join(
        f"      - {{cluster: {each}, addresses: [127.0.1.{n}]}}\n"
        for n, each in enumerate(CLUSTERS, 1)
    )
    namespace, name = SERVICE.split("/")
    (tmp_path / "inventory.yaml").write_text(
        "clusters:\n"
        + "".join(
            f"  - {{id: {each}, pod_cidrs: [10.{n}.0.0/16]}}\n"
            for n, each in enumerate(CLUSTERS, 1)
        )
        + f"services:\n  - namespace: {namespace}\n    name: {name}\n"
        + f"    ports: [{{name: http, port: 1}}]\n    exports:\n{exports}"
    )
    (tmp_path / "config.yaml").write_text(
        f"cluster: {CLUSTERS[0]}\ninventory: {{static: inventory.yaml}}\n"
        'probe: {timeout: 1s, resolvers: ["127.0.0.1:1"]}\n'
    )
    log = tmp_path / "access.log"
    log.write_text("".join(line(f"10.{n}.0.7") * n for n in range(1, 6)))
    analyze = ["analyze", "--inventory", tmp_path / "inventory.yaml", "--service", SERVICE]
    served = [f"--cluster={each}={log}" for each in CLUSTERS]
    return {
        "check": ["check", "--config.file", tmp_path / "config.yaml", SERVICE],
        "analyze": [*analyze, "--cluster", CLUSTERS[0], log],
        "analyze several": [*analyze, *served],
        "check --watch": ["check", "--config.file", tmp_path / "config.yaml", "--watch", SERVICE],
        "check --watch --json": [
            *["check", "--config.file", tmp_path / "config.yaml"],
            *["--watch", "--json", SERVICE],
        ],
        "analyze stdin": [*analyze, "--cluster", CLUSTERS[0], "-"],
    }


@pytest.mark.parametrize("command", ["check", "analyze", "analyze several"])
def test_nothing_is_cut_or_folded_within_a_word(files, command):
    terminal = Terminal(*files[command], columns=COLUMNS, stderr=subprocess.DEVNULL)
    code, printed = terminal.end()
    assert code == (command == "check")
    lines = printed.splitlines()
    # A word that is longer than the terminal stands alone, or after what its row begins with.
    wide = [each for each in lines if len(each) > COLUMNS]
    assert [each for each in wide if each[6:].count(" ")] == []
    words = printed.replace("│", " ").replace("┃", " ").split()
    names = CLUSTERS if command != "check" else [f"{CLUSTERS[0]}"]
    assert [each for each in [SERVICE, *names] if not any(each in word for word in words)] == []
    assert "…" not in printed
    if command == "check":  # it has no tables, so its words are those of a pipe in their order
        piped = run(*files[command], stdout=subprocess.PIPE).stdout
        assert [shape(word) for word in words] == [shape(word) for word in piped.split()]


def shape(word):
    """Return *word* without what differs from run to run: durations."""
    return "".join("0" if each.isdigit() else each for each in word).replace("00", "0")


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.3, 0.45])
@pytest.mark.parametrize("command", ["check --watch", "check --watch --json", "analyze stdin"])
def test_ctrl_c_in_the_first_half_second(files, command, after):
    terminal = Terminal(*files[command])
    terminal.wait_for(STARTED)
    # Whatever the program does by then, it ends the same way.
    time.sleep(after)
    terminal.type(CTRL_C)
    code, printed = terminal.end()
    assert (code, "Traceback" in printed) == (INTERRUPTED, False), printed


def run(*arguments, **streams):
    return subprocess.run(
        [sys.executable, "-m", "exporter", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **streams,
    )


@pytest.mark.parametrize("command", ["check", "analyze", "analyze several"])
def test_a_closed_pipe_is_quiet(files, command):
    reader, writer = os.pipe()
    os.close(reader)
    done = run(*files[command], stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("command", ["check", "analyze", "analyze several"])
def test_a_full_disk_is_one_line(files, command):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = run(*files[command], stdout=full)
    told = "clusterset-exporter: standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)
