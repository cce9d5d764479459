"""Logs of pods are read by a leader, and then as files of a node; also run on a real API server."""

import asyncio
import itertools
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp
import pytest

from tests.fakes.files import line
from tests.fakes.members import CONFIG
from tests.fakes.nodelogs import Node
from tests.system.test_cluster_life import NAME, NODE_CONFIG, PODS, REQUESTS, api, member  # noqa: F401 - the fixtures

pytestmark = pytest.mark.timeout(240)
LIMIT = 60.0
LINES, PODS_FOLLOWED = "clusterset_exporter_log_lines_total", "clusterset_exporter_pod_logs"
GAPS = "clusterset_exporter_log_gaps_total"
WITHOUT_LOGS = CONFIG[: CONFIG.index("logs:")]
AFTER = NODE_CONFIG.replace("{pod: true}", "{pod: true}, after_lease: mon/LEASE")
EVERY = 0.01
HERE, THERE = line("10.1.0.9", end=""), line("10.2.0.9", end="")


class Runtime:
    """Writes each line to the file on the node, and has the API server know it."""

    _serial = itertools.count(1)

    def __init__(self, log, file):
        self.log, self.file, self.written = log, file, 0
        # On a real API server that of another test is there still.
        self.lease = f"switched-{next(self._serial)}"

    def write(self, text=THERE):
        at = time.time()
        self.file.write(text, at=at)
        self.log.write(text.encode(), at)
        self.written += 1
        if self.written % 200 == 0:
            self.file.rotate()

    @asynccontextmanager
    async def writing(self):
        async def write():
            while True:
                self.write()
                await asyncio.sleep(EVERY)

        task = asyncio.create_task(write())
        try:
            yield
        finally:
            task.cancel()


@pytest.fixture
async def runtime(member, tmp_path, monkeypatch):  # noqa: F811 - the fixture
    # A leader in a pod is there until its last counts were scraped.
    monkeypatch.setenv("POD_NAME", "exporter-1")
    await member.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "mon"}})
    log = await member.api.pod("nginx-test", PODS[0])
    return Runtime(log, Node(tmp_path).log("nginx-test", PODS[0]))


def node_config(runtime):
    files = str(runtime.file.node / "containers" / "*.log")
    return AFTER.replace("FILES", files).replace("LEASE", runtime.lease)


async def counted_until_its_end(exporter):
    """End an exporter in order; return the lines that its last scrape brought."""
    exporter.process.send_signal(signal.SIGTERM)
    seen = None
    with suppress(aiohttp.ClientError):
        while True:
            seen = await exporter.value(LINES, outcome="access")
            await asyncio.sleep(0.02)
    assert await exporter.end() == 0
    return seen


async def more(exporter, than):
    async def holds():
        return await exporter.value(LINES, outcome="access") > than

    await exporter.until(holds, within=LIMIT)


async def says(exporter, problem):
    async def holds():
        return problem in str((await exporter.status())["problems"])

    await exporter.until(holds, within=LIMIT)


async def leader_reads(exporter, runtime):
    await exporter.until_value(1, PODS_FOLLOWED, within=LIMIT)
    await asyncio.wait_for(runtime.log.followed.wait(), LIMIT)


@pytest.mark.parametrize("successor", [True, False], ids=["another leads", "nobody leads"])
async def test_no_line_is_lost_or_counted_twice(member, runtime, successor):  # noqa: F811
    elects = f"lease: {runtime.lease}"
    async with (
        member.gateways_speak(),
        member.exporter(kubernetes=elects) as leader,
        member.exporter(config=node_config(runtime)) as files,
        AsyncExitStack() as stack,
    ):
        await leader_reads(leader, runtime)
        if successor:
            without = member.exporter(kubernetes=elects, config=WITHOUT_LOGS)
            other = await stack.enter_async_context(without)
        async with runtime.writing():
            await more(leader, 50)
            # It is ready, so an upgrade goes on, and says what it waits for.
            await says(files, "reads the same lines")
            assert await files.value(LINES, outcome="access") == 0
            by_leader = await counted_until_its_end(leader)
            await more(files, 50)
        if successor:
            assert await other.value("clusterset_exporter_leader") == 1
        # Whatever came before this line has been read once it is counted.
        runtime.write(HERE)
        await files.until_value(1, REQUESTS, source_cluster="cluster1", within=LIMIT, **NAME)
        assert by_leader + await files.value(LINES, outcome="access") == runtime.written
        assert (await files.status())["problems"] == []
        assert await files.value(GAPS) == 0
