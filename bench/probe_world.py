"""What probers ask, and how a process under test is measured."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import trustme
from measure import free_port

from exporter.demo.parts import find_nginx

SERVER = "127.7.7.7"
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)
"""Runs ours and the plain stack: the image's Python is an optimised build, many are not."""
WARM = 3.0
NAMES = 1000
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
