import gzip
import io
import os
import sys
import threading
from types import SimpleNamespace

import pytest

from exporter.accesslog.readers import past as read
from exporter.accesslog.readers.past import BLOCK, MAX_LINE, ReadError, read_blocks


def blocks(*files):
    got, cuts = [], []
    made = list(read_blocks([str(f) for f in files], read=got.append, cut=lambda: cuts.append(1)))
    return b"".join(made), sum(got), len(cuts)


def test_files_one_after_the_other_plain_and_packed(tmp_path):
    (tmp_path / "one").write_bytes(b"a\nb\n")
    (tmp_path / "two.gz").write_bytes(gzip.compress(b"c\nd"))
    (tmp_path / "three").write_bytes(b"e\n")
    text, size, cuts = blocks(tmp_path / "one", tmp_path / "two.gz", tmp_path / "three")
    assert (text, cuts) == (b"a\nb\nc\nd\ne\n", 0)
    assert size == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_a_packed_file_is_known_by_its_first_bytes(tmp_path):
    (tmp_path / "access.log").write_bytes(gzip.compress(b"a\n"))
    assert blocks(tmp_path / "access.log")[0] == b"a\n"


def test_two_packed_files_in_one(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    assert blocks(tmp_path / "x")[0] == b"a\nb\n"


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x\ny\n")))
    assert blocks("-")[0] == b"x\ny\n"


def test_blocks_hold_whole_lines(tmp_path):
    lines = b"".join(b"%d\n" % n for n in range(100_000))
    (tmp_path / "x").write_bytes(lines)
    made = list(read_blocks([str(tmp_path / "x")], read=len_of, cut=lambda: None))
    assert len(made) > 2
    assert all(block.endswith(b"\n") for block in made)
    assert b"".join(made) == lines


def len_of(_):
    return None


@pytest.mark.parametrize("length", [MAX_LINE + 1, 2 * BLOCK, 5 * BLOCK + 7])
def test_a_line_that_is_too_long_is_cut_out(tmp_path, length):
    (tmp_path / "x").write_bytes(b"a\n" * (BLOCK // 2 - 5) + b"x" * length + b"\nb\nc\n")
    text, _, cuts = blocks(tmp_path / "x")
    assert cuts == 1 or length <= MAX_LINE + 20
    assert text.endswith(b"\nb\nc\n")
    assert text.count(b"\n") == BLOCK // 2 - 5 + 2 + (1 - cuts)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: None, "no such file or directory"),
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: path.write_bytes(gzip.compress(b"x" * 9999)[:-20]), "compressed file ended"),
        (lambda path: path.write_bytes(b"\x1f\x8b\x07" + bytes(20)), "unknown compression method"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, make, told):
    make(tmp_path / "log")
    with pytest.raises(ReadError, match=f"log: {told}"):
        blocks(tmp_path / "log")


def test_limits_are_what_the_docs_say():
    assert (read.BLOCK, read.MAX_LINE) == (131072, 65536)


def test_a_pipe_is_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"a\nb\n",))
    writer.start()
    assert blocks(tmp_path / "pipe")[0] == b"a\nb\n"
    writer.join()
