"""A line of an nginx log -> reader -> counter -> judge -> counted, over the stages of a daemon."""

import asyncio
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families as families
from structlog.testing import capture_logs

from exporter.commands.load import load
from exporter.commands.run.daemon import Daemon
from exporter.commands.run.leaks import LEAK_SETTLES
from exporter.commands.run.shard import ALL
from exporter.model.moment import Moment
from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from tests.fakes.files import line, write
from tests.fakes.virtual import VirtualLoop, until

SERVED = 1_657_179_731.0
"""The time in the lines of `tests.fakes.files.line`, unix seconds."""
LATE = 100.0
"""Seconds that the exporter has run by then: longer than any grace after a change."""
CONFIG = """\
cluster: east
inventory: {static: inventory.yaml}
probe: {services: [{match: "*/*", enabled: false}]}
logs: [{files: [access.log], format: main, service: nginx-test/nginx}]
"""
NGINX = ("nginx-test", "nginx")


def in_virtual_time(main):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main)


class Walked(Daemon):
    """A daemon whose stages can be taken away."""

    without: str | None = None

    def _wanted(self):
        return (stage for stage in super()._wanted() if stage.name != self.without)


class Walk:
    """A daemon at work, its log, and what it exposes."""

    def __init__(self, folder, daemon):
        self.log, self.daemon = folder / "access.log", daemon

    async def write(self, text):
        def append():
            with self.log.open("a") as file:
                file.write(text)

        await asyncio.to_thread(append)

    async def counted(self, name="clusterset_requests_total"):
        """Return the children of a series, by labels, as a scrape shows them."""
        sent = self.daemon.pages.asked("somebody")
        text = b"".join([piece async for piece in self.daemon.pages.metrics(False)]).decode()
        await sent()
        return {
            tuple(sample.labels.values()): sample.value
            for family in families(text)
            for sample in family.samples
            if sample.name == name and sample.value
        }

    async def by_locality(self):
        counted = await self.counted()
        return {(source, words[-1]): value for (source, *words), value in counted.items()}


async def walk(folder, group, *, without=None, config=CONFIG, more="", auth=None):
    """Start a daemon that has run for LATE seconds when the lines of its log are written."""
    loop = asyncio.get_running_loop()
    offset = SERVED - LATE - loop.time()
    (folder / "access.log").touch()
    read = partial(load, write(folder, config=config + more), None)
    daemon = Walked(
        await asyncio.to_thread(read),
        read=read,
        driver=AsyncioDriver(),
        client=None,
        auth=auth,
        replica="exporter",
        shard=ALL,
        end=pytest.fail,
        hangup=asyncio.Event(),
        moment=lambda: Moment(at=loop.time(), unix=loop.time() + offset),
    )
    daemon.without = without
    made = Walk(folder, daemon)
    await daemon.read_inventory()
    await daemon.start(group)
    await until(lambda: daemon.pages.not_ready() is None)
    await asyncio.sleep(LATE)
    return made


def test_lines_are_counted_and_what_looks_like_a_leak_waits(tmp_path):
    in_virtual_time(lines_are_counted(tmp_path))


async def lines_are_counted(tmp_path):
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group)
        with capture_logs() as logs:
            await made.write(
                line("10.1.0.9") + line("10.2.0.9") * 3 + line("192.0.2.1", status=502)
            )
            await until(made.by_locality, within=4.0)
            # Clients of the west have a service of their own: judged again before it is counted.
            assert await made.by_locality() == {("east", "local"): 1, ("external", "external"): 1}
            await asyncio.sleep(LEAK_SETTLES + 1.0)
        assert await made.by_locality() == {
            ("east", "local"): 1,
            ("external", "external"): 1,
            ("west", "leak"): 3,
        }
        assert await made.counted("clusterset_request_failures_total") == {
            ("external", "east", *NGINX, "external"): 1
        }
        lines = await made.counted("clusterset_exporter_log_lines_total")
        assert set(lines.values()) == {5}
        (leaked,) = [each for each in logs if each["event"] == "client requests leaked"]
        assert leaked["log_level"] == "warning"
        assert (leaked["source_cluster"], leaked["locality"]) == ("west", "leak")
        made.daemon.stop()


@pytest.mark.parametrize(("without", "leaks"), [(None, 1), ("leaks", None)])
def test_only_the_stage_of_leaks_counts_a_leak(tmp_path, without, leaks):
    in_virtual_time(leaks_are_counted(tmp_path, without, leaks))


async def leaks_are_counted(tmp_path, without, leaks):
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group, without=without)
        await made.write(line("10.2.0.9") + line("10.1.0.9"))
        await asyncio.sleep(20 * LEAK_SETTLES)
        counted = await made.by_locality()
        assert counted["east", "local"] == 1
        assert counted.get(("west", "leak")) == leaks
        made.daemon.stop()
