"""The exporter as a process of its own, on free ports, for tests."""

import asyncio
import json
import re
import sys
from contextlib import asynccontextmanager

import aiohttp

LIMIT = 20
START_LIMIT = 60
"""Seconds for a start, which takes one or two on a machine that is not busy."""
LISTENS = re.compile(r"event=started .*listen=([\d.]+):(\d+)")


class Exporter:
    """A running `clusterset-exporter run`."""

    def __init__(self, process, session, scheme="http"):
        self.process = process
        self.session = session
        self.scheme = scheme
        self.lines = []
        self.url = ""
        self._reading = asyncio.create_task(self._read())
        self._started = asyncio.Event()

    async def _read(self):
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())
            if started := LISTENS.search(self.lines[-1]):
                self.url = f"{self.scheme}://{started[1]}:{started[2]}"
                self._started.set()

    async def started(self):
        async with asyncio.timeout(START_LIMIT):
            await self._started.wait()
            await self.until(self.ready, within=START_LIMIT)

    async def ready(self):
        return (await self.get("/-/ready"))[0] == 200

    async def get(self, path, method="GET", **headers):
        async with self.session.request(method, self.url + path, headers=headers) as reply:
            return reply.status, await reply.text()

    async def status(self):
        return json.loads((await self.get("/api/v1/status"))[1])

    async def value(self, name, **labels):
        """Return the sum of the samples of a series that have these labels."""
        text = (await self.get("/metrics"))[1]
        total = 0.0
        for line in text.splitlines():
            if re.match(rf"{name}(\{{| )", line) and all(
                f'{key}="{value}"' in line for key, value in labels.items()
            ):
                total += float(line.rsplit(" ", 1)[1])
        return total

    async def until(self, holds, *, within=LIMIT):
        async with asyncio.timeout(within):
            while not await holds():  # noqa: ASYNC110 - another process has no Event
                await asyncio.sleep(0.02)

    async def until_value(self, value, name, *, within=LIMIT, **labels):
        async def holds():
            return await self.value(name, **labels) == value

        await self.until(holds, within=within)

    async def end(self):
        async with asyncio.timeout(LIMIT):
            code = await self.process.wait()
            await self._reading
        return code


@asynccontextmanager
async def exporter(config, *arguments, stdin=asyncio.subprocess.DEVNULL, scheme="http", before=""):
    """Run the exporter on a free port of 127.0.0.1; first run the Python code *before*."""
    code = f"{before}\nfrom exporter.cli.main import cli\ncli()"
    program = ["-c", code] if before else ["-m", "exporter"]
    command = [sys.executable, *program, "run", "--config.file", str(config)]
    process = await asyncio.create_subprocess_exec(
        *command,
        "--web.listen-address",
        "127.0.0.1:0",
        "--web.enable-lifecycle",
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        stdin=stdin,
    )
    # As a kubelet, which asks for no proof of who answers.
    connector = aiohttp.TCPConnector(ssl=scheme == "http")
    async with aiohttp.ClientSession(connector=connector) as session:
        made = Exporter(process, session, scheme)
        try:
            await made.started()
            yield made
        finally:
            if process.returncode is None:
                process.kill()
            await made.end()
