"""Files of our own are replaced as a whole, whatever fails on the way."""

import errno
import os
import stat
from pathlib import Path

import pytest

from exporter.files.replace import replace_file, set_aside


def failing(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=os.strerror)
@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_what_fails_leaves_the_file_before_and_nothing_else(tmp_path, monkeypatch, step, number):
    path = tmp_path / "kept.json"
    replace_file(path, b"before")
    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "replace" else os, step, failing(number))
        with pytest.raises(OSError, match=os.strerror(number)):
            replace_file(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_cannot_be_synced_is_an_error_and_the_file_is_whole(tmp_path, monkeypatch):
    path, fsync = tmp_path / "kept.json", os.fsync

    def sync(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            failing(errno.EIO)()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        replace_file(path, b"after")
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_only_our_user_may_read_it(tmp_path):
    replace_file(tmp_path / "state" / "kept.json", b"x")
    assert stat.S_IMODE((tmp_path / "state" / "kept.json").stat().st_mode) == 0o600


def test_what_cannot_be_set_aside_is_said(tmp_path):
    path = tmp_path / "kept.json"
    path.write_text("")
    path.with_suffix(".bad").mkdir()
    assert set_aside(path) == "cannot be set aside: Is a directory"
