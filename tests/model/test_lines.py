"""Lines come out as they went in, however the bytes are cut, and long ones cost nothing."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.model.lines import LineSplitter

LIMIT = 8
TEXTS = st.text(alphabet="ab\n", max_size=40).map(str.encode)


@given(st.lists(TEXTS, max_size=12))
def test_however_bytes_come_lines_are_the_same(chunks):
    splitter = LineSplitter(LIMIT)
    lines = [line for chunk in chunks for line in splitter.split(chunk)]
    *whole, last = b"".join(chunks).split(b"\n")
    assert lines == [line for line in whole if len(line) <= LIMIT]
    assert splitter.too_long == sum(len(line) > LIMIT for line in (*whole, last))
    assert splitter.skipping == (len(last) > LIMIT)
    kept = b"" if splitter.skipping else last
    assert splitter.held == kept
    assert splitter.finish() == (kept + b"\n" if kept else b"")


@given(TEXTS, TEXTS)
def test_another_splitter_goes_on_where_one_stopped(one, other):
    whole = LineSplitter(LIMIT)
    expected = whole.feed(one) + whole.feed(other)
    first = LineSplitter(LIMIT)
    got = first.feed(one)
    second = LineSplitter(LIMIT, held=first.held, skipping=first.skipping)
    assert got + second.feed(other) == expected
    assert first.too_long + second.too_long == whole.too_long


def test_a_line_that_does_not_end_takes_no_memory():
    splitter = LineSplitter(1000)
    for _ in range(10_000):
        assert splitter.feed(b"x" * 100) == b""
        assert len(splitter.held) <= 1000
    assert splitter.split(b"\nnext\n") == [b"next"]
    assert splitter.too_long == 1
