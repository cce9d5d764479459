"""
Real gateways that try a second server, in front of servers that note who asked them.

Run as `PYTHONPATH=. python -m tests.gateways.balancers [NAME...]` to record tests/data/gateways.
Next to the log of each gateway stands what the servers saw: how often each was asked, and how often
it answered with 5xx. Nobody listens at the third server: a gateway tries it, and then another one.
That it did so is seen in what it logs of errors, and in HAProxy's number of retries.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.gateways.asked import Asked, ask
from tests.gateways.record import DATA
from tests.gateways.servers import _wait_for, free_port, logged
from tests.gateways.upstreams import DEAD, EAST, WEST

PATHS = (
    "/",
    "/?page=2",
    "/fail",
    "/none",
    "/",
    "/missing",
    "/fail?again",
    "/?page=3",
    "/",
    "/gone",
)
"""Of the last one only the third server is asked."""
ANSWERS = {"/": 200, "/fail": 503, "/none": 304}


class Seen:
    """Servers at EAST and WEST that count how often they were asked, and how often they failed."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked, self.failed = Counter(), Counter()

    @contextmanager
    def running(self):
        seen = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status = ANSWERS.get(self.path.partition("?")[0], 404)
                address = self.server.server_address[0]
                seen.asked[address] += 1
                seen.failed[address] += status >= 500
                self.send_response(status)
                if status != 304:
                    self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"" if status == 304 else b"here\n")

            def log_message(self, *_):
                pass

        with ExitStack() as stack:
            for address in (EAST, WEST):
                server = stack.enter_context(ThreadingHTTPServer((address, self.port), Handler))
                threading.Thread(target=server.serve_forever, daemon=True).start()
                stack.callback(server.shutdown)
            yield

    def truth(self):
        return {
            address: {"requests": self.asked[address], "failures": self.failed[address]}
            for address in (EAST, WEST)
        }


def caddy(folder, log, port, servers, tells):
    (folder / "Caddyfile").write_text(
        f"""{{
  debug
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  log {{
    output file {log}
  }}
  {tells if tells.startswith("log_append") else ""}
  reverse_proxy /gone {servers[-1]}
  reverse_proxy {" ".join(servers)} {{
    lb_policy round_robin
    lb_try_duration 5s
    lb_try_interval 1ms
    {tells if tells.startswith("header_down") else ""}
  }}
}}
"""
    )
    return ["caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]


def apache(folder, log, port, servers, tells):
    modules = "/usr/lib/apache2/modules"
    loaded = (
        *("mpm_event", "authz_core", "proxy", "proxy_http", "proxy_balancer", "slotmem_shm"),
        "lbmethod_byrequests",
    )
    members = "\n".join(f"  BalancerMember http://{each} retry=0" for each in servers)
    (folder / "apache.conf").write_text(
        "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in loaded)
        + f"""
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/apache.pid
Listen 127.0.0.1:{port}
ServerName localhost
ErrorLog {folder}/error.log
LogFormat "{tells}" told
CustomLog {log} told
<Proxy balancer://cart>
{members}
</Proxy>
<Proxy balancer://gone>
{members.splitlines()[-1]}
</Proxy>
ProxyPass /gone balancer://gone/
ProxyPass / balancer://cart/
"""
    )
    return ["apache2", "-X", "-f", folder / "apache.conf"]


def haproxy(folder, _, port, servers, tells):
    members = "\n".join(f"  server s{n} {each}" for n, each in enumerate(servers))
    (folder / "haproxy.cfg").write_text(
        f"""global
  log stdout format raw local0
defaults
  mode http
  log global
  log-format '{tells}'
  option redispatch 1
  retries 2
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend web
  bind 127.0.0.1:{port}
  capture request header Host len 128
  capture request header User-Agent len 256
  use_backend gone if {{ path /gone }}
  default_backend cart
backend gone
{members.splitlines()[-1]}
backend cart
  balance roundrobin
{members}
"""
    )
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"]


HEADER = "header_down X-Upstream {http.reverse_proxy.upstream.hostport}"
APPEND = "log_append upstream {http.reverse_proxy.upstream.hostport}"
BALANCER = (
    r"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" "
    "%{BALANCER_WORKER_NAME}e %{BALANCER_NAME}e"
)
HAPROXY = (
    '{"remote":"%ci","status":%ST,"size":%B,"milliseconds":%Ta,"upstream":"%si","name":"%b",'
    '"time":"%Tl","retries":"%rc","host":"%[capture.req.hdr(0),json(utf8s)]",'
    '"agent":"%[capture.req.hdr(1),json(utf8s)]"}'
)
BALANCERS = {
    "caddy-header": (caddy, HEADER),
    "caddy-append": (caddy, APPEND),
    "apache-balancer": (apache, BALANCER),
    "haproxy-json": (haproxy, HAPROXY),
}
"""Each with what configures it, and how it is told to log the server."""
PROGRAMS = {
    "caddy-header": "caddy",
    "caddy-append": "caddy-append",  # tests/gateways/caddy/build makes it
    "apache-balancer": "apache2",
    "haproxy-json": "haproxy",
}
FORMS = {
    "caddy-header": (
        "{remote: request.remote_ip, status: status, size: size, seconds: duration, "
        "host: request.host, user_agent: request.headers.User-Agent, time: ts, "
        "upstream: resp_headers.X-Upstream}"
    ),
    "apache-balancer": BALANCER,
    "haproxy-json": (
        "{remote: remote, status: status, size: size, milliseconds: milliseconds, time: time, "
        "host: host, user_agent: agent, upstream: upstream, upstream_name: name}"
    ),
}
FORMS["caddy-append"] = FORMS["caddy-header"].replace("resp_headers.X-Upstream", "upstream")
"""The format of each log for the exporter, as docs/log-formats.md has it."""


def found(name):
    """Return the program of a gateway; None if it is not installed."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return shutil.which(PROGRAMS[name], path=path)


def record(name, folder):
    """Ask the gateway *name* for each of PATHS; return its log, and what its servers saw."""
    configure, tells = BALANCERS[name]
    log, port, seen = folder / "access.log", free_port(), Seen()
    servers = [f"{address}:{seen.port}" for address in (EAST, WEST, DEAD)]
    command = [found(name), *configure(folder, log, port, servers, tells)[1:]]
    output = log if configure is haproxy else folder / "output"
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with ExitStack() as stack:
        out = stack.enter_context(Path(output).open("wb"))
        errors = stack.enter_context((folder / "errors").open("wb"))
        stack.enter_context(seen.running())
        process = subprocess.Popen(
            list(map(str, command)), stdout=out, stderr=errors, env=os.environ | home
        )
        stack.callback(process.wait, 20)
        stack.callback(process.send_signal, signal.SIGTERM)
        _wait_for(port, process, folder)
        statuses = [ask(port, Asked("127.0.1.1", path))["status"] for path in PATHS]
        text = logged(log, len(PATHS))
    truth = {"statuses": statuses, "servers": seen.truth(), "retried": retried(folder, text)}
    return text, truth


def retried(folder, text):
    """Return the retries of HAProxy, or how many errors name the server at which nobody listens."""
    said = "".join(
        path.read_text() for name in ("errors", "error.log") if (path := folder / name).exists()
    )
    if "retries" in text:
        return sum(int(json.loads(row)["retries"].lstrip("+")) for row in text.splitlines())
    return sum(f"{DEAD}:" in row and "refused" in row for row in said.splitlines())


def main(names):
    for name in names or BALANCERS:
        if found(name) is None:
            sys.stdout.write(f"{name}: is not installed; its log is kept as it is\n")
            continue
        with tempfile.TemporaryDirectory() as folder:
            text, truth = record(name, Path(folder))
        (DATA / f"{name}.log").write_text(text)
        (DATA / f"{name}.json").write_text(json.dumps(truth, indent=1) + "\n")
        sys.stdout.write(f"{name}: {text.count(chr(10))} lines\n")


if __name__ == "__main__":
    main(sys.argv[1:])
