"""Each stage fails once in the middle of its work: it is started again, and nothing is lost."""

import asyncio

import pytest
import trustme
from structlog.testing import capture_logs

from exporter.accesslog.line_reader import Lines
from exporter.accesslog.readers.files import Follower
from exporter.accesslog.readers.open_file import OpenFile
from exporter.accesslog.saver import Saver
from exporter.commands.run.daemon import Daemon
from exporter.commands.run.handover import Handover
from exporter.commands.run.leaks import LEAK_SETTLES, Leaks
from exporter.commands.run.monitor import Monitor
from exporter.commands.run.probe_certificates import ProbeCertificates
from exporter.commands.run.probe_keys import ProbeKeys
from exporter.commands.run.stages import Stages, on_event
from exporter.discover.static import StaticInventory
from exporter.metrics import families as series
from exporter.metrics.record import Metrics
from exporter.model.moment import Moment
from exporter.model.stages import StageName
from exporter.probe.schedule import Schedule
from exporter.probe.stage import ProbeStage
from exporter.web.auth import WebAuth
from tests.commands import test_walk_log_line
from tests.commands.test_walk_log_line import walk
from tests.fakes.files import INVENTORY, line
from tests.fakes.virtual import until


class OddError(Exception):
    """A bug."""


@pytest.fixture(autouse=True)
def logs():
    with capture_logs() as found:
        yield found


def breaking(monkeypatch, where, name, *, when=lambda *_: True, times=1):
    """Let a method fail some times, once *breaks* is set."""
    breaks, done, original = asyncio.Event(), [], getattr(where, name)

    def spoilt(self, *arguments, **words):
        if breaks.is_set() and len(done) < times and when(*arguments):
            done.append(arguments)
            raise OddError
        return original(self, *arguments, **words)

    monkeypatch.setattr(where, name, spoilt)
    return breaks, done


def restarts(made):
    children = made.daemon.metrics._store.series[series.STAGE_RESTARTS].items()
    return {stage: number for (stage,), number in children if number}


async def problems(made):
    """Return the stages that the page shows as failed lately."""
    every = (await made.daemon.pages.status())["problems"]
    return [each["what"] for each in every if each["what"].startswith("stage ")]


AUTHORITY = trustme.CA().cert_pem.bytes()
STAGES = {
    StageName.FAILOVERS: (Monitor, "settle"),
    StageName.LEAKS: (Leaks, "settle"),
    StageName.INVENTORY: (StaticInventory, "look"),
    StageName.HANDOVER: (Handover, "_save"),
    StageName.CHECKPOINT: (Saver, "save"),
    StageName.EVENT_LOOP: (Metrics, "observe"),
    StageName.RELOAD: (Daemon, "_reload"),
    StageName.WEB_CONFIGURATION: (WebAuth, "refresh"),
    StageName.PROBE_KEYS: (ProbeKeys, "_read"),
    StageName.PROBE_CERTIFICATES: (ProbeCertificates, "_read"),
    StageName.LOG: (Follower, "_poll"),
}


@pytest.mark.parametrize("stage", STAGES)
async def test_a_stage_that_fails_in_its_work_loses_nothing(tmp_path, monkeypatch, stage, logs):
    breaks, done = breaking(monkeypatch, *STAGES[stage], times=2)
    (tmp_path / "web.yaml").write_text("{}\n")
    (tmp_path / "probe.key").write_text("a key\n")
    (tmp_path / "ca.pem").write_bytes(AUTHORITY)
    https = "probe: {http: {scheme: https, tls_config: {ca_file: ca.pem}}, "
    config = test_walk_log_line.CONFIG.replace("probe: {", https)
    more = f"state_directory: {tmp_path}/state\nprobe_key_file: {tmp_path}/probe.key\n"
    auth = await asyncio.to_thread(WebAuth, tmp_path / "web.yaml")
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group, config=config, more=more, auth=auth)
        breaks.set()
        hangup = made.daemon._reloads._asked
        for n in range(40):
            await made.write(line("10.1.0.9") + line("10.2.0.9"))
            changed = INVENTORY.replace("10.9.0.0", f"10.{n + 100}.0.0")
            await asyncio.to_thread((tmp_path / "inventory.yaml").write_text, changed)
            # The same key in a longer file each time.
            key = "a key\n" + "\n" * n
            await asyncio.to_thread((tmp_path / "probe.key").write_text, key)
            # The same authority in a longer file each time.
            await asyncio.to_thread((tmp_path / "ca.pem").write_bytes, AUTHORITY + b"\n" * n)
            hangup.set()
            await asyncio.sleep(1.0)
        await asyncio.sleep(2 * LEAK_SETTLES + 40)
        assert len(done) == 2
        assert set(restarts(made)) == {stage}
        assert restarts(made)[stage] in {1, 2}
        assert await made.by_locality() == {("east", "local"): 40, ("west", "leak"): 40}
        assert made.daemon._heartbeats.silent() is None
        assert await problems(made) == [f"stage {stage}"]
        told = [each for each in logs if each["event"] == "stage failed"]
        assert {each["stage"] for each in told} == {stage}
        await asyncio.sleep(200)
        assert await problems(made) == []
        made.daemon.stop()


async def test_stages_that_could_not_be_arranged_are_arranged_again(tmp_path, monkeypatch):
    """In a cluster, a change of leader arranges them; one that is missed would stop for ever."""
    breaks, done = breaking(monkeypatch, Stages, "arrange")
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group)
        daemon, arranged = made.daemon, []
        original = Stages.arrange

        async def arrange(stages):
            await original(stages)
            arranged.append(stages)

        monkeypatch.setattr(Stages, "arrange", arrange)
        stage = on_event(daemon._rearranged, daemon._rearrange)
        supervisor = daemon._stages._keeper
        task = group.create_task(supervisor.keep(StageName.ARRANGEMENT, "", stage))
        breaks.set()
        daemon._rearranged.set()
        await until(lambda: arranged, within=30)
        assert len(done) == 1
        assert restarts(made) == {StageName.ARRANGEMENT: 1}
        assert await problems(made) == [f"stage {StageName.ARRANGEMENT}"]
        task.cancel()
        daemon.stop()


async def test_of_many_blocks_only_the_one_that_fails_is_not_counted(tmp_path, monkeypatch):
    breaks, done = breaking(monkeypatch, Lines, "count", when=lambda _, block: b"xxx" in block)
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group)
        breaks.set()
        each = line("10.1.0.9")
        await made.write(each * 1500 + line("10.1.0.9", agent="xxx") + each * 1500)
        await asyncio.sleep(60)
        assert len(done) == 1
        assert restarts(made) == {"log": 1}
        (stream, block), *_ = done
        assert stream.endswith("access.log")
        counted = 3001 - block.count(b"\n")
        assert counted > 1500
        assert await made.by_locality() == {("east", "local"): counted}
        await made.write(each)
        await asyncio.sleep(5)
        assert await made.by_locality() == {("east", "local"): counted + 1}
        made.daemon.stop()


async def test_a_file_that_cannot_be_read_because_of_a_bug_takes_no_other_with_it(
    tmp_path, monkeypatch
):
    (tmp_path / "b.log").touch()
    breaks, done = breaking(monkeypatch, OpenFile, "read", times=3)
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group)
        for n in range(20):
            if n == 5:
                breaks.set()
            await made.write(line("10.1.0.9"))
            await asyncio.sleep(1.0)
        await asyncio.sleep(60)
        assert len(done) == 3
        assert await made.by_locality() == {("east", "local"): 20}
        made.daemon.stop()


@pytest.mark.parametrize(
    ("where", "name", "stage"),
    [
        (Schedule, "begin", StageName.PROBES),
        (ProbeStage, "follow_name_servers", StageName.NAME_SERVERS),
    ],
)
async def test_what_fails_at_its_start_starts_later(tmp_path, monkeypatch, where, name, stage):
    breaks, done = breaking(monkeypatch, where, name)
    breaks.set()
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group)
        assert len(done) == 1
        assert restarts(made) == {stage: 1}
        made.daemon.stop()


async def test_whoever_asks_for_a_reload_that_fails_is_told(tmp_path, monkeypatch):
    breaks, done = breaking(monkeypatch, Daemon, "_reload")
    breaks.set()
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group)
        answers = await asyncio.gather(*(made.daemon.pages.reload() for _ in range(20)))
        assert answers == ["the reload failed; see the log"] * 20
        await asyncio.sleep(5)
        assert await made.daemon.pages.reload() is None
        assert len(done) == 1
        made.daemon.stop()


@pytest.mark.parametrize("jump", [3600.0, -3600.0, -1_657_000_000.0])
async def test_a_clock_of_the_system_that_jumps_changes_no_timer(tmp_path, monkeypatch, jump):
    jumped = [0.0]
    monkeypatch.setattr(
        test_walk_log_line, "Moment", lambda at, unix: Moment(at=at, unix=unix + jumped[0])
    )
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group)
        await made.write(line("10.1.0.9"))
        await asyncio.sleep(5)
        jumped[0] = jump
        await made.write(line("10.1.0.9") + line("10.2.0.9"))
        await asyncio.sleep(2 * LEAK_SETTLES)
        counted = await made.by_locality()
        assert counted["east", "local"] == 2
        # Whether it was a leak depends on when it was, which nobody knows.
        assert sum(n for (source, _), n in counted.items() if source == "west") == 1
        assert restarts(made) == {}
        assert made.daemon._heartbeats.silent() is None
        behind = await made.counted("clusterset_exporter_log_behind_seconds")
        assert all(seconds >= 0 for seconds in behind.values())
        for each in (await made.daemon.pages.status())["services"]:
            assert each["mode"]
        made.daemon.stop()
