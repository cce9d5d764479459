"""How soon the exporter can be scraped, how soon it ends, and how long a scrape holds it up."""

import asyncio
import gc
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from statistics import median

from measure import Bars, free_port, machine

from exporter.commands.load import load
from exporter.commands.run.daemon import Daemon
from exporter.commands.run.monitor_settings import monitor_settings
from exporter.commands.run.parts import Parts
from exporter.commands.run.shard import ALL
from exporter.commands.run.standing import Alone
from exporter.config.settings import InventorySettings, Settings
from exporter.model.clusterset import Cluster, Export, Inventory, Port, Service, ServiceName
from exporter.model.moment import Moment
from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from exporter.web.app import Pages, serve
from exporter.web.page.render import page

ROUNDS = 7
SERIES = 10_000
SCRAPES = 60
GIGABYTE = 1 << 30
CONFIG = """\
cluster: east
inventory: {{static: inventory.yaml}}
probe:
  {{interval: 250ms, timeout: 250ms, fast: {{interval: 200ms, for: 30s}}, resolvers: ["{dns}"]}}
"""
INVENTORY = """\
clusters: [{id: east, pod_cidrs: [10.1.0.0/16]}, {id: west, pod_cidrs: [10.2.0.0/16]}]
services:
  - namespace: shop
    name: cart
    ports: [{name: http, port: 8080}]
    exports:
      - {cluster: east, addresses: [127.0.0.1], ready: true}
      - {cluster: west, addresses: [127.0.0.2], ready: true}
"""


def one_life(folder, silent):
    """Start the exporter, scrape it, end it; return both times in seconds."""
    port, began = free_port(), time.monotonic()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "exporter", "run", "--config.file", folder / "config.yaml"),
            *("--web.listen-address", f"127.0.0.1:{port}", "--log.level", "error"),
        ]
    )
    while True:
        try:
            url = f"http://127.0.0.1:{port}/metrics"
            with urllib.request.urlopen(url, timeout=5) as reply:
                text = reply.read().decode()
                break
        except urllib.error.URLError:
            time.sleep(0.005)
    started = time.monotonic() - began
    assert 'clusterset_service_ready{source_cluster="east"' in text
    assert "process_start_time_seconds" in text
    # Two questions that nobody will answer are under way.
    silent.recv(512)
    silent.recv(512)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    return started, time.monotonic() - began


def lives():
    """Return the times of several lives."""
    with (
        tempfile.TemporaryDirectory() as name,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
    ):
        silent.bind(("127.0.0.1", 0))
        dns = f"127.0.0.1:{silent.getsockname()[1]}"
        (Path(name) / "config.yaml").write_text(CONFIG.format(dns=dns))
        (Path(name) / "inventory.yaml").write_text(INVENTORY)
        return zip(*(one_life(Path(name), silent) for _ in range(ROUNDS)), strict=True)


def large_flow():
    """Return the parts of an exporter that hold SERIES series."""
    clusters = {
        id_: Cluster(id=id_, pod_cidrs=(ip_network(f"10.{n}.0.0/16"),))
        for n, id_ in enumerate(("east", "west", "north"), 1)
    }
    services = {}
    for n in range(200):
        exports = tuple(
            Export(
                cluster=id_, addresses=(ip_address(f"100.{at}.{n // 250}.{n % 250}"),), ready=True
            )
            for at, id_ in enumerate(clusters, 1)
        )
        name = ServiceName("shop", f"service-{n}")
        services[name] = Service(name=name, ports=(Port(name="http", port=80),), exports=exports)
    parts = Parts(
        monitor_settings(Settings(inventory=InventorySettings(static="none")), None),
        local="east",
        moment=lambda: Moment(at=time.monotonic(), unix=time.time()),
        accelerate=lambda _: None,
    )
    parts.monitor.inventory_changed(Inventory(local="east", clusters=clusters, services=services))
    while parts.store.budget.used > SERIES:
        services.popitem()
        parts.monitor.inventory_changed(
            Inventory(local="east", clusters=clusters, services=dict(services))
        )
    return parts


async def stalls(parts):
    """Return how long the loop was held up at most, in ms: at rest, and with a scraper at work."""

    async def nothing():
        return None

    data = parts.page_data(Alone())
    pages = Pages(
        metrics=parts.scrape(Alone()).render,
        status=data.status,
        page=page,
        not_ready=data.not_ready,
        reload=nothing,
    )
    worst = 0.0

    async def beat():
        nonlocal worst
        while True:
            due = time.monotonic() + 0.001
            await asyncio.sleep(0.001)
            worst = max(worst, time.monotonic() - due)

    async with serve(pages, [("127.0.0.1", 0)], telemetry_path="/metrics") as addresses:
        beating = asyncio.create_task(beat())
        url = "http://{}:{}/metrics".format(*addresses[0])
        at_rest, at_work, cpu = [], [], []
        code = (
            "import sys, urllib.request as u; r = u.Request(sys.argv[1], "
            "headers={'Accept-Encoding': 'gzip'}); u.urlopen(r).read()"
        )
        for _ in range(SCRAPES):
            worst = 0.0
            await asyncio.sleep(0.2)
            at_rest.append(worst * 1000)
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, url)
            # The start of the scraper's process is no part of this.
            await asyncio.sleep(0.03)
            worst, used = 0.0, time.process_time()
            await process.wait()
            at_work.append(worst * 1000)
            cpu.append((time.process_time() - used) * 1000)
        beating.cancel()
    return at_rest, at_work, cpu


def counted(metrics):
    """Return how many requests were counted."""
    return sum(hits.requests for rows in metrics.requests().values() for *_, hits in rows)


async def backfill(folder):
    """Return how long a file of a gigabyte held the loop up at most, in ms, and lines a second."""
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "config.yaml").write_text(
        "cluster: east\ninventory: {static: inventory.yaml}\n"
        'probe: {services: [{match: "*/*", enabled: false}]}\n'
        "logs: [{files: [access.log], service: shop/cart}]\n"
    )
    read = partial(load, folder / "config.yaml", None)
    made = Daemon(
        read(), read=read, driver=AsyncioDriver(), client=None, pod="", shard=ALL, end=print
    )
    await made.read_inventory()
    gc.freeze()
    worst, beats = 0.0, []

    async def beat():
        nonlocal worst
        while True:
            due = time.monotonic() + 0.001
            await asyncio.sleep(0.001)
            worst = max(worst, time.monotonic() - due)
            beats.append(time.monotonic() - due)

    async with asyncio.TaskGroup() as group:
        beating = group.create_task(beat())
        await made.start(group)
        while made.pages.not_ready():  # noqa: ASYNC110 - a look at counters
            await asyncio.sleep(0.05)
        line = '10.1.0.%d - - [07/Jul/2022:07:42:11 +0000] "GET /%d HTTP/1.1" 200 615 "-" "c" "-"\n'
        block = "".join(line % (n % 200, n) for n in range(10_000)).encode()
        number = GIGABYTE // len(block)

        def write():
            with (folder / "fresh").open("wb") as file:
                for _ in range(number):
                    file.write(block)
            (folder / "fresh").rename(folder / "access.log")

        await asyncio.to_thread(write)
        await asyncio.sleep(0)
        worst, began = 0.0, time.monotonic()
        beats.clear()
        wanted = number * 10_000
        while counted(made.metrics) < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        took = time.monotonic() - began
        beating.cancel()
        made.stop()
    beats.sort()
    return worst * 1000, beats[len(beats) * 999 // 1000] * 1000, wanted / took


def main():
    """Measure and print."""
    bars = Bars()
    print(f"daemon: {machine()}")
    started, ended = lives()
    bars.tell("start to first complete scrape, slowest", f"{max(started):.2f} s")
    bars.tell("SIGTERM to exit with probes in flight, slowest", f"{max(ended):.2f} s")
    parts = large_flow()
    # As exporter.commands.run.process does.
    gc.freeze()
    at_rest, at_work, cpu = asyncio.run(stalls(parts))
    print(f"  a scrape of {parts.store.budget.used:,} series, gzip, {SCRAPES} times:")
    print(f"  CPU, with all else in the process: median {median(cpu):.1f} ms")
    print(f"  loop late at rest: median {median(at_rest):.2f} ms, most {max(at_rest):.2f} ms")
    most = max(at_work)
    told = f"{most:.2f} ms"
    bars.tell("most that a scrape holds up a probe", told)
    with tempfile.TemporaryDirectory() as name:
        most, usual, rate = asyncio.run(backfill(Path(name)))
    print(
        f"  a log of 1 GB that appears is read at {rate:,.0f} lines/s; loop late {usual:.2f} ms "
        "at most in 99.9 % of the tries"
    )
    told = f"{most:.2f} ms"
    bars.tell("most that reading 1 GB of log holds up a probe", told)
    bars.end()


if __name__ == "__main__":
    main()
