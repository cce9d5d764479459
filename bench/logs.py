"""
How fast access lines are counted, what following costs, and what rotation loses, beside peers.

Peers read the same lines on the same machine in turns in the same run. Rates are lines per second
of CPU time, user and system, of whole processes.
"""

import json
import random
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from statistics import median

from daemon import free_port
from measure import Bars, Live, Run, machine

LINES = 1_500_000
PEER_LINES = 300_000
JOBS_LINES = 6_000_000
ROUNDS = 3
POLL = 0.25
"""Seconds between two looks at a busy file."""
RATE = 10_000
"""Lines a second that are followed live."""
HERE = Path(__file__).parent
INVENTORY = """\
clusters:
  - {id: east, pod_cidrs: [10.1.0.0/16]}
  - {id: west, pod_cidrs: [10.2.0.0/16]}
services:
  - {namespace: shop, name: cart, exports: [{cluster: east, addresses: [127.0.0.1], ready: true}]}
"""
CONFIG = """\
cluster: east
inventory: {static: inventory.yaml}
probe: {services: [{match: "*/*", enabled: false}]}
"""
HOST = "cart.shop.svc.clusterset.local"
TIMED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_time "$host"'
)
JSON = (
    'escape=json {"time":"$time_iso8601","client":"$remote_addr","request":"$request",'
    '"status":$status,"bytes":$body_bytes_sent,"agent":"$http_user_agent","took":$request_time,'
    '"host":"$host"}'
)
AGENTS = (
    "curl/8.5.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0",
    "Go-http-client/1.1",
    "python-requests/2.32.3",
)
WILD = 1_000_000
WILD_ADDRESSES = 250_000
TASKS = {"main": ["--format", "main"], "timed": ["--format", TIMED]}
TASKS |= {"cri": ["--format", "main", "--wrapper", "cri"], "json": ["--format", JSON]}
TASKS |= {"wild": ["--format", "main"]}
BARS = {"main": 6, "timed": 5, "cri": 6, "json": 6, "wild": 6}


def requests(number):
    """Yield the parts of lines in which requests look as they do in life."""
    chance = random.Random(1)
    for n in range(number):
        net = chance.choice((1, 1, 1, 2))
        agent = chance.choice(AGENTS)
        if n % 50 == 0:
            agent = (
                f"clusterset-exporter/0.1.0 (cluster=west; service=shop/cart; id=1794000{n:06}-abc)"
            )
        yield {
            "address": f"10.{net}.{chance.randrange(20)}.{chance.randrange(1, 200)}",
            "clock": f"07:{n // 60 % 60:02}:{n % 60:02}",
            "request": f"GET /api/v1/items/{chance.randrange(10_000)}?page={n % 9} HTTP/1.1",
            "status": chance.choice((200, 200, 200, 200, 304, 404, 502)),
            "size": chance.randrange(100, 20_000),
            "agent": agent,
            "took": f"{chance.expovariate(20):.3f}",
        }


def wild_lines(number, addresses=WILD_ADDRESSES):
    """Yield lines of many clients, IPv4 and IPv6; one in ten is a probe, one in 1,000 noise."""
    chance = random.Random(2)
    clients = [
        f"10.{chance.choice((1, 1, 2, 3))}.{chance.randrange(256)}.{chance.randrange(256)}"
        if n % 2
        else f"2001:db8:{chance.choice('123')}::{n >> 16:x}:{n & 0xFFFF:x}"
        for n in range(addresses)
    ]
    shapes = list(requests(5_000))
    probe = "clusterset-exporter/0.1.0 (cluster=west; service=shop/cart; id=1794000{:06}-abc)"
    for n in range(number):
        if n % 1_000 == 500:
            yield f"2022/07/07 07:42:11 [error] 31#31: *{n} connect() failed\n"
            continue
        shape = shapes[n % len(shapes)] | {"address": chance.choice(clients)}
        shape["agent"] = AGENTS[n % len(AGENTS)] if n % 10 else probe.format(n)
        yield main_line(shape)


def main_line(r):
    return (
        f'{r["address"]} - - [07/Jul/2022:{r["clock"]} +0000] "{r["request"]}" {r["status"]} '
        f'{r["size"]} "-" "{r["agent"]}" "-"\n'
    )


def timed_line(r):
    return main_line(r)[:-4] + f'{r["took"]} "{HOST}"\n'


def cri_line(r):
    return f"2022-07-07T{r['clock']}.123456789Z stdout F {main_line(r)}"


def json_line(r):
    return (
        f'{{"time":"2022-07-07T{r["clock"]}+00:00","client":"{r["address"]}",'
        f'"request":"{r["request"]}","status":{r["status"]},"bytes":{r["size"]},'
        f'"agent":"{r["agent"]}","took":{r["took"]},"host":"{HOST}"}}\n'
    )


WRITE = {"main": main_line, "timed": timed_line, "cri": cri_line, "json": json_line}


def write(path, task, number):
    """Write a log of so many lines, a multiple of 20,000."""
    if task == "wild":
        with path.open("w") as file:
            file.writelines(wild_lines(number))
        return
    made = [WRITE[task](r) for r in requests(20_000)]
    with path.open("w") as file:
        for _ in range(number // len(made)):
            file.writelines(made)


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


def scraped(url):
    """Return the requests that an exporter has counted."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as reply:
        rows = reply.read().decode().splitlines()
    return sum(
        float(row.rsplit(" ", 1)[1]) for row in rows if row.startswith("clusterset_requests_t")
    )


def follow(folder, files):
    """Return a running exporter that follows *files*, and its URL."""
    port = free_port()
    (folder / "inventory.yaml").write_text(INVENTORY)
    logs = f"logs: [{{files: ['{files}'], service: shop/cart}}]\n" if files else ""
    (folder / "config.yaml").write_text(CONFIG + logs)
    live = Live(
        [
            *(sys.executable, "-m", "exporter", "run", "--config.file", folder / "config.yaml"),
            *("--web.listen-address", f"127.0.0.1:{port}", "--log.level", "error"),
        ]
    )
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=5):
                break
        except OSError:
            time.sleep(0.02)
    return live, url


class Writer:
    """Writes lines at a rate, each with a call of its own, as nginx does."""

    def __init__(self, path, rate):
        self.path, self.rate, self.written = path, rate, 0
        self.file = path.open("ab", buffering=0)
        self.old = []
        self.lines = [main_line(r).encode() for r in requests(2_000)]
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        began = time.monotonic()
        while not self.stop.is_set():
            due = int((time.monotonic() - began) * self.rate)
            while self.written < due:
                self.file.write(self.lines[self.written % 2_000])
                self.written += 1
            time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        for file in (self.file, *self.old):
            file.close()


def live(folder, bars):
    """Measure what following costs."""
    base, _ = follow(folder, "")
    with base:
        time.sleep(1)
        rest = base.share(10)
        memory = base.rss_mb()
    print(f"  an exporter that follows no log: {rest:.2f} % of a core, {memory:.0f} MB")
    for number in (100, 1000):
        here = folder / f"idle-{number}"
        here.mkdir()
        for n in range(number):
            (here / f"{n}.log").touch()
        idle, _ = follow(here, f"{here}/*.log")
        with idle:
            time.sleep(12)
            share = idle.share(20) - rest
        bars.tell(f"{number} idle files, beyond that", f"{share:.2f} %")
    here = folder / "live"
    here.mkdir()
    (here / "access.log").touch()
    busy, url = follow(here, f"{here}/access.log")
    mtail = shutil.which("mtail")
    command = ["mtail", "-address", "127.0.0.1", "-port", str(free_port())]
    command += ["-logs", here / "access.log", "-progs", HERE / "mtail" / "main.mtail"]
    peer = Live(command if mtail else ["sleep", "999"])
    with busy, peer, Writer(here / "access.log", RATE) as writer:
        time.sleep(2)
        before = peer.cpu()
        share, memory = busy.share(15) - rest, busy.rss_mb()
        beside = 100 * (peer.cpu() - before) / 15
        writer.stop.set()
        writer.thread.join()
        end = time.monotonic() + 10
        while scraped(url) < writer.written * 0.98 and time.monotonic() < end:
            time.sleep(0.1)
    bars.tell(f"{RATE:,} lines/s in one file, beyond that", f"{share:.2f} %")
    if mtail:
        bars.ratio(f"{RATE:,} lines/s, CPU beside mtail", share, beside, at_most=1.0)
    print(f"  memory meanwhile: {memory:.0f} MB")


def rename(writer, n):
    writer.path.rename(f"{writer.path}.{n}")
    time.sleep(0.1)  # nginx's workers notice the signal a little later
    writer.old.append(writer.file)
    writer.file = writer.path.open("ab", buffering=0)


def recreate(writer, _):
    writer.path.unlink()
    time.sleep(0.3)
    writer.old.append(writer.file)
    writer.file = writer.path.open("ab", buffering=0)


def flip(writer, n):
    target = writer.path.with_name(f"target-{n}")
    target.touch()
    link = writer.path.with_name("new-link")
    link.symlink_to(target)
    link.replace(writer.path)
    time.sleep(0.1)
    writer.old.append(writer.file)
    writer.file = writer.path.open("ab", buffering=0)


def truncate(writer, _):
    with writer.path.open("r+b") as file:
        file.truncate(0)


ROTATIONS = {
    "renamed, workers late by 100 ms": rename,
    "deleted, made anew 300 ms later": recreate,
    "symlink flipped, workers late by 100 ms": flip,
    "copytruncate under load": truncate,
}


def rotations(folder, bars):
    """Count what is lost in 20 rotations at 1,000 lines a second."""
    mtail = shutil.which("mtail")
    for n, (name, rotate) in enumerate(ROTATIONS.items()):
        here = folder / f"rotate-{n}"
        here.mkdir()
        log = here / "access.log"
        if rotate is flip:
            (here / "target-0").touch()
            log.symlink_to(here / "target-0")
        log.touch()
        port = free_port()
        peer = mtail and [
            *(mtail, "-address", "127.0.0.1", "-port", str(port), "-logs", log),
            *("-progs", HERE / "mtail" / "main.mtail"),
        ]
        running, url = follow(here, log)
        with running, Live(peer or ["sleep", "999"]), Writer(log, 1_000) as writer:
            time.sleep(1)
            for number in range(1, 21):
                time.sleep(0.4)
                rotate(writer, number)
            time.sleep(0.5)
            writer.stop.set()
            writer.thread.join()
            time.sleep(3)
            ours = int(scraped(url)) + probes_of(url)
            theirs = by_mtail(port) if peer else None
        lost = writer.written - ours
        beside = "" if theirs is None else f"; mtail {writer.written - theirs:,}"
        told = f"{lost:,} of {writer.written:,}"
        # What was not read before a cut is lost to anybody who polls.
        most = 20 * POLL * 1_000 if rotate is truncate else 0
        bar = f"<= {most:,.0f}"
        bars.show(f"lost: {name}{beside}", told, bar, well=0 <= lost <= most)


def probes_of(url):
    """Return the probes in the log that an exporter has seen, believed or not."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as reply:
        rows = reply.read().decode().splitlines()
    names = ("clusterset_probe_hits_total", "clusterset_exporter_probe_forgeries_total")
    return int(sum(float(row.rsplit(" ", 1)[1]) for row in rows if row.startswith(names)))


def by_mtail(port):
    """Return the lines that a running mtail has counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        rows = reply.read().decode().splitlines()
    return int(
        sum(
            float(row.rsplit(" ", 1)[1]) for row in rows if row.startswith(("requests{", "probes{"))
        )
    )


def main():
    bars = Bars()
    print(f"access logs: {machine()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "inventory.yaml").write_text(INVENTORY)
        speeds(folder, bars)
        jobs(folder, bars)
        live(folder, bars)
        rotations(folder, bars)
    bars.end()


if __name__ == "__main__":
    main()
