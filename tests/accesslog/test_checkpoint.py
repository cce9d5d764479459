"""Reading goes on where it stopped."""

import errno
import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.accesslog.checkpoint import Checkpoint, CheckpointError, FilePlaces
from exporter.accesslog.readers.files import Follower
from exporter.accesslog.readers.open_file import FilePlace


def place(**changes):
    words = {
        "path": "/var/log/x.log",
        "device": 1,
        "inode": 2,
        "offset": 30,
        "tail": b"\x00\xff",
        "held": b"half",
        "skipping": False,
    }
    return FilePlace(**words | changes)


def append(path, text):
    with path.open("a") as file:
        file.write(text)


class Life:
    """A follower that goes on where the one before stopped."""

    def __init__(self, keeper, pattern):
        saved = keeper.load()
        self.keeper = keeper
        self.follower = Follower([str(pattern)], None if saved is None else saved[0])
        self.now = 0.0
        self.truncations = 0
        self.errors = []

    def look(self):
        self.now += 2
        poll = self.follower.poll(self.now)
        self.truncations += poll.truncations
        self.errors += poll.errors
        return b"".join(lines for _, lines in poll.blocks).decode().splitlines()

    def end(self):
        self.keeper.save((self.follower.places(), {}))
        self.follower.close()


@pytest.fixture
def log(tmp_path):
    made = tmp_path / "logs" / "access.log"
    made.parent.mkdir()
    made.touch()
    return made


@pytest.fixture
def live(tmp_path, log):
    keeper = Checkpoint(tmp_path / "state", "x", FilePlaces)
    lives = []

    def again(pattern=log):
        if lives:
            lives[-1].end()
        lives.append(Life(keeper, pattern))
        return lives[-1]

    yield again
    lives[-1].follower.close()


def test_what_is_saved_is_loaded(tmp_path):
    keeper = Checkpoint(tmp_path / "state", "x", FilePlaces)
    assert keeper.load() is None
    parts = {"/var/log/x.log": {"stdout": b"\xff"}}
    keeper.save(([place(), place(inode=9)], parts))
    assert keeper.load() == ((place(), place(inode=9)), parts)
    assert [path.suffix for path in (tmp_path / "state").iterdir()] == [".json"]
    assert Checkpoint(tmp_path / "state", "y", FilePlaces).load() is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"version":1}',
        b'{"version":2,"source":"x","places":[],"parts":{}}',
    ],
)
def test_one_that_cannot_be_used_is_set_aside(tmp_path, raw):
    keeper = Checkpoint(tmp_path, "x", FilePlaces)
    keeper.save(([], {}))
    (path,) = tmp_path.iterdir()
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"set aside as log-.*bad, reading begins at"):
        keeper.load()
    assert keeper.load() is None
    assert path.with_suffix(".bad").read_bytes() == raw


UNUSABLE = {
    "a link": lambda path: path.symlink_to(path.with_suffix(".other")),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a pipe": os.mkfifo,
    "a directory": lambda path: path.mkdir(),
    "a socket": lambda path: os.mknod(path, 0o600 | stat.S_IFSOCK),
}


@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_not_a_regular_file_is_set_aside_and_not_read(tmp_path, make):
    keeper = Checkpoint(tmp_path, "x", FilePlaces)
    keeper.save(([], {}))
    (path,) = tmp_path.iterdir()
    path.rename(path.with_suffix(".other"))
    make(path)
    with pytest.raises(CheckpointError, match=r"is not a regular file; set aside as log-.*bad"):
        keeper.load()
    assert keeper.load() is None
    keeper.save(([place()], {}))
    assert keeper.load() == ((place(),), {})


def test_one_that_is_too_large_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.setattr("exporter.accesslog.checkpoint._MAX_BYTES", 100)
    keeper = Checkpoint(tmp_path, "x", FilePlaces)
    keeper.save(([place()], {}))
    with pytest.raises(CheckpointError, match="is larger than 100 bytes; set aside"):
        keeper.load()


@pytest.mark.parametrize(
    "changes",
    [
        {"offset": -1},
        {"offset": 1 << 63},
        {"offset": 10**400},
        {"inode": -1},
        {"device": -1},
        {"path": "a\0b"},
        {"tail": "QUFBQQ==", "offset": 3},
        {"tail": "A" * 400},
        {"held": "A" * 200_000, "offset": 1 << 40},
    ],
    ids=str,
)
def test_places_that_no_reader_saved_are_set_aside(tmp_path, changes):
    keeper = Checkpoint(tmp_path, "x", FilePlaces)
    keeper.save(([place()], {}))
    (path,) = tmp_path.iterdir()
    saved = json.loads(path.read_text())
    saved["kept"][0][0] |= changes
    path.write_text(json.dumps(saved))
    with pytest.raises(CheckpointError, match="set aside"):
        keeper.load()


@given(st.binary(max_size=60), st.integers(0, 300))
def test_whatever_is_in_it_loading_never_fails_otherwise(raw, at):
    with tempfile.TemporaryDirectory() as name:
        keeper = Checkpoint(Path(name), "x", FilePlaces)
        keeper.save(([place()], {"a": {"stdout": b"half"}}))
        (path,) = Path(name).iterdir()
        whole = path.read_bytes()
        path.write_bytes(whole[:at] + raw + whole[at + len(raw) :])
        with suppress(CheckpointError):
            keeper.load()


def test_a_deep_one_is_set_aside(tmp_path):
    keeper = Checkpoint(tmp_path, "x", FilePlaces)
    keeper.save(([], {}))
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text().replace("[[],{}]", "[" * 100_000))
    with pytest.raises(CheckpointError, match="set aside"):
        keeper.load()


def test_what_a_killed_process_left_is_no_hindrance_and_no_link_is_followed(tmp_path):
    keeper = Checkpoint(tmp_path / "state", "x", FilePlaces)
    keeper.save(([], {}))
    (path,) = (tmp_path / "state").iterdir()
    (tmp_path / "precious").write_text("precious")
    path.with_suffix(f".{os.getpid()}.new").symlink_to(tmp_path / "precious")
    keeper.save(([place()], {}))
    assert (tmp_path / "precious").read_text() == "precious"
    assert keeper.load() == ((place(),), {})


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=os.strerror)
def test_a_failed_saving_leaves_the_one_before_and_nothing_else(tmp_path, monkeypatch, number):
    keeper = Checkpoint(tmp_path, "x", FilePlaces)
    keeper.save(([place()], {}))

    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointError, match=f"cannot be written: {os.strerror(number)}"):
        keeper.save(([place(offset=90)], {}))
    assert len(list(tmp_path.iterdir())) == 1
    assert keeper.load() == ((place(),), {})


def test_file_and_directory_are_written_to_the_disk_in_order(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda d: (done.append(stat.S_ISDIR(os.fstat(d).st_mode)), fsync(d))
    )
    monkeypatch.setattr(Path, "replace", lambda a, b: (done.append("renamed"), replace(a, b)))
    Checkpoint(tmp_path, "x", FilePlaces).save(([], {}))
    assert done == [False, "renamed", True]


def test_one_of_another_source_is_set_aside(tmp_path):
    keeper = Checkpoint(tmp_path, "x", FilePlaces)
    keeper.save(([], {}))
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"source": "y"}))
    with pytest.raises(CheckpointError, match="of another version or source"):
        keeper.load()


def test_one_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        Checkpoint(tmp_path / "state", "x", FilePlaces).save(([], {}))


def test_a_restart_goes_on(log, live):
    append(log, "before\n")
    life = live()
    assert life.look() == []
    append(log, "one\nhalf")
    assert life.look() == ["one"]
    life = live()
    append(log, " and whole\ntwo\n")
    assert life.look() == ["half and whole", "two"]
    assert live().look() == []


def test_a_file_that_was_rotated_meanwhile(log, live):
    life = live()
    life.look()
    append(log, "one\n")
    assert life.look() == ["one"]
    life.end()
    append(log, "late\n")
    log.rename(log.with_suffix(".1"))
    log.write_text("new\n")
    again = Life(life.keeper, log)
    assert again.look() == ["late", "new"]
    append(log.with_suffix(".1"), "later\n")
    assert again.look() == ["later"]
    again.follower.close()


def test_a_file_that_came_meanwhile_is_read_from_its_beginning(log, live):
    life = live(log.parent / "*.log")
    life.look()
    life = live(log.parent / "*.log")
    (log.parent / "b.log").write_text("new\n")
    assert life.look() == ["new"]


def test_a_file_that_is_gone_is_told(log, live):
    life = live()
    life.look()
    append(log, "one\n")
    life.look()
    life = live()
    log.unlink()
    log.write_text("other\n")
    # The file system may give the new file the old one's number.
    assert life.look() == ["other"]
    assert life.truncations or "is gone; not counted" in life.errors[0]


def test_a_file_written_anew_in_place(log, live):
    life = live()
    life.look()
    append(log, "one\ntwo\n")
    life.look()
    life = live()
    log.write_text("other\nwith more than before\n")
    assert life.look() == ["other", "with more than before"]
    assert life.truncations == 1


def test_a_file_cut_short(log, live):
    life = live()
    life.look()
    append(log, "one\ntwo\n")
    life.look()
    life = live()
    os.truncate(log, 0)
    append(log, "new\n")
    assert life.look() == ["new"]


def test_a_saving_that_comes_late_does_not_undo_a_later_one(tmp_path):
    keeper = Checkpoint(tmp_path, "x", FilePlaces)
    keeper.save(([place(offset=90)], {}), turn=2)
    keeper.save(([place(offset=30)], {}), turn=1)
    assert keeper.load() == ((place(offset=90),), {})


def test_the_age_of_one_is_the_time_since_it_was_saved_or_touched(tmp_path):
    keeper = Checkpoint(tmp_path / "state", "x", int)
    assert keeper.age() == 0
    keeper.touch()
    assert not (tmp_path / "state").exists()
    keeper.save(1)
    (file,) = (tmp_path / "state").iterdir()
    os.utime(file, (1000, 1000))
    assert keeper.age() > 1000
    keeper.touch()
    assert keeper.age() < 1000
