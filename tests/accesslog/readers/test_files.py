"""Real files, rotated in every way; time is an argument."""

import asyncio
import os
import tracemalloc

import pytest

from exporter.accesslog.readers import files, open_file
from exporter.accesslog.readers.files import IDLE_AFTER, LINGER, Follower
from exporter.accesslog.readers.follow import follow
from exporter.accesslog.readers.open_file import BLOCK, MAX_LINE
from tests.fakes.servers import open_files


class Reader:
    """A follower, its clock, and all that it brought."""

    def __init__(self, *patterns):
        self.follower = Follower([str(pattern) for pattern in patterns])
        self.now = 100.0
        self.rotations = self.truncations = self.truncated = self.partial = self.behind = 0
        self.errors = []
        self.troubled = []

    def look(self, after=2.0):
        """Poll and return the new lines."""
        self.now += after
        poll = self.follower.poll(self.now)
        for name in ("rotations", "truncations", "truncated", "partial"):
            setattr(self, name, getattr(self, name) + getattr(poll, name))
        self.behind, self.troubled = poll.behind, poll.troubled
        self.errors += poll.errors
        return b"".join(lines for _, lines in poll.blocks).decode(errors="replace").splitlines()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "access.log"


@pytest.fixture
def reader(log):
    made = Reader(log)
    yield made
    made.follower.close()


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def test_what_is_there_at_the_start_is_not_read(log, reader):
    log.write_text("old\nhalf")
    assert reader.look() == []
    append(log, " and whole\nnew\n")
    # The line whose beginning was there is whole only now.
    assert reader.look() == ["half and whole", "new"]


def test_a_file_that_comes_later_is_read_from_its_beginning(log, reader):
    assert reader.look() == []
    log.write_text("a\nb\n")
    assert reader.look() == ["a", "b"]
    assert reader.errors == []


def test_a_half_line_waits_for_its_end(log, reader):
    reader.look()
    log.write_text("a\nb")
    assert reader.look() == ["a"]
    append(log, "c")
    assert reader.look() == []
    append(log, "d\n")
    assert reader.look() == ["bcd"]


def test_between_looks_at_the_path_the_open_file_is_read(log, reader):
    log.touch()
    reader.look()
    append(log, "a\n")
    assert reader.look(after=0.01) == ["a"]


def test_rename_and_late_writers(log, reader):
    log.touch()
    reader.look()
    with log.open("a") as old:
        old.write("1\n")
        old.flush()
        assert reader.look() == ["1"]
        log.rename(log.with_suffix(".1"))
        log.write_text("2\n")
        old.write("late\n")
        old.flush()
        assert sorted(reader.look()) == ["2", "late"]
        old.write("later\n")
        old.flush()
        append(log, "3\n")
        assert sorted(reader.look()) == ["3", "later"]
    assert (reader.rotations, reader.truncations) == (1, 0)


def test_an_old_file_is_let_go_after_a_while(log, reader):
    log.write_text("")
    reader.look()
    held = open_files()
    for n in range(3):
        log.rename(log.with_suffix(f".{n}"))
        log.write_text("x\n")
        assert reader.look() == ["x"]
    assert open_files() == held + 3
    reader.look(after=LINGER + 1)
    reader.look()
    assert open_files() == held


def test_an_old_file_is_kept_as_long_as_its_writer_has_not_noticed(log, reader):
    log.touch()
    reader.look()
    with log.open("a") as old:
        log.rename(log.with_suffix(".1"))
        log.touch()
        for n in range(10):
            old.write(f"{n}\n")
            old.flush()
            assert reader.look(after=LINGER - 1) == [str(n)]


def test_busy_files_are_followed_over_quick_rotations(log, reader):
    log.touch()
    reader.look()
    for n in range(20):
        append(log, f"{n}\n")
        assert reader.look(after=0.25) == [str(n)]
        log.rename(log.with_suffix(f".{n}"))
        log.touch()
        assert reader.look(after=0.25) == []
    assert reader.rotations == 20


def test_an_idle_file_costs_nothing_until_the_next_look(log, reader):
    log.touch()
    reader.look()
    assert not reader.follower.is_idle(reader.now)
    reader.look(after=IDLE_AFTER + 1)
    append(log, "a\n")
    assert reader.follower.is_idle(reader.now + 0.25)
    assert reader.look(after=0.25) == []
    assert reader.look() == ["a"]
    assert not reader.follower.is_idle(reader.now + 0.25)


def test_a_half_line_in_a_file_that_goes_is_told(log, reader):
    log.write_text("")
    reader.look()
    append(log, "never ended")
    log.unlink()
    reader.look()
    reader.look(after=LINGER + 1)
    assert reader.partial == 1


def test_copytruncate(log, reader):
    log.touch()
    reader.look()
    append(log, "a\nb\n")
    assert reader.look() == ["a", "b"]
    os.truncate(log, 0)
    append(log, "c\n")
    assert reader.look() == ["c"]
    assert reader.truncations == 1


def test_a_file_truncated_and_filled_past_our_place_between_two_looks(log, reader):
    log.touch()
    reader.look()
    append(log, "first\nsecond\n")
    assert reader.look() == ["first", "second"]
    os.truncate(log, 0)
    append(log, "third\nfourth\nfifth\n")
    assert reader.look() == ["third", "fourth", "fifth"]
    assert reader.truncations == 1


def test_deleted_and_made_anew(log, reader):
    log.touch()
    reader.look()
    append(log, "a\n")
    assert reader.look() == ["a"]
    log.unlink()
    assert reader.look() == []
    log.write_text("b\n")
    assert reader.look() == ["b"]


def test_a_symlink_that_flips(tmp_path):
    one, two, link = tmp_path / "one", tmp_path / "two", tmp_path / "link"
    one.touch()
    link.symlink_to(one)
    reader = Reader(link)
    reader.look()
    append(one, "a\n")
    two.write_text("b\n")
    link.unlink()
    link.symlink_to(two)
    assert sorted(reader.look()) == ["a", "b"]
    append(one, "late\n")
    append(two, "c\n")
    assert sorted(reader.look()) == ["c", "late"]
    assert reader.rotations == 1
    reader.follower.close()


def test_globs_find_new_files_and_leave_packed_ones(tmp_path):
    (tmp_path / "a.log").write_text("old\n")
    reader = Reader(tmp_path / "*.log*")
    assert reader.look() == []
    (tmp_path / "b.log").write_text("new\n")
    (tmp_path / "a.log.1.gz").write_bytes(b"\x1f\x8b\n\n\n")
    assert reader.look() == ["new"]
    # Rotated within the glob: the same file under another name.
    (tmp_path / "b.log").rename(tmp_path / "b.log.1")
    (tmp_path / "b.log").write_text("newer\n")
    assert reader.look() == ["newer"]
    reader.follower.close()


def test_two_paths_of_one_file_are_one(tmp_path):
    (tmp_path / "a.log").touch()
    (tmp_path / "b.log").symlink_to(tmp_path / "a.log")
    reader = Reader(tmp_path / "*.log", tmp_path / "a.log")
    reader.look()
    append(tmp_path / "a.log", "once\n")
    assert reader.look() == ["once"]
    reader.follower.close()


def test_what_hinders_reading_is_told_once_and_until_it_is_over(tmp_path):
    reader = Reader(tmp_path / "log")
    (tmp_path / "log").mkdir()
    for _ in range(3):
        assert reader.look() == []
        assert reader.troubled == [f"{tmp_path / 'log'}: is not a regular file"]
    assert reader.errors == reader.troubled
    (tmp_path / "log").rmdir()
    (tmp_path / "log").write_text("well\n")
    assert reader.look() == ["well"]
    assert reader.troubled == []
    reader.follower.close()


def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "log")
    reader = Reader(tmp_path / "log")
    assert reader.look() == []
    assert "is not a regular file" in reader.errors[0]


def test_a_line_that_is_too_long_costs_no_memory(log, reader):
    reader.look()
    log.write_text("a\n" + "x" * (3 * MAX_LINE))
    assert reader.look() == ["a"]
    append(log, "x" * (5 * MAX_LINE))
    reader.look()
    append(log, "x\nb\n")
    assert reader.look() == ["b"]
    assert reader.truncated == 1
    assert all(len(file.lines.held) <= MAX_LINE for file in reader.follower._set.files.values())


def test_a_line_of_50_megabytes(log, reader):
    reader.look()
    with log.open("w") as file:
        for _ in range(50):
            file.write("x" * 1_000_000)
        file.write("\nnext\n")
    tracemalloc.start()
    lines = reader.look()
    while reader.behind:
        lines += reader.look(after=0.25)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (lines, reader.truncated) == (["next"], 1)
    assert peak < 4_000_000


def test_a_thousand_files(tmp_path):
    reader = Reader(tmp_path / "*.log")
    reader.look()
    for n in range(1000):
        (tmp_path / f"{n}.log").write_text(f"{n}\n")
    assert sorted(map(int, reader.look())) == list(range(1000))
    for n in range(1000):
        (tmp_path / f"{n}.log").unlink()
    reader.look()
    reader.look(after=LINGER + 1)
    assert reader.follower.paths == set()
    reader.follower.close()


def test_a_folder_replaced_by_another(tmp_path):
    here = tmp_path / "logs"
    here.mkdir()
    (here / "a.log").touch()
    reader = Reader(here / "a.log")
    reader.look()
    append(here / "a.log", "one\n")
    here.rename(tmp_path / "old")
    here.mkdir()
    (here / "a.log").write_text("two\n")
    assert sorted(reader.look()) == ["one", "two"]
    reader.follower.close()


def test_a_byte_order_mark_is_no_part_of_the_first_line(log, reader):
    reader.look()
    log.write_bytes(b"\xef\xbb\xbffirst\nsecond\n")
    assert reader.look() == ["first", "second"]


def test_a_file_system_that_fails_for_a_while(log, reader, monkeypatch):
    log.touch()
    reader.look()
    append(log, "one\nhal")
    assert reader.look() == ["one"]

    def fail(*_):
        raise OSError(5, "Input/output error")

    append(log, "f\n")
    with monkeypatch.context() as broken:
        broken.setattr(open_file.os, "pread", fail)
        for _ in range(3):
            assert reader.look() == []
    assert reader.errors == [f"{log}: Input/output error"]
    append(log, "two\n")
    assert reader.look() == ["half", "two"]
    assert reader.troubled == []


def test_a_file_renamed_within_a_glob_keeps_its_place(tmp_path):
    reader = Reader(tmp_path / "*.log*")
    (tmp_path / "a.log").touch()
    reader.look()
    append(tmp_path / "a.log", "one\n")
    reader.look()
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    append(tmp_path / "a.log.1", "two\n")
    assert reader.look() == ["two"]
    assert reader.follower.paths == {str(tmp_path / "a.log.1")}
    assert not reader.follower._is_moving(reader.now)
    reader.follower.close()


def test_nuls_and_other_bytes_pass(log, reader):
    reader.look()
    log.write_bytes(b"a\0b\n\xff\xfe\r\n\n")
    assert len(reader.look()) >= 3


def test_one_that_is_far_behind_does_not_starve_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_FILE", BLOCK)
    monkeypatch.setattr(files, "MAX_POLL", 2 * BLOCK)
    reader = Reader(tmp_path / "*.log")
    reader.look()
    (tmp_path / "a.log").write_text("a\n" * 5 * BLOCK)
    for name in ("b.log", "c.log", "d.log"):
        (tmp_path / name).write_text(f"{name}\n")
    lines = reader.look()
    assert reader.behind > 0
    for _ in range(3):
        lines += reader.look(after=0.01)
    assert {"b.log", "c.log", "d.log"} < set(lines)
    while reader.behind:
        lines += reader.look(after=0.01)
    assert lines.count("a") == 5 * BLOCK
    reader.follower.close()


def test_permission_lost_and_regained(log, reader):
    if os.getuid() == 0:
        pytest.skip("root may read everything")
    log.touch(mode=0)
    reader.look()
    assert "Permission denied" in reader.errors[0]
    log.chmod(0o600)
    append(log, "a\n")
    assert reader.look() == ["a"]


async def test_follow_hands_blocks_over_one_at_a_time(log):
    log.write_text("")
    follower, got, polls = Follower([str(log)]), [], []

    async def ticks():
        yield
        await asyncio.to_thread(append, log, "a\n")
        yield

    await follow(follower, ticks(), block=lambda *each: got.append(each), polled=polls.append)
    follower.close()
    assert got == [(str(log), b"a\n")]
    assert len(polls) == 2


def test_closing_while_a_poll_runs_waits_for_its_end(log):
    log.write_text("")
    follower = Follower([str(log)])
    follower.poll(1.0)
    before = open_files()
    with follower._lock:
        # As if another thread were in the middle of a poll.
        follower.close()
        assert open_files() == before
    follower.poll(2.0)
    assert open_files() == before - 1
