"""What a process leaves in its state directory, and what the next one makes of it."""

import asyncio
import os

import pytest
from structlog.testing import capture_logs

from exporter.commands.run.handover import FILE, Handover
from exporter.judge.handover import read
from exporter.model.moment import Moment
from exporter.model.verdicts import Mode, Reason
from tests.fakes.nouns import NGINX, inventory
from tests.judge.test_bad_days import Day
from tests.judge.test_handover import FAILED, standby

UNIX = 1_800_000_000.0


def handover(day, folder, accelerated=None):
    return Handover(
        day.verdicts,
        lambda: Moment(at=day.now, unix=UNIX + day.now),
        (accelerated if accelerated is not None else []).append,
        folder,
    )


async def ticks(number):
    for _ in range(number):
        yield


def test_the_next_process_completes_a_move_from_the_file(tmp_path):
    folder = tmp_path / "state"
    day = Day().see("aa").becomes(**FAILED).see("AA")
    asyncio.run(handover(day, folder).run(ticks(1)))
    os.utime(folder / FILE, (UNIX + day.now, UNIX + day.now))
    after, accelerated = standby(), []
    after.verdicts._tracks.by_name.clear()
    after.verdicts._tracks.inventory = None
    after.now = day.now + 2
    taken = handover(after, folder, accelerated)
    taken.load()
    taken.begin()
    after.becomes(inventory(**FAILED))
    taken.look_closer()
    assert accelerated == [NGINX]
    assert after.view.mode is not Mode.LOCAL
    assert after.see("bb").told == [("ab", Reason.READINESS)]


@pytest.mark.parametrize("alive", [UNIX, None])
def test_a_leader_that_was_left_nothing_still_probes_at_once(tmp_path, alive):
    """Its predecessor died too early, or is of an older version; the first leader has time."""
    after, accelerated = standby(), []
    after.verdicts._tracks.by_name.clear()
    taken = handover(after, tmp_path, accelerated)
    taken.offer("", alive)
    taken.begin()
    after.becomes()
    taken.look_closer()
    assert accelerated == ([] if alive is None else [NGINX])


def test_a_file_that_says_the_same_is_only_touched(tmp_path):
    day = Day().see("aa")
    asyncio.run(handover(day, tmp_path).run(ticks(1)))
    path = tmp_path / FILE
    before, text = path.stat().st_ino, path.read_text()
    os.utime(path, (1, 1))
    kept = handover(day, tmp_path)
    asyncio.run(kept.run(ticks(1)))
    os.utime(path, (1, 1))
    inode = path.stat().st_ino
    asyncio.run(kept.run(ticks(3)))
    assert (path.stat().st_ino, path.read_text()) == (inode, text)
    assert path.stat().st_mtime > 1
    assert before
    assert NGINX in read(text)
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


def test_the_newest_of_file_and_lease_is_used(tmp_path):
    day = Day().see("aa").becomes(**FAILED).see("AAbb")
    older = Day().see("aa")
    text = handover(day, None).for_lease()
    for first, second in (((text, 10.0), (handover(older, None).for_lease(), 5.0)),) * 2:
        after = standby()
        after.now = day.now
        taken = handover(after, tmp_path)
        for each, alive in (first, second):
            taken.offer(each, UNIX + alive)
        taken.offer("", UNIX + 100)
        taken.offer("{}", None)
        taken.begin()
        after.becomes(inventory(**FAILED))
        assert after.see("bb").told == []


def test_a_directory_that_cannot_be_written_is_logged_once(tmp_path):
    folder = tmp_path / "file"
    folder.write_text("no directory")
    day = Day().see("aa")
    with capture_logs() as said:
        kept = handover(day, folder)
        asyncio.run(kept.run(ticks(3)))
        kept.load()
    assert [each["event"] for each in said] == [
        "handover file cannot be written",
        "handover file cannot be read",
    ]


def test_what_somebody_else_wrote_there_is_ignored(tmp_path):
    (tmp_path / FILE).write_bytes(b"\xff{[" * 1000)
    after = standby()
    taken = handover(after, tmp_path)
    taken.load()
    taken.begin()
    after.becomes()
    assert after.see("aa").view.mode is Mode.LOCAL
