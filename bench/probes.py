"""
Probes beside blackbox_exporter and the plain stack: CPU for each, memory, delay, most a second.

Needs root: the others take their name server from /etc/resolv.conf, in a mount namespace of theirs.
"""

import os
import re
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from measure import Bars, free_port, machine
from probe_peers import blackbox, plain
from probe_world import NAMES, PYTHON, SECONDS, SERVER, Subject, measured, scraped, wait_for, world

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CASES = os.environ.get("BENCH_CASES", "many http https a srv").split()
RATES = (20, 100, None)
MIX = NAMES * 5 // 15
"""Probes a second of 1,000 services at 15 s: a plain and three pinned names, and a look-up."""
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
