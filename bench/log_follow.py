"""What following a log costs, and what rotation loses, beside mtail."""

import shutil
import sys
import threading
import time
import urllib.request
from pathlib import Path

from daemon import free_port
from log_lines import main_line, requests
from measure import Live

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
