"""Inputs that reach deep, and inputs that once did harm, are parsed or refused by name."""

import pytest

from tests.fuzz.harness import CORPUS, read_input, write_input
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs_are_parsed_or_refused_by_name(name):
    target = TARGETS[name]
    assert target.inputs
    for data in (*target.inputs, *target.words, b"", b"\0", b"\xff" * 100):
        target.run(data)


def test_each_corpus_has_a_target_and_is_small():
    files = list(CORPUS.iterdir())
    assert {path.stem for path in files} == set(TARGETS)
    assert sum(path.stat().st_size for path in files) < 64 << 10


def test_any_bytes_can_be_kept_as_a_line_of_text():
    data = bytes(range(256)) + b"'\"\\"
    line = write_input(data)
    assert line.isascii()
    assert "\n" not in line
    assert read_input(line) == data
