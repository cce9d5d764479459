"""How fast access lines are counted, beside mtail and mawk on the same lines in the same run."""

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from measure import Bars, Run, machine

LINES = 2_000_000
ROUNDS = 3
HERE = Path(__file__).parent
INVENTORY = """\
clusters:
  - {id: east, pod_cidrs: [10.1.0.0/16]}
  - {id: west, pod_cidrs: [10.2.0.0/16]}
"""
AGENTS = (
    "curl/8.5.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0",
    "Go-http-client/1.1",
    "python-requests/2.32.3",
)


def make_lines(path, number):
    """Write a log in which requests look as they do in life; return bytes of clients of east."""
    chance = random.Random(1)
    made = []
    for n in range(20_000):
        net = chance.choice((1, 1, 1, 2))
        address = f"10.{net}.{chance.randrange(20)}.{chance.randrange(1, 200)}"
        agent = chance.choice(AGENTS)
        if n % 50 == 0:
            agent = (
                f"clusterset-exporter/0.1.0 (cluster=west; service=shop/cart; id=1794000{n:06}-abc)"
            )
        path_asked = f"/api/v1/items/{chance.randrange(10_000)}?page={chance.randrange(9)}"
        status = chance.choice((200, 200, 200, 200, 304, 404, 502))
        made.append(
            f"{address} - - [07/Jul/2022:07:{n // 60 % 60:02}:{n % 60:02} +0000] "
            f'"GET {path_asked} HTTP/1.1" {status} {chance.randrange(100, 20_000)} '
            f'"-" "{agent}" "-"\n'
        )
    with path.open("w") as file:
        for _ in range(number // len(made)):
            file.writelines(made)


def main():
    """Measure in turns, so that all see the same machine; print medians and ratios."""
    mtail, mawk = shutil.which("mtail"), shutil.which("mawk")
    bars = Bars()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, inventory = folder / "access.log", folder / "inventory.yaml"
        make_lines(log, LINES)
        inventory.write_text(INVENTORY)
        ours = [
            *(sys.executable, "-m", "exporter", "analyze", "--inventory", inventory, "--json"),
            *("--cluster", "east", "--service", "shop/cart", "--format", "main", log),
        ]
        peers = {
            "mtail": mtail
            and [
                mtail,
                "-one_shot",
                "-progs",
                HERE / "access.mtail",
                "-logs",
                log,
                "-address",
                "127.0.0.1",
            ],
            "mawk": mawk and [mawk, '-F"', "-f", HERE / "access.awk", log],
        }
        runs = {"exporter": [], "mtail": [], "mawk": []}
        for _ in range(ROUNDS):
            runs["exporter"].append(Run(ours))
            for peer, command in peers.items():
                if command:
                    runs[peer].append(Run(command))
    rates = {who: LINES / median(run.cpu for run in made) for who, made in runs.items() if made}
    report = json.loads(runs["exporter"][0].output)
    sources = report["services"][0]["sources"]
    assert sum(each["requests"] + each["probes"] for each in sources) == LINES, sources
    print(f"access lines: {machine()}; {LINES:,} lines of main, whole processes, CPU seconds")
    for who, made in runs.items():
        if made:
            print(f"  {who:<10} {rates[who]:>12,.0f} lines/s   {made[0].peak_mb:.0f} MB")
    rate = rates["exporter"]
    bars.show("lines a CPU second", f"{rate:,.0f}", ">= 1,000,000", well=rate >= 1e6)
    for peer, bar in (("mtail", 6), ("mawk", 0.6)):
        if peer in rates:
            ratio = rate / rates[peer]
            bars.show(f"times {peer}", f"{ratio:.2f}x", f">= {bar}x", well=ratio >= bar)
        else:
            print(f"{peer} is not installed: no ratio")
    if runs["mtail"]:
        assert count_of(runs["mtail"][0].output) == LINES, "mtail counted otherwise"
    bars.end()


def count_of(output):
    """Return all that mtail counted as a request or a probe, from its JSON."""
    counted = json.JSONDecoder().raw_decode(output, output.index("{"))[0]
    total = 0
    for metrics in counted["requests"] + counted["probes"]:
        total += sum(each["Value"]["Value"] for each in metrics["LabelValues"])
    return total


main()
