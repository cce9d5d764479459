"""Messages of a stream, in both framings, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.accesslog.readers.syslog_stream import MessageSplitter

LIMIT = 100
MESSAGES = st.lists(
    st.tuples(st.booleans(), st.sampled_from([b"<1>", b"<190>a b", b"<1>12 ", b"<1>5 <"])),
    max_size=8,
)


def framed(messages):
    return b"".join(
        b"%d %s" % (len(text), text) if counted else text + b"\n" for counted, text in messages
    )


def cut(text, data):
    while text:
        number = data.draw(st.integers(1, len(text)))
        yield text[:number]
        text = text[number:]


@given(MESSAGES, st.data())
def test_messages_of_both_framings_come_out_whole(messages, data):
    splitter = MessageSplitter(LIMIT)
    found = [each for part in cut(framed(messages), data) for each in splitter.feed(part)]
    assert found == [text for _, text in messages]
    assert (splitter.finish(), splitter.too_long) == (b"", 0)


@given(st.text(alphabet="1 <\nx", max_size=60).map(str.encode), st.data())
def test_how_bytes_are_cut_changes_nothing(text, data):
    one, other = MessageSplitter(LIMIT), MessageSplitter(LIMIT)
    found = [each for part in cut(text, data) for each in other.feed(part)]
    assert one.feed(text) == found
    assert one.finish() == other.finish()


@pytest.mark.parametrize("counted", [True, False], ids=["counted", "by line feeds"])
def test_one_that_is_too_long_costs_no_memory_and_the_next_comes(counted):
    splitter = MessageSplitter(LIMIT)
    text = framed([(counted, b"<1>" + b"x" * 900), (counted, b"<1>next")])
    found = []
    for place in range(0, len(text), 10):
        found += splitter.feed(text[place : place + 10])
        assert len(splitter._held) + len(splitter._lines.held) <= LIMIT + 10
    assert found == [b"<1>next"]
    assert splitter.too_long == 1


def test_the_last_message_may_end_with_the_stream():
    splitter = MessageSplitter(LIMIT)
    assert splitter.feed(b"<1>a\n<1>b") == [b"<1>a"]
    assert splitter.finish() == b"<1>b"
