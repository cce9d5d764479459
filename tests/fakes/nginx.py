"""A real nginx with a master and workers, as a distribution runs it, and clients for it."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

from exporter.demo import parts
from exporter.demo.layout import SERVICE_PORT, claim

CONFIG = """\
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 256; }}
http {{
  log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                  '$status $body_bytes_sent "$http_referer" '
                  '"$http_user_agent" "$http_x_forwarded_for"';
  access_log {target} main;
  client_body_temp_path {folder}/temp; proxy_temp_path {folder}/temp;
  fastcgi_temp_path {folder}/temp; uwsgi_temp_path {folder}/temp; scgi_temp_path {folder}/temp;
  keepalive_requests 100000;
  server {{
    listen {address}:{port};
    location / {{ return 200 "ok"; }}
  }}
}}
"""


class Nginx:
    """A running nginx, and how many requests it answered."""

    def __init__(self, site, process):
        self.site = site
        self.process = process
        self.answered = 0

    def reopen(self):
        """Ask it to open its log files anew."""
        self.process.send_signal(signal.SIGUSR1)

    async def ask(self, number):
        """Send requests one after the other over a kept-alive connection."""
        reader, writer = await asyncio.open_connection(
            self.site.service, SERVICE_PORT, local_addr=(self.site.client, 0)
        )
        for _ in range(number):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: load\r\n\r\n")
            await reader.readuntil(b"\r\n\r\nok")
            self.answered += 1
        writer.close()

    async def load(self, stop, *, connections=4):
        """Send requests over kept-alive connections until *stop* is set."""

        async def client():
            while not stop.is_set():
                await self.ask(10)
                await asyncio.sleep(0.005)

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(client())


@asynccontextmanager
async def nginx(folder, target):
    """Run nginx with its access log at *target*, a path or a syslog server."""
    with claim(["a"], folder) as (site,):
        config = folder / "nginx.conf"
        text = CONFIG.format(folder=folder, target=target, address=site.service, port=SERVICE_PORT)
        # As another user its workers could not look into a test's folder.
        config.write_text(("user root;\n" if os.getuid() == 0 else "") + text)
        process = await asyncio.create_subprocess_exec(
            *(parts.find_nginx(), "-p", str(folder), "-c", str(config), "-e", "stderr"),
            stderr=asyncio.subprocess.DEVNULL,
        )
        made = Nginx(site, process)
        try:
            async with asyncio.timeout(10):
                while True:
                    try:
                        _, writer = await asyncio.open_connection(site.service, SERVICE_PORT)
                    except OSError:
                        assert process.returncode is None, (folder / "error.log").read_text()
                        await asyncio.sleep(0.02)
                        continue
                    writer.close()
                    break
            yield made
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
