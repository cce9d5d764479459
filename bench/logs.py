"""
How fast access lines are counted, what following costs, and what rotation loses, beside peers.

Peers read the same lines on the same machine in turns in the same run. Rates are lines per second
of CPU time, user and system, of whole processes.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from daemon import free_port
from log_follow import INVENTORY, live, rotations
from log_lines import JSON, TIMED, distinct_lines, write
from measure import Bars, Run, machine

LINES = 1_500_000
PEER_LINES = 300_000
JOBS_LINES = 6_000_000
ROUNDS = 3
HERE = Path(__file__).parent
WILD = 1_000_000
DISTINCT = 10_000_000
TASKS = {"main": ["--format", "main"], "timed": ["--format", TIMED]}
TASKS |= {"cri": ["--format", "main", "--wrapper", "cri"], "json": ["--format", JSON]}
TASKS |= {"wild": ["--format", "main"]}
BARS = {"main": 6, "timed": 5, "cri": 6, "json": 6, "wild": 6}


def counted_by_mtail(output):
    counted = json.JSONDecoder().raw_decode(output, output.index("{"))[0]
    total = 0
    for metrics in counted["requests"] + counted["probes"]:
        total += sum(each["Value"]["Value"] for each in metrics["LabelValues"])
    return total


def speed(folder):
    """Measure the rates of all tasks."""
    mtail, mawk = shutil.which("mtail"), shutil.which("mawk")
    print(f"{'lines/s of CPU':<12} {'exporter':>12} {'mtail':>12} {'mawk':>12} {'plain':>12}   MB")
    for task, arguments in TASKS.items():
        log, short = folder / f"{task}.log", folder / f"{task}-short.log"
        number = WILD if task == "wild" else LINES
        write(log, task, number)
        write(short, task, PEER_LINES)
        noise = 1_000 if task == "wild" else sys.maxsize
        service = ["--service", "shop/cart"] if task in {"main", "cri", "wild"} else []
        ours = [
            *(
                sys.executable,
                "-m",
                "exporter",
                "analyze",
                "--inventory",
                folder / "inventory.yaml",
            ),
            *("--json", "--cluster", "east", *service, *arguments, log),
        ]
        peers = {
            "mtail": mtail
            and [
                *(mtail, "-one_shot", "-address", "127.0.0.1", "-port", str(free_port())),
                *("-progs", HERE / "mtail" / f"{task}.mtail", "-logs", short),
            ]
        }
        if task == "main":
            peers["mawk"] = mawk and [mawk, '-F"', "-f", HERE / "access.awk", log]
            peers["plain"] = [sys.executable, HERE / "plain.py", short]
        runs = {"exporter": []} | {peer: [] for peer, command in peers.items() if command}
        for _ in range(ROUNDS):
            runs["exporter"].append(Run(ours))
            for peer in runs.keys() - {"exporter"}:
                runs[peer].append(Run(peers[peer]))
        lines = {"exporter": number, "mawk": LINES, "mtail": PEER_LINES, "plain": PEER_LINES}
        rates = {who: lines[who] / median(run.cpu for run in made) for who, made in runs.items()}
        told = [f"{rates[who]:>12,.0f}" if who in rates else " " * 12 for who in lines]
        print(
            f"{task:<14}", told[0], told[2], told[1], told[3], f"{runs['exporter'][0].peak_mb:4.0f}"
        )
        (service,) = json.loads(runs["exporter"][0].output)["services"]
        assert (
            sum(each["requests"] + each["probes"] for each in service["sources"])
            == number - number // noise
        )
        if "mtail" in rates:
            assert counted_by_mtail(runs["mtail"][0].output) == PEER_LINES - PEER_LINES // noise
        yield task, rates
        log.unlink()
        short.unlink()


def speeds(folder, bars):
    rates = dict(speed(folder))
    rate = rates["main"]["exporter"]
    bars.tell("main: lines a CPU second", f"{rate:,.0f}")
    for task, made in rates.items():
        for peer, bar in (("mtail", BARS[task]), ("mawk", 0.6)):
            if peer in made:
                bars.ratio(
                    f"{task}: lines, beside {peer}", made["exporter"], made[peer], at_least=bar
                )


def jobs(folder, bars):
    """Measure how much sooner two processes are done than one; both print the same."""
    log, took, printed = folder / "jobs.log", {1: [], 2: []}, set()
    write(log, "main", JOBS_LINES)
    command = [sys.executable, "-m", "exporter", "analyze", "--json", "--cluster", "east"]
    command += ["--inventory", folder / "inventory.yaml", "--service", "shop/cart", log, "--jobs"]
    for _ in range(ROUNDS):
        for number, made in took.items():
            began = time.monotonic()
            printed.add(Run([*command, str(number)]).output)
            made.append(time.monotonic() - began)
    log.unlink()
    assert len(printed) == 1
    one, two = median(took[1]), median(took[2])
    bars.ratio("main: time of one process, beside --jobs 2", one, two, at_least=1.8)


def distinct(folder, bars):
    """Measure what is held when no address ever comes again."""
    log = folder / "distinct.log"
    with log.open("w") as file:
        file.writelines(distinct_lines(DISTINCT))
    command = [sys.executable, "-m", "exporter", "analyze", "--json", "--cluster", "east"]
    command += ["--inventory", folder / "inventory.yaml", "--service", "shop/cart", "--jobs", "1"]
    run = Run([*command, log])
    log.unlink()
    assert json.loads(run.output)["lines"]["access"] == DISTINCT
    bars.tell(f"{DISTINCT:,} addresses, each once: a line", f"{1e6 * run.cpu / DISTINCT:.1f} us")
    bars.show("  memory", f"{run.peak_mb:.0f} MB", "< 100 MB", well=run.peak_mb < 100)


def main():
    bars = Bars()
    print(f"access logs: {machine()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "inventory.yaml").write_text(INVENTORY)
        speeds(folder, bars)
        jobs(folder, bars)
        distinct(folder, bars)
        live(folder, bars)
        rotations(folder, bars)
    bars.end()


if __name__ == "__main__":
    main()
