"""A node's files are read from where somebody else stopped; time is an argument."""

import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.accesslog.readers.first_line import offset_after
from exporter.apiserver.left_word import ReadUntil
from exporter.apiserver.log_place import since
from tests.accesslog.readers.test_choose import WEB, Life
from tests.fakes.nodelogs import Node

BEGIN = 1_800_000_000.0


class LaterLife(Life):
    """One that begins after somebody else read."""

    def __init__(self, node, at, sure=None):
        super().__init__(node)
        self.chosen.begin_after(ReadUntil(at, at if sure is None else sure), at)
        self.gaps = []
        self.chosen.missing = lambda path, *gap: self.gaps.append(gap)

    def look(self, after=2.1):
        self.now += after
        poll = self.follower.poll(self.now)
        self.follower.tell_gaps(poll)
        self.errors += poll.errors
        lines = b"".join(block for _, block in poll.blocks).decode().splitlines()
        return [line.split(" ", 3)[3] for line in lines]


@pytest.fixture
def node(tmp_path):
    return Node(tmp_path)


@pytest.fixture
def web(node):
    return node.log("shop", "web-1")


@pytest.fixture
def begin(node):
    made = []

    def begun(at, sure=None, *, known=True):
        life = LaterLife(node, BEGIN + at, None if sure is None else BEGIN + sure)
        life.want(*([WEB] if known else []), waiting=[] if known else [WEB])
        made.append(life)
        return life

    yield begun
    for each in made:
        each.follower.close()


def write(log, *seconds):
    for each in seconds:
        log.write(f"at {each}", at=BEGIN + each)


def at(*seconds):
    return [f"at {each}" for each in seconds]


def test_only_lines_that_are_later_are_read(web, begin):
    write(web, 1, 2, 3)
    life = begin(2.1)
    assert life.look() == at(3)
    write(web, 4)
    assert life.look() == at(4)
    assert life.gaps == []


def test_a_line_of_exactly_that_time_was_not_read(web, begin):
    """A leader that ends leaves it to whoever comes next."""
    write(web, 1, 2.5, 3)
    assert begin(2.5).look() == at(2.5, 3)


def test_what_a_kubelet_rotated_away_since_then_is_read_too(web, begin):
    write(web, 1, 2)
    web.rotate()
    write(web, 3, 4)
    web.rotate()
    write(web, 5)
    life = begin(3.1)
    assert life.look() == at(4, 5)
    assert life.gaps == []
    # The one with nothing new is not held open.
    assert len(life.follower.places()) == 2


def test_what_was_compressed_since_then_is_a_gap(web, begin):
    write(web, 1, 2)
    web.compress(web.rotate())
    write(web, 5)
    web.rotate()
    write(web, 6)
    life = begin(2.1)
    assert life.look() == at(5, 6)
    assert life.gaps == [(BEGIN + 2.1, BEGIN + 5)]


def test_what_was_compressed_before_is_none(web, begin):
    write(web, 1)
    web.compress(web.rotate())
    write(web, 2, 3)
    life = begin(2.1)
    assert life.look() == at(3)
    assert life.gaps == []


def test_if_nothing_is_left_the_gap_ends_with_the_newest_file(web, begin):
    write(web, 1, 3)
    web.compress(web.rotate())
    os.utime(web.file, (BEGIN + 9, BEGIN + 9))
    life = begin(2.1)
    assert life.look() == []
    assert life.gaps == [(BEGIN + 2.1, BEGIN + 9)]


def test_what_one_that_died_had_counted_is_a_gap(web, begin):
    write(web, 1, 20)
    life = begin(15, sure=5)
    assert life.look() == at(20)
    assert life.gaps == [(BEGIN + 5, BEGIN + 15)]


def test_a_gap_is_told_of_files_that_are_read_only(node, web, begin):
    sidecar = node.log("shop", "web-1", "mesh")
    write(web, 1)
    write(sidecar, 1)
    life = begin(15, sure=5, known=False)
    assert life.look() == []
    assert life.gaps == []
    life.want(WEB)
    assert life.look() == []
    assert len(life.gaps) == 1


def test_a_file_that_could_not_be_opened_at_first_is_read_from_then_on(web, begin, monkeypatch):
    write(web, 1, 2, 3)
    monkeypatch.setattr("exporter.accesslog.readers.file_set.open_regular", refuse)
    life = begin(2.1)
    assert life.look() == []
    monkeypatch.undo()
    web.rotate()
    write(web, 4)
    assert life.look() == at(3, 4)


def refuse(path):
    raise PermissionError(13, "Permission denied", path)


def test_of_a_pod_that_comes_later_all_is_read(node, begin):
    life = begin(2.1)
    assert life.look() == []
    write(node.log("shop", "web-1"), 3, 4)
    assert life.look() == at(3, 4)


LINES = st.lists(
    st.tuples(st.floats(0, 5), st.sampled_from([0, 10, 5000, 70_000])), min_size=0, max_size=60
)


@given(LINES, st.floats(-1, 100), st.booleans())
def test_the_place_is_that_of_the_first_later_line(tmp_path_factory, lines, moment, half):
    text, now, expected = b"", BEGIN, None
    stamp = since(BEGIN + moment).stamp
    for wait, size in lines:
        now += wait
        if expected is None and since(now).stamp >= stamp:
            expected = len(text)
        text += f"{stamp_of(now)} stdout F {'x' * size}\n".encode()
    whole = len(text)
    text += b"2027-01" if half else b""
    path = tmp_path_factory.mktemp("files") / "0.log"
    path.write_bytes(text)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = offset_after(descriptor, len(text), stamp)
    finally:
        os.close(descriptor)
    assert found == (whole if expected is None else expected)


def stamp_of(unix):
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"
