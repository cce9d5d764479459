"""A daemon that hangs still says where, and ends when it is told to."""

import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fakes.files import write
from tests.fakes.process import exporter

# Each reads from a pipe that stays empty: like a file of a server that is gone.
IN_A_THREAD = """
import asyncio, os
from exporter.discover.static import StaticInventory
def hanging_read(): os.read(os.pipe()[0], 1)
async def watch(self, _):
    while not os.path.exists(FILE): await asyncio.sleep(0.02)
    await asyncio.to_thread(hanging_read)
StaticInventory.watch = watch
"""
IN_THE_LOOP = IN_A_THREAD.replace("await asyncio.to_thread(hanging_read)", "hanging_read()")
QUICK = "import exporter.commands.run.signals as s; s.STOP_SECONDS = {}"
HANGS = pytest.mark.parametrize("hangs", [IN_A_THREAD, IN_THE_LOOP], ids=["thread", "loop"])


def code(stop_seconds, hangs, folder):
    """Return the code that makes an exporter hang once there is a file."""
    return f"{QUICK.format(stop_seconds)}\nFILE = {str(folder / 'hang')!r}\n{hangs}"


def pending(pid):
    """Return the masks of the signals that a process has not handled yet."""
    status = Path(f"/proc/{pid}/status").read_text()
    return [int(mask, 16) for mask in re.findall(r"(?:Sig|Shd)Pnd:\s*(\w+)", status)]


async def hung(running, folder):
    """Make the exporter hang, and wait until it says so."""
    (folder / "hang").touch()

    async def says():
        if any("hanging_read" in line for line in running.lines):
            return True
        running.process.send_signal(signal.SIGUSR1)
        return False

    async def has_handled_all():
        return not any(pending(running.process.pid))

    await running.until(says)
    # While one signal is pending, the kernel may give the next one to another thread.
    await running.until(has_handled_all)


@HANGS
async def test_it_says_where_it_hangs_and_ends_all_the_same(tmp_path, hangs):
    async with exporter(write(tmp_path), before=code(0.5, hangs, tmp_path)) as running:
        await hung(running, tmp_path)
        assert running.process.returncode is None
        running.process.send_signal(signal.SIGTERM)
        assert await running.end() == 1
        ended = next(n for n, line in enumerate(running.lines) if line.startswith("Timeout"))
        assert any("hanging_read" in line for line in running.lines[ended:])


@HANGS
async def test_a_second_signal_ends_it_at_once(tmp_path, hangs):
    async with exporter(write(tmp_path), before=code(3600, hangs, tmp_path)) as running:
        await hung(running, tmp_path)
        running.process.send_signal(signal.SIGTERM)

        async def ended():
            # Two signals that come before one is handled are one.
            if running.process.returncode is None:
                # Not by the process object, which would take the exit code away from asyncio.
                with suppress(ProcessLookupError):
                    os.kill(running.process.pid, signal.SIGINT)
            return running.process.returncode is not None

        await running.until(ended)
        assert await running.end() == 1
        assert not any(line.startswith("Timeout") for line in running.lines)


IN_A_LOOK = """
import asyncio, os
from exporter.commands.run import heartbeats
from exporter.discover.static import StaticInventory
from exporter.model.stages import StageName
heartbeats.LIMITS[StageName.INVENTORY] = 2.0
def hanging_read():
    if os.path.exists(FILE): os.read(os.pipe()[0], 1)
async def look(self): await asyncio.to_thread(hanging_read)
StaticInventory.look = look
"""


async def test_the_health_check_names_the_stage_that_hangs(tmp_path):
    async with exporter(write(tmp_path), before=code(0.5, IN_A_LOOK, tmp_path)) as running:
        assert await running.get("/-/healthy") == (200, "clusterset-exporter is healthy.\n")
        (tmp_path / "hang").touch()

        async def named():
            return (await running.get("/-/healthy"))[0] == 503

        await running.until(named)
        _, text = await running.get("/-/healthy")
        assert text.startswith("Not healthy: stage inventory has been silent since 20")
        assert text.endswith(", limit 2 s.\n")
        running.process.send_signal(signal.SIGTERM)
        assert await running.end() == 1
