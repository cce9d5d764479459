"""The exporter of a soak as a process, and who scrapes it."""

import base64
import http.client
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path

from soak_abuse import PASSWORD, USER

SCRAPE_LIMIT = 10.0
"""Seconds, as of Prometheus."""
LOOK_INSIDE = """
import asyncio, json, os, sys, threading, time
loops, forever = [], asyncio.BaseEventLoop.run_forever
def run_forever(self):
    loops.append(self)
    forever(self)
asyncio.BaseEventLoop.run_forever = run_forever
def count():
    while True:
        time.sleep(1)
        try:
            number = sum(len(asyncio.all_tasks(loop)) for loop in loops)
        except RuntimeError:
            continue
        found = {{"tasks": number, "blocks of Python": sys.getallocatedblocks()}}
        with open({path!r} + ".new", "w") as file:
            json.dump(found, file)
        os.rename({path!r} + ".new", {path!r})
threading.Thread(target=count, daemon=True).start()
from exporter.cli.main import cli
cli()
"""
"""
Runs the exporter, and writes into a file each second how many tasks and blocks of memory it has.

The blocks tell objects that pile up from memory that the allocators only keep.
"""


class Daemon:
    """The exporter that is soaked."""

    def __init__(self, folder, port):
        self._folder = folder
        self.inside = folder / "inside"
        self.log = (folder / "log").open("w+b")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-c", LOOK_INSIDE.format(path=str(self.inside)), "run"),
                *("--config.file", folder / "config.yaml"),
                *("--kubeconfig", folder / "kubeconfig"),
                *("--web.config.file", folder / "web.yaml", "--web.enable-lifecycle"),
                *("--web.listen-address", f"127.0.0.1:{port}"),
            ],
            stderr=self.log,
        )

    def look(self):
        """Return what the process takes now, by name."""
        folder = Path(f"/proc/{self.process.pid}")
        rows = dict(
            row.split(":", 1) for row in (folder / "status").read_text().splitlines() if ":" in row
        )
        return {
            "memory, MB": int(rows["VmRSS"].split()[0]) / 1024,
            "file descriptors": len(list((folder / "fd").iterdir())),
            "threads": int(rows["Threads"]),
        } | json.loads(self.inside.read_text())


class Scraper:
    """Scrapes as Prometheus does, over a new connection each time."""

    def __init__(self, port, ca):
        self._port, self._tls = port, ssl.create_default_context(cadata=ca)
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {login}",
            "Accept": "application/openmetrics-text; version=1.0.0",
        }

    def get(self, path):
        """Return status and body."""
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=SCRAPE_LIMIT, context=self._tls
        )
        try:
            connection.request("GET", path, headers=self._headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def scrape(self):
        """Return how long a scrape took, and what is wrong with it."""
        began = time.monotonic()
        try:
            status, body = self.get("/metrics")
        except (OSError, http.client.HTTPException) as error:
            return time.monotonic() - began, f"{type(error).__name__}: {error}"
        took = time.monotonic() - began
        if status != 200 or not body.endswith(b"# EOF\n") or b"clusterset_info{" not in body:
            return took, f"status {status}, {len(body)} bytes: {body[:80]!r}"
        return took, "" if took <= SCRAPE_LIMIT else "too slow"
