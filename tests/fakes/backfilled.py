"""A real Prometheus with samples of the past, at times that a test chooses."""

import asyncio
import shutil
from contextlib import asynccontextmanager

import aiohttp

from exporter.demo import parts
from exporter.demo.clusterset import until
from tests.fakes.tools import need


def exposition(series):
    """Return OpenMetrics text: for each name, labels and samples (unix seconds, value)."""
    names = {}
    for name, labels, samples in series:
        for at, value in samples:
            text = ",".join(f'{k}="{_quoted(v)}"' for k, v in labels.items())
            names.setdefault(name, []).append(f"{name}{{{text}}} {value} {at}\n")
    lines = [f"# TYPE {name} gauge\n{''.join(rows)}" for name, rows in names.items()]
    return "".join(lines) + "# EOF\n"


def _quoted(value):
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


@asynccontextmanager
async def backfilled(folder, port, series):
    """Yield the URL of a Prometheus that knows *series*."""
    need("prometheus")
    text, data = folder / "samples.txt", folder / "data"
    text.write_text(exposition(series))
    made = await asyncio.create_subprocess_exec(
        *(need("promtool"), "tsdb", "create-blocks-from", "openmetrics", text, data),
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    config = folder / "prometheus.yml"
    config.write_text("global: {}\n")
    command = [
        shutil.which("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    part = parts.Part("prometheus", command, folder / "prometheus.log")
    url = f"http://127.0.0.1:{port}"
    async with parts.running([part]), aiohttp.ClientSession() as session:

        async def ready():
            part.check()
            try:
                async with session.get(f"{url}/-/ready") as reply:
                    return reply.ok
            except aiohttp.ClientConnectionError:
                return False

        await until(ready, "prometheus is ready")
        yield url
