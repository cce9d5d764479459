"""Noticing that a file changed."""

import os
from pathlib import Path

from exporter.files.stamp import FileStamp


def test_a_file_that_did_not_change_has_the_same_stamp(tmp_path: Path):
    path = tmp_path / "file"
    path.write_text("one")
    before = FileStamp.take(path)
    assert before is not None
    assert FileStamp.take(path) == before


def test_each_way_to_change_a_file_is_noticed(tmp_path: Path):
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("one")
    os.utime(path, ns=(1, 1))
    stamps = [FileStamp.take(path)]
    path.write_text("longer")
    os.utime(path, ns=(1, 1))
    stamps.append(FileStamp.take(path))
    os.utime(path, ns=(2, 2))
    stamps.append(FileStamp.take(path))
    other.write_text("longer")
    os.utime(other, ns=(2, 2))
    other.rename(path)
    stamps.append(FileStamp.take(path))
    assert len(set(stamps)) == 4


def test_a_link_to_another_file_is_noticed_and_a_missing_file_has_no_stamp(tmp_path: Path):
    link = tmp_path / "link"
    for name in "ab":
        (tmp_path / name).write_text("same")
        os.utime(tmp_path / name, ns=(1, 1))
    link.symlink_to("a")
    before = FileStamp.take(link)
    link.unlink()
    link.symlink_to("b")
    assert FileStamp.take(link) != before
    link.unlink()
    assert FileStamp.take(link) is None
