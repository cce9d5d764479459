"""The peers of the probes: blackbox_exporter and the plain stack, measured as ours are."""

import re
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from measure import free_port
from probe_world import (
    NAMES,
    OTHERS,
    PYTHON,
    SECONDS,
    SERVER,
    WARM,
    ZONE,
    Subject,
    measured,
    scraped,
    wait_for,
)


def plain(folder, case, rate, ports):
    """Measure the plain stack."""
    port = free_port()
    command = [PYTHON, Path(__file__).with_name("plain_prober.py"), case]
    command += ["--names", rate or NAMES, "--port", ports.get(case, 0), "--listen", port]
    command += ["--server", SERVER, *(["--rate", rate] if rate else [])]
    command += ["--ca", folder / "ca.pem"] if case == "https" else []
    url = f"http://127.0.0.1:{port}/metrics"

    def count():
        text = wait_for(url)
        assert scraped(text, r"\nprobe_failures_total\{.*\} (\S+)") == 0, "probes failed"
        return scraped(text, r"\nprobes_total\{.*\} (\S+)")

    with Subject(command, folder=folder) as subject:
        wait_for(url)
        return *measured(subject, count), None


class Pacer:
    """Asks blackbox_exporter for a probe at a rate, over kept-alive connections."""

    def __init__(self, port, path, rate):
        self.port, self.path, self.rate = port, path, rate
        self.done = self.failed = 0
        self.stop = threading.Event()

    def work(self, n, workers):
        connection = HTTPConnection("127.0.0.1", self.port)
        due, turn = time.monotonic() + n / self.rate, n
        while not self.stop.is_set():
            time.sleep(max(0, due - time.monotonic()))
            connection.request("GET", self.path(turn % self.rate))
            well = b"\nprobe_success 1\n" in connection.getresponse().read()
            self.done, self.failed = self.done + 1, self.failed + (not well)
            due, turn = due + workers / self.rate, turn + workers

    @contextmanager
    def running(self, workers=4):
        with ThreadPoolExecutor(workers) as pool:
            futures = [pool.submit(self.work, n, workers) for n in range(workers)]
            try:
                yield
            finally:
                self.stop.set()
        for each in futures:
            each.result()
        assert not self.failed, "blackbox's probes failed"


def blackbox(folder, case, rate, ports):
    """Measure blackbox_exporter."""
    port = free_port()
    base = f"127.0.0.1:{port}"

    def path(n):
        # Of "many" four probes in five are by HTTP.
        what = case if case != "many" else ("a" if isinstance(n, int) and n % 5 == 4 else "http")
        if what in ports:
            target = f"{what}://svc-{n}.shop.svc.{ZONE}:{ports[what]}/"
            return f"/probe?module=http&target={target}"
        return f"/probe?module={what}&target={SERVER}:53"

    command = ["prometheus-blackbox-exporter", f"--config.file={folder}/blackbox.yaml"]
    command += [f"--web.listen-address={base}", "--log.level=error"]
    # As many threads as it has cores, as operators set it.
    with Subject(["env", "GOMAXPROCS=1", *command], folder=folder) as subject:
        assert "probe_success 1" in wait_for(f"http://{base}{path(1)}")
        if rate:
            pacer = Pacer(port, path, rate)
            with pacer.running():
                return *measured(subject, lambda: pacer.done), None
        script = folder / "wrk.lua"
        script.write_text(
            f"local n = 0\nrequest = function() n = (n + 1) % {NAMES}\n"
            f'return wrk.format("GET", (string.gsub("{path("N")}", "svc%-N", "svc-" .. n))) end\n'
        )
        wrk = ["wrk", "-t1", "-c16", f"-d{WARM + SECONDS:.0f}s", "-s", script, f"http://{base}/"]
        cpu, began = subject.cpu(), time.monotonic()
        told = subprocess.check_output(["taskset", "-c", OTHERS, *map(str, wrk)], text=True)
        took, done = time.monotonic() - began, int(re.search(r"(\d+) requests in", told)[1])
        return 1000 * (subject.cpu() - cpu) / done, done / took, subject.rss(), None
