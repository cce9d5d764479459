"""`drill` on the demo's clusterset: failovers that work, that do not, and that never come."""

import asyncio
import json
import re
import shlex
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.demo.clusterset import clusterset
from exporter.demo.layout import SERVICE, claim

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
IDS = ["k8s-node4", "k8s-node5"]


@asynccontextmanager
async def drilling(site, *arguments):
    """Run `drill`; it does not outlive the test."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "exporter", "drill"),
        *("--config.file", str(site.folder / "config.yaml"), str(SERVICE), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # A shell lets what it starts in the background ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def told(process, pattern):
    """Read what the operator is told until a line is as wanted; return the lines."""
    lines = []
    async with asyncio.timeout(60):
        while line := (await process.stderr.readline()).decode():
            lines.append(line)
            if re.search(pattern, line):
                return lines
    raise AssertionError(lines)


async def report(process):
    out, error = await process.communicate()
    assert "Traceback" not in error.decode()
    return process.returncode, json.loads(out)


@asynccontextmanager
async def scene(folder):
    with claim(IDS, folder) as sites:
        async with clusterset(sites, folder) as made:
            yield sites[0], made


def steps(found, kind):
    return [each["text"] for each in found["course"] if each["kind"] == kind]


async def test_a_cluster_goes_and_comes_back_by_hand(tmp_path):
    async with scene(tmp_path) as (here, made), drilling(here, "--json") as process:
        await told(process, "Take the cluster away now")
        await made.stop_backend(here)
        await told(process, "the name leads to k8s-node4, which")
        made.set_ready(here, ready=False)
        await told(process, "the move to k8s-node5 is confirmed")
        await made.start_backend(here)
        made.set_ready(here, ready=True)
        code, found = await report(process)
    assert (code, found["level"], found["findings"]) == (0, "ok", [])
    assert [(m["from_cluster"], m["to_cluster"], m["reason"]) for m in found["moves"]] == [
        ("k8s-node4", "k8s-node5", "readiness"),
        ("k8s-node5", "k8s-node4", "readiness"),
    ]
    away, back = (each["durations_seconds"] for each in found["moves"])
    # The name servers of the demo follow a second after the change.
    assert 0.5 < away["dns"] <= away["served"] < away["outage"]
    assert back["outage"] == 0
    assert found["outage_seconds"] == pytest.approx(away["outage"], abs=1)
    assert 0 < found["probes"]["failed"] < found["probes"]["total"]
    assert set(found["probes"]["failures"]) == {"connect_refused"}
    assert steps(found, "expected") == [
        "k8s-node4 serves; k8s-node5 would take over",
        "k8s-node5 should serve; k8s-node4 is not ready",
        "k8s-node4 should serve; k8s-node4 is ready",
    ]


def swap(here, tmp_path, made):
    """Return shell commands that take the cluster of *here* away, and that bring it back."""
    ready = here.inventory.read_text()
    made.set_ready(here, ready=False)
    away = here.inventory.read_text()
    made.set_ready(here, ready=True)
    for name, text in {"ready": ready, "away": away}.items():
        (tmp_path / name).write_text(text)
    live = shlex.quote(str(here.inventory))
    return [
        f"cp {shlex.quote(str(tmp_path / name))} {live}.tmp && mv {live}.tmp {live}"
        for name in ("away", "ready")
    ]


async def test_a_command_does_it(tmp_path):
    async with scene(tmp_path) as (here, made):
        away, back = swap(here, tmp_path, made)
        line = f"echo going; {away}; sleep 4; {back}"
        async with drilling(here, "--exec", line) as process:
            out, error = await process.communicate()
    text = out.decode()
    assert process.returncode == 0, text
    assert "going" in error.decode()
    assert "going" not in text.split("Course")[1]
    assert re.search(r"command, exit code 0 after \d+\.\d s:", text)
    assert re.search(r"k8s-node4 to k8s-node5: readiness changed\n    dns \d", text)
    assert text.rstrip().endswith("ok    The service was taken over, and is served as before.")
    # Paths of this test are longer than a line, and are words.
    assert [line for line in text.splitlines() if len(line) > 80 and " " in line.strip()] == []


async def test_a_failover_that_does_not_work(tmp_path):
    async with scene(tmp_path) as (here, made), drilling(here, "--json") as process:
        await told(process, "Take the cluster away now")
        await made.stop_backend(here)
        await told(process, "the name leads to k8s-node4, which")
        # Nobody tells the clusterset, so no name server follows.
        await asyncio.sleep(2)
        await made.start_backend(here)
        code, found = await report(process)
    assert (code, found["moves"]) == (1, [])
    assert found["outage_seconds"] > 1
    assert found["findings"][0] == "Nobody took over."
    assert re.match(r"k8s-node4 did not serve for \d\.\d s, and nobody", found["findings"][1])


async def test_nothing_happens(tmp_path):
    async with scene(tmp_path) as (here, _):
        async with drilling(here, "--json", "--timeout", "1s") as process:
            code, found = await report(process)
        async with drilling(here, "--exec", "true", "--timeout", "1s", "--json") as process:
            both = await report(process)
    assert (code, found["moves"], found["probes"]["failed"]) == (1, [], 0)
    (finding,) = found["findings"]
    assert finding.startswith("Nothing happened while the drill waited")
    assert (both[0], both[1]["command"]["exit_code"]) == (1, 0)


def is_running(pid):
    """Return whether a process runs; one that ended may still be in the table."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


async def test_a_command_that_fails_and_one_that_hangs_with_its_children(tmp_path):
    async with scene(tmp_path) as (here, _):
        async with drilling(here, "--exec", "exit 3", "--json") as process:
            failed = await report(process)
        pids = tmp_path / "pids"
        line = f"sleep 300 & echo $! $$ >{shlex.quote(str(pids))}; wait"
        async with drilling(here, "--exec", line, "--json", "--timeout", "1s") as process:
            hung = await report(process)
    assert failed[0] == 1
    assert failed[1]["findings"][0] == "The command failed with exit code 3."
    assert hung[0] == 1
    assert hung[1]["command"]["exit_code"] is None
    assert re.match(r"The command was stopped after \d\.\d s", hung[1]["findings"][0])
    assert [pid for pid in pids.read_text().split() if is_running(pid)] == []


async def test_interrupted_it_reports_what_it_saw(tmp_path):
    async with scene(tmp_path) as (here, made), drilling(here, "--json") as process:
        await told(process, "Take the cluster away now")
        made.set_ready(here, ready=False)
        await told(process, "the move to k8s-node5 is confirmed")
        process.send_signal(signal.SIGINT)
        code, found = await report(process)
    assert code == 1
    assert found["findings"] == [
        "When the drill was interrupted k8s-node4 was not back: it should not serve yet."
    ]


async def test_it_does_not_begin_where_nobody_would_take_over(tmp_path):
    async with scene(tmp_path) as (here, made):
        made.set_links(here, up=False)
        mark = tmp_path / "ran"
        line = f"touch {shlex.quote(str(mark))}"
        async with drilling(here, "--exec", line, "--json") as process:
            code, found = await report(process)
    assert (code, mark.exists(), found["command"]) == (1, False, None)
    (finding,) = found["findings"]
    assert finding.startswith("The drill did not begin: no other cluster that is ready and conn")
