"""Inputs that reach deep, and inputs that once did harm, are parsed or refused by name."""

import pytest

from tests.fuzz import generate
from tests.fuzz.harness import CORPUS, Target, read_input, write_input
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


def refuses(data):
    if b"boom" in data:
        raise ZeroDivisionError
    raise LookupError("\n" if b"two" in data else "")


class Planted(Target):
    inputs = (b"something longer",)


def test_without_atheris_a_crash_is_found_and_made_small(monkeypatch):
    monkeypatch.setattr(generate, "BATCH", 50)
    planted = Planted(name="x", check=refuses, errors=(LookupError,), words=(b"boom",))
    tried, crash, why = generate.search(planted, seconds=60, seed=1)
    assert (crash, why) == (b"boom", "ZeroDivisionError: ")
    assert tried > 0
    assert generate.search(planted, seconds=0, seed=1) == (0, None, "")


def test_a_named_error_is_no_crash_but_a_message_of_two_lines_is():
    target = Target(name="x", check=refuses, errors=(LookupError,))
    target.run(b"one")
    with pytest.raises(AssertionError):
        target.run(b"two")
    with pytest.raises(ZeroDivisionError):
        target.run(b"boom")


def test_any_bytes_can_be_kept_as_a_line_of_text():
    data = bytes(range(256)) + b"'\"\\"
    line = write_input(data)
    assert line.isascii()
    assert "\n" not in line
    assert read_input(line) == data
