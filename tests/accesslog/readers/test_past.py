import bz2
import gzip
import io
import os
import sys
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.accesslog.readers import past as read
from exporter.accesslog.readers.past import (
    BLOCK,
    MAX_LINE,
    FilePart,
    ReadError,
    file_parts,
    read_blocks,
)

ZSTD = read._zstd()


def blocks(*files):
    got, cuts = [], []
    made = [
        block
        for file in files
        for block in read_blocks(FilePart(str(file)), read=got.append, cut=lambda: cuts.append(1))
    ]
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
    made = list(read_blocks(FilePart(str(tmp_path / "x")), read=len_of, cut=lambda: None))
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


LENGTHS = st.sampled_from([0, 1, 70, MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, BLOCK, 3 * BLOCK + 5])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(LENGTHS, st.integers(1, 3000)), max_size=12),
    st.sampled_from([b"", b"unfinished"]),
)
def test_the_parts_of_a_file_have_the_blocks_of_the_whole(tmp_path_factory, runs, end):
    path = tmp_path_factory.mktemp("parts") / "log"
    # Many short lines, or a few long ones.
    text = b"".join((b"x" * size + b"\n") * (times if size < 100 else 1) for size, times in runs)
    path.write_bytes(text + end)

    def read_all(parts):
        sizes, cuts = [], []
        made = [
            block
            for part in parts
            for block in read_blocks(part, read=sizes.append, cut=lambda: cuts.append(1))
        ]
        return made, sum(sizes), len(cuts)

    parts = file_parts(str(path), size=BLOCK)
    assert parts[0].start == 0
    assert parts[-1].end is None
    assert read_all(parts) == read_all([FilePart(str(path))])
    assert len(file_parts(str(path))) == 1


def test_a_large_file_has_several_parts(tmp_path):
    (tmp_path / "log").write_bytes(b"a line\n" * 100_000)
    starts = [part.start for part in file_parts(str(tmp_path / "log"), size=BLOCK)]
    assert starts == [0, BLOCK, 2 * BLOCK, 3 * BLOCK, 4 * BLOCK, 5 * BLOCK]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, ZSTD.compress])
def test_a_packed_file_is_one_part_and_its_text_is_read(tmp_path, pack):
    text = os.urandom(4 * BLOCK).hex().encode() + b"\nlast"
    text = b"\n".join(text[n : n + 100] for n in range(0, len(text), 100))
    (tmp_path / "log").write_bytes(pack(text[:9999]) + pack(text[9999:]))
    assert file_parts(str(tmp_path / "log"), size=BLOCK) == [FilePart(str(tmp_path / "log"))]
    made, size, _ = blocks(tmp_path / "log")
    assert made == text + b"\n"
    assert size == (tmp_path / "log").stat().st_size


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, ZSTD.compress])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_packed_file_is_told(tmp_path, pack, damage):
    packed = bytearray(pack(b"a line\n" * 5000))
    packed = packed[:-6] if damage == "cut" else packed[:20] + b"\xff" * 9 + packed[29:]
    (tmp_path / "log").write_bytes(packed)
    with pytest.raises(ReadError, match="log: "):
        blocks(tmp_path / "log")


def test_zstd_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "log").write_bytes(ZSTD.compress(b"a\n"))
    monkeypatch.setattr(read, "_zstd", lambda: None)
    with pytest.raises(ReadError, match=r"log: is packed with zstd; .*clusterset-exporter\[zstd\]"):
        blocks(tmp_path / "log")
