"""What bad neighbours do to the HTTP server of a daemon: see bench/crowd.py for who they are."""

import gzip
import http.client
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import trustme
from measure import Bars, Live, free_port, machine

SECONDS = float(os.environ.get("SECONDS", "60"))
"""How long the crowd stays after it has come."""
SERVICES = 100
SOURCE = "127.0.0.9"
"""The address of the kubelet and of Prometheus."""
HEALTH_EVERY, SCRAPE_EVERY = 1.0, 15.0
STARVED = 0.1
"""A daemon that waits for a core for a larger share of the time is not judged by times."""
LIMIT = 10.0
"""Prometheus' scrape timeout, and more than a kubelet waits."""
CONFIG = """\
cluster: east
inventory: {static: inventory.yaml}
probe: {interval: 15s, timeout: 500ms, resolvers: ["127.0.0.1:1"]}
"""
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"


def inventory():
    """Return an inventory of SERVICES services in three clusters."""
    exports = ", ".join(
        f"{{cluster: {cluster}, addresses: [127.0.0.{n}], ready: true}}"
        for n, cluster in enumerate(("east", "west", "north"), 1)
    )
    rows = "".join(
        f"  - {{namespace: shop, name: svc-{n}, ports: [{{name: p, port: 1}}], "
        f"exports: [{exports}]}}\n"
        for n in range(SERVICES)
    )
    return f"clusters: [{{id: east}}, {{id: west}}, {{id: north}}]\nservices:\n{rows}"


class Client:
    """Asks the daemon, each time by a new connection, from an address of its own."""

    def __init__(self, port, *, tls):
        self.port, self.context = port, None
        if tls:
            self.context = ssl.create_default_context()
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def get(self, path):
        """Return the body, and the seconds that it took."""
        options = {"timeout": LIMIT, "source_address": (SOURCE, 0)}
        began = time.monotonic()
        if self.context is None:
            asked = http.client.HTTPConnection("127.0.0.1", self.port, **options)
        else:
            asked = http.client.HTTPSConnection(
                "127.0.0.1", self.port, context=self.context, **options
            )
        try:
            asked.request("GET", path, headers={"Accept-Encoding": "gzip", "Connection": "close"})
            reply = asked.getresponse()
            body = reply.read()
        finally:
            asked.close()
        if reply.status != 200:
            msg = f"{path}: {reply.status}"
            raise OSError(msg)
        if reply.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        return body.decode(), time.monotonic() - began

    def patiently(self, path):
        """Return the body as soon as there is one."""
        for _ in range(600):
            try:
                return self.get(path)[0]
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
        msg = f"no answer for {path}"
        raise TimeoutError(msg)


class Checks(threading.Thread):
    """Asks for one path at a steady rate, and remembers how long each answer took."""

    def __init__(self, client, path, every):
        super().__init__(daemon=True)
        self.client, self.path, self.every = client, path, every
        self.took, self.lost, self.ended = [], [], threading.Event()

    def run(self):
        """Ask until ended."""
        while not self.ended.is_set():
            began = time.monotonic()
            try:
                self.took.append(self.client.get(self.path)[1])
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{type(error).__name__}: {error}")
            self.ended.wait(max(0.0, self.every - (time.monotonic() - began)))

    def end(self):
        """Stop asking."""
        self.ended.set()
        self.join()


DELAY = "clusterset_exporter_probe_start_delay_seconds"


def delays(text):
    """Return the bounds and counts of the start delays of all probes."""
    rows = re.findall(DELAY + r'_bucket{[^}]*le="([^"]*)"} (\S+)', text)
    found = {}
    for bound, count in rows:
        found[float(bound)] = found.get(float(bound), 0.0) + float(count)
    return found


def late(before, after):
    """Return the share of probes that began 100 ms late or later."""
    grown = {bound: after[bound] - before.get(bound, 0.0) for bound in after}
    return 1 - grown[0.1] / max(1.0, grown[float("inf")])


@contextmanager
def daemon(folder, *, tls):
    """Run a daemon with its inventory in *folder*; yield it and a client."""
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "inventory.yaml").write_text(inventory())
    (folder / "web.yaml").write_text(TLS if tls else "{}\n")
    made = trustme.CA().issue_cert("localhost")
    made.private_key_pem.write_to_path(folder / "server.key")
    made.cert_chain_pems[0].write_to_path(folder / "server.pem")
    port = free_port()
    command = [
        *(sys.executable, "-m", "exporter", "run", "--config.file", folder / "config.yaml"),
        *("--web.config.file", folder / "web.yaml", "--log.level", "error"),
        *("--web.listen-address", f"127.0.0.1:{port}"),
    ]
    with Live(command) as live:
        client = Client(port, tls=tls)
        client.patiently("/-/ready")
        yield live, client


class Memory(threading.Thread):
    """Looks at a process's memory all the time."""

    def __init__(self, live):
        super().__init__(daemon=True)
        self.live, self.most, self.ended = live, 0.0, threading.Event()

    def run(self):
        """Look until ended."""
        while not self.ended.wait(0.2):
            self.most = max(self.most, self.live.rss_mb())


def waited(live):
    """Return the seconds that the daemon was ready to run, and waited for a core."""
    return int(Path(f"/proc/{live.process.pid}/schedstat").read_text().split()[1]) / 1e9


def watched(live, client, seconds):
    """Return what a kubelet and a Prometheus got in *seconds*, and how late probes began."""
    before = delays(client.patiently("/metrics"))
    health = Checks(client, "/-/healthy", HEALTH_EVERY)
    scrapes = Checks(client, "/metrics", SCRAPE_EVERY)
    health.start()
    scrapes.start()
    stood = waited(live)
    used = live.share(seconds)
    stood = (waited(live) - stood) / seconds
    health.end()
    scrapes.end()
    return health, scrapes, used, stood, late(before, delays(client.patiently("/metrics")))


def visit(bars, folder, *, tls):
    """Let the crowd come to a daemon; print what it did."""
    with daemon(folder, tls=tls) as (live, client):
        for path in ("/metrics", "/", "/api/v1/status", "/-/healthy") * 3:
            client.get(path)
        *_, rest_used, _, rest_late = watched(live, client, SECONDS / 2)
        before = live.rss_mb()
        memory = Memory(live)
        memory.start()
        crowd = [sys.executable, Path(__file__).with_name("crowd.py"), str(client.port)]
        options = {"stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen([*crowd, "tls" if tls else "plain", SOURCE], **options) as came:
            health, scrapes, used, stood, lateness = watched(live, client, SECONDS)
            came.kill()
            pages, away = came.stdout.read().split("\n")[-2].split()
        print(f"  the crowd read {pages} pages, and was sent away {away} times")
        print(f"  CPU of the daemon, per cent of a core: {rest_used:.0f} alone, {used:.0f} with it")
        # Times say nothing of a process that mostly waits for a core, on a machine that others use.
        show = bars.show if stood < STARVED else lambda what, told, *_, **__: bars.tell(what, told)
        bars.tell("  share of the time that it waited for a core", f"{100 * stood:.0f} %")
        answers(show, health, scrapes)
        told = f"{100 * lateness:.1f} %, {100 * rest_late:.1f} %"
        well = lateness <= rest_late + 0.01
        show("  probes late by 100 ms or more, and alone", told, "<= 1 % more", well=well)
        time.sleep(20)
        memory.ended.set()
        after = live.rss_mb()
        told = f"{before:.0f}, {memory.most:.0f}, {after:.0f} MB"
        bars.tell("  memory before, at most, 20 s after they left", told)
        risen, kept = memory.most - before, after - before
        bars.show("  more memory at most", f"{risen:.0f} MB", "< 30 MB", well=risen < 30)
        bars.show("  more memory 20 s after", f"{kept:.0f} MB", "< 10 MB", well=kept < 10)


def answers(show, health, scrapes):
    """Print how the good neighbours fared."""
    for each in (*health.lost, *scrapes.lost):
        print(f"  lost: {each}")
    most = max(health.took, default=LIMIT)
    asked, lost = len(health.took) + len(health.lost), len(health.lost)
    what, told = f"  /-/healthy, {asked} times: longest, lost", f"{most:.2f} s, {lost}"
    show(what, told, "< 1 s, 0", well=not lost and most < 1)
    asked, lost = len(scrapes.took) + len(scrapes.lost), len(scrapes.lost)
    show(f"  scrapes, {asked} of them: lost", f"{lost}", "0", well=not lost)
    Bars.tell("  longest scrape", f"{max(scrapes.took, default=LIMIT):.2f} s")


def main():
    """Measure and print."""
    bars = Bars()
    print(f"web: {machine()}; load {os.getloadavg()[0]:.1f}")
    for tls in (False, True):
        print(f"{'TLS' if tls else 'plain HTTP'}:")
        with tempfile.TemporaryDirectory() as name:
            visit(bars, Path(name), tls=tls)
    bars.end()


if __name__ == "__main__":
    main()
