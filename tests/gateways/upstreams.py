"""
A real nginx that retries and redirects between servers, which log for themselves who asked them.

Run as `PYTHONPATH=. python -m tests.gateways.upstreams` to record tests/data/gateways. Next to the
log of the gateway stands what the servers logged: how often each was asked, and how it answered.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from exporter.demo.parts import find_nginx
from tests.gateways.asked import Asked, ask
from tests.gateways.record import DATA
from tests.gateways.servers import UPSTREAMINFO, _wait_for, free_port, logged

NAME = "nginx-upstreams"
EAST, WEST, DEAD = "127.1.0.1", "127.2.0.1", "127.3.0.1"
"""Addresses of the servers; nobody listens at the last one."""
CONFIG = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  log_format logged '{form}';
  log_format own '$server_addr $status';
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  proxy_next_upstream error timeout http_503;
  # Each server is asked again, whatever it did before.
  upstream cart {{ server {east}:{port} max_fails=0; server {west}:{port} max_fails=0; }}
  upstream lame {{ server {dead}:{port} max_fails=0; server {west}:{port} backup; }}
  upstream down {{ server {dead}:{port} down; }}
  upstream gone {{ server {dead}:{port} max_fails=0; }}
  server {{
    listen 127.0.0.1:{gateway}; server_name {host};
    access_log {log} logged;
    proxy_intercept_errors on;
    location / {{ proxy_pass http://cart; }}
    location /lame {{ proxy_pass http://lame; }}
    location /gone {{ proxy_pass http://gone; }}
    location /other {{ proxy_pass http://{east}:{port}; error_page 500 = @other; }}
    location /down {{ proxy_pass http://down; }}
    location /here {{ return 200 "here"; }}
    location @other {{ proxy_pass http://{west}:{port}; }}
  }}
  server {{
    listen {east}:{port};
    access_log {own} own;
    location / {{ return 200 "{filler}"; }}
    location /fail {{ return 503; }}
    location /other {{ return 500; }}
  }}
  server {{
    listen {west}:{port};
    access_log {own} own;
    location / {{ return 200 "{filler}"; }}
    location /fail {{ return 503; }}
  }}
}}
"""
HOST = "cart.shop.svc.clusterset.local"
PATHS = (
    "/",
    "/?page=2",
    "/lame",
    "/fail",
    "/other",
    "/gone",
    "/down",
    "/here",
    "/",
    "/lame?x=1",
    "/none",
)


def record(folder):
    """Ask nginx for each of PATHS; return its log, and what its servers logged, as JSON."""
    log, own = folder / "access.log", folder / "own.log"
    gateway, port = free_port(), free_port()
    names = {"folder": folder, "form": UPSTREAMINFO, "log": log, "own": own, "gateway": gateway}
    names |= {"port": port, "east": EAST, "west": WEST, "dead": DEAD, "host": HOST}
    (folder / "nginx.conf").write_text(CONFIG.format(**names, filler="x" * 615))
    command = [find_nginx(), "-p", folder, "-c", folder / "nginx.conf"]
    with ExitStack() as stack:
        errors = stack.enter_context((folder / "errors").open("wb"))
        process = subprocess.Popen(list(map(os.fspath, command)), stderr=errors)
        stack.callback(process.wait, 20)
        stack.callback(process.send_signal, signal.SIGTERM)
        _wait_for(gateway, process, folder)
        seen = [ask(gateway, Asked("127.0.1.1", path)) for path in PATHS]
        text = logged(log, len(PATHS))
    asked = Counter(own.read_text().splitlines())
    servers = {}
    for row, times in sorted(asked.items()):
        address, status = row.split()
        server = servers.setdefault(address, {"requests": 0, "failures": 0})
        server["requests"] += times
        server["failures"] += times * (status >= "500")
    return text, {"statuses": [each["status"] for each in seen], "servers": servers}


def main():
    with tempfile.TemporaryDirectory() as folder:
        text, truth = record(Path(folder))
    (DATA / f"{NAME}.log").write_text(text)
    (DATA / f"{NAME}.json").write_text(json.dumps(truth, indent=1) + "\n")
    sys.stdout.write(f"{NAME}: {text.count(chr(10))} lines\n")


if __name__ == "__main__":
    main()
