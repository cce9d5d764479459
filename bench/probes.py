"""
Probes beside blackbox_exporter and the plain stack: CPU for each, memory, delay, most a second.

Needs root: the others take their name server from /etc/resolv.conf, in a mount namespace of theirs.
"""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

import trustme
from measure import Bars, free_port, machine

from exporter.demo.parts import find_nginx

SERVER = "127.7.7.7"
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)
"""Runs ours and the plain stack: the image's Python is an optimised build, many are not."""
WARM = 3.0
CASES = os.environ.get("BENCH_CASES", "many http https a srv").split()
RATES = (20, 100, None)
NAMES = 1000
MIX = NAMES * 5 // 15
"""Probes a second of 1,000 services at 15 s: a plain and three pinned names, and a look-up."""
SUBJECT, OTHERS = "0", "1"
ZONE = "clusterset.local"
KNOT = """\
server:
  rundir: {folder}/run
  listen: {server}@53
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: {folder}/db
zone:
  - domain: {zone}
    file: {folder}/zone
"""
NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/t; proxy_temp_path {folder}/t;
  fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  server {{ listen 127.0.0.1:{http} backlog=4096; listen 127.0.0.1:{https} ssl backlog=4096;
    location / {{ return 200 "all is well, says this server\\n"; }} }}
}}
"""
BLACKBOX = """\
modules:
  http:
    prober: http
    timeout: 2s
    http:
      preferred_ip_protocol: ip4
      ip_protocol_fallback: false
      tls_config: {{ca_file: {folder}/ca.pem}}
  a:
    prober: dns
    timeout: 2s
    dns: {{query_name: svc-1.shop.svc.{zone}, query_type: A, preferred_ip_protocol: ip4}}
  srv:
    prober: dns
    timeout: 2s
    dns: {{query_name: svc-1.shop.svc.{zone}, query_type: SRV, preferred_ip_protocol: ip4}}
"""


class Subject:
    """A process under measurement."""

    def __init__(self, command, cpu=SUBJECT, *, folder=None):
        if folder is not None:
            # A resolv.conf of its own.
            mount = f'mount --bind {folder}/resolv.conf /etc/resolv.conf && exec "$@"'
            command = ["unshare", "-m", "sh", "-c", mount, "-", *command]
        self.process = subprocess.Popen(
            ["taskset", "-c", cpu, *map(str, command)], stdout=subprocess.DEVNULL
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def cpu(self):
        """Return the CPU seconds of all its threads so far."""
        total = 0
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"):
            total += int(path.read_text().split()[0])
        return total / 1e9

    def rss(self):
        """Return the memory it holds, in MB."""
        rows = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", rows)[1]) / 1024


def wait_for(url):
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return reply.read().decode()
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(url)


@contextmanager
def world(folder):
    """Run the name server and the server that is probed; yield the ports."""
    ports = {"http": free_port(), "https": free_port()}
    ca = trustme.CA()
    cert = ca.issue_cert(f"*.shop.svc.{ZONE}")
    (folder / "ca.pem").write_bytes(ca.cert_pem.bytes())
    (folder / "cert.pem").write_bytes(b"".join(each.bytes() for each in cert.cert_chain_pems))
    (folder / "key.pem").write_bytes(cert.private_key_pem.bytes())
    (folder / "resolv.conf").write_text(f"nameserver {SERVER}\noptions ndots:1\n")
    soa = f"@ SOA ns.{ZONE}. admin.{ZONE}. 1 60 60 60 5"
    rows = [f"$ORIGIN {ZONE}.\n$TTL 5\n{soa}\n@ NS ns\nns A {SERVER}\n"]
    for n in range(NAMES):
        name = f"svc-{n}.shop.svc"
        rows.append(f"{name} A 127.0.0.1\n*.{name} A 127.0.0.1\n")
        rows.append(f"{name} SRV 0 50 {ports['http']} {name}\n")
    (folder / "zone").write_text("".join(rows))
    for each in ("run", "db", "t"):
        (folder / each).mkdir()
    (folder / "knot.conf").write_text(KNOT.format(folder=folder, server=SERVER, zone=ZONE))
    (folder / "nginx.conf").write_text("user root;\n" + NGINX.format(folder=folder, **ports))
    (folder / "blackbox.yaml").write_text(BLACKBOX.format(folder=folder, zone=ZONE))
    os.environ["PATH"] += ":/usr/sbin"
    with (
        Subject(["knotd", "-c", folder / "knot.conf"], OTHERS),
        Subject([find_nginx(), "-p", folder, "-c", folder / "nginx.conf"], OTHERS),
    ):
        wait_for(f"http://127.0.0.1:{ports['http']}/")
        yield ports


def measured(subject, count):
    """Return CPU per 1,000 probes, probes a second, memory."""
    time.sleep(WARM)
    # The scrape at the end counts, the one at the start does not.
    probes, cpu, began = count(), subject.cpu(), time.monotonic()
    time.sleep(SECONDS)
    probes, took = count() - probes, time.monotonic() - began
    return 1000 * (subject.cpu() - cpu) / max(1, probes), probes / took, subject.rss()


def scraped(text, pattern):
    return sum(float(each) for each in re.findall(pattern, text))


OURS = """\
cluster: east
inventory: {{static: inventory.yaml}}
probe:
  interval: {interval}ms
  timeout: {timeout}ms
  fast: {{interval: {interval}ms, for: 30s}}
  resolvers: ["{server}:53"]
  pinned: false
  lookup: {lookup}
  limits: {{in_flight: {in_flight}, per_second: 10000}}
  http: {http}
"""


def ours(folder, case, rate, ports):
    """Measure this exporter, a scrape in each window included."""
    names = {"srv": (rate or NAMES) // 2}.get(case, rate or NAMES)
    # Flat out: more is wanted than can be done, and as much as may be in flight is done.
    interval = 1000 if rate else 300
    http = "null"
    if case.startswith("http"):
        tls = f", tls_config: {{ca_file: {folder}/ca.pem}}" if case == "https" else ""
        http = f'{{scheme: {case}, expect_status: ["200"]{tls}}}'
    text = OURS.format(
        interval=interval,
        timeout=min(interval, 2000),
        server=SERVER,
        lookup="[srv]" if case == "srv" else "[]",
        in_flight=512 if rate else 16,
        http=http,
    )
    probed = ports.get(case, ports["http"])
    services = "".join(
        f"  - {{namespace: shop, name: svc-{n}, ports: [{{name: p, port: {probed}}}], "
        "exports: [{cluster: east, addresses: [127.0.0.1], ready: true}]}\n"
        for n in range(names)
    )
    (folder / "inventory.yaml").write_text(f"clusters: [{{id: east}}]\nservices:\n{services}")
    (folder / "config.yaml").write_text(text)
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    command = [PYTHON, "-m", "exporter", "run", "--config.file", folder / "config.yaml"]
    more = ["--web.listen-address", f"127.0.0.1:{port}", "--log.level", "error"]
    pattern = r"clusterset_dns_lookups_total\{.*\} (\S+)"
    if case.startswith("http"):
        pattern = r'clusterset_probes_total\{.*protocol="http".*\} (\S+)'

    def count():
        text = wait_for(url)
        failed = scraped(text, r"clusterset_probe_failures_total\{.*\} (\S+)")
        done = scraped(text, pattern)
        assert failed <= done / 50, f"{failed} of {done} probes failed"
        return done - failed

    with Subject([*command, *more]) as subject:
        wait_for(url)
        found = measured(subject, count)
        return *found, delay(wait_for(url))


def many(bars, folder, ports):
    """A thousand services of three clusters at 15 s, look-ups as clients make them included."""
    exports = ", ".join(
        f"{{cluster: {id_}, addresses: [127.0.0.{n}], ready: true}}"
        for n, id_ in enumerate(("east", "west", "north"), 1)
    )
    services = "".join(
        f"  - {{namespace: shop, name: svc-{n}, ports: [{{name: p, port: {ports['http']}}}], "
        f"exports: [{exports}]}}\n"
        for n in range(NAMES)
    )
    clusters = "clusters: [{id: east}, {id: west}, {id: north}]\n"
    (folder / "inventory.yaml").write_text(f"{clusters}services:\n{services}")
    (folder / "config.yaml").write_text(
        "cluster: east\ninventory: {static: inventory.yaml}\n"
        f'probe: {{resolvers: ["{SERVER}:53"], http: {{expect_status: ["200"]}}}}\n'
    )
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    command = [PYTHON, "-m", "exporter", "run", "--config.file", folder / "config.yaml"]
    more = ["--web.listen-address", f"127.0.0.1:{port}", "--log.level", "error"]
    with Subject([*command, *more]) as subject:
        wait_for(url)
        time.sleep(16)
        first = wait_for(url)
        cpu, began = subject.cpu(), time.monotonic()
        for _ in range(3):
            time.sleep(15)
            text = wait_for(url)
        share = 100 * (subject.cpu() - cpu) / (time.monotonic() - began)
        title = "1,000 services x 3 clusters at 15 s"
        bars.tell(f"{title}, of a core", f"{share:.1f} %")
        bars.tell("  99 % start within", f"{delay(text, first):.0f} ms")
        held = subject.rss()
        bars.show("  memory", f"{held:.0f} MB", "< 75 MB", well=held < 75)
    cpu_ms, done, *_ = blackbox(folder, "many", MIX, ports)
    bars.ratio("  CPU beside blackbox_exporter", share, cpu_ms * done / 10, at_most=0.5)


def delay(text, first=""):
    """Return the bound that 99 % of the starts since *first* were not later than, in ms."""
    pattern = r'start_delay_seconds_bucket\{le="(\S+)"\} (\d+)'
    before = {bound: int(n) for bound, n in re.findall(pattern, first)}
    rows = [(bound, int(n) - before.get(bound, 0)) for bound, n in re.findall(pattern, text)]
    return next(1000 * float(bound) for bound, n in rows if n >= 0.99 * rows[-1][1])


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


TOOLS = {"ours": ours, "blackbox": blackbox, "plain": plain}
TITLES = {"http": "HTTP by name", "https": "HTTPS by name", "a": "DNS A", "srv": "DNS SRV"}


def row(folder, case, rate, ports):
    """Return the medians of each tool: CPU-ms per probe, probes a second, MB, start delay."""
    runs = {name: [] for name in TOOLS}
    for _ in range(ROUNDS):
        for name, measure in TOOLS.items():
            runs[name].append(measure(folder, case, rate, ports))
    found = {}
    for name, each in runs.items():
        columns = list(zip(*each, strict=True))
        found[name] = [None if None in column else median(column) for column in columns]
    return found


def main():
    """Measure and print a table, and the figures beside their bars."""
    bars, version = (
        Bars(),
        subprocess.run(
            ["prometheus-blackbox-exporter", "--version"],
            capture_output=True,
            text=True,
            check=True,
        ),
    )
    told = (version.stdout + version.stderr).split("(")[0].strip()
    build = subprocess.check_output([PYTHON, "-c", "import sys; print(sys.version)"], text=True)
    print(f"probes: {machine()}; {told}; {ROUNDS} rounds of {SECONDS:.0f} s, medians")
    print(f"Python of ours and of the plain stack: {build.strip()}")
    print("CPU seconds per 1,000 probes, probes a second, MB of memory; for ours 99 % start within")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        ports = stack.enter_context(world(folder))
        if "many" in CASES:
            many(bars, folder, ports)
            CASES.remove("many")
        for case in CASES:
            for rate in RATES:
                report(bars, case, rate, row(folder, case, rate, ports))
    bars.end()


def report(bars, case, rate, found):
    """Print one row."""
    title = f"{TITLES[case]}, {f'{rate}/s' if rate else 'flat out'}"
    cells = "   ".join(
        f"{name} {cpu:.3f} {done:6.0f}/s {rss:3.0f} MB"
        for name, (cpu, done, rss, _) in found.items()
    )
    late = found["ours"][3]
    print(f"{title:<26} {cells}   {late:.0f} ms", flush=True)
    mine, theirs = found["ours"], found["blackbox"]
    if rate is None:
        # Each has a core, or what it used of it.
        bars.ratio(f"  {title}, probes per core beside blackbox", theirs[0], mine[0])
    else:
        most = 1.0 if rate < 100 or case == "https" else 0.55
        bars.ratio(f"  {title}, CPU beside blackbox", mine[0], theirs[0], at_most=most)


if __name__ == "__main__":
    main()
