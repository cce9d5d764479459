from hypothesis import given
from hypothesis import strategies as st

from exporter.apiserver.splitter import Splitter

LIMIT = 8
CHUNKS = st.lists(st.binary(max_size=12).map(lambda part: part.replace(b"\r", b"\n")), max_size=12)


@given(CHUNKS)
def test_however_bytes_come_lines_are_the_same(chunks):
    splitter = Splitter(LIMIT)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    *whole, last = b"".join(chunks).split(b"\n")
    assert lines == [line for line in whole if len(line) <= LIMIT]
    assert splitter.too_long == sum(len(line) > LIMIT for line in (*whole, last))


def test_a_line_that_does_not_end_takes_no_memory():
    splitter = Splitter(1000)
    for _ in range(10_000):
        assert splitter.feed(b"x" * 100) == []
    assert sum(map(len, splitter._held)) <= 1000
    assert splitter.feed(b"\nnext\n") == [b"next"]
    assert splitter.too_long == 1
