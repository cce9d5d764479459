"""What a process leaves in its state directory, and what the next one makes of it."""

import asyncio
import errno
import os
import stat
import time

import pytest
from structlog.testing import capture_logs

from exporter.apiserver.left_word import ReadUntil, left_word
from exporter.commands.run.handover import FILE, ON_THE_WAY, SCRAPED, UPGRADE, Handover
from exporter.judge.handover import read
from exporter.model.moment import Moment
from exporter.model.verdicts import Mode, Reason
from tests.fakes.nouns import NGINX, inventory
from tests.judge.test_bad_days import Day
from tests.judge.test_handover import FAILED, standby

UNIX = 1_800_000_000.0


def handover(day, folder, accelerated=None, **more):
    return Handover(
        day.verdicts,
        lambda: Moment(at=day.now, unix=UNIX + day.now),
        (accelerated if accelerated is not None else []).append,
        folder,
        **more,
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


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=os.strerror)
def test_a_failed_writing_leaves_the_file_before_and_nothing_else(tmp_path, monkeypatch, number):
    asyncio.run(handover(Day().see("aa"), tmp_path).run(ticks(1)))
    before = (tmp_path / FILE).read_bytes()
    later = handover(Day().see("aa").becomes(**FAILED).see("AA"), tmp_path)

    def fail(_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch, capture_logs() as said:
        patch.setattr(os, "fsync", fail)
        asyncio.run(later.run(ticks(3)))
    assert [each["error"] for each in said] == [f"{tmp_path / FILE}: {os.strerror(number)}"]
    assert [each.name for each in tmp_path.iterdir()] == [FILE]
    assert (tmp_path / FILE).read_bytes() == before
    asyncio.run(later.run(ticks(1)))
    assert (tmp_path / FILE).read_bytes() != before


def whole():
    return handover(Day().see("aa"), None).for_lease().encode()


UNUSABLE = {
    "empty": (lambda: b"", "is broken: Input data was truncated"),
    "half written": (lambda: whole()[:-20], "is broken: Input data was truncated"),
    "no JSON": (lambda: b"{[", "is broken: JSON is malformed"),
    "deep": (lambda: b"[" * 100_000, "is broken: "),
    "not UTF-8": (lambda: whole().replace(b"nginx", b"\xff", 1), "invalid start byte"),
    "another version": (
        lambda: whole().replace(b'"version":1', b'"version":7'),
        "is of version 7; this exporter knows 1",
    ),
    "too large": (lambda: whole() + b" " * 500_000, "is larger than 409600 bytes"),
}


@pytest.mark.parametrize(("raw", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_one_that_cannot_be_used_is_set_aside_and_begun_anew(tmp_path, raw, why):
    path, text = tmp_path / FILE, raw()
    path.write_bytes(text)
    os.utime(path, (UNIX, UNIX))
    after = standby()
    after.verdicts._tracks.by_name.clear()
    after.verdicts._tracks.inventory = None
    kept = handover(after, tmp_path)
    with capture_logs() as said:
        kept.load()
        kept.begin()
        after.becomes()
        asyncio.run(kept.run(ticks(2)))
        handover(Day(), tmp_path).load()
    (told,) = said
    assert told["event"] == "handover file cannot be used"
    assert why in told["error"]
    assert told["error"].endswith("; set aside as handover.bad, moves under way are not continued")
    assert path.with_suffix(".bad").read_bytes() == text
    assert NGINX in read(path.read_text())


def test_what_is_on_the_lease_is_used_where_the_file_is_broken(tmp_path):
    day = Day().see("aa").becomes(**FAILED).see("AA")
    (tmp_path / FILE).write_text("{")
    os.utime(tmp_path / FILE, (UNIX + day.now, UNIX + day.now))
    after = standby()
    after.now = day.now + 2
    taken = handover(after, tmp_path)
    taken.offer(handover(day, None).for_lease(), UNIX + day.now - 1)
    taken.load()
    taken.begin()
    after.becomes(inventory(**FAILED))
    assert after.see("bb").told == [("ab", Reason.READINESS)]


def test_a_link_in_its_place_is_replaced_and_what_it_names_stays(tmp_path):
    precious, path = tmp_path / "precious", tmp_path / "state" / FILE
    kept = handover(Day().see("aa"), path.parent)
    asyncio.run(kept.run(ticks(1)))
    precious.write_text("precious")
    os.utime(precious, (1, 1))
    path.unlink()
    path.symlink_to(precious)
    path.with_suffix(f".{os.getpid()}.new").symlink_to(precious)
    asyncio.run(kept.run(ticks(1)))
    assert (precious.read_text(), precious.stat().st_mtime) == ("precious", 1)
    assert not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("reads", "left", "unread"),
    [
        pytest.param(True, lambda text: text, False, id="it read logs of pods"),
        pytest.param(False, lambda text: text, True, id="it read none"),
        pytest.param(False, lambda text: text.replace("pod_logs", "x"), False, id="an older one"),
        pytest.param(False, lambda text: text[:-9], False, id="a broken note"),
        pytest.param(False, lambda text: "", False, id="no note"),
    ],
)
def test_a_leader_leaves_word_whether_it_read_logs_of_pods(reads, left, unread):
    began = time.time()
    text = handover(Day().see("aa"), None, reads_pod_logs=lambda: (reads, reads)).for_lease()
    assert NGINX in read(text)
    taken = handover(Day(), None)
    assert taken.unread_since(UNIX) is None
    taken.offer(left(text), UNIX)
    since = taken.unread_since(UNIX)
    assert (since is not None) == unread
    assert not unread or began <= since + UPGRADE <= time.time()


@pytest.mark.parametrize(
    ("later", "free", "since"),
    [
        pytest.param(0.0, 10.0, -ON_THE_WAY, id="it died"),
        pytest.param(SCRAPED, 10.0, -ON_THE_WAY, id="it died a while after its last scrape"),
        pytest.param(SCRAPED + 1, 10.0, None, id="nobody scraped"),
        pytest.param(0.0, 0.0, None, id="it released its Lease, and then was scraped again"),
        pytest.param(0.0, None, None, id="it was this replica"),
    ],
)
async def test_what_a_leader_that_died_had_counted_since_its_last_scrape_is_missing(
    later, free, since
):
    day = Day().see("aa")
    leader, scraped = handover(day, None), UNIX + day.now
    leader.mark()
    await leader.expose()
    day.now += later
    taken = handover(Day(), None)
    taken.offer(leader.for_lease(), UNIX + day.now)
    found = taken.unread_since(None if free is None else UNIX + day.now + free)
    assert found == (None if since is None else scraped + since)


def leave(reads, *, behind_services, taken=None):
    """Return what is left by a leader that reads, maybe after it took over."""
    made = taken or handover(Day().see("aa"), None)
    made._reads_pod_logs = lambda: (reads, behind_services)
    return made.for_lease()


def until_of(text):
    found = left_word(text)
    return found.service_pods, found.service_pods_until


def test_a_leader_that_reads_no_pods_says_until_when_one_before_it_did():
    assert until_of(leave(True, behind_services=True)) == (True, None)
    # Pods of a gateway are other ones.
    assert until_of(leave(True, behind_services=False)) == (False, None)
    left = leave(True, behind_services=True)
    for _ in range(3):
        taken = handover(Day().see("aa"), None)
        taken.offer(left, UNIX, UNIX)
        left = leave(False, behind_services=False, taken=taken)
        assert until_of(left) == (False, ReadUntil(UNIX, UNIX))


@pytest.mark.parametrize("free", [UNIX + 10, None], ids=["another one", "the same replica"])
async def test_of_one_that_died_it_is_known_until_its_last_scrape(free):
    day = Day().see("aa")
    leader = handover(day, None)
    leader.mark()
    await leader.expose()
    scraped = UNIX + day.now
    taken = handover(Day().see("aa"), None)
    taken.offer(leader.for_lease(), scraped, free and scraped + 10)
    left = leave(False, behind_services=False, taken=taken)
    assert until_of(left) == (False, ReadUntil(scraped + 10, scraped - ON_THE_WAY))


def test_of_an_older_leader_nothing_is_known():
    taken = handover(Day().see("aa"), None)
    taken.offer('{"pod_logs":true}', UNIX, UNIX)
    assert until_of(leave(False, behind_services=False, taken=taken)) == (False, None)


@pytest.mark.parametrize(("exposed", "since"), [("-1e300", -SCRAPED), ("1e300", 0.0)])
def test_a_note_with_a_time_that_cannot_be_is_bounded(exposed, since):
    taken = handover(Day(), None)
    taken.offer(f'{{"exposed":{exposed}}}', UNIX)
    assert taken.unread_since(UNIX + 10.0) == UNIX + since - ON_THE_WAY
