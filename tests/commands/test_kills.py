"""A process that is killed: the next one goes on at the last scrape, so sums are whole."""

import asyncio
import shutil

from tests.commands.test_walk_log_line import walk
from tests.fakes.files import line
from tests.fakes.virtual import until

EAST = ("east", "local")


async def test_what_no_scrape_exposed_is_counted_again(tmp_path):
    state, left = tmp_path / "state", tmp_path / "left"
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group, more=f"state_directory: {state}\n")
        await made.write(line("10.1.0.9") * 3)
        await until(made.by_locality)
        assert await made.by_locality() == {EAST: 3}
        await made.write(line("10.1.0.9") * 2)
        # They are counted long before the end, and nobody hears of it.
        await asyncio.sleep(20)
        await asyncio.to_thread(shutil.copytree, state, left)
        assert await made.by_locality() == {EAST: 5}
        made.daemon.stop()
    async with asyncio.TaskGroup() as group:
        # What a process that was killed before that last scrape would have left.
        made = await walk(tmp_path, group, more=f"state_directory: {left}\n")
        assert await made.by_locality() == {EAST: 2}
        made.daemon.stop()
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group, more=f"state_directory: {state}\n")
        assert await made.by_locality() == {}
        made.daemon.stop()


async def test_what_a_scrape_did_not_deliver_is_counted_again(tmp_path):
    """The process was killed while it sent the text that had it."""
    state, left = tmp_path / "state", tmp_path / "left"
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group, more=f"state_directory: {state}\n")
        await made.write(line("10.1.0.9") * 3)
        await until(made.by_locality)
        await made.write(line("10.1.0.9") * 2)
        await asyncio.sleep(20)
        text = b"".join([piece async for piece in made.daemon.pages.metrics(False)])
        assert b"} 5\n" in text
        await asyncio.to_thread(shutil.copytree, state, left)
        made.daemon.stop()
    async with asyncio.TaskGroup() as group:
        made = await walk(tmp_path, group, more=f"state_directory: {left}\n")
        assert await made.by_locality() == {EAST: 2}
        made.daemon.stop()
