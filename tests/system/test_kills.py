"""An exporter that is killed again and again, at any moment, while its log grows."""

import asyncio
import json
import os
import random

import pytest

from tests.fakes.files import CONFIG, line, write
from tests.fakes.process import exporter

KILLS = int(os.environ.get("CLUSTERSET_EXPORTER_KILLS", "3"))
"""How often. Each takes about a second of an idle machine."""
LINE = line("10.1.0.1")


def saved(folder):
    """Return up to which byte the log was read, by the checkpoint."""
    paths = list((folder / "state").glob("log-*.json"))
    if not paths:
        return None
    (place,) = json.loads(paths[0].read_text())["kept"][0]
    return place["offset"]


@pytest.mark.slow
@pytest.mark.timeout(120 + 60 * KILLS)
async def test_checkpoints_always_load_and_no_line_is_lost(tmp_path):
    log, chance = tmp_path / "access.log", random.Random(7)
    log.touch()
    config = write(tmp_path, config=f"{CONFIG}state_directory: {tmp_path}/state\n")

    async def is_saved():
        return await asyncio.to_thread(saved, tmp_path) is not None

    # Without any checkpoint reading begins at the end.
    async with exporter(config) as running:
        log.write_text(LINE)
        await running.until(is_saved)
    read_to = 0
    for _ in range(KILLS):
        async with exporter(config) as running:
            for _ in range(chance.randrange(1, 30)):
                with log.open("a") as file:
                    file.write(LINE * chance.randrange(1, 200))
                await asyncio.sleep(chance.random() * 0.1)
            running.process.kill()
            await running.end()
            assert not any("checkpoint" in each for each in running.lines)
        offset = await asyncio.to_thread(saved, tmp_path)
        if offset is not None:
            assert read_to <= offset <= log.stat().st_size
            assert offset % len(LINE) == 0
            read_to = offset
    left = list((tmp_path / "state").glob("*.bad"))
    assert left == []
    # What the last one had not saved is counted again, and nothing is left out.
    async with exporter(config) as running:
        lines = (log.stat().st_size - read_to) // len(LINE)
        await running.until_value(lines, "clusterset_exporter_log_lines_total", outcome="access")
        assert (await running.value("clusterset_exporter_checkpoint_failures_total")) == 0
